"""Search on the command line, exports, and the scores of an index."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from corpus import news
from test_search import NGRAMS
from typer.testing import CliRunner

from mtalign import search
from mtalign.cli import app
from mtalign.errors import InputError, UsageError
from mtalign.evaluate.search import Sentence, evaluate_index, questions
from mtalign.search import Filters, of_records
from mtalign.search.filters import literal
from mtalign.search.fuse import fuse
from mtalign.search.passages import Passage

pytest.importorskip("lancedb", reason="pip install mtalign[search]")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "index"
    search.build(of_records(news()), NGRAMS, out)
    return out


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_query_and_entity_on_the_command_line(path: Path) -> None:
    found = json.loads(
        run(
            "search",
            "query",
            "Київ",
            "-i",
            path,
            "--mode",
            "lexical",
            "--lang",
            "uk",
            "--lang",
            "ru",
            "-k",
            "99",
            "--json",
        )
    )
    assert {each["passage"]["lang"] for each in found} == {"uk", "ru"}
    shown = run(
        "search", "query", "Київ", "-i", path, "--mode", "lexical", "--entity", "Kyiv", "--label", "LOC"
    )
    assert "[ko]" in shown
    assert "nothing found" in run(
        "search", "query", "Київ", "-i", path, "--mode", "lexical", "--label", "' OR true"
    )
    hits = json.loads(run("search", "entity", "키이우", "-i", path, "--json"))
    assert {each["text"] for hit in hits for each in hit["mentions"]["en"]} == {"Kyiv"}
    assert "[uk]" in run("search", "entity", "Kyiv", "-i", path)


def test_parquet_holds_everything(path: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run("search", "export", path, "--to", "parquet", "-o", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "passages.parquet")
    rows = table.drop_columns(["vector"]).to_pylist()
    assert {each["id"]: msgspec.convert(each, Passage) for each in rows} == {
        each.id: each for each in search.open(path).passages()
    }
    vectors = np.stack(table["vector"].to_numpy())
    assert np.linalg.norm(vectors.astype(np.float32), axis=1) == pytest.approx(1, abs=1e-2)


def test_faiss_reads_the_export_and_finds_the_same(path: Path, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss", reason="pip install mtalign[bench]")
    run("search", "export", path, "--to", "faiss", "-o", tmp_path / "out")
    index = faiss.read_index(str(tmp_path / "out" / "index.faiss"))
    lines = (tmp_path / "out" / "passages.jsonl").read_bytes().splitlines()
    names = [msgspec.json.decode(line, type=Passage).id for line in lines]
    assert index.ntotal == len(names)
    scores, found = index.search(NGRAMS.encode(["The prisoners came home."]), 5)
    wanted = search.open(path, NGRAMS).rank("The prisoners came home.", mode="dense", k=5)
    assert [names[n] for n in found[0]] == [name for name, _ in wanted]
    # The query's vector still has what its language has in common: scores are smaller by one factor.
    factors = scores[0] / np.array([score for _, score in wanted])
    assert factors == pytest.approx(factors[0], abs=1e-4)


def test_an_export_replaces_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        search.export(path, tmp_path, "faiss")


def test_an_index_is_scored_on_its_own_tuples(path: Path) -> None:
    index = search.open(path, NGRAMS)
    passages = [Sentence(each.id, each.lang, each.group, each.text) for each in index.passages()]
    asked = questions(passages, limit=12)
    assert len({each.sentence.id for each in asked}) == 12
    for each in asked:
        assert each.sentence.lang not in each.langs
        group = each.sentence.group
        assert set(each.relevant) == {p.id for p in passages if p.group == group and p.lang in each.langs}
    relevant = {(each.sentence.text, each.langs): each.relevant for each in asked}
    right = evaluate_index(asked, ["x"], lambda _, text, langs, k: relevant[text, langs][:k])
    assert all(each.mrr == 1.0 and each.recall[10] == 1.0 for each in right.modes["x"].values())
    wrong = evaluate_index(asked, ["x"], lambda *_: [])
    assert all(each.mrr == 0.0 for each in wrong.modes["x"].values())
    real = evaluate_index(
        asked,
        ["dense"],
        lambda _, text, langs, k: [
            n for n, _ in index.rank(text, mode="dense", filters=Filters(langs=langs), k=k)
        ],
    )
    assert set(real.modes["dense"]) == set(right.modes["x"])
    assert "milliseconds" in json.loads(json.dumps(real.as_dict()))["dense"]
    with pytest.raises(InputError, match="no sentence has a counterpart"):
        questions([Sentence("a", "en", "g", "x")])


def test_fused_ranks() -> None:
    assert list(fuse([(["a", "b"], {}), (["c", "b"], {})])) == ["b", "a", "c"]
    assert list(fuse([(["a", "b"], {}), (["b", "a"], {"b": 0.0, "a": 0.0})])) == ["a", "b"]
    assert fuse([(["a"], {"a": 0.5})]) == {"a": pytest.approx(0.5 / 61)}


def test_a_quote_cannot_end_a_literal() -> None:
    assert literal("it's") == "'it''s'"
    assert literal("' OR '1'='1") == "''' OR ''1''=''1'"
