"""Writes the configuration reference from the models that check a configuration.

Usage: python scripts/config_reference.py [--output docs/configuration.md]

What a key means is said once, where the code reads it: in a pydantic field's description, or in the
docstring of an option class (under `Attributes:`, or in lines that begin with the key).
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mtalign.config import Config

HEAD = """# Configuration

One YAML file, given with `-c`, or the name of a preset. Every key is checked: an unknown one, or a value that
is not allowed, is one clear error that names the file and the key. What decides how records look is part of
the resume key: change it, and the articles that it concerns are made anew.

This page is written by `make docs` from the models themselves.
"""
_ATTRIBUTE = re.compile(r"^(?: {4}|`)(\w+)`?: ", re.MULTILINE)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("docs/configuration.md"))
    parser.parse_args().output.write_text(reference(), encoding="utf-8")


def reference() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *_section(Config, "", set())])


def _section(model: type, path: str, seen: set[type], which: str = "") -> Iterator[str]:
    """Yield the keys of a class as a table, then those of the classes below it; each class once."""
    seen.add(model)
    prose, said = _docstring(model)
    yield f"## {f'`{path}`' if path else 'The file'}{which}\n\n{prose}\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    below: list[tuple[str, type]] = []
    for name, annotation, default, description in _fields(model):
        inner = [each for each in _classes(annotation) if each not in seen]
        below += [(f"{path}.{name}" if path else name, each) for each in inner]
        meaning = description or said.get(name, "")
        if not meaning and inner:
            meaning = _docstring(inner[0])[0].partition("\n")[0]
        yield f"| `{name}` | {_type(annotation)} | {_default(default)} | {_cell(meaning)} |"
    yield ""
    for deeper, each in below:
        label = f"{deeper}.LANGUAGE" if deeper == "translate" else deeper
        several = sum(name == deeper for name, _ in below) > 1
        if each not in seen:
            yield from _section(each, label, seen, f" ({each.__name__})" if several else "")


def _fields(model: type) -> Iterator[tuple[str, Any, object, str]]:
    if issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            default = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg]
            yield name, field.annotation, default, field.description or ""
        return
    hints = typing.get_type_hints(model)
    for each in dataclasses.fields(model):
        missing = each.default is dataclasses.MISSING
        made = (
            each.default_factory() if each.default_factory is not dataclasses.MISSING else PydanticUndefined
        )
        yield each.name, hints[each.name], made if missing else each.default, ""


def _classes(annotation: Any) -> list[type]:
    """Return the classes with keys of their own in a type."""
    if isinstance(annotation, type) and (
        dataclasses.is_dataclass(annotation) or issubclass(annotation, BaseModel)
    ):
        return [annotation]
    return [found for each in get_args(annotation) if not isinstance(each, str) for found in _classes(each)]


def _type(annotation: Any) -> str:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in inside))
    if origin is dict:
        return f"{_type(inside[1])}, for each name"
    if origin in (tuple, list):
        return f"list of {_type(inside[0])}"
    if annotation is type(None):
        return "null"
    names = {str: "text", int: "whole number", float: "number", bool: "true, false", Path: "path"}
    return names.get(
        annotation, "keys below" if _classes(annotation) else getattr(annotation, "__name__", "value")
    )


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "**required**"
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return "as below"
    if isinstance(value, (tuple, list)):
        if any(_classes(type(each)) for each in value):
            return f"{len(value)} entries"
        return "[" + ", ".join(_default(each) for each in value) + "]"
    if value is None or isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    return f"`{_cell(str(value))}`" if value not in ("", {}) else "empty"


def _docstring(model: type) -> tuple[str, dict[str, str]]:
    """Split a docstring into its prose and what it says of single keys."""
    text = inspect.getdoc(model) or ""
    inherited: dict[str, str] = {}
    for base in reversed(model.__mro__[1:]):
        if dataclasses.is_dataclass(base):
            inherited |= _docstring(base)[1]
    prose, _, listed = text.partition("Attributes:\n")
    known = {name for name, *_ in _fields(model)}
    starts = [match for match in _ATTRIBUTE.finditer(listed or prose) if match[1] in known]
    body = listed or prose
    said = {
        match[1]: " ".join(body[match.end() : after.start() if after else len(body)].split("\n\n")[0].split())
        for match, after in zip_longest(starts, starts[1:])
    }
    if not listed and starts:
        prose = body[: starts[0].start()]
    return prose.strip(), inherited | said


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
