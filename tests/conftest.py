"""Fixtures shared by all tests: the real encoder, built once per run from the starter package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from checkpoints import trained_marian as train_marian
from hypothesis import HealthCheck, settings

from mtalign.encode import Encoder
from mtalign.models import ModelFiles, resolve

ROOT = Path(__file__).parents[1]

# How long an example takes says more about the machine than about the code: speed has its own benchmarks.
settings.register_profile("mtalign", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mtalign")


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The real multilingual-e5-small, as configs/starter.yaml sets it up."""
    return Encoder(resolve("starter:e5-small"), prefix="query: ")


@pytest.fixture(scope="session")
def trained_marian(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """A tiny Marian that translates the sentences of `checkpoints.pairs`."""
    import torch

    # Matrices this small are slower on several threads, and many times slower on a busy machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train_marian(tmp_path_factory.mktemp("trained") / "trained-marian")
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the repository; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development data is not beside this checkout")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _memory_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests translate out of the user's translation memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTALIGN_MEMORY", str(tmp_path_factory.mktemp("memory") / "memory.sqlite"))
        yield
