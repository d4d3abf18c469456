"""Files as other tools leave them; translations beside an article; which reader is chosen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtalign.document import Relation, Span
from mtalign.errors import UsageError
from mtalign.formats.articles import FORMATS, SUFFIXES, Found, find_inputs, read_articles
from mtalign.record import Rejected
from tests import dataset_hub


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def read(*names: str, format: str | None = None, columns: dict[str, str] | None = None) -> list[Found]:
    found = list(read_articles(names, "en", format, columns))
    assert all(isinstance(each, Found) for each in found), found
    return [each for each in found if isinstance(each, Found)]


def marked(found: Found) -> str:
    """Write the mentions of an article into its text: `[Kyiv]LOC`. Those that overlap are not handled."""
    text = found.article.source.text
    for each in sorted(found.article.source.entities, key=lambda one: -one.span.start):
        text = f"{text[: each.span.start]}[{each.text}]{each.label}{text[each.span.end :]}"
    return text


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O B-LOC", "[Anna Koval]PER left [Lviv]LOC"),
        ("I-PER I-PER O I-LOC", "[Anna Koval]PER left [Lviv]LOC"),
        ("B-PER E-PER O S-LOC", "[Anna Koval]PER left [Lviv]LOC"),
        ("B-PER L-PER O U-LOC", "[Anna Koval]PER left [Lviv]LOC"),
        ("B-PER B-PER O O", "[Anna]PER [Koval]PER left Lviv"),
        ("B-PER I-LOC O O", "[Anna]PER [Koval]LOC left Lviv"),
        ("S-PER S-PER O B-LOC", "[Anna]PER [Koval]PER left [Lviv]LOC"),
        ("O O O O", "Anna Koval left Lviv"),
    ],
)
def test_tags_of_every_scheme_mark_the_same_mentions(tmp_path: Path, tags: str, expected: str) -> None:
    lines = [
        f"{word} {tag}" for word, tag in zip(["Anna", "Koval", "left", "Lviv"], tags.split(), strict=True)
    ]
    (found,) = read(write(tmp_path / "a.conll", "\n".join(lines)))
    assert marked(found) == expected


def test_conll_2003_columns_documents_and_sentences(tmp_path: Path) -> None:
    text = (
        "-DOCSTART- -X- -X- O\n\nAnna NNP B-NP B-PER\nleft VBD B-VP O\n. . O O\n\nGood JJ O O\n\n\n"
        "-DOCSTART- -X- O O\n\nLviv NNP O B-LOC\n"
    )
    first, second = read(write(tmp_path / "news.conll", text))
    assert (marked(first), marked(second)) == ("[Anna]PER left . Good", "[Lviv]LOC")
    assert [first.article.source.id, second.article.source.id] == ["news", "news-2"]
    assert first.article.source.sentence_texts() == ["Anna left .", "Good"]


def test_brat_with_everything_that_it_has(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "Anna\nKoval left Lviv for Kyiv, Ukraine.")
    ann = (
        "T1\tPER 0 4;5 10\tAnna Koval\nT2\tLOC 16 20\tLviv\nT3\tLOC 25 29;31 38\tKyiv Ukraine\n"
        "A1\tTitle T2\nA2\tSize T2 big\nN1\tReference T2 Wikidata:Q36036\tLviv\n#1\tAnnotatorNotes T2\tsure\n"
        "R1\tLeft Arg1:T1 Arg2:T2\n*\tAlias T1 T2\nE1\tMove:T2 Who:T1\n"
    )
    write(tmp_path / "a.ann", ann)
    (found,) = read(str(tmp_path / "a.txt"))
    assert marked(found) == "[Anna\nKoval]PER left [Lviv]LOC for [Kyiv, Ukraine]LOC."
    assert found.article.source.entities[1].attributes == {
        "Title": "true",
        "Size": "big",
        "reference": "Wikidata:Q36036",
        "note": "sure",
    }
    assert found.article.source.entities[2].fragments == (Span(25, 29), Span(31, 38))
    assert found.article.source.relations == (Relation("Left", "T1", "T2"),)
    assert found.left_out == {"equivalences": 1, "events": 1}


def result(start: int, end: int, text: str, **more: object) -> dict[str, object]:
    return {"type": "labels", "value": {"start": start, "end": end, "text": text, "labels": ["LOC"]}, **more}


def test_label_studio_exports(tmp_path: Path) -> None:
    tasks = [
        {
            "id": 7,
            "data": {"text": "🙂 in Lviv", "title": "Smile", "translations": {"uk": "🙂 у Львові"}},
            "annotations": [
                {"result": [result(0, 1, "🙂")], "was_cancelled": True},
                {"result": [result(5, 9, "Lviv", id="x"), {"type": "choices", "value": {"choices": ["a"]}}]},
            ],
            "predictions": [{"result": [result(2, 4, "in")]}],
        },
        {"id": 8, "data": {"text": "🙂 in Lviv"}, "annotations": [{"result": [result(6, 10, "Lviv")]}]},
        {"id": 9, "text": "Lviv", "label": [{"start": 0, "end": 4, "text": "Lviv", "labels": ["LOC"]}]},
    ]
    first, old, small = read(write(tmp_path / "export.json", json.dumps(tasks)))
    assert [marked(each) for each in (first, old, small)] == [
        "🙂 in [Lviv]LOC",
        "🙂 in [Lviv]LOC",
        "[Lviv]LOC",
    ]
    assert first.article.translations["uk"].text == "🙂 у Львові"
    assert first.article.source.title == "Smile"
    assert first.left_out == {"results of type choices": 1}


def test_tables_with_columns_of_their_own(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict

    rows = [
        {"url": "u/1", "body": "Lviv.", "korean": "르비우.", "vector": [0.1]},
        {"url": "u/2", "body": "Kyiv.", "korean": None, "vector": []},
    ]
    columns = {"id": "url", "text": "body", "translations.ko": "korean"}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    DatasetDict({"train": Dataset.from_list(rows)}).save_to_disk(tmp_path / "saved")
    write(tmp_path / "rows.jsonl", "\n".join(json.dumps(row) for row in rows))
    for name in ("rows.parquet", "saved", "rows.jsonl"):
        first, second = read(*find_inputs([str(tmp_path / name)]), columns=columns)
        assert (first.article.source.id, first.article.source.text) == ("u/1", "Lviv.")
        assert first.article.translations["ko"].text == "르비우."
        assert not second.article.translations
    (refused, _) = read_articles([str(tmp_path / "rows.jsonl")], "en", columns={"text": "content"})
    assert isinstance(refused, Rejected)
    assert "no column 'content'" in refused.reason
    with pytest.raises(UsageError, match="'body' is no field"):
        list(read_articles([str(tmp_path / "rows.jsonl")], "en", columns={"body": "text"}))


PAGE = """<!DOCTYPE html>
<html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title></head><body>
<nav><ul><li><a href="/">Home page</a></li><li><a href="/sport">Sport</a></li></ul></nav>
<main><article><h1>{title}</h1>{paragraphs}</article></main>
<aside><a href="/subscribe">Subscribe to our newsletter</a></aside>
<footer>All rights reserved. <a href="/cookies">Cookie settings</a></footer></body></html>"""


def page(title: str, *paragraphs: str, lang: str = "en") -> str:
    body = "\n".join(f"<p>{each}</p>" for each in paragraphs)
    return PAGE.format(title=title, paragraphs=body, lang=lang)


def test_of_a_page_the_main_text_is_read_in_order(tmp_path: Path) -> None:
    first = "The <b>old bridge</b> over the river was opened on Monday after a year of work, the city said."
    second = "Anna Koval, the mayor, thanked the engineers &amp; everyone who had waited for so long."
    write(tmp_path / "bridge.html", page("Bridge opened", first, second))
    write(
        tmp_path / "bridge.uk.html",
        page(
            "Міст відкрито",
            "Старий міст через річку відкрили в понеділок після року робіт, повідомили в місті.",
            lang="uk",
        ),
    )
    (found,) = read(*find_inputs([str(tmp_path)]))
    source = found.article.source
    assert source.id == "bridge"
    assert source.text.split("\n\n")[-2:] == [
        "The old bridge over the river was opened on Monday after a year of work, the city said.",
        "Anna Koval, the mayor, thanked the engineers & everyone who had waited for so long.",
    ]
    assert source.title == "Bridge opened"
    assert not any(word in source.text for word in ("Home page", "Subscribe", "Cookie"))
    assert "Старий міст" in found.article.translations["uk"].text


def test_xliff_of_another_tool(tmp_path: Path) -> None:
    text = (
        '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en-US" trgLang="uk">'
        '<file id="f" original="news/1.html"><group id="g"><unit id="u"><notes><note>Not text.</note></notes>'
        '<segment><source>The <pc id="1">bridge</pc> is<ph id="2"/> open.</source>'
        "<target>Міст відкрито.</target></segment>"
        "<ignorable><source> </source></ignorable>"
        "<segment><source>Not yet.</source></segment></unit></group></file></xliff>"
    )
    (found,) = read(write(tmp_path / "job.xlf", text))
    assert found.article.source.id == "news/1.html"
    assert found.article.source.sentence_texts() == ["The bridge is open.", "Not yet."]
    assert found.article.translations["uk"].sentence_texts() == ["Міст відкрито."]
    assert found.left_out == {"inline elements": 2}


def test_units_without_an_article_are_articles(tmp_path: Path) -> None:
    first, second = read(
        write(tmp_path / "tm.tsv", "en\tko\nLviv is open.\t열렸다.\nAnna came.\t안나가 왔다.\n")
    )
    assert [first.article.source.id, second.article.source.id] == ["tm-1", "tm-2"]
    assert second.article.translations["ko"].text == "안나가 왔다."


def test_docbin_of_spacy_itself(tmp_path: Path) -> None:
    import spacy
    from spacy.tokens import DocBin
    from spacy.tokens import Span as SpacySpan

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    doc = nlp("Anna Koval came.\n\nLviv cheered.")
    doc.set_ents([SpacySpan(doc, 0, 2, "PERSON", kb_id="Q1")])
    DocBin(docs=[doc], attrs=["ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "SENT_START"]).to_disk(tmp_path / "a.spacy")
    (found,) = read(str(tmp_path / "a.spacy"))
    assert marked(found) == "[Anna Koval]PERSON came.\n\nLviv cheered."
    assert found.article.source.entities[0].attributes == {"kb_id": "Q1"}
    assert found.article.source.sentence_texts() == ["Anna Koval came.", "Lviv cheered."]


def test_translations_beside_texts(tmp_path: Path) -> None:
    for name, text in {
        "a.txt": "One.",
        "a.ko.txt": "하나.",
        "b.en.txt": "Two.",
        "b.uk.txt": "Два.",
        "c.it.txt": "Tre.",
    }.items():
        write(tmp_path / name, text)
    a, b, c = read(*find_inputs([str(tmp_path)]))
    assert {lang: each.text for lang, each in a.article.translations.items()} == {"ko": "하나."}
    assert (b.article.source.id, b.article.translations["uk"].text) == ("b", "Два.")
    assert (c.article.source.id, c.article.source.lang) == ("c", "it")
    again = read(f"{tmp_path}/./a.txt", f"{tmp_path}/./a.ko.txt")
    assert [each.article for each in again] == [a.article]
    (alone,) = read(str(tmp_path / "a.ko.txt"))
    assert alone.article.source.lang == "ko"


def test_translations_with_mentions_beside_brat(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "Lviv.")
    write(tmp_path / "a.ann", "T1\tLOC 0 4\tLviv\n")
    write(tmp_path / "a.uk.txt", "У Львові.")
    write(tmp_path / "a.uk.ann", "T1\tLOC 2 8\tЛьвові\nR1\tIn Arg1:T1 Arg2:T1\n")
    (found,) = read(*find_inputs([str(tmp_path)], "brat"), format="brat")
    assert found.article.translations["uk"].entities[0].span == Span(2, 8)
    assert found.article.translations["uk"].relations == (Relation("In", "T1", "T1"),)
    assert not found.left_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"id": "x", "text": "Row."}', "Row."),
        ('  [{"id": 1, "data": {"text": "Task."}}]', "Task."),
        ("# newdoc id = x\nToken\tO\n", "Token"),
        ("\ufeffJust text.", "Just text."),
        ("<tmx version='1.4'><body><tu><tuv xml:lang='en'><seg>Unit.</seg></tuv></tu></body></tmx>", "Unit."),
        (
            "<?xml version='1.0'?>\n"
            "<tmx version='1.4'><body><tu><tuv xml:lang='en'><seg>Unit.</seg></tuv></tu></body></tmx>",
            "Unit.",
        ),
    ],
)
def test_a_file_without_a_known_ending_is_told_by_how_it_begins(
    tmp_path: Path, text: str, expected: str
) -> None:
    (found,) = read(write(tmp_path / "file.dat", text))
    assert found.article.source.text == expected


def test_a_format_that_is_named_counts_more_than_the_ending(tmp_path: Path) -> None:
    (found,) = read(write(tmp_path / "tokens.txt", "Anna B-PER\nleft O\n"), format="iob2")
    assert marked(found) == "[Anna]PER left"
    with pytest.raises(UsageError, match="unknown format 'docx'"):
        find_inputs([str(tmp_path)], "docx")
    with pytest.raises(UsageError, match=r"has no \.tmx file"):
        find_inputs([str(tmp_path)], "tmx")


def test_every_ending_has_a_reader() -> None:
    assert set(SUFFIXES.values()) | {"dataset"} == set(FORMATS)


def test_a_dataset_on_the_hub_is_streamed(tmp_path: Path) -> None:
    """In a process of its own: the client reads the address of the hub when it is imported."""
    from datasets import Dataset

    rows = [{"id": "a", "text": "Lviv.", "label": 1}, {"id": "b", "text": "Kyiv.", "label": 2}]
    Dataset.from_list(rows).to_parquet(tmp_path / "rows.parquet")
    with dataset_hub.serve() as hub:
        files = {"data/train-00000-of-00001.parquet": (tmp_path / "rows.parquet").read_bytes()}
        repository = dataset_hub.Repository(private=False)
        commit = repository.commit("main", files)
        hub.repositories["somebody/news"] = repository
        code = (
            "import sys\n"
            "from mtalign.formats.articles import find_inputs, read_articles\n"
            "for each in read_articles(find_inputs(sys.argv[1:]), 'en'):\n"
            "    print(each.article.source.id, each.article.source.attributes['label'])\n"
        )
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code, f"hub:somebody/news@{commit}#default/train"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.splitlines() == ["a 1", "b 2"], done.stdout + done.stderr


def test_what_is_not_on_the_hub_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    (found,) = read_articles(["hub:mtalign/nowhere@main#articles/train"], "en")
    assert isinstance(found, Rejected)
    assert "cannot be read from the hub" in found.reason
