"""Write examples/summit from the gold article: the article as mtalign reads it, and the gold beside it.

Usage: python scripts/make_examples.py GOLD.json [OUT_FOLDER]

The article (fictional, written for this project) becomes article.jsonl, with its translations, and
english.jsonl, the same without them; en.txt, ko.txt, uk.txt and ru.txt hold its sentences, one a line, with
blank lines between paragraphs. The gold becomes beads.gold.jsonl and entities.gold.jsonl, which
`mtalign evaluate` takes. Gold labels are those of the source, since projection carries labels over.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

Json = dict[str, Any]
SOURCE_NOTE = "fictional, written for the mtalign project by a language model"


def join(sentences: list[Json]) -> tuple[str, dict[str, int]]:
    """Return a text (paragraphs apart by a blank line) and where each sentence begins in it."""
    text, starts = "", {}
    for _, paragraph in groupby(sentences, key=lambda each: each["paragraph"]):
        text += "\n\n" if text else ""
        for number, sentence in enumerate(paragraph):
            text += " " if number else ""
            starts[sentence["id"]] = len(text)
            text += sentence["text"]
    return text, starts


def lines(sentences: list[Json]) -> str:
    """Return a sentence a line, and a blank line between paragraphs."""
    paragraphs = groupby(sentences, key=lambda each: each["paragraph"])
    return "\n".join("".join(f"{each['text']}\n" for each in paragraph) for _, paragraph in paragraphs)


def write_rows(path: Path, rows: list[Json]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def main(gold_path: Path, out: Path) -> None:
    """Read the gold and write the files."""
    gold = json.loads(gold_path.read_text(encoding="utf-8"))
    sentences = {"en": gold["source"]["sentences"]}
    sentences |= {lang: target["sentences"] for lang, target in gold["targets"].items()}
    texts, starts = {}, {}
    for lang, each in sentences.items():
        texts[lang], starts[lang] = join(each)

    def place(lang: str, entity: Json) -> Json:
        at = starts[lang][entity["sentence"]]
        return {"start": at + entity["start"], "end": at + entity["end"], "text": entity["text"]}

    label = {entity["id"]: entity["label"] for entity in gold["entities"]["en"]}
    article = {
        "id": "summit",
        "lang": "en",
        "text": texts["en"],
        "source": SOURCE_NOTE,
        "license": "cc-by-4.0",
        "entities": [
            {"id": each["id"], **place("en", each), "label": each["label"]} for each in gold["entities"]["en"]
        ],
        "translations": {
            lang: {"text": texts[lang], "source": SOURCE_NOTE, "license": "cc-by-4.0"}
            for lang in texts
            if lang != "en"
        },
    }
    numbers = {each["id"]: n for side in sentences.values() for n, each in enumerate(side)}
    beads = [
        {
            "id": "summit",
            "src_lang": "en",
            "tgt_lang": lang,
            "src": [each["text"] for each in sentences["en"]],
            "tgt": [each["text"] for each in sentences[lang]],
            "gold": [[[numbers[s] for s in side] for side in bead] for bead in gold["alignment"][lang]],
        }
        for lang in gold["targets"]
    ]
    entities = [
        {
            "id": "summit",
            "src_lang": "en",
            "tgt_lang": lang,
            "tgt": texts[lang],
            "entities": [
                {"source": each["source"], **place(lang, each), "label": label[each["source"]]}
                for each in gold["entities"][lang]
                if each.get("source")
            ],
        }
        for lang in gold["targets"]
    ]
    out.mkdir(parents=True, exist_ok=True)
    for lang, each in sentences.items():
        (out / f"{lang}.txt").write_text(lines(each), encoding="utf-8")
    write_rows(out / "article.jsonl", [article])
    write_rows(out / "english.jsonl", [{key: each for key, each in article.items() if key != "translations"}])
    write_rows(out / "beads.gold.jsonl", beads)
    write_rows(out / "entities.gold.jsonl", entities)


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "examples/summit"))
