"""CTranslate2 against transformers on the same checkpoints, and against itself one sentence at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import checkpoints
import pytest
import torch

from mtalign.errors import ConfigError, InputError, ModelUnavailable, UnknownLanguage
from mtalign.models import ModelFiles
from mtalign.translate.ctranslate2 import CTranslate2Engine, converted, load_engine
from mtalign.translate.engine import Decoding
from mtalign.translate.options import CTranslate2Options, TransformersOptions
from mtalign.translate.transformers import load_engine as load_transformers

_KINDS = ("marian", "m2m100", "nllb", "mbart50", "madlad")
# Random models do not end by themselves: a low ratio keeps the tests short.
_QUICK = CTranslate2Options(compute_type="float32", max_ratio=0.05, batch_tokens=600, workers=1)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small are slower on several threads, and much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {kind: getattr(checkpoints, kind)(root / kind) for kind in _KINDS}


@pytest.fixture(scope="module")
def engines(files: dict[str, ModelFiles]) -> dict[str, CTranslate2Engine]:
    return {kind: load_engine(files[kind], _QUICK) for kind in _KINDS}


@pytest.mark.parametrize("beams", [1, 4])
def test_the_same_translations_as_transformers(trained_marian: ModelFiles, beams: int) -> None:
    pairs = checkpoints.pairs(40, seed=7)
    sources = [source for source, _ in pairs]
    here = load_engine(trained_marian, CTranslate2Options(compute_type="float32", beam_size=beams))
    there = load_transformers(trained_marian, TransformersOptions(beam_size=beams))
    ours = [group[0] for group in here.translate(sources, "en", "ru")]
    theirs = [group[0] for group in there.translate(sources, "en", "ru")]
    assert [each.text for each in ours] == [each.text for each in theirs]
    assert [each.score for each in ours] == pytest.approx([each.score for each in theirs], abs=5e-2)
    # The model has learnt to translate, so that the texts mean something.
    right = [each.text == target for each, (_, target) in zip(ours, pairs, strict=True)]
    short = [source.count(", and ") < 2 for source in sources]
    assert sum(a and b for a, b in zip(right, short, strict=True)) >= 0.7 * sum(short) > 5


@pytest.mark.parametrize("beams", [1, 4])
def test_exact_batches_are_what_the_sentences_get_alone(trained_marian: ModelFiles, beams: int) -> None:
    sources = checkpoints.english(200, seed=8)
    engine = load_engine(
        trained_marian, CTranslate2Options(beam_size=beams, candidates=beams, batching="exact", workers=2)
    )
    assert engine.origin.engine == "ctranslate2 int8_float32"
    together = engine.translate(sources, "en", "ru")
    assert together == [engine.translate([source], "en", "ru")[0] for source in sources]


def test_exact_without_integers_is_one_by_one(trained_marian: ModelFiles) -> None:
    sources = checkpoints.english(20, seed=9)
    engine = load_engine(trained_marian, CTranslate2Options(compute_type="float32", batching="exact"))
    together = engine.translate(sources, "en", "ru")
    assert together == [engine.translate([source], "en", "ru")[0] for source in sources]


@pytest.mark.parametrize("kind", _KINDS)
def test_every_kind_says_what_transformers_says(
    files: dict[str, ModelFiles], engines: dict[str, CTranslate2Engine], kind: str
) -> None:
    sources = checkpoints.english(6, seed=3)
    there = load_transformers(files[kind], TransformersOptions(max_ratio=0.05))
    theirs = there.translate(sources, "en", "ru")
    ours = engines[kind].translate(sources, "en", "ru")
    # Random weights make near ties, which the order of additions decides; a wrong language changes all.
    same = [a[0].text == b[0].text for a, b in zip(ours, theirs, strict=True)]
    assert sum(same) >= 5
    texts = [group[0].text for group in theirs]
    for a, b in zip(
        engines[kind].score(sources, texts, "en", "ru"), there.score(sources, texts, "en", "ru"), strict=True
    ):
        assert a == pytest.approx(b, abs=5e-3)
    for group, found in zip(ours, engines[kind].score(sources, texts, "en", "ru"), strict=True):
        assert len(group) == 1
        assert found


def test_what_one_call_asks_for(trained_marian: ModelFiles) -> None:
    engine = load_engine(trained_marian, CTranslate2Options())
    sources = checkpoints.english(5, seed=4)
    groups = engine.translate(sources, "en", "ru", Decoding(beam_size=4, candidates=3))
    assert [len(group) for group in groups] == [3] * 5
    assert all(group == sorted(group, key=lambda each: -each.score) for group in groups)
    assert all(each.complete for group in groups for each in group)
    strict = engine.translate(sources, "en", "ru", Decoding(no_repeat=1))
    for (each,) in strict:
        words = each.text.replace(",", " ,").split()
        assert len(words) == len(set(words))
    with pytest.raises(ConfigError, match="context"):
        engine.translate(sources, "en", "ru", contexts=[""] * 5)


@pytest.mark.parametrize(
    ("kind", "target", "needle"),
    [
        ("marian", "uk", "from en into ru"),
        ("mbart50", "be", "Belarusian"),
        ("madlad", "de", "<2de>"),
        ("m2m100", "de", None),
        ("nllb", "de", None),
    ],
)
def test_languages_are_validated(
    engines: dict[str, CTranslate2Engine], kind: str, target: str, needle: str | None
) -> None:
    engine = engines[kind]
    if needle is None:
        engine.check_languages("en", target)
    else:
        with pytest.raises(ConfigError, match=needle):
            engine.translate(["Hello."], "en", target)
    with pytest.raises(UnknownLanguage):
        engine.check_languages("en", "tlh")


def test_a_conversion_is_made_once_and_again_when_it_is_damaged(files: dict[str, ModelFiles]) -> None:
    folder = converted(files["marian"], "int8")
    listed = json.loads((folder / "mtalign-conversion.json").read_text())
    assert (listed["license"], listed["fingerprint"]) == ("CC0-1.0", "seed-0")
    weights = folder / "model.bin"
    first = weights.stat()
    assert converted(files["marian"], "int8") == folder
    assert weights.stat().st_mtime_ns == first.st_mtime_ns
    weights.write_bytes(weights.read_bytes()[:100])
    assert converted(files["marian"], "int8") == folder
    assert weights.stat().st_size == first.st_size
    other = replace(files["marian"], fingerprint="seed-1")
    assert len({folder, converted(other, "int8"), converted(files["marian"], "float32")}) == 3


def test_pickled_weights_are_never_read(files: dict[str, ModelFiles], tmp_path: Path) -> None:
    for path in files["marian"].path.iterdir():
        if path.is_file() and path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="safetensors"):
        load_engine(replace(files["marian"], name="pickled", path=tmp_path), _QUICK)


def test_what_does_not_fit_this_machine(files: dict[str, ModelFiles]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine takes float16")
    with pytest.raises(ConfigError, match=r"takes .*int8"):
        load_engine(files["marian"], replace(_QUICK, compute_type="float16"))


def test_the_signature_holds_what_decides_the_output(files: dict[str, ModelFiles]) -> None:
    signature = load_engine(files["marian"], _QUICK).signature
    assert "compute:float32" in signature
    assert load_engine(files["marian"], replace(_QUICK, workers=2)).signature == signature
    changes = ({"threads": 2}, {"batching": "exact"}, {"beam_size": 2}, {"compute_type": "int8"})
    changed = [load_engine(files["marian"], replace(_QUICK, **each)).signature for each in changes]  # type: ignore[arg-type]
    assert len({signature, *changed}) == 5


def test_a_sentence_over_the_limit_is_refused(engines: dict[str, CTranslate2Engine]) -> None:
    with pytest.raises(InputError, match="over the limit"):
        engines["marian"].translate(["word " * 3000], "en", "ru")
