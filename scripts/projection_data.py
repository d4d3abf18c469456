"""The development sets of entity projection, brought into one shape.

Read by `train_ranker.py` and `bench_projection.py`. The sets lie outside the repository, in the folder
given (`../shared/data` by default); a set whose file is not there is left out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtalign.document import Entity, Span

# Questions of XC-Translate repeat an entity many times; more than this of one teach nothing new.
_PER_ENTITY = 2


@dataclass(frozen=True)
class Mention:
    """An entity of the source text and the spans of the target that are right, none if it is lost."""

    entity: Entity
    gold: tuple[Span, ...]


@dataclass(frozen=True)
class Case:
    """A source text and its translation. `group` is what cross-validation must not divide: the article."""

    data: str
    group: str
    lang: str
    source: str
    target: str
    mentions: tuple[Mention, ...]


def read_cases(folder: Path) -> list[Case]:
    """Return all cases of all sets that are there."""
    readers = {
        "corpus/news.jsonl": _news,
        "articles/summit.gold.json": _summit,
        "entities/uner_pud_en-ru.jsonl": _uner,
        "entities/xct_en-ko.jsonl": _xct,
        "entities/ntrex_en-ko-uk.silver.jsonl": _ntrex,
        "entities/xquad_en-ru.jsonl": _xquad,
    }
    return [
        case for name, read in readers.items() if (folder / name).exists() for case in read(folder / name)
    ]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _join(sentences: list[tuple[Any, str]]) -> tuple[str, dict[Any, int]]:
    """Join sentences by spaces; return where each begins."""
    text, starts = "", {}
    for key, sentence in sentences:
        text += " " if text else ""
        starts[key] = len(text)
        text += sentence
    return text, starts


def _bead_case(
    data: str,
    group: str,
    lang: str,
    *,
    left: list[tuple[Any, str]],
    right: list[tuple[Any, str]],
    entities: list[dict[str, Any]],
    targets: dict[Any, dict[str, Any]],
) -> Case | None:
    """Build the case of one bead; a mention whose counterpart stands in another bead is left out."""
    source, source_starts = _join(left)
    target, target_starts = _join(right)
    mentions = []
    for each in entities:
        if each["sentence"] not in source_starts:
            continue
        span = Span(each["start"], each["end"]).shift(source_starts[each["sentence"]])
        found = targets.get(each["id"])
        if found and found["sentence"] not in target_starts:
            continue
        gold = (Span(found["start"], found["end"]).shift(target_starts[found["sentence"]]),) if found else ()
        mentions.append(Mention(Entity(str(each["id"]), span, span.of(source), each["label"]), gold))
    return Case(data, group, lang, source, target, tuple(mentions)) if mentions else None


def _news(path: Path) -> Iterator[Case]:
    for row in _rows(path):
        for lang in ("ko", "uk", "ru"):
            targets = {each["id"]: each for each in row["entities"][lang]}
            for bead in row["beads"]:
                if bead.get("en") and bead.get(lang):
                    left, right = (
                        [(i, row["sentences"][code][i]["text"]) for i in bead[code]] for code in ("en", lang)
                    )
                    case = _bead_case(
                        "news",
                        row["id"],
                        lang,
                        left=left,
                        right=right,
                        entities=row["entities"]["en"],
                        targets=targets,
                    )
                    if case:
                        yield case


def _summit(path: Path) -> Iterator[Case]:
    gold = json.loads(path.read_text(encoding="utf-8"))
    sides = {"en": gold["source"], **gold["targets"]}
    texts = {lang: {each["id"]: each["text"] for each in side["sentences"]} for lang, side in sides.items()}
    for lang in gold["targets"]:
        targets = {each["source"]: each for each in gold["entities"][lang] if each.get("source")}
        for left, right in gold["alignment"][lang]:
            if left and right:
                case = _bead_case(
                    "summit",
                    "summit",
                    lang,
                    left=[(i, texts["en"][i]) for i in left],
                    right=[(i, texts[lang][i]) for i in right],
                    entities=gold["entities"]["en"],
                    targets=targets,
                )
                if case:
                    yield case


def _uner(path: Path) -> Iterator[Case]:
    for row in _rows(path):
        mentions = [
            Mention(
                Entity(str(n), Span(a["start"], a["end"]), a["text"], a["label"]),
                (Span(b["start"], b["end"]),),
            )
            for n, (a, b) in enumerate(_corresponding(row))
        ]
        if mentions:
            yield Case("uner", row["id"], "ru", row["en"], row["ru"], tuple(mentions))


def read_independent(folder: Path) -> list[tuple[Case, tuple[tuple[Span, str], ...]]]:
    """Return the sentences of UNER-PUD with all English mentions, and all Russian spans with their labels."""
    path = folder / "entities/uner_pud_en-ru.jsonl"
    found = []
    for row in _rows(path) if path.exists() else ():
        mentions = tuple(
            Mention(Entity(str(n), Span(each["start"], each["end"]), each["text"], each["label"]), ())
            for n, each in enumerate(row["en_spans"])
        )
        gold = tuple((Span(each["start"], each["end"]), each["label"]) for each in row["ru_spans"])
        found.append((Case("uner", row["id"], "ru", row["en"], row["ru"], mentions), gold))
    return found


def _corresponding(row: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield pairs of mentions annotated independently that must be the same.

    First those that sound alike, best-first by sound, label and relative place. Of the rest, mentions of the
    same label are joined by place alone, where the two sentences have equally many of that label; but not a
    mention that the other text has letter by letter elsewhere, since that would be its counterpart.
    """
    from anyascii import anyascii
    from rapidfuzz import fuzz

    ours, theirs = row["en_spans"], row["ru_spans"]
    labels = [Counter(each["label"] for each in side) for side in (ours, theirs)]
    alike, beside = [], []
    for i, a in enumerate(ours):
        for k, b in enumerate(theirs):
            sound = fuzz.ratio(a["text"].lower(), anyascii(b["text"]).lower()) / 100
            same = a["label"] == b["label"]
            apart = abs(a["start"] / len(row["en"]) - b["start"] / len(row["ru"]))
            if sound >= 0.55:
                alike.append((sound + 0.3 * same - 0.3 * apart, i, k))
            elif same and labels[0][a["label"]] == labels[1][a["label"]]:
                elsewhere = row["ru"][: b["start"]], row["ru"][b["end"] :]
                if not any(a["text"] in text for text in elsewhere):
                    beside.append((-apart, i, k))
    used: tuple[set[int], set[int]] = set(), set()
    for _, i, k in [*sorted(alike, reverse=True), *sorted(beside, reverse=True)]:
        if i not in used[0] and k not in used[1]:
            used[0].add(i)
            used[1].add(k)
            yield ours[i], theirs[k]


