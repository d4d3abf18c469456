"""`mtalign publish`: a run directory as a dataset in a folder, and on the hub."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtalign.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, read_config, table
from mtalign.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from mtalign.publish.embeddings import Encoder
    from mtalign.publish.hub import Pushed, Target

_EXAMPLE = "Example: mtalign publish RUN -o DATASET --splits train=90,test=10 --push me/news --private"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("publish", epilog=_EXAMPLE)(publish)


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the dataset.")],
    name: Annotated[str | None, typer.Option("--name", help="The dataset's name on its card.")] = None,
    splits: Annotated[
        str,
        typer.Option(
            "--splits", help="Names and shares. Near-duplicates of an article are in the same split as it."
        ),
    ] = "train=1",
    licence: Annotated[
        str | None, typer.Option("--licence", help="State the licence instead of deriving the strictest one.")
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option("--min-confidence", min=0, max=1, help="Leave out mentions with less confidence."),
    ] = 0.0,
    drop_flagged: Annotated[
        bool, typer.Option("--drop-flagged", help="Leave out sentences with a warning or an error.")
    ] = False,
    reviewed_only: Annotated[
        bool, typer.Option("--reviewed-only", help="Leave out what nobody reviewed.")
    ] = False,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Add vectors by the encoder of the configuration.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    scan: Annotated[
        Path | None,
        typer.Option(
            "--scan", help="Look for secrets and personal data, and report them in this JSONL file."
        ),
    ] = None,
    allow_demo: Annotated[
        bool, typer.Option("--allow-demo", help="Publish translations of demo quality, marked as such.")
    ] = False,
    push: Annotated[
        str | None, typer.Option("--push", metavar="OWNER/NAME", help="Push to this repository of the hub.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private; never push to a public one.")
    ] = False,
    revision: Annotated[str, typer.Option("--revision", help="The branch to push to.")] = "main",
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request instead of pushing to the branch.")
    ] = False,
    parent_commit: Annotated[
        str | None,
        typer.Option("--parent-commit", help="Push only if the branch is still at this commit."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the run as a dataset: Parquet files and a card, for `datasets.load_dataset`; and push it.

    The token comes from HF_TOKEN or `hf auth login`.
    """
    from mtalign.publish import Filters, ModelUse
    from mtalign.publish import publish as write
    from mtalign.publish.hub import Target
    from mtalign.review import reviewed
    from mtalign.store import Run

    if push is None and (private or create_pr or parent_commit or revision != "main"):
        raise UsageError("--private, --revision, --create-pr and --parent-commit go with --push OWNER/NAME")
    target = None if push is None else Target(push, private, revision, create_pr, parent_commit)
    opened = Run(run)
    made = write(
        reviewed(opened),
        out,
        name=name or out.name,
        splits=shares(splits),
        licence=licence,
        allow_demo=allow_demo,
        filters=Filters(min_confidence, drop_flagged, reviewed_only),
        models=[
            ModelUse(*(str(each.get(key) or "") for key in ("role", "name", "revision", "license")))
            for each in opened.manifest.get("models", [])
        ],
        encoder=_encoder(config) if embeddings else None,
        scan_report=scan,
    )
    croissant = _checked(out)
    pushed = _push(out, made.files, target)
    if as_json:
        shown = {**vars(made), "path": str(made.path), "croissant": croissant}
        print_json({**shown, "pushed": vars(pushed) if pushed else None})
        return
    rows = [[config, split, count] for config, splits in made.rows.items() for split, count in splits.items()]
    table(f"{made.path}: {made.articles} articles, licence {made.licence}", ["config", "split", "rows"], rows)
    if made.licences_against:
        names = ", ".join(made.licences_against)
        typer.echo(
            f"warning: you state {made.licence}, but works in the dataset are under {names}, "
            "which may ask for more; the card says so",
            err=True,
        )
    for filter_name, what, number in made.removed:
        typer.echo(f"{filter_name} left out {number} {what}")
    if made.near_duplicates:
        typer.echo(f"{made.near_duplicates} articles have near-duplicates, and share a split with them")
    if made.scanned is not None:
        found = ", ".join(f"{kind} {number}" for kind, number in made.scanned.items())
        typer.echo(f"scan: {found or 'nothing found'}; see {scan}")
    typer.echo(f"croissant.json: {croissant}")
    if pushed:
        typer.echo(
            f"{'pushed' if pushed.changed else 'nothing new'}: {pushed.pull_request or pushed.address}"
        )


def shares(splits: str) -> dict[str, float]:
    """Read `train=90,test=10`.

    Raises:
        UsageError: a share is missing or no number, or a name comes twice.
    """
    found: dict[str, float] = {}
    for part in splits.split(","):
        name, _, share = part.strip().partition("=")
        try:
            number = float(share)
        except ValueError:
            number = None
        if not name or number is None or name in found:
            raise UsageError(f"--splits {splits!r}: give each split once with its share: train=90,test=10")
        found[name] = number
    return found


def _encoder(config: str) -> Encoder:
    from mtalign.load import Models

    return Models(read_config(config)).encoder


def _checked(out: Path) -> str:
    """Validate the Croissant metadata where the library for it is installed, and say what came out."""
    from mtalign.publish.croissant import check
    from mtalign.publish.existing import CROISSANT

    try:
        check(out / CROISSANT)
    except MissingExtra:
        return "not checked (pip install 'mtalign[publish]')"
    return "valid"


def _push(out: Path, files: tuple[str, ...], target: Target | None) -> Pushed | None:
    from mtalign.publish.hub import push

    if target is None:
        return None
    # They log the addresses of uploads, which hold a signature that lets anybody write for a while.
    for name in ("httpx", "httpx2", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return push(out, files, target)
