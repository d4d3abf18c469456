"""`mtalign align`: sentences of JSONL rows or of plain text files, in pairs and n ways."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtalign.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    print_json,
    progress_bar,
    read_config,
    run_records,
    table,
)
from mtalign.cli.rows import STDIO, check_distinct, opened, write_rows

if TYPE_CHECKING:
    from mtalign.aligned import AlignedDocument
    from mtalign.formats.parallel import TextFile
    from mtalign.record import Rejected

SUMMARY_FILE = "summary.json"

_EXAMPLES = (
    "Examples: mtalign align rows.jsonl -o aligned.jsonl -c starter | "
    "mtalign align news.en.txt news.ko.txt -o FOLDER | "
    "mtalign align FOLDER --show news --langs en,ko"
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("align", epilog=_EXAMPLES)(align)


def align(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN...",
            help="JSONL rows (- for standard input), or a plain text file for each language. "
            "With --show also a folder that this command wrote, or a run directory.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="Where rows go, - for standard output; a folder with --format, and for text files unless "
            "the name ends in .jsonl.",
        ),
    ] = STDIO,
    config: ConfigOption = DEFAULT_CONFIG,
    langs: Annotated[
        str | None,
        typer.Option(
            "--langs", help="Languages of the text files, in their order; with --show, which to show."
        ),
    ] = None,
    split: Annotated[
        bool,
        typer.Option("--split", help="Find the sentences in running text; otherwise a line is a sentence."),
    ] = False,
    separator: Annotated[
        str | None,
        typer.Option(
            "--document-separator", help="The line that ends a document where a text file holds several."
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", help="What the folder gets, of jsonl,tsv,tmx (jsonl is always there)."),
    ] = None,
    show: Annotated[
        str | None, typer.Option("--show", metavar="DOC", help="Show this document side by side, and stop.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Align sentences of two languages or of n: JSONL rows, or a plain text file for each language.

    A row has `src` and `tgt`, or `sents` by language. In a text file a line is a sentence. The languages
    are those of the file names (en.txt, news.en.txt, news.en), or of --langs, or guessed. The folder gets
    tuples.jsonl, every pair's beads and the n-way tuples as TSV and TMX, review.tsv with the beads to look
    at, worst first, and summary.json.
    """
    from mtalign.errors import UsageError

    source = _source(inputs, langs, split, separator, showing=show is not None)
    if show is not None:
        if as_json or formats:
            raise UsageError("--show is for people: it goes with neither --json nor --format")
        from mtalign.cli.show import show_document

        chosen = _codes(langs)
        show_document(_find(source, show, chosen, config), chosen)
        return
    if out == STDIO and (as_json or formats):
        raise UsageError(f"{'--json' if as_json else '--format'} needs -o: rows go to standard output now")
    chosen_formats = _formats(formats)
    is_text = source.texts is not None
    in_folder = formats is not None or (is_text and out != STDIO and not out.endswith(".jsonl"))
    check_distinct(source.name, out)
    with _results(source, config, whole=in_folder or is_text) as results:
        if in_folder:
            report = _into_folder(results, Path(out), chosen_formats)
        else:
            report = {"rows": 0}
            report["rejected"] = write_rows(_counted(results, report), out)
    if as_json:
        print_json(report)
    elif in_folder:
        _print_summary(report)
    if report["rejected"]:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Source:
    """What is aligned: a file of rows, or text files of known languages."""

    name: str
    texts: Sequence[TextFile] | None
    separator: str | None
    split: bool

    @contextmanager
    def lines(self) -> Iterator[Iterable[bytes]]:
        """Yield JSON lines, whatever the files hold."""
        if self.texts is None:
            with opened(self.name, sys.stdin.buffer, "rb") as stream:
                yield stream
            return
        from mtalign.formats.parallel import read_parallel
        from mtalign.record import encode_json
        from mtalign.segment import split_sentences

        documents = read_parallel(self.texts, self.separator, split_sentences if self.split else None)
        langs = [each.lang for each in self.texts]
        yield (
            encode_json({"id": each.id, "langs": langs, "sents": each.sents, "paragraphs": each.paragraphs})
            for each in documents
        )


