"""Updating a dataset that people have worked on: what is mtalign's own in it, and what is theirs.

The text that mtalign writes on a card stands between two comments; the rest is prose that people wrote.
In the YAML, lists are united, configs are ours by their names, and a name that was given stays.
"""

from __future__ import annotations

from typing import Any

from mtalign.errors import UsageError
from mtalign.publish.embeddings import EMBEDDINGS
from mtalign.publish.ner import NER
from mtalign.publish.rows import ARTICLES, ENTITIES, PAIRS, SENTENCES

CARD = "README.md"
CHART = "confidence.svg"
CROISSANT = "croissant.json"
TAG = "mtalign"
BEGIN = "<!-- mtalign writes from here -->"
END = "<!-- to here; what stands elsewhere is kept -->"

_TITLE = "pretty_name"
_NOTED = "dataset_info"
_UNITED = ("language", "multilinguality", "task_categories", "tags")


def is_own_config(name: str) -> bool:
    """Say whether a config of this name is written by mtalign."""
    return name in {ARTICLES, SENTENCES, ENTITIES, EMBEDDINGS} or name.startswith((PAIRS, NER))


def is_own_file(path: str) -> bool:
    """Say whether a file of a dataset, by its path with slashes, is written by mtalign."""
    folder, _, file = path.rpartition("/")
    return path in {CARD, CHART, CROISSANT} or (is_own_config(folder) and file.endswith(".parquet"))


def is_ours(card: str) -> bool:
    """Say whether mtalign wrote a card, or added to it."""
    return f"- {TAG}\n" in card and BEGIN in card and END in card


def merged(earlier: str | None, new: str) -> str:
    """Return the new card with what people wrote on the earlier one.

    Raises:
        UsageError: the YAML of the earlier card cannot be read.
    """
    if earlier is None:
        return new
    old_head, old_text = _parts(earlier)
    head, text = _parts(new)
    block = text[text.index(BEGIN) : text.index(END) + len(END)]
    if BEGIN in old_text and END in old_text[old_text.index(BEGIN) :]:
        before, _, rest = old_text.partition(BEGIN)
        body = before + block + rest.partition(END)[2]
    elif old_text.strip():
        body = f"{old_text.rstrip()}\n\n{block}\n"
    else:
        body = text
    return front_matter(_merged_head(old_head, head)) + body


def front_matter(head: dict[str, Any]) -> str:
    """Return the YAML that a card begins with."""
    import yaml

    text: str = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n"


def _merged_head(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    theirs = [each for each in _list(old.get("configs")) if not is_own_config(str(each.get("config_name")))]
    default = any(each.get("default") for each in theirs)
    ours = [
        {key: value for key, value in each.items() if not (default and key == "default")}
        for each in new["configs"]
        if is_own_config(each["config_name"])
    ]
    united = {key: list(dict.fromkeys([*_list(old.get(key)), *new[key]])) for key in _UNITED}
    merged_head = {**old, **new, **united, _TITLE: old.get(_TITLE, new[_TITLE]), "configs": [*ours, *theirs]}
    # What the hub noted about configs of ours is stale; loaders read it from the files again.
    noted = [each for each in _list(old.get(_NOTED)) if not is_own_config(str(each.get("config_name")))]
    return {key: value for key, value in {**merged_head, _NOTED: noted}.items() if key != _NOTED or noted}


def _parts(card: str) -> tuple[dict[str, Any], str]:
    import yaml

    if not card.startswith("---\n"):
        return {}, card
    head, _, text = card[4:].partition("\n---\n")
    try:
        read = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise UsageError(
            f"the YAML of the earlier card cannot be read: {error}; repair {CARD} first"
        ) from error
    return (read if isinstance(read, dict) else {}), text


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
