"""`mtalign evaluate sentences | words | entities | translation | terms | search`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from msgspec.structs import replace

from mtalign.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, read_config, table
from mtalign.errors import ModelUnavailable, UsageError

if TYPE_CHECKING:
    from mtalign.evaluate import EntityRow, EntityScores, Row, SentenceScores
    from mtalign.evaluate.counts import Counts, Interval
    from mtalign.record import Record

Gold = Annotated[Path, typer.Option("--gold", help="JSONL with the gold.")]
Pred = Annotated[Path, typer.Option("--pred", help="JSONL with the predictions, or a run directory.")]
PredFile = Annotated[Path, typer.Option("--pred", help="JSONL with the predictions.")]

_RowT = TypeVar("_RowT")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="Score results against a gold.", no_args_is_help=True, rich_markup_mode=None)
    group.command("sentences", epilog="Example: mtalign evaluate sentences --gold gold.jsonl --pred RUN")(
        sentences
    )
    group.command(
        "entities",
        epilog="Examples: mtalign evaluate entities --gold gold.jsonl --pred RUN | "
        "mtalign evaluate entities --gold gold.jsonl --pred out.jsonl --source in.jsonl -c starter",
    )(entities)
    group.command(
        "translation", epilog="Example: mtalign evaluate translation --gold g.jsonl --pred p.jsonl"
    )(translation)
    group.command("words", epilog="Example: mtalign evaluate words --gold gold.tsv --pred links.jsonl")(words)
    group.command("search", epilog="Example: mtalign evaluate search --index INDEX -c starter")(search)
    group.command("terms", epilog="Example: mtalign evaluate terms --glossary terms.tsv --pred RUN")(terms)
    app.add_typer(group, name="evaluate")


def sentences(gold: Gold, pred: Pred, as_json: JsonOption = False) -> None:
    """Strict and lax F1 of beads per pair, by bead type; tuple and link F1 of n-way tuples."""
    from mtalign.evaluate import SentenceRow, alignment_row, evaluate_sentences, read_rows

    scores = evaluate_sentences(
        read_rows(gold, SentenceRow), _predictions(pred, SentenceRow, lambda record: [alignment_row(record)])
    )
    if as_json:
        print_json(scores.as_dict())
    else:
        _show_sentences(scores)


def entities(
    gold: Gold,
    pred: Pred,
    source: Annotated[
        Path | None,
        typer.Option("--source", help="The rows given to `mtalign project`, for the baseline of a file."),
    ] = None,
    no_baseline: Annotated[
        bool, typer.Option("--no-baseline", help="Leave the word-alignment baseline out; loads no model.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Exact and relaxed span F1 of projected entities, lost rate, by label and language.

    Beside it stands what plain word alignment reaches on the same texts and beads: for a run with its own
    configuration, for a file with `--source` and `--config`.
    """
    from mtalign.evaluate import EntityRow, evaluate_entities, projection_rows, read_rows

    wanted = read_rows(gold, EntityRow)
    scores = evaluate_entities(wanted, _predictions(pred, EntityRow, projection_rows))
    plain, why_not = None, "--no-baseline"
    if not no_baseline:
        try:
            rows = _baseline_rows(pred, source, config)
            plain = evaluate_entities(wanted, rows)
        except (ModelUnavailable, MissingBaseline) as error:
            why_not = str(error)
    if as_json:
        print_json({**scores.as_dict(), "baseline": plain.as_dict() if plain else None})
    else:
        _show_entities(scores, plain)
    if plain is None:
        typer.echo(f"no baseline: {why_not}", err=True)


class MissingBaseline(Exception):
    """What the baseline would be made of is not there."""