def _source(
    inputs: Sequence[str], langs: str | None, split: bool, separator: str | None, *, showing: bool
) -> _Source:
    from mtalign.errors import UsageError

    if len(inputs) == 1 and (inputs[0] == STDIO or inputs[0].endswith((".jsonl", ".json")) or showing):
        if split or separator:
            raise UsageError("--split and --document-separator are for text files; rows hold sentences")
        if langs and not showing:
            raise UsageError("--langs is for text files and --show; rows name their languages")
        return _Source(inputs[0], None, None, False)
    if any(name == STDIO or name.endswith((".jsonl", ".json")) for name in inputs):
        raise UsageError("give either one file of JSONL rows, or a plain text file for each language")
    if len(inputs) < 2:
        raise UsageError(f"{inputs[0]} is one text; alignment needs a text file for each language")
    return _Source(inputs[0], _text_files(inputs, None if showing else langs), separator, split)


def _text_files(names: Sequence[str], langs: str | None) -> list[TextFile]:
    """Find the language of every file: given, in its name, or guessed with a note."""
    from mtalign.errors import UsageError
    from mtalign.formats.parallel import TextFile, language_in_name, language_of_text

    paths = [Path(name) for name in names]
    codes: list[str | None] = [*_codes(langs)] if langs else [language_in_name(path) for path in paths]
    if len(codes) != len(paths):
        raise UsageError(f"--langs names {len(codes)} languages, and there are {len(paths)} files")
    files = []
    for path, code in zip(paths, codes, strict=True):
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        found = code
        if found is None:
            found, probability = language_of_text(path)
            typer.echo(
                f"{path}: taken for {found!r} ({probability:.2f}); say otherwise with --langs", err=True
            )
        files.append(TextFile(path, found))
    if len({file.lang for file in files}) < len(files):
        listed = ", ".join(f"{file.path} {file.lang}" for file in files)
        raise UsageError(f"two files are in one language ({listed}); name the languages with --langs")
    return files


def _codes(langs: str | None) -> list[str]:
    from mtalign.languages import language

    return [language(code.strip()).code for code in langs.split(",")] if langs else []


def _formats(formats: str | None) -> list[str]:
    from mtalign.aligned import FORMATS
    from mtalign.errors import UsageError

    chosen = formats.split(",") if formats else list(FORMATS)
    if unknown := set(chosen) - set(FORMATS):
        raise UsageError(f"--format {','.join(sorted(unknown))}: known are {', '.join(FORMATS)}")
    return chosen


@contextmanager
def _results(source: _Source, config: str, *, whole: bool) -> Iterator[Iterator[dict[str, Any] | Rejected]]:
    """Yield results row by row: each is there before the next row is read."""
    from mtalign.load import Models
    from mtalign.stages import align_documents, align_rows, run_stage

    models = Models(read_config(config))
    models.find([])
    with source.lines() as lines:
        yield run_stage(lines, align_documents if whole else align_rows, models, source.name, chunk_rows=1)


def _counted(
    results: Iterable[dict[str, Any] | Rejected], report: dict[str, Any]
) -> Iterator[dict[str, Any] | Rejected]:
    """Pass results on, counting the good ones under `rows`, with a bar where somebody watches."""
    from mtalign.record import Rejected

    if not sys.stderr.isatty():
        for result in results:
            report["rows"] += not isinstance(result, Rejected)
            yield result
        return
    with progress_bar(None, "rows") as advance:
        for result in results:
            report["rows"] += not isinstance(result, Rejected)
            yield result
            advance(str(result.id if isinstance(result, Rejected) else result["id"]))


