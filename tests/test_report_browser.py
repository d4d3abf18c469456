"""The report in a real browser: what an editor sees, finds and reviews, by pointer and by keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import chromium, quiet_page
from msgspec.structs import replace
from serving import serving
from summit import links, summit, written
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.document import Document
from mtalign.record import Issue, Record
from mtalign.report import write
from mtalign.report.article import article_view
from mtalign.report.find import find_entry
from mtalign.report.page import Shown
from mtalign.report.write import write_report
from mtalign.review import REVIEWS, read_file, read_reviews, reviewed
from mtalign.store import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


LANGS = ("en", "ko", "uk", "ru")
SUMMIT = replace(
    summit(),
    issues=(Issue("number-mismatch", "error", "ru", "41 became 40", (8,)),),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summit article as one page."""
    out = tmp_path_factory.mktemp("report") / "summit.html"
    write_report([Shown(SUMMIT, links(SUMMIT).links)], [], out, "Summit")
    return out


@pytest.fixture(scope="module")
def served_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served report of three articles on three pages."""
    folder = tmp_path_factory.mktemp("served") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "PAGE_ROWS", 5)
        run = written(folder, *(renamed(SUMMIT, f"copy {number}") for number in range(3)))
        with serving(run) as server:
            yield server.address


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with quiet_page(browser) as opened:
        opened.goto(file.as_uri())
        yield opened


def mention(page: Page, lang: str, text: str) -> Any:
    return page.locator(f'.cell[data-lang="{lang}"] .mention', has_text=text).first


def visible_rows(page: Page) -> int:
    return page.locator(".row:visible").count()


def highlighted(page: Page, name: str) -> list[str]:
    found: list[str] = page.evaluate(
        "name => [...(CSS.highlights.get(name) ?? [])].map(range => range.toString())", name
    )
    return found


def test_the_summit_article_stands_in_four_languages(page: Page) -> None:
    for lang in LANGS:
        document = SUMMIT.documents()[lang]
        assert (
            page.locator(f'.cell[data-lang="{lang}"] .text').all_text_contents() == document.sentence_texts()
        )
        attributes = "nodes => nodes.every(node => node.lang && node.dir === 'ltr')"
        assert page.locator(f'.cell[data-lang="{lang}"] .text').evaluate_all(attributes)
    boxes = [
        page.locator(".row").nth(1).locator(f'.cell[data-lang="{lang}"]').bounding_box() for lang in LANGS
    ]
    assert len({box["y"] for box in boxes if box}) == 1
    assert [box["x"] for box in boxes if box] == sorted(box["x"] for box in boxes if box)
    assert page.locator(".row.joined").count() > 0
    assert page.locator(".cell.empty").count() > 0
    assert page.locator(".mention.low").count() == 3
    assert page.locator(".note.error .evidence").text_content() == "41 became 40"


def test_pointing_at_a_name_lights_its_counterparts_and_the_words_of_its_sentence(page: Page) -> None:
    mention(page, "en", "Seoul").hover()
    lit = page.locator(".mention.lit").all_text_contents()
    assert {"Seoul", "서울", "Сеул"} <= set(lit)
    assert "서울" in (page.locator("#readout").text_content() or "")
    # What is lit up as a name is not painted as a word too.
    assert highlighted(page, "linked") == []
    others = [word for number in range(6) for word in highlighted(page, f"link{number}")]
    assert {"Kyiv", "키이우", "Київ", "Киев", "Brussels"} <= set(others)
    page.mouse.move(5, 5)
    assert page.locator(".mention.lit").count() == 0
    # From a translation, and by keyboard, the same lights up.
    mention(page, "ko", "서울").focus()
    assert {"Seoul", "서울", "Сеул"} <= set(page.locator(".mention.lit").all_text_contents())
    assert "Kyiv" in [word for number in range(6) for word in highlighted(page, f"link{number}")]


@pytest.mark.parametrize("typed", ["Seoul", "seoul", "서울", "Сеул", "СЕУЛЕ"])
def test_a_name_is_found_in_every_script_through_the_links(page: Page, typed: str) -> None:
    total = visible_rows(page)
    page.fill("#query", typed)
    assert 0 < visible_rows(page) < total
    for row in page.locator(".row:visible").all():
        assert "서울" in (row.locator('.cell[data-lang="ko"]').text_content() or "")
    assert typed.casefold() in {each.casefold() for each in highlighted(page, "found")}
    page.keyboard.press("Escape")
    assert visible_rows(page) == total


def test_the_page_reads_itself_as_the_search_files_say_it(page: Page) -> None:
    told = find_entry(article_view(SUMMIT), "")
    (read,) = page.evaluate("readArticles().map(({element, ...rest}) => rest)")
    for row, other in zip(told["rows"], read["rows"], strict=True):
        assert row["anchor"] == other["anchor"]
        for cell, seen in zip(row["cells"], other["cells"], strict=True):
            assert {
                **cell,
                **{key: sorted(set(seen[key])) for key in seen if key not in ("lang", "texts")},
            } == cell
            assert (cell["lang"], cell["texts"]) == (seen["lang"], seen["texts"])
    forms = {number: (label, set(names)) for number, label, names in told["names"]}
    assert {number: (label, set(names)) for number, label, names in read["names"]} == forms


def test_filters_by_label_issue_confidence_and_language_narrow_together(page: Page) -> None:
    total = visible_rows(page)
    page.select_option("#by-confidence", "lost")
    lost = visible_rows(page)
    assert 0 < lost < total
    page.select_option("#by-lang", "ru")
    assert 0 < visible_rows(page) < lost
    page.click("button[type=reset]")
    page.select_option("#by-issue", "number-mismatch")
    assert visible_rows(page) == 1
    page.select_option("#by-lang", "ko")
    assert visible_rows(page) == 0
    assert page.locator("#nothing").is_visible()
    page.click("#nothing button")
    page.select_option("#by-label", "PER")
    assert 0 < visible_rows(page) < total
    assert page.url.endswith("#label=PER")


def test_an_address_leads_to_a_sentence_or_to_a_search(browser: Browser, file: Path) -> None:
    with quiet_page(browser) as page:
        page.goto(f"{file.as_uri()}#a:summit:ru:5")
        assert page.locator(".sentence:target").get_attribute("data-index") == "5"
        assert page.locator(".sentence:target").evaluate(
            "node => node.getBoundingClientRect().top < innerHeight"
        )
        page.goto("about:blank")
        page.goto(f"{file.as_uri()}#q=Oslo&lang=ko&at=a%3Asummit%3A9")
        assert page.input_value("#query") == "Oslo"
        assert visible_rows(page) == 1
        assert page.evaluate("document.activeElement.closest('.row')?.id") == "a:summit:9"


def test_the_keyboard_alone_finds_moves_and_reviews(page: Page) -> None:
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.row').id") == "a:summit:1"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('.row').id") == "a:summit:2"
    page.keyboard.press("i")
    assert page.evaluate("document.activeElement.closest('[data-issue], [data-doubt]') !== null")
    page.keyboard.press("/")
    page.keyboard.type("Oslo")
    assert visible_rows(page) == 1
    page.keyboard.press("Escape")
    # Tab reaches a name, which lights up, opens its review, and is accepted without a pointer.
    mention(page, "ko", "서울").focus()
    assert "Seoul" in page.locator(".mention.lit").all_text_contents()
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_visible()
    assert page.evaluate("document.activeElement.textContent") == "Accept"
    assert page.evaluate("document.activeElement.closest('fieldset').dataset.lang") == "ko"
    page.keyboard.press("Enter")
    page.locator("#panel fieldset[data-lang=ko] output", has_text="accepted").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()
    assert page.evaluate("document.activeElement.textContent") == "서울"
    page.keyboard.press("x")
    assert page.evaluate("document.activeElement.dataset.verdict") == "reject"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.locator("#single-keys").uncheck()
    page.keyboard.press("Escape")
    page.locator(".row .gutter a").first.focus()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.row').id") == "a:summit:1"


def select(page: Page, lang: str, index: int, start: int, end: int) -> None:
    """Select text of a sentence as a pointer would: a range that the browser owns."""
    page.evaluate(
        """([lang, index, start, end]) => {
             const text = document.getElementById(`a:summit:${lang}:${index}`).querySelector(".text");
             const range = rangeIn(text, start, end);
             getSelection().removeAllRanges();
             getSelection().addRange(range);
           }""",
        [lang, index, start, end],
    )


def test_reviews_go_from_the_page_into_the_run(page: Page, tmp_path: Path) -> None:
    ko, uk = SUMMIT.targets["ko"].sentence_texts(), SUMMIT.targets["uk"].sentence_texts()
    # Reject, move by selecting, move by a step, comment, correct, mark as bad; one taken back.
    mention(page, "ko", "브뤼셀").click()
    block = page.locator("#panel fieldset[data-lang=ko]")
    block.get_by_role("button", name="Reject").click()
    mention(page, "ko", "키이우").click()
    start = ko[0].index("키이우")
    select(page, "ko", 0, start, start + len("키이우·브뤼셀"))
    block.get_by_role("button", name="Use the selected text").click()
    block.locator(".chosen", has_text="키이우·브뤼셀").wait_for()
    mention(page, "uk", "Сеул").click()
    page.locator("#panel fieldset[data-lang=uk]").get_by_role(
        "button", name="End one character later"
    ).click()
    comment = page.locator("#panel fieldset[data-lang=uk] input")
    comment.fill("  one letter too many  ")
    comment.press("Enter")
    page.get_by_role("button", name="Review українська sentence 2", exact=True).click()
    page.locator("#panel textarea").fill(uk[1] + " 🙂")
    page.get_by_role("button", name="Correct it so").click()
    page.get_by_role("button", name="Review українська sentence 3", exact=True).click()
    page.get_by_role("button", name="Bad translation").click()
    mention(page, "ru", "Сеул").click()
    russian = page.locator("#panel fieldset[data-lang=ru]")
    russian.get_by_role("button", name="Accept").click()
    russian.get_by_role("button", name="Undo").click()
    page.keyboard.press("Escape")
    page.reload()
    assert page.locator("#reviewed").text_content() == "6 reviews kept in this browser"
    assert mention(page, "ko", "브뤼셀").get_attribute("data-verdict") == "reject"
    with page.expect_download() as download:
        page.click("#download")
    file = tmp_path / "reviews.jsonl"
    download.value.save_as(file)

    assert read_file(file).rejects == []
    run = written(tmp_path / "run", SUMMIT)
    result = CliRunner().invoke(app, ["review", str(run.path), "--apply", str(file), "--json"])
    assert (result.exit_code, json.loads(result.output)["applied"]) == (0, 6), result.output
    (record,) = reviewed(run)
    places = {
        (lang, each.source): each.entity.text if each.entity else each.reason
        for lang in ("ko", "uk", "ru")
        for each in record.projections[lang]
        if each.method == "review"
    }
    assert places == {
        ("ko", "E3"): "rejected-in-review",
        ("ko", "E2"): "키이우·브뤼셀",
        ("uk", "E1"): "Сеул,",
    }
    assert record.targets["uk"].sentence_texts()[1] == uk[1] + " 🙂"
    assert {(each.kind, each.evidence) for each in record.issues} >= {
        ("review-comment", "one letter too many"),
        ("bad-translation", "marked as bad in review"),
    }


def test_a_lost_entity_is_placed_by_selecting_its_text(page: Page) -> None:
    note = page.locator('.cell[data-lang="ru"] .note[data-kind="lost-entity"]').first
    note.click()
    index = int(page.locator('.cell[data-lang="ru"] .sentence').nth(2).get_attribute("data-index") or 0)
    text = SUMMIT.targets["ru"].sentence_texts()[index]
    select(page, "ru", index, 0, 7)
    page.locator("#panel fieldset[data-lang=ru]").get_by_role("button", name="Use the selected text").click()
    (review,) = page.evaluate("reviews")
    assert (review["verdict"], review["seen"], review["start"], review["end"]) == ("move", text, 0, 7)


def test_a_served_report_writes_what_is_decided_into_the_run(browser: Browser, tmp_path: Path) -> None:
    run = written(tmp_path / "run", SUMMIT)
    with serving(run) as server, quiet_page(browser) as page:
        page.goto(server.address)
        page.locator("#contents tbody a").first.click()
        mention(page, "ko", "서울").click()
        page.locator("#panel fieldset[data-lang=ko]").get_by_role("button", name="Reject").click()
        page.locator("#panel-hint", has_text="Saved in the run.").wait_for()
        assert [each.verdict for each in read_reviews(run.path).reviews] == ["reject"]
        page.reload()
        note = page.locator('.cell[data-lang="ko"] .note', has_text="rejected in review")
        note.click()
        page.locator("#panel fieldset[data-lang=ko]").get_by_role("button", name="Undo").click()
        page.locator("#panel-hint", has_text="Saved in the run.").wait_for()
        page.reload()
        assert mention(page, "ko", "서울").is_visible()
        page.click(".masthead a")
        page.fill("#query", "서울")
        page.locator("#hits li").first.wait_for()
        page.locator("#hits a").first.click()
        assert page.input_value("#query") == "서울"
        assert page.evaluate("document.activeElement.closest('.row') !== null")
    assert [each.verdict for each in read_reviews(run.path).reviews] == ["reject", "withdraw"]
    assert (run.path / REVIEWS).is_file()
    assert list(reviewed(Run(run.path))) == [SUMMIT]


def renamed(record: Record, name: str) -> Record:
    def again(document: Document) -> Document:
        return replace(document, id=name)

    targets = {lang: again(each) for lang, each in record.targets.items()}
    return replace(record, id=name, source=again(record.source), targets=targets)


def test_the_index_of_many_files_finds_in_all_of_them(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SINGLE_PAGE_ROWS", 5)
    monkeypatch.setattr(write, "PAGE_ROWS", 20)
    shown = [Shown(renamed(SUMMIT, f"копія {number}/2")) for number in range(5)]
    made = write_report(shown, [], tmp_path / "many.html", "Many")
    assert made.pages > 2
    with quiet_page(browser) as page:
        page.goto(made.path.as_uri())
        assert page.locator("#contents tbody tr").count() == 5
        page.fill("#query", "Oslo")
        page.locator("#found", has_text="5 rows in 5 articles").wait_for()
        page.locator("#found:not(:has-text('read'))").wait_for()
        assert all("Oslo" in text for text in page.locator("#hits p").all_text_contents())
        page.select_option("#by-lang", "ko")
        assert all("오슬로" in text for text in page.locator("#hits p").all_text_contents())
        page.locator("#hits a").last.click()
        page.wait_for_url("**/many-pages/0*.html*")
        assert "копія 4" in page.evaluate(
            "document.activeElement.closest('.article').querySelector('h2').textContent"
        )
        page.click(".masthead a")
        page.get_by_role("button", name="Article").click()
        page.get_by_role("button", name="Article").click()
        assert "копія 4" in (page.locator("#contents tbody tr").first.text_content() or "")


def assert_accessible(page: Page, part: str = "html") -> None:
    """Check that axe has nothing to say about a part of what is shown, and that nothing is too wide."""
    package = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    page.evaluate((Path(package.__file__).parent / "axe.min.js").read_text("utf-8") + ";0")
    result = page.evaluate("part => axe.run(part, {resultTypes: ['violations']})", part)
    assert {
        each["id"]: [node["html"][:160] + node["failureSummary"][:300] for node in each["nodes"][:3]]
        for each in result["violations"]
    } == {}
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0


LIGHTS = [(1400, "light"), (1400, "dark"), (800, "light"), (390, "dark")]


@pytest.mark.parametrize(("width", "light"), LIGHTS)
def test_axe_finds_nothing_on_the_page(browser: Browser, file: Path, width: int, light: str) -> None:
    with quiet_page(browser, viewport={"width": width, "height": 900}, color_scheme=light) as page:
        page.goto(file.as_uri())
        page.locator("details.entities summary").click()
        mention(page, "ko", "서울").click()
        assert_accessible(page)


@pytest.mark.parametrize("light", ["light", "dark"])
def test_axe_finds_nothing_where_a_sentence_is_reviewed_nor_in_the_help(
    browser: Browser, file: Path, light: str
) -> None:
    with quiet_page(browser, color_scheme=light) as page:
        page.goto(f"{file.as_uri()}#a:summit:2")
        page.get_by_role("button", name="Review українська sentence 2", exact=True).click()
        page.click(".view summary")
        assert_accessible(page, "#panel, #filter")
        page.keyboard.press("Escape")
        page.click("#keys")
        assert_accessible(page, "#help")


@pytest.mark.parametrize(("width", "light"), [(1400, "dark"), (390, "light")])
def test_axe_finds_nothing_on_the_index_and_the_pages_of_a_large_report(
    browser: Browser, served_many: str, width: int, light: str
) -> None:
    with quiet_page(browser, viewport={"width": width, "height": 900}, color_scheme=light) as page:
        page.goto(served_many)
        page.locator("#contents").wait_for()
        assert_accessible(page)
        page.fill("#query", "Seoul")
        page.locator("#hits li").first.wait_for()
        assert_accessible(page, "#articles")
        page.fill("#query", "nobody says this")
        page.locator("#nothing").wait_for()
        assert_accessible(page, "#articles")
        page.click("#nothing button")
        page.locator("#contents tbody a").last.click()
        mention(page, "ko", "서울").click()
        page.locator("#panel fieldset[data-lang=ko]").get_by_role("button", name="Accept").click()
        page.locator("#panel-hint", has_text="Saved in the run.").wait_for()
        assert_accessible(page)


PAYLOADS = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "</script><script>window.hit=1</script>",
    '" onmouseover="window.hit=1',
    "javascript:window.hit=1",
    "\u202egnp.exe\u2069",
    "{{7*7}}",
)


def test_data_that_looks_like_markup_stays_data(browser: Browser, tmp_path: Path) -> None:
    ko = SUMMIT.targets["ko"]
    payload = " ".join(PAYLOADS)
    text = ko.text + "\n\n" + payload
    last = replace(ko.sentences[-1], span=type(ko.sentences[-1].span)(ko.sentences[-1].span.start, len(text)))
    target = replace(ko, text=text, sentences=(*ko.sentences[:-1], last))
    issue = Issue(payload, "error", "ko", payload, (0,))
    source = replace(SUMMIT.source, title=payload, source=payload)
    hostile = replace(
        SUMMIT, source=source, targets={**SUMMIT.targets, "ko": target}, issues=(issue,), signature=payload
    )
    out = tmp_path / "hostile.html"
    write_report([Shown(hostile)], [], out, payload)
    with quiet_page(browser) as page:
        page.goto(out.as_uri())
        assert page.locator('.cell[data-lang="ko"] .text').all_text_contents() == target.sentence_texts()
        page.hover(".article h2")
        page.fill("#query", PAYLOADS[0])
        assert visible_rows(page) == 1
        page.keyboard.press("Escape")
        mention(page, "ko", "서울").click()
        assert page.evaluate("window.hit") is None
        assert page.locator("img").count() == 0
        assert page.evaluate("[...document.links].every(link => !link.href.startsWith('javascript'))")


def test_it_prints_without_its_controls(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("#filter").is_hidden()
    assert page.locator(".edit").first.is_hidden()
    assert page.locator(".row").last.is_visible()
