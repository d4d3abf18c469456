"""The dataset card: YAML that loaders and the hub read, and a text that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtalign import __version__
from mtalign.languages import LANGUAGES
from mtalign.publish.embeddings import EMBEDDINGS
from mtalign.publish.existing import BEGIN, END, TAG, front_matter
from mtalign.publish.licence import Licence
from mtalign.publish.ner import NER
from mtalign.publish.rows import SENTENCES
from mtalign.publish.survey import Survey
from mtalign.publish.tables import Rows

_SHOWN = 10

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
_LARGEST = "n>1B"

_DEMO = """> **Demo quality.** At least part of the translations here was made by an engine that serves to try
> the software out. They are not meant for training, evaluation or reading as translations."""


@dataclass(frozen=True)
class ModelUse:
    """A model that took part in a run: what it did, and which one it was."""

    role: str
    name: str
    revision: str
    licence: str


@dataclass(frozen=True)
class Facts:
    """What a card says beside the counts of a survey.

    Attributes:
        about: one line on every config.
        removed: what the filters left out: filter, kind, number.
        near_duplicates: articles in a group with others.
        scanned: what a scan for secrets and personal data found by kind; None where there was none.
        chart: the path of the histogram of confidences, None where nothing was carried over.
    """

    name: str
    rows: Rows
    about: Mapping[str, str]
    licence: Licence
    models: tuple[ModelUse, ...] = ()
    removed: tuple[tuple[str, str, int], ...] = ()
    near_duplicates: int = 0
    scanned: Mapping[str, int] | None = None
    chart: str | None = None


def card(found: Survey, facts: Facts) -> str:
    """Return the text of README.md. It depends on the arguments alone: no date, no path, no machine."""
    parts = [
        f"{front_matter(_head(found, facts))}\n# {_one_line(facts.name)}",
        BEGIN,
        *([_DEMO] if found.demo else []),
        _summary(found),
        "## What is in it",
        _config_table(facts),
        "Offsets count Unicode code points into the texts of `articles`, half-open; in `ner-*`, into the\n"
        "sentence. The `id` of a mention is that of the source mention, and links the languages; that of\n"
        "a sentence is `article:language:number`. Sentences without a counterpart in another language\n"
        f"are in no pair: {found.null_beads:,} of {found.beads:,} beads.",
        _splits(facts),
        "## How to load it",
        _loading(facts.rows),
        "## Where it comes from",
        _provenance(found, facts.models),
        "## Figures",
        _figures(found, facts),
        "## Limits",
        _limits(found, facts),
        "## Licence",
        _licence_text(found, facts.licence),
        "## How to cite",
        _citation(facts.name),
        END,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def size_category(rows: int) -> str:
    """Return the hub's name for a number of rows."""
    return next((label for limit, label in _SIZES if rows < limit), _LARGEST)


def _head(found: Survey, facts: Facts) -> dict[str, object]:
    rows = facts.rows
    tasks = [
        "translation",
        *(["token-classification"] if any(name.startswith(NER) for name in rows) else []),
        *(["sentence-similarity"] if EMBEDDINGS in rows else []),
    ]
    return {
        "pretty_name": _one_line(facts.name),
        "language": list(found.languages),
        "license": facts.licence.name,
        "multilinguality": ["translation"],
        "task_categories": tasks,
        "size_categories": [size_category(max(sum(splits.values()) for splits in rows.values()))],
        "tags": [TAG, "sentence-alignment", "parallel-corpus"],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == SENTENCES else {}),
                "data_files": [{"split": split, "path": f"{config}/{split}-*.parquet"} for split in splits],
            }
            for config, splits in rows.items()
        ],
    }


def _summary(found: Survey) -> str:
    names = [LANGUAGES[lang].english if lang in LANGUAGES else lang for lang in found.languages]
    sources = [LANGUAGES[lang].english if lang in LANGUAGES else lang for lang in found.source_languages]
    articles, mentions = _count(found.articles, "article"), _count(found.entities, "entity mention")
    return (
        f"{articles} in {_and(names)}, aligned by sentence in every pair of languages, with\n"
        f"{mentions} of the {_and(sources)} originals carried over as exact character spans, or reported\n"
        "lost with a reason."
    )


def _config_table(facts: Facts) -> str:
    return _table(
        ("config", "what", "rows"),
        [
            (
                f"`{config}`",
                facts.about[config],
                ", ".join(f"{split} {number:,}" for split, number in splits.items()),
            )
            for config, splits in facts.rows.items()
        ],
    )


def _splits(facts: Facts) -> str:
    if len({split for splits in facts.rows.values() for split in splits}) < 2:
        return ""
    return (
        "The split of an article is chosen by a hash of its id, or, where it has near-duplicates (MinHash\n"
        "over characters, similarity from .5), of the smallest id among them:\n"
        f"{facts.near_duplicates:,} articles have some. So an article, its reprints and their translations\n"
        "are in one split."
    )


def _loading(rows: Rows) -> str:
    config, splits = next(iter(rows.items()))
    call = f'load_dataset("path/or/name/of/this/dataset", "{config}", split="{next(iter(splits))}")'
    return (
        f"```python\nfrom datasets import load_dataset\n\ndata = {call}\n```\n\n"
        "With `streaming=True` rows come one by one, and nothing is stored."
    )


def _citation(name: str) -> str:
    title = _one_line(name).translate(str.maketrans("", "", "{}\\%#$&_~^`"))
    return (
        "Cite the owners of the articles named above, and this dataset by its address and revision:\n\n"
        "```bibtex\n@misc{dataset,\n"
        f"  title = {{{title}}},\n  note = {{Aligned and annotated with mtalign {__version__}}}\n}}\n```"
    )


