"""The dataset card: YAML that loaders and the hub read, and a text that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mtalign import __version__
from mtalign.languages import LANGUAGES
from mtalign.publish.licence import Licence
from mtalign.publish.survey import Survey

TAG = "mtalign"
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

_CONFIGS = {
    "sentences": "one row per n-way tuple: the sentences of all languages that say the same",
    "entities": "one row per source mention: its span, and that in every other language or why it is lost",
    "articles": "one row per article: all texts, with sentences and mentions as offsets, origins and issues",
}


def card(found: Survey, *, name: str, rows: Mapping[str, Mapping[str, int]], licence: Licence) -> str:
    """Return the text of README.md for a dataset with these rows by config and split.

    It depends on its arguments alone: no date, no path, no machine.
    """
    parts = [
        f"---\n{_front_matter(found, name, rows, licence)}---",
        f"# {_one_line(name)}",
        *([_DEMO] if found.demo else []),
        _summary(found),
        "## What is in it",
        _config_table(rows),
        "Offsets count Unicode code points into the texts of `articles`, half-open. The `id` of a mention\n"
        "is that of the source mention, and links the languages. Sentences without a counterpart in another\n"
        f"language stand in `sentences` and `articles` only: {found.null_beads:,} of {found.beads:,} beads.",
        "## How to load it",
        _loading(rows),
        "## Where it comes from",
        _provenance(found),
        "## Figures",
        _figures(found),
        "## Limits",
        _limits(found),
        "## Licence",
        _licence_text(found, licence),
    ]
    return "\n\n".join(parts) + "\n"


def size_category(rows: int) -> str:
    """Return the hub's name for a number of rows."""
    return next((label for limit, label in _SIZES if rows < limit), _LARGEST)


def _front_matter(found: Survey, name: str, rows: Mapping[str, Mapping[str, int]], licence: Licence) -> str:
    import yaml

    tasks = ["translation", *(["token-classification"] if "entities" in rows else [])]
    head = {
        "pretty_name": _one_line(name),
        "language": list(found.languages),
        "license": licence.name,
        "multilinguality": ["translation"],
        "task_categories": tasks,
        "size_categories": [size_category(max(sum(splits.values()) for splits in rows.values()))],
        "tags": [TAG, "sentence-alignment", "parallel-corpus"],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == "sentences" else {}),
                "data_files": [{"split": split, "path": f"{config}/{split}-*.parquet"} for split in splits],
            }
            for config, splits in rows.items()
        ],
    }
    text: str = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return text


def _summary(found: Survey) -> str:
    names = [LANGUAGES[lang].english if lang in LANGUAGES else lang for lang in found.languages]
    sources = [LANGUAGES[lang].english if lang in LANGUAGES else lang for lang in found.source_languages]
    articles, mentions = _count(found.articles, "article"), _count(found.entities, "entity mention")
    return (
        f"{articles} in {_and(names)}, aligned by sentence in every pair of languages, with\n"
        f"{mentions} of the {_and(sources)} originals carried over as exact character spans, or reported\n"
        "lost with a reason."
    )


def _config_table(rows: Mapping[str, Mapping[str, int]]) -> str:
    return _table(
        ("config", "what", "rows"),
        [
            (
                f"`{config}`",
                _CONFIGS.get(config, "one row per pair of aligned sentences, with score and bead type"),
                ", ".join(f"{split} {number:,}" for split, number in splits.items()),
            )
            for config, splits in rows.items()
        ],
    )


def _loading(rows: Mapping[str, Mapping[str, int]]) -> str:
    config, splits = next(iter(rows.items()))
    call = f'load_dataset("path/or/name/of/this/dataset", "{config}", split="{next(iter(splits))}")'
    return f"```python\nfrom datasets import load_dataset\n\ndata = {call}\n```"


def _provenance(found: Survey) -> str:
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
    if found.sources:
        lines.append("Sources of the articles:\n\n" + _top(found.sources))
    lines.append(f"Written by mtalign {__version__}. Signatures of the runs:\n\n" + _top(found.signatures))
    return "\n\n".join(lines)


def _figures(found: Survey) -> str:
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
    if found.issues:
        tables.append("Issues that the checks raised (see `issues` in `articles`):\n\n" + _top(found.issues))
    return "\n\n".join(tables)


def _limits(found: Survey) -> str:
    lines = [
        "- Scores and confidences are the tools' own: scores compare within an article, not across articles.",
        "- Nobody reviewed the alignment or the spans unless `method` in `entities` says `review`.",
        "- Labels are those of the source mention; a target language's own guideline may differ.",
    ]
    if found.machine:
        lines.append(
            "- Machine translation can be fluent and wrong: `issues` are what the checks found, not all."
        )
    return "\n".join(lines)


def _licence_text(found: Survey, licence: Licence) -> str:
    stated = Counter({name or "none stated": number for name, number in found.licences.items()})
    reason = (
        f" It is `{licence.name}` because {licence.reason}: ask the owners before you use it."
        if licence.reason
        else ""
    )
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
    """Return text that cannot begin a heading, a rule or a table row of its own."""
    return " ".join(text.split())


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
