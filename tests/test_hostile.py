"""Bad inputs, each alone and all together: an error or a reject says which and why, and the rest is done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toys
from hostile import Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtalign.batch import Job, run_batch
from mtalign.config import load
from mtalign.document import Article, Document, Entity, Sentence, Span
from mtalign.errors import InputError, UsageError
from mtalign.formats.articles import FORMATS, Found, find_inputs, read_articles
from mtalign.formats.jsonl import article_from_json
from mtalign.load import Models
from mtalign.record import Rejected
from mtalign.run import content_hash
from mtalign.runners.local import InProcess
from mtalign.segment import segment
from mtalign.store import Run, claim

CASES = cases()
BROKEN = Path(__file__).parent / "data" / "broken"


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """Fail what hangs."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_the_corpus_is_large_and_every_name_is_used_once() -> None:
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_is_named_with_its_reason(tmp_path: Path, case: Case) -> None:
    path = tmp_path / case.name
    case.write(path)
    with alarm(60):
        if case.unusable:
            with pytest.raises(UsageError, match=case.name):
                find_inputs([str(path)])
            return
        found = list(read_articles(find_inputs([str(path)]), "en"))
        for each in found:
            if isinstance(each, Found):
                segment(each.article.source)
                content_hash(each.article)
    rejects = [each for each in found if isinstance(each, Rejected)]
    twice = case.says == "used twice"  # found out by the batch, not by the reader
    assert len(found) - len(rejects) == case.good + twice
    assert bool(rejects) == (case.says is not None and not twice)
    for reject in rejects:
        assert case.says in reject.reason, reject.reason
        assert Path(reject.path).is_relative_to(path)
        assert reject.line is not None or path.suffix != ".jsonl"


@pytest.mark.slow
def test_a_run_over_all_of_them_does_what_can_be_done(tmp_path: Path) -> None:
    """Human translations stand in for an engine, so that the texts themselves are what the run works on."""
    folder = tmp_path / "in"
    folder.mkdir()
    for case in CASES:
        if not case.name.startswith(("long", "many", "open", "sparse", "combining")):
            case.write(folder / case.name)
    (folder / "zz-last.txt").write_text("The last one is done too.")
    models = Models(load(toys.config(tmp_path / "toys")))
    files = find_inputs([str(folder), str(folder / "loops")])
    with claim(tmp_path / "run", {}) as start, alarm(500):
        job = Job(tmp_path / "run", start, ("ru",), models.config)
        report = run_batch(read_articles(files, "en"), files, job, models, InProcess(models))
    run = Run(tmp_path / "run")
    ids = {record.id for record in run.records()}
    assert {"zz-last", "../../outside", "a\nb", "<script>alert(1)</script>"} <= ids
    assert report.done == len(ids)
    assert all(reject.reason and reject.path for reject in run.rejects())
    assert not any("internal error" in reject.reason for reject in run.rejects())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in", "run", "toys"]


# A file of every format that is read from files, to be damaged.
SEEDS = {
    "text": "text/good.txt",
    "jsonl": "jsonl/rows.jsonl",
    "parquet": "parquet/rows.parquet",
    "html": "html/good.html",
    "brat": "brat/good.ann",
    "iob2": "iob2/articles.conll",
    "labelstudio": "labelstudio/tasks.json",
    "docbin": "docbin/good.spacy",
    "tmx": "tmx/good.tmx",
    "tsv": "tsv/rows.tsv",
    "xliff": "xliff/good.xlf",
}
damages = st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 4, 30, 10_000]), st.binary(max_size=12))


@pytest.mark.parametrize("format", [each for each in FORMATS if each != "dataset"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(damages, min_size=1, max_size=3))
def test_any_damage_to_a_file_is_an_article_or_a_reject(
    tmp_path: Path, format: str, damage: list[tuple[float, int, bytes]]
) -> None:
    """Bytes of a file are replaced by others, three times at most: nothing else may be raised."""
    seed = BROKEN / SEEDS[format]
    data = seed.read_bytes()
    for place, length, new in damage:
        start = int(place * len(data))
        data = data[:start] + new + data[start + length :]
    path = tmp_path / seed.name
    path.write_bytes(data)
    if format == "brat":
        path.with_suffix(".txt").write_bytes(seed.with_suffix(".txt").read_bytes())
    for each in read_articles([str(path)], "en", format):
        if isinstance(each, Found):
            segment(each.article.source)
        else:
            assert each.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["id", "text", "lang", "entities", "sentences", "translations", "attributes", "x"])


@given(st.binary(max_size=200) | st.dictionaries(fields, json_values, max_size=8))
def test_any_line_is_an_article_or_an_input_error(row: bytes | dict[str, object]) -> None:
    import json

    line = row if isinstance(row, bytes) else json.dumps(row).encode("utf-8", "surrogatepass")
    try:
        article = article_from_json(line, "en")
    except (InputError, UsageError):
        return
    assert isinstance(article, Article)
    assert segment(article.source).text == article.source.text


offsets = st.integers(-3, 12)


@given(st.text(max_size=10), st.lists(st.tuples(offsets, offsets), max_size=3), st.tuples(offsets, offsets))
def test_any_document_holds_its_invariants_or_is_refused(
    text: str, sentences: list[tuple[int, int]], entity: tuple[int, int]
) -> None:
    try:
        document = Document(
            "d",
            "en",
            text,
            tuple(Sentence(Span(*each)) for each in sentences),
            (Entity("e", Span(*entity), text[slice(*entity)], "X"),),
        )
    except InputError:
        return
    assert document.entities[0].span.of(text) == document.entities[0].text
    covered = "".join(each.span.of(text) for each in document.sentences)
    assert not document.sentences or covered.split() == text.split() or len(document.sentences) > 1