def _baseline_rows(pred: Path, source: Path | None, config: str) -> list[Row[EntityRow]]:
    """Return the projections of plain word alignment: of a run's records, or of rows."""
    from mtalign.config import Config
    from mtalign.evaluate import EntityRow, projection_rows, to_rows
    from mtalign.load import Models
    from mtalign.project.baseline import baseline_documents
    from mtalign.record import Rejected
    from mtalign.run import tasks_of
    from mtalign.stages import project_rows, run_stage
    from mtalign.store import Run

    if pred.is_dir():
        run = Run(pred)
        if "config" not in run.manifest:
            raise MissingBaseline(f"the manifest of {pred} names no configuration")
        models = Models(Config.model_validate(run.manifest["config"]))
        return to_rows(
            (
                row
                for record in run.records()
                for made in [baseline_documents(list(tasks_of(record).values()), models.linker.compare)]
                for row in projection_rows(
                    replace(record, projections=dict(zip(record.targets, made, strict=True)))
                )
            ),
            EntityRow,
            str(pred),
        )
    if source is None:
        raise MissingBaseline("give the rows that were projected as --source")
    with source.open("rb") as lines:
        made_rows = run_stage(lines, project_rows(baseline=True), Models(read_config(config)), str(source))
        return to_rows((row for row in made_rows if not isinstance(row, Rejected)), EntityRow, str(source))


def translation(gold: Gold, pred: Pred, as_json: JsonOption = False) -> None:
    """chrF, chrF++ and BLEU (sacrebleu) per target language."""
    from mtalign.evaluate import TranslationRow, evaluate_translation, read_rows, translation_row

    scores = evaluate_translation(
        read_rows(gold, TranslationRow),
        _predictions(pred, TranslationRow, lambda record: [translation_row(record)]),
    )
    _show(scores.as_dict(), as_json)


def terms(
    glossary: Annotated[Path, typer.Option("--glossary", help="TSV with the terms.")],
    pred: Pred,
    as_json: JsonOption = False,
) -> None:
    """Share of the mentions of glossary terms that are translated as it says, by language."""
    from mtalign.evaluate import TermRow, evaluate_terms, term_rows
    from mtalign.translate.terms import read_glossary

    scores = evaluate_terms(
        read_glossary(glossary), _predictions(pred, TermRow, lambda record: list(term_rows(record)))
    )
    _show(scores.as_dict(), as_json)


def words(gold: Gold, pred: PredFile, as_json: JsonOption = False) -> None:
    """Precision, recall, F1 and alignment error rate of word links."""
    from mtalign.evaluate import evaluate_words_files

    _show(evaluate_words_files(gold, pred).as_dict(), as_json)


