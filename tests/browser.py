"""A real headless Chromium for tests, and a check that a page asks for nothing and complains of nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield the system's Chromium; skip the test where there is none, or no Playwright to drive it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright, a dev dependency")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    path = path or shutil.which("google-chrome")
    if not path:
        pytest.skip("there is no chromium on this machine; install it, or name one in CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def quiet_page(browser: Browser, **context: Any) -> Iterator[Page]:
    """Yield a page; afterwards, it must have logged no error and asked for nothing but itself.

    What it may ask for is what lies below the address that it was first opened at.
    """
    complaints: list[str] = []
    requests: list[str] = []
    opened = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **context})
    page = opened.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    yield page
    # A browser asks every host for its icon.
    asked = [url for url in requests if not url.startswith("blob:") and not url.endswith("/favicon.ico")]
    home = urlsplit(asked[0])
    folder = f"{home.scheme}://{home.netloc}{home.path.rpartition('/')[0]}/"
    assert [url for url in asked if not url.startswith(folder)] == []
    assert complaints == []
    opened.close()