def _xct(path: Path) -> Iterator[Case]:
    seen: dict[str, int] = defaultdict(int)
    for row in _rows(path):
        seen[row["q"]] += 1
        if seen[row["q"]] <= _PER_ENTITY:
            yield _one_mention("xct", row["q"], "ko", row)


def _xquad(path: Path) -> Iterator[Case]:
    for row in _rows(path):
        yield _one_mention("xquad", row["id"], "ru", row)


def _one_mention(data: str, group: str, lang: str, row: dict[str, Any]) -> Case:
    (a,), (b,) = row["en_spans"], row[f"{lang}_spans"]
    entity = Entity("0", Span(a["start"], a["end"]), a["text"], a["label"])
    return Case(data, group, lang, row["en"], row[lang], (Mention(entity, (Span(b["start"], b["end"]),)),))


def _ntrex(path: Path) -> Iterator[Case]:
    for row in _rows(path):
        for lang in ("ko", "uk"):
            mentions = []
            for n, each in enumerate(row["mentions"]):
                span, found = each["en"], each[lang]
                entity = Entity(str(n), Span(span["start"], span["end"]), span["text"], each["label"])
                gold = (
                    (Span(found["start"], found["end"]), *(Span(*alt) for alt in found.get("alt", ())))
                    if found
                    else ()
                )
                mentions.append(Mention(entity, gold))
            if mentions:
                yield Case("ntrex", row["id"], lang, row["en"], row[lang], tuple(mentions))
