"""Label Studio: a JSON list of tasks with a text each, as its export (JSON or JSON_MIN) leaves it.

Reading takes the last annotation that was not cancelled, or else the last prediction. `data` is read as a
row (see `mtalign.formats.rows`). Offsets count code points; where the text says that they count UTF-16
units, as exports before 2021 do after an emoji, they are converted. Relations, choices and whatever else is
not a label on a span are counted and left out.

Writing makes tasks with predictions, to be reviewed; texts, fields and sentences go into `data`. It
does not hold alignment, lost mentions, origins and issues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct, field

from mtalign.document import Document, Entity
from mtalign.errors import InputError
from mtalign.formats.features import Records, documents_of
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import Found, Options, decode, read_whole, rejected
from mtalign.formats.rows import article_from_row, document_row, with_columns
from mtalign.record import Record, Rejected, encode_json


class _Result(Struct):
    """One thing that an annotator or a model said about the text."""

    type: str = ""
    id: str | None = None
    value: dict[str, Any] = {}
    meta: dict[str, Any] = {}


class _Annotation(Struct):
    """What one annotator or model said about a task."""

    result: list[_Result] = []
    was_cancelled: bool = False


class _Task(Struct):
    """A task of the JSON export, or with `text` and `label` one of JSON_MIN."""

    id: str | int | None = None
    data: dict[str, Any] | None = None
    annotations: list[_Annotation] = []
    predictions: list[_Annotation] = []
    text: str | None = None
    label: list[dict[str, Any]] = field(default_factory=list)


_tasks = msgspec.json.Decoder(list[msgspec.Raw])
_task = msgspec.json.Decoder(_Task)


def read(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the task of a file as articles.

    Raises:
        InputError: the file is no JSON list.
    """
    data = decode(read_whole(path), path.name).encode()
    try:
        tasks = _tasks.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"{path.name} is no list of Label Studio tasks: {error}") from error
    name, lang = name_and_language(path)
    here, line = 0, 1
    for number, raw in enumerate(tasks, 1):
        start = data.index(bytes(raw), here)
        line += data.count(b"\n", here, start)
        here = start
        fields: dict[str, Any] = {}
        try:
            task = _task.decode(raw)
            default = task.id if task.id is not None else f"{name}-{number}"
            fields = {"id": default, **with_columns(_data(task), options.columns)}
            left_out: Counter[str] = Counter()
            fields["entities"] = list(_mentions(task, str(fields.get("text", "")), left_out))
            article = article_from_row(fields, lang or options.lang)
            yield Found(article, str(path), line, left_out)
        except msgspec.MsgspecError as error:
            yield rejected(InputError(f"task {number}: {error}"), str(path), line)
        except InputError as error:
            yield rejected(error, str(path), line, str(fields["id"]) if "id" in fields else None)


def _data(task: _Task) -> dict[str, Any]:
    if task.data is not None:
        return {key: value for key, value in task.data.items() if value is not None}
    if task.text is None:
        raise InputError("a task needs data with a text")
    return {"text": task.text}


def _mentions(task: _Task, text: str, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    valid = [each for each in task.annotations if not each.was_cancelled] or task.predictions
    results = valid[-1].result if valid else [_Result("labels", value=each) for each in task.label]
    seen = Counter(each.id for each in results)
    for number, result in enumerate(results, 1):
        labels = result.value.get("labels")
        if result.type != "labels" or not isinstance(labels, list) or not labels:
            left_out[f"results of type {result.type or 'unknown'}"] += 1
            continue
        left_out["further labels of a span"] += len(labels) - 1
        unique = result.id is not None and seen[result.id] == 1
        start, end = _place(result.value, text)
        yield {
            "id": result.id if unique else f"{result.id or 'r'}-{number}",
            "start": start,
            "end": end,
            "label": labels[0],
            "attributes": _attributes(result.meta),
        }
    left_out += Counter()  # without the zeros


def _place(value: Mapping[str, Any], text: str) -> tuple[int, int]:
    """Return a span in code points, checked against the text that the result itself states."""
    start, end, said = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
        raise InputError(f"a span from {start!r} to {end!r}; two offsets into the text were expected")
    if not isinstance(said, str) or text[start:end] == said:
        return start, end
    wide = text.encode("utf-16-le", "surrogatepass")
    try:
        if wide[2 * start : 2 * end].decode("utf-16-le") == said:
            begin = len(wide[: 2 * start].decode("utf-16-le"))
            return begin, begin + len(said)
    except UnicodeDecodeError:
        pass  # it begins inside a character: no such offsets either
    raise InputError(f"a span says {said[:60]!r}, but at [{start}, {end}) stands {text[start:end][:60]!r}")


def _attributes(meta: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else encode_json(value).decode() for key, value in meta.items()
    }


def write(records: Records, out: Path) -> Counter[str]:
    """Write one file of tasks per language, `articles.ko.json`; mentions are predictions to be reviewed."""
    files: dict[str, BinaryIO] = {}
    with ExitStack() as stack:
        for record in records():
            for document in documents_of(record):
                if document.lang not in files:
                    path = out / f"articles.{document.lang}.json"
                    files[document.lang] = stack.enter_context(path.open("wb"))
                    files[document.lang].write(b"[\n")
                else:
                    files[document.lang].write(b",\n")
                files[document.lang].write(encode_json(_task_of(record, document)))
        for stream in files.values():
            stream.write(b"\n]\n")
    return Counter()


def _task_of(record: Record, document: Document) -> dict[str, Any]:
    data = {
        key: value for key, value in document_row(document).items() if key not in {"entities", "relations"}
    }
    return {
        "data": {"id": document.id, "lang": document.lang, **data},
        "predictions": [
            {
                "model_version": record.signature,
                "result": [_result(each) for each in document.entities],
            }
        ],
    }


def _result(entity: Entity) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": entity.id,
        "type": "labels",
        "from_name": "label",
        "to_name": "text",
        "value": {
            "start": entity.span.start,
            "end": entity.span.end,
            "text": entity.text,
            "labels": [entity.label],
        },
    }
    if "confidence" in entity.attributes:
        found["score"] = float(entity.attributes["confidence"])
    return found | ({"meta": entity.attributes} if entity.attributes else {})
