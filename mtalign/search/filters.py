"""What a search is narrowed down to, and the same as a condition in the SQL of the index.

Values reach the condition as quoted literals only: a quote in one is doubled, and there is nothing else
that could end a literal (DataFusion knows no backslash escapes); LIKE is not used, so `%` and `_` are
letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from mtalign.errors import UsageError


@dataclass(frozen=True)
class Filters:
    """All of these must hold; an empty one says nothing.

    `langs` and `articles`: one of them. `labels` and `entities`: every one of them is mentioned in the
    passage; an entity is its id (`article:mention`), or a name in any script. `since` and `until` are
    inclusive ISO dates, and leave out articles without a date.
    """

    langs: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("since", self.since), ("until", self.until)):
            try:
                date.fromisoformat(value or "2000-01-01")
            except ValueError as error:
                raise UsageError(f"{name} is {value!r}; give a date as YYYY-MM-DD") from error


def condition(filters: Filters, entities: Iterable[Iterable[str]] = ()) -> str | None:
    """Return the filters as an SQL condition, or None where there are none.

    Args:
        filters: what to narrow down to; its `entities` have been looked up before.
        entities: for each of them the ids that it stands for, one of which must be mentioned.
    """
    parts = []
    if filters.langs:
        parts.append(one_of("lang", filters.langs))
    if filters.articles:
        parts.append(one_of("article", filters.articles))
    parts += [f"array_has(labels, {literal(each)})" for each in filters.labels]
    parts += [
        f"array_has_any(entities, make_array({', '.join(map(literal, dict.fromkeys(ids)))}))"
        if (ids := list(each))
        else "false"
        for each in entities
    ]
    if filters.since:
        parts.append(f"date >= {literal(filters.since)}")
    if filters.until:
        parts.append(f"date <= {literal(filters.until)}")
    return " AND ".join(parts) or None


def one_of(column: str, values: Iterable[str]) -> str:
    """Return the condition that a column holds one of the values, of which there must be some."""
    return f"{column} IN ({', '.join(map(literal, dict.fromkeys(values)))})"


def literal(value: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