def search(
    gold: Annotated[
        Path | None, typer.Option("--gold", help="JSONL of queries with their relevant passages.")
    ] = None,
    pred: Annotated[Path | None, typer.Option("--pred", help="JSONL of queries with ranked answers.")] = None,
    index: Annotated[
        Path | None, typer.Option("--index", "-i", help="An index, to be scored on its own tuples.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask only so many sentences of the index.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Recall at k and mean reciprocal rank of ranked answers, or of an index across languages.

    Every sentence of the index is a query whose translations should be found, in each mode.
    """
    from mtalign.evaluate import evaluate_search_files

    if index is not None and gold is None and pred is None:
        _score_index(index, limit, config, as_json)
    elif index is None and gold is not None and pred is not None:
        _show(evaluate_search_files(gold, pred).as_dict(), as_json)
    else:
        raise UsageError("give either --gold and --pred, or --index")


def _score_index(index: Path, limit: int | None, config: str, as_json: bool) -> None:
    from mtalign.evaluate.search import PERCENTILES, Sentence, evaluate_index, questions
    from mtalign.load import Models
    from mtalign.search import Filters, Index
    from mtalign.search.query import MODES, KnownQueries, Mode

    passages = Index.open(index).passages()
    asked = questions((Sentence(each.id, each.lang, each.group, each.text) for each in passages), limit)
    encoder = Models(read_config(config)).encoder
    opened = Index.open(index, KnownQueries(encoder, [each.sentence.text for each in asked]))
    modes: dict[str, Mode] = {each: each for each in MODES}
    scores = evaluate_index(
        asked,
        MODES,
        lambda mode, text, langs, k: [
            name for name, _ in opened.rank(text, mode=modes[mode], filters=Filters(langs=langs), k=k)
        ],
    )
    if as_json:
        print_json(scores.as_dict())
        return
    for mode, pairs in scores.modes.items():
        table(
            mode,
            ["pair", "queries", "recall@1", "recall@10", "success@1", "mrr"],
            [
                [pair, each.queries, each.recall[1], each.recall[10], each.success[1], each.mrr]
                for pair, each in pairs.items()
            ],
        )
        times = scores.milliseconds[mode]
        typer.echo("ms a query: " + ", ".join(f"p{p} {times[p]:.1f}" for p in PERCENTILES))


def _predictions(
    pred: Path, shape: type[_RowT], of_record: Callable[[Record], list[dict[str, object]]]
) -> list[Row[_RowT]]:
    """Read predictions from a JSONL file, or take them from the records of a run directory."""
    from mtalign.evaluate import read_rows, to_rows
    from mtalign.store import Run

    if not pred.is_dir():
        return read_rows(pred, shape)
    # What the machine made, without what people reviewed: their work is not to its credit.
    return to_rows((row for record in Run(pred).records() for row in of_record(record)), shape, str(pred))


def _show_sentences(scores: SentenceScores) -> None:
    table(
        "beads",
        ["pair", "docs", "strict P", "R", "F1", "95 %", "lax P", "R", "F1", "95 %", "nulls P", "R", "F1"],
        [
            [
                pair,
                each.documents,
                *_prf(each.strict),
                _interval(each.strict_interval),
                *_prf(each.lax),
                _interval(each.lax_interval),
                *_prf(each.nulls),
            ]
            for pair, each in scores.pairs.items()
        ],
    )
    if len(scores.pairs) > 1:
        typer.echo(
            f"mean of the pairs: strict F1 {scores.strict_average:.3f}, lax F1 {scores.lax_average:.3f}"
        )
    table(
        "beads by type",
        ["pair", "type", "gold", "found", "predicted"],
        [
            [pair, kind, counts.gold, counts.found, counts.predicted]
            for pair, each in scores.pairs.items()
            for kind, counts in each.kinds.items()
        ],
    )
    if tuples := scores.tuples:
        table(
            "n-way tuples",
            ["what", "docs", "P", "R", "F1", "95 %", "largest side"],
            [
                [
                    "tuples",
                    tuples.documents,
                    *_prf(tuples.exact),
                    _interval(tuples.exact_interval),
                    tuples.largest,
                ],
                [
                    "links",
                    tuples.documents,
                    *_prf(tuples.links),
                    _interval(tuples.links_interval),
                    tuples.largest,
                ],
            ],
        )
    typer.echo(scores.signature)


def _show_entities(scores: EntityScores, plain: EntityScores | None) -> None:
    groups, others = (
        {"all": each.overall, **each.by_language, **each.by_label} if each else {} for each in (scores, plain)
    )
    table(
        "projected spans" + (", beside plain word alignment" if plain else ""),
        ["", "mentions", "exact P", "R", "F1", "relaxed P", "R", "F1", "lost"]
        + (["| plain exact F1", "relaxed F1", "lost"] if plain else []),
        [
            [
                name,
                each.mentions,
                *_prf(each.exact),
                *_prf(each.relaxed),
                each.lost_rate,
                *([own.exact.f1, own.relaxed.f1, own.lost_rate] if (own := others.get(name)) else []),
            ]
            for name, each in groups.items()
        ],
    )
    if scores.coverage:
        table(
            "precision of the surest spans",
            ["share of mentions", "precision", "95 %"],
            [[each.coverage, each.precision, _interval(each.interval)] for each in scores.coverage],
        )
    by_language = ", ".join(f"{lang} {_interval(each)}" for lang, each in scores.language_intervals.items())
    typer.echo(
        f"exact F1, 95 % interval: {_interval(scores.exact_interval)} ({by_language}); "
        f"{scores.unjudged} spans unjudged"
    )
    typer.echo(scores.signature)


def _prf(counts: Counts) -> list[float]:
    return [counts.precision, counts.recall, counts.f1]


def _interval(interval: Interval) -> str:
    return f"{interval.low:.3f}-{interval.high:.3f}"


def _show(scores: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(scores)
        return
    table("", ["score", "value"], [[name, value] for name, value in _flat(scores)])


def _flat(scores: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested scores as `en-ko strict f1` and so on."""
    rows: list[tuple[str, Any]] = []
    for name, value in scores.items():
        full = f"{prefix} {name}".strip()
        rows += _flat(value, full) if isinstance(value, Mapping) else [(full, value)]
    return rows