def _into_folder(
    results: Iterable[dict[str, Any] | Rejected], folder: Path, formats: Sequence[str]
) -> dict[str, Any]:
    """Write rows as they come, then what follows from them, and say what came out."""
    from mtalign.aligned import REVIEW_FILE, ROWS_FILE, Summary, export, from_row
    from mtalign.errors import UsageError
    from mtalign.record import Rejected, encode_json

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be a folder: {error.strerror}") from error
    summary = Summary()

    def summed() -> Iterator[dict[str, Any] | Rejected]:
        for result in results:
            if not isinstance(result, Rejected):
                summary.add(from_row(result))
            yield result

    report: dict[str, Any] = {"rows": 0}
    rejected = write_rows(_counted(summed(), report), str(folder / ROWS_FILE))
    files = [folder / ROWS_FILE, *export(folder, summary, formats), folder / SUMMARY_FILE]
    report = {
        "folder": str(folder),
        **summary.as_dict(),
        "rejected": rejected,
        "review": str(folder / REVIEW_FILE),
        "files": [each.name for each in files],
    }
    files[-1].write_bytes(encode_json(report) + b"\n")
    return report


def _print_summary(report: Mapping[str, Any]) -> None:
    table(
        f"{report['folder']}: documents {report['documents']}, languages {', '.join(report['sentences'])}",
        ["pair", "beads", "1-1", "nulls", "doubtful", "score"],
        [
            [pair, each["beads"], each["types"].get("1-1", 0), each["nulls"], each["doubtful"], each["score"]]
            for pair, each in report["pairs"].items()
        ],
    )
    for each in report["warnings"]:
        typer.echo(
            f"{each['kind']}: document {each['document']!r}, {each['pair']}: {each['evidence']}", err=True
        )
    typer.echo(
        f"{report['tuples']} n-way tuples, {report['tuples_in_all_languages']} of them in all languages; "
        f"look at {report['review']}"
    )


def _find(source: _Source, wanted: str, langs: Sequence[str], config: str) -> AlignedDocument:
    """Return the document of that id, as it is where it is aligned, else aligned now."""
    from mtalign.errors import UsageError

    seen = []
    for doc_id, found in _candidates(source, langs):
        if doc_id == wanted:
            return _aligned(found, config) if isinstance(found, dict) else found
        seen.append(doc_id)
    listed = ", ".join(seen[:10]) + (" …" if len(seen) > 10 else "")
    raise UsageError(f"there is no document {wanted!r} in {source.name}; there are: {listed or 'none'}")


def _candidates(
    source: _Source, langs: Sequence[str]
) -> Iterator[tuple[str, AlignedDocument | dict[str, Any]]]:
    """Yield every document with its id: of a folder or a run directory, or a row with all the languages."""
    import msgspec

    from mtalign.aligned import ROWS_FILE, from_row, read_documents
    from mtalign.errors import InputError
    from mtalign.evaluate import alignment_row

    folder = Path(source.name)
    if source.texts is None and folder.is_dir():
        if (folder / ROWS_FILE).is_file():
            documents = read_documents(folder / ROWS_FILE)
        else:
            documents = (from_row(alignment_row(record)) for record in run_records(folder)())
        yield from ((each.id, each) for each in documents)
        return
    with source.lines() as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = msgspec.json.decode(line, type=dict[str, Any]) if line.strip() else {}
            except msgspec.MsgspecError as error:
                raise InputError(f"{source.name}:{number}: not a JSON row: {error}") from error
            if {*langs} <= {*row.get("sents", ()), row.get("src_lang"), row.get("tgt_lang")}:
                yield str(row.get("id")), row


def _aligned(row: dict[str, Any], config: str) -> AlignedDocument:
    from mtalign.aligned import from_row
    from mtalign.errors import InputError
    from mtalign.load import Models
    from mtalign.stages import align_documents

    if {"sents", "tuples", "beads"} <= row.keys():
        return from_row(row)
    (result,) = align_documents([row], Models(read_config(config)))
    if isinstance(result, InputError):
        raise result
    return from_row(result)
