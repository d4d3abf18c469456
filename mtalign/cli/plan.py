"""What `mtalign run` reads before it starts, and the plan that its dry run prints."""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtalign.cli.common import print_json, table
from mtalign.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mtalign.formats.articles import Found
    from mtalign.load import PlannedModel
    from mtalign.plan import Ahead
    from mtalign.record import Rejected


@dataclass(frozen=True)
class Inputs:
    """What the inputs hold, found by reading them once.

    `files` says of each input what it was like, `to_translate` how many articles bring no translation,
    `left_out` what the files say and an article cannot hold.
    """

    files: dict[str, dict[str, Any]]
    articles: int
    characters: int
    unreadable: list[Rejected]
    to_translate: dict[str, int]
    left_out: dict[str, int]

    @property
    def translated(self) -> list[str]:
        """The languages that there is something to translate into."""
        return [lang for lang, count in self.to_translate.items() if count]


def read_inputs(files: Sequence[str], inputs: Iterable[Found | Rejected], targets: Sequence[str]) -> Inputs:
    """Read all inputs once, and count."""
    from mtalign.formats.articles import Found
    from mtalign.run import missing

    described = {file: _described(file) for file in files}
    articles = characters = 0
    unreadable = []
    to_translate = dict.fromkeys(targets, 0)
    left_out: Counter[str] = Counter()
    for each in inputs:
        if isinstance(each, Found):
            articles += 1
            characters += len(each.article.source.text)
            left_out.update(each.left_out)
            for lang in missing(each.article, targets):
                to_translate[lang] += 1
        else:
            unreadable.append(each)
    return Inputs(described, articles, characters, unreadable, to_translate, dict(left_out))


def _described(file: str) -> dict[str, Any]:
    """Return what an input file is like, so that it can be told whether a run still belongs to it."""
    size_and_time = identity(file)
    if not size_and_time:
        return {}
    digest = hashlib.sha256()
    try:
        with Path(file).open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return size_and_time
    return {**size_and_time, "sha256": digest.hexdigest()}


def identity(file: str) -> dict[str, Any]:
    """Return size and time of an input file; nothing if there is no such file, or it is a pipe."""
    try:
        found = Path(file).stat()
    except OSError:
        return {}
    return {} if stat.S_ISFIFO(found.st_mode) else {"size": found.st_size, "modified": found.st_mtime_ns}


def without_hash(described: dict[str, Any]) -> dict[str, Any]:
    """Return the part of what a file is like that needs no reading."""
    return {key: value for key, value in described.items() if key != "sha256"}


def show_plan(plan: Inputs, models: Sequence[PlannedModel], ahead: Sequence[Ahead], as_json: bool) -> None:
    """Print what a run would do.

    Raises:
        ModelUnavailable: printed, but the run could not start, for lack of a model.
    """
    _print_plan(plan, models, ahead, as_json)
    if problems := dict.fromkeys(each.problem for each in models if each.problem):
        raise ModelUnavailable("\n".join(problems))


def _print_plan(plan: Inputs, models: Sequence[PlannedModel], ahead: Sequence[Ahead], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "articles": plan.articles,
                "unreadable": [vars_of(each) for each in plan.unreadable],
                "not_read": plan.left_out,
                "characters": plan.characters,
                "to_translate": plan.to_translate,
                "models": [
                    {**vars(each.model), "to_fetch": each.to_fetch, "problem": each.problem}
                    for each in models
                ],
                "languages": [
                    {**vars(each), "cached_share": each.cached_share, "seconds": round(each.seconds, 1)}
                    for each in ahead
                ],
                "seconds": round(sum(each.seconds for each in ahead), 1),
            }
        )
        return
    typer.echo(f"{plan.articles} articles, {plan.characters} characters; {len(plan.unreadable)} unreadable")
    for what, count in plan.left_out.items():
        typer.echo(f"  not read, since an article cannot hold it: {count} {what}")
    for lang, count in plan.to_translate.items():
        typer.echo(f"  {lang}: {count} to translate, {plan.articles - count} bring a human translation")
    table(
        "models",
        ["role", "model", "licence", "engine", "number format", "on disk", "quality"],
        [
            [
                each.model.role,
                each.model.name,
                each.model.license or "unknown",
                each.model.engine or "encoder",
                each.model.compute_type or "the server's",
                _where(each),
                "demo only" if each.model.demo else "",
            ]
            for each in models
        ],
    )
    if to_fetch := {each.model.name: each.to_fetch for each in models if each.to_fetch}:
        typer.echo(f"to fetch from the hub: {len(to_fetch)} models, {_megabytes(sum(to_fetch.values()))}")
    table(
        "sentences",
        ["language", "sentences", "to translate", "from the memory", "time"],
        [
            [
                each.lang,
                each.sentences,
                each.to_translate,
                f"{each.known} ({each.cached_share:.0%})",
                _duration(each.seconds),
            ]
            for each in ahead
        ],
    )
    typer.echo(f"about {_duration(sum(each.seconds for each in ahead))} of work for one process, at:")
    for each in ahead:
        typer.echo(
            f"  {each.lang}: {each.translate_seconds:.2f} s a new sentence ({_source(each.translate_rate)}), "
            f"{each.other_seconds:.2f} s a sentence for the other stages ({_source(each.other_rate)})"
        )


def _where(each: PlannedModel) -> str:
    """Say how large a model is, and whether it is here."""
    if each.problem:
        return "not here"
    if each.to_fetch:
        return f"{_megabytes(each.to_fetch)} to fetch"
    return _megabytes(each.model.bytes) if each.model.bytes else "on the server"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _source(rate: str) -> str:
    return "measured in the run directory" if rate == "measured" else "assumed: no earlier run to tell by"


def vars_of(rejected: Rejected) -> dict[str, Any]:
    """Return a reject as plain values."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(rejected)
    return plain