def _provenance(found: Survey, models: Sequence[ModelUse]) -> str:
    lines = []
    if found.machine:
        lines.append(
            "**Translations in this dataset are machine-made** where the table says `machine`; the others\n"
            "were supplied with the articles."
        )
    elif found.origins:
        lines.append(
            "All translations were supplied with the articles as human ones; none was made by mtalign."
        )
    if found.origins:
        origins = sorted(found.origins.items(), key=lambda item: repr(item[0]))
        lines.append(
            _table(
                ("into", "by", "engine", "model", "licence", "demo", "articles"),
                [
                    (
                        lang,
                        origin.kind,
                        origin.engine or "",
                        origin.model or "",
                        origin.license or "",
                        "yes" if origin.demo else "",
                        f"{number:,}",
                    )
                    for (lang, origin), number in origins
                ],
            )
        )
    lines.append(
        "Sentence boundaries, alignment, and spans in the translations are the work of the software."
    )
    if models:
        lines.append(
            "Models of the run:\n\n"
            + _table(
                ("role", "model", "revision", "licence"),
                [(each.role, each.name, each.revision, each.licence) for each in models],
            )
        )
    if found.sources:
        lines.append("Sources of the articles:\n\n" + _top(found.sources))
    lines.append(f"Written by mtalign {__version__}. Signatures of the runs:\n\n" + _top(found.signatures))
    return "\n\n".join(lines)


def _figures(found: Survey, facts: Facts) -> str:
    tables = [
        _table(
            ("language", "sentences", "mentions", "lost", "lost rate"),
            [
                (
                    lang,
                    f"{found.sentences[lang]:,}",
                    f"{found.kept[lang]:,}" if lang in found.kept or lang in found.lost else "",
                    f"{found.lost[lang]:,}" if lang in found.kept or lang in found.lost else "",
                    _share(found.lost[lang], found.kept[lang] + found.lost[lang]),
                )
                for lang in found.languages
            ],
        )
    ]
    if found.reasons:
        tables.append("Why mentions were lost:\n\n" + _top(found.reasons))
    if facts.chart:
        tables.append(
            f"![Confidence of the mentions carried over]({facts.chart})\n\n"
            + _table(
                ("confidence", "mentions"),
                [
                    (f"{place / 10:.1f} to {(place + 1) / 10:.1f}", f"{found.confidences[place]:,}")
                    for place in range(10)
                    if found.confidences[place]
                ],
            )
        )
    if facts.removed:
        tables.append(
            "Left out by filters; a mention that was is lost above, with the filter as its reason:\n\n"
            + _table(
                ("filter", "what", "number"), [(name, what, f"{n:,}") for name, what, n in facts.removed]
            )
        )
    if found.issues:
        tables.append("Issues that the checks raised (see `issues` in `articles`):\n\n" + _top(found.issues))
    return "\n\n".join(tables)


def _limits(found: Survey, facts: Facts) -> str:
    lines = [
        "- Scores and confidences are the tools' own: scores compare within an article, not across articles.",
        "- Nobody reviewed the alignment or the spans unless `method` in `entities` says `review`.",
        "- Labels are those of the source mention; a target language's own guideline may differ.",
        *_tag_limits(facts.rows),
        _scan_limits(facts.scanned),
    ]
    if found.machine:
        lines.append(
            "- Machine translation can be fluent and wrong: `issues` are what the checks found, not all."
        )
    return "\n".join(lines)


def _tag_limits(rows: Rows) -> list[str]:
    if not any(name.startswith(NER) for name in rows):
        return []
    return [
        "- Tags in `ner-*` hold no nested mentions (`spans` does). Where `missing` is not 0, mentions of\n"
        "  the sentence were lost on the way, and their tokens are tagged `O`: leave it out of training."
    ]


def _scan_limits(scanned: Mapping[str, int] | None) -> str:
    if scanned is None:
        return "- Nobody looked for personal data or secrets in the texts."
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in scanned.items()) or "nothing"
    return (
        f"- A scan for e-mail addresses, telephone, card and account numbers, and keys found: {kinds}.\n"
        "  It matches patterns: names, street addresses and anything in words it cannot find."
    )


def _licence_text(found: Survey, licence: Licence) -> str:
    stated = Counter({name or "none stated": number for name, number in found.licences.items()})
    reason = ""
    if licence.reason:
        reason = f" It is `{licence.name}` because {licence.reason}: ask the owners before you use it."
    elif licence.against:
        names = ", ".join(f"`{each}`" for each in licence.against)
        reason = f" That is what the publisher states; works in it are under {names}, which may ask for more."
    return (
        f"`{licence.name}`.{reason} The works that it is made of (articles, supplied translations, and the\n"
        f"models of machine translations) state:\n\n{_top(stated)}"
    )


def _top(counts: Counter[str]) -> str:
    """List the commonest, with how many; of many, the rest as one line."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"- {_code(name)}: {number:,}" for name, number in ordered[:_SHOWN]]
    if rest := ordered[_SHOWN:]:
        lines.append(f"- and {len(rest):,} more: {sum(number for _, number in rest):,}")
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_one_line(text).replace('`', chr(39))}`"


def _one_line(text: str) -> str:
    """Return text that cannot begin a heading, a rule, a table row or a comment of its own."""
    return " ".join(text.replace("<!--", "<! --").split())


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
