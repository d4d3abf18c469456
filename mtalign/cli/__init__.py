"""The command line: parse, call one function, turn the result into an exit code.

Nothing heavy is imported here; each command imports what it needs, so that `mtalign --help` is quick.
"""

from __future__ import annotations

import logging
import os
import sys

import typer

from mtalign import __version__
from mtalign.cli import (
    align,
    evaluate,
    export,
    memory,
    models,
    publish,
    report,
    review,
    run,
    search,
    stages,
)
from mtalign.errors import MtalignError

USAGE_ERROR = 2
INTERRUPTED = 130

app = typer.Typer(
    name="mtalign",
    help="Translate articles, align them by sentence, carry their entities over, publish and search them.",
    epilog="Start with: mtalign run article.txt --to ko,uk,ru -c starter -o RUN",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


for _commands in (
    run,
    stages,
    align,
    publish,
    report,
    review,
    search,
    models,
    evaluate,
    export,
    memory,
):
    _commands.register(app)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mtalign {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(  # noqa: ARG001  (the callback acts on it)
        False, "--version", help="Print the version and stop.", callback=_show_version, is_eager=True
    ),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens, with tracebacks."),
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL, format="%(asctime)s %(name)s %(message)s"
    )


def main() -> None:
    """Run the command line; every expected error becomes a message and an exit code."""
    quieten_libraries()
    try:
        app()
    except MtalignError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        typer.echo("interrupted; what was finished is kept, the same command goes on from there", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has left (as `head` does); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def quieten_libraries() -> None:
    """Keep progress bars and notes of the libraries out of our output, unless the user asked for them."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
