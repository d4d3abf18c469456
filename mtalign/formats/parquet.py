"""Parquet: an article a row, in the shape of `mtalign.formats.rows`; and Hugging Face datasets.

The writer does not hold what JSON lines do not. Row groups above `LARGEST_GROUP` bytes are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtalign.errors import InputError
from mtalign.formats.features import Records
from mtalign.formats.reading import Found, Options, rejected
from mtalign.formats.rows import article_from_row, row_from_record, with_columns
from mtalign.record import Rejected

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST_GROUP = 1 << 30
HUB = "hub:"
_ROWS_PER_GROUP = 256


def read(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a Parquet file, a few rows in memory at a time.

    Raises:
        InputError: it is no Parquet file, or a row group is too large.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.metadata.num_row_groups):
                if (size := file.metadata.row_group(number).total_byte_size) > LARGEST_GROUP:
                    raise InputError(f"{path.name}: row group {number} has {size:,} bytes, which is too many")
            batches = file.iter_batches(batch_size=64)
            rows = (row for batch in batches for row in batch.to_pylist(maps_as_pydicts="strict"))
            yield from read_rows(rows, str(path), options)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read as Parquet: {error}") from error


def is_dataset(path: Path) -> bool:
    """Say whether a folder is a Hugging Face dataset, as `save_to_disk` leaves it."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def read_dataset(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a dataset folder, all of its splits; the rows stay on disk.

    Raises:
        InputError: it cannot be read.
    """
    from datasets import DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(path))
    except Exception as error:  # whatever a broken folder makes the library raise
        raise InputError(f"{path.name} cannot be read as a dataset: {error}") from error
    for split in loaded.values() if isinstance(loaded, DatasetDict) else [loaded]:
        yield from read_rows(split, str(path), options)


def read_hub(name: str, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a dataset on the hub, streamed: `hub:OWNER/NAME[@REVISION][#CONFIG[/SPLIT]]`.

    No code of the repository is run. Without SPLIT all splits are read.

    Raises:
        InputError: it cannot be had.
    """
    from datasets import load_dataset

    place, _, part = name.removeprefix(HUB).partition("#")
    repository, _, revision = place.partition("@")
    config, _, split = part.partition("/")
    try:
        loaded = load_dataset(repository, config or None, revision=revision or None, streaming=True)
        if split and split not in loaded:
            raise InputError(f"{name} has no split {split!r}; there are {', '.join(loaded)}")
        for own in [loaded[split]] if split else loaded.values():
            yield from read_rows(own, name, options)
    except InputError:
        raise
    except Exception as error:  # the hub, the network and the library have dozens, and one meaning
        raise InputError(f"{name} cannot be read from the hub: {error}") from error


def read_rows(rows: Iterable[Mapping[str, Any]], path: str, options: Options) -> Iterator[Found | Rejected]:
    """Yield rows of a table as articles; numbers count from 1."""
    for number, fields in enumerate(rows, 1):
        row: dict[str, Any] = {}
        try:
            row = _as_objects(with_columns(fields, options.columns))
            yield Found(article_from_row(row, options.lang, utf16=options.utf16), path, number)
        except InputError as error:
            article_id = row.get("id")
            yield rejected(error, path, number, None if article_id is None else str(article_id))


def write(records: Records, out: Path) -> Counter[str]:
    """Write all articles with their translations into one file; nothing is left out of what it holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    left = iter(records())
    with pq.ParquetWriter(out / "articles.parquet", schema, compression="zstd") as writer:
        while rows := [_as_lists(row_from_record(record)) for record in islice(left, _ROWS_PER_GROUP)]:
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return Counter()


def _schema() -> pa.Schema:
    import pyarrow as pa

    pairs = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
    entity = pa.struct(
        [
            ("id", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("label", pa.string()),
            ("text", pa.string()),
            ("attributes", pairs),
            ("fragments", pa.list_(pa.list_(pa.int64()))),
        ]
    )
    relation = pa.struct([(name, pa.string()) for name in ("label", "head", "tail")])
    document = [
        ("lang", pa.string()),
        ("text", pa.large_string()),
        ("title", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
        ("attributes", pairs),
        ("sentences", pa.list_(pa.list_(pa.int64()))),
        ("entities", pa.list_(entity)),
        ("relations", pa.list_(relation)),
    ]
    return pa.schema(
        [
            ("id", pa.string()),
            *document,
            ("translations", pa.list_(pa.struct(document))),
        ]
    )


def _as_lists(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without objects of free keys."""
    found = dict(row)
    if attributes := row.get("attributes"):
        found["attributes"] = [{"key": key, "value": value} for key, value in attributes.items()]
    if entities := row.get("entities"):
        found["entities"] = [_as_lists(each) for each in entities]
    if translations := row.get("translations"):
        found["translations"] = [{"lang": lang, **_as_lists(each)} for lang, each in translations.items()]
    return found


def _as_objects(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with objects of free keys again, and without what is None."""
    found = {key: value for key, value in row.items() if value is not None}
    for key, value in found.items():
        if key == "attributes" and isinstance(value, list):
            found[key] = {each["key"]: each["value"] for each in value if _has(each, "key", "value")}
        elif key == "entities" and isinstance(value, list):
            found[key] = [_as_objects(each) if isinstance(each, dict) else each for each in value]
        elif key == "translations" and isinstance(value, list):
            found[key] = {each["lang"]: _without_lang(each) for each in value if _has(each, "lang")}
        elif key == "translations" and isinstance(value, dict):
            found[key] = {lang: each for lang, each in value.items() if each is not None}
    return found


def _without_lang(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in _as_objects(row).items() if key != "lang"}


def _has(row: object, *keys: str) -> bool:
    if isinstance(row, dict) and all(key in row for key in keys):
        return True
    raise InputError(f"expected an object with {' and '.join(keys)}, found {row!r:.80}")
