"""Building a search index: one passage per sentence of every language, and its vector.

The index is a folder: `index.json` (format, version, encoder), `passages.jsonl` and `vectors.npy` in the
same order. Search over it is exact; there is no approximate index and no lexical one. Passages are single
sentences, so a query longer than a sentence is compared with sentences all the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from mtalign import __version__
from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.record import Record, encode_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = "mtalign-index"
VERSION = 1
HEADER = "index.json"
PASSAGES = "passages.jsonl"
VECTORS = "vectors.npy"

_BATCH = 512
_NORM_TOLERANCE = 1e-2


class Encoder(Protocol):
    """What search needs of an encoder: unit vectors of texts, and a name that changes when they do."""

    @property
    def signature(self) -> str:
        """Model, revision and settings in one line."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 per text: float32, texts x dim."""
        ...


class Mention(Struct, frozen=True):
    """An entity mention in a passage; `id` is that of the source mention, and links the languages."""

    id: str
    label: str
    text: str


class Passage(Struct, frozen=True, omit_defaults=True):
    """One sentence of one language. The `id` is `article:language:sentence` and does not change.

    `tuple_number` is that of the n-way tuple that it stands in: with `article` it finds the counterparts,
    and the row of the published `sentences`.
    """

    id: str
    article: str
    lang: str
    sentence: int
    tuple_number: int
    text: str
    mentions: tuple[Mention, ...] = ()


class Header(Struct, frozen=True):
    """What an index says about itself. Vectors of another encoder are never compared with it."""

    format: str
    version: int
    encoder: str
    dim: int
    passages: int
    mtalign: str


@dataclass(frozen=True)
class Built:
    """What was written."""

    path: Path
    passages: int
    dim: int


def build(records: Iterable[Record], encoder: Encoder, out: Path) -> Built:
    """Write an index of every sentence of the records into the folder `out`.

    An earlier index there is replaced in one move. A few hundred sentences are in memory at a time.

    Raises:
        UsageError: there is no sentence to index; `out` holds something else or cannot be written; the
            encoder's vectors are not of length 1.
    """
    import numpy as np

    _check_replaceable(out)
    count, dim = 0, 0
    with new_folder(out) as folder:
        raw = folder / f"{VECTORS}.raw"
        with (folder / PASSAGES).open("wb") as lines, raw.open("wb") as values:
            for batch in _batches(each for record in records for each in passages(record)):
                vectors = encode_checked(encoder, [each.text for each in batch])
                dim = vectors.shape[1]
                count += len(batch)
                lines.writelines(encode_json(each) + b"\n" for each in batch)
                values.write(vectors.astype("<f4").tobytes())
        if not count:
            raise UsageError("no sentences to index: the run has no records, or their texts are empty")
        with (folder / VECTORS).open("wb") as file, raw.open("rb") as values:
            head = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
            np.lib.format.write_array_header_1_0(file, head)
            shutil.copyfileobj(values, file)
        raw.unlink()
        header = Header(FORMAT, VERSION, encoder.signature, dim, count, __version__)
        (folder / HEADER).write_bytes(encode_json(header) + b"\n")
    return Built(out, count, dim)


def passages(record: Record) -> Iterator[Passage]:
    """Yield the passages of an article, language by language, in reading order."""
    for lang, document in record.documents().items():
        tuple_of = {n: number for number, each in enumerate(record.tuples) for n in each.sents.get(lang, ())}
        mentions = list(_mentions(record, lang))
        for number, sentence in enumerate(document.sentences):
            yield Passage(
                id=f"{record.id}:{lang}:{number}",
                article=record.id,
                lang=lang,
                sentence=number,
                tuple_number=tuple_of[number],
                text=sentence.span.of(document.text),
                mentions=tuple(
                    mention for start, mention in mentions if sentence.span.start <= start < sentence.span.end
                ),
            )


def read_header(path: Path) -> Header:
    """Read what an index says about itself.

    Raises:
        UsageError: there is no index, or one that this version cannot read.
    """
    try:
        header = msgspec.json.decode((path / HEADER).read_bytes(), type=Header)
    except OSError as error:
        raise UsageError(f"no search index in {path} ({error.strerror}); build one first") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path / HEADER} is damaged ({error}); build the index again") from error
    if header.format != FORMAT or header.version != VERSION:
        raise UsageError(
            f"{path} is {header.format} version {header.version}, this mtalign reads {FORMAT} version "
            f"{VERSION}; build the index again"
        )
    return header


def encode_checked(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the encoder's vectors of texts, checked: one per text, of length 1, so products are cosines.

    Raises:
        UsageError: they are not.
    """
    import numpy as np

    vectors = encoder.encode(texts)
    good = vectors.ndim == 2 and len(vectors) == len(texts)
    if not good or bool(np.any(np.abs(np.linalg.norm(vectors, axis=1) - 1) > _NORM_TOLERANCE)):
        raise UsageError(
            f"encoder {encoder.signature!r} gave vectors of shape {vectors.shape} for {len(texts)} texts, "
            "or not of length 1; search needs one normalised vector per text"
        )
    return vectors


def _mentions(record: Record, lang: str) -> Iterator[tuple[int, Mention]]:
    """Yield the mentions of one language with the offset at which each starts."""
    if lang == record.source.lang:
        for entity in record.source.entities:
            yield entity.span.start, Mention(entity.id, entity.label, entity.text)
        return
    for each in record.projections[lang]:
        if each.entity is not None:
            mention = Mention(each.source, each.entity.label, each.entity.text)
            yield each.entity.span.start, mention


def _batches(found: Iterator[Passage]) -> Iterator[list[Passage]]:
    while batch := list(islice(found, _BATCH)):
        yield batch


def _check_replaceable(out: Path) -> None:
    """Refuse to replace anything but an empty folder or an index."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder for the index")
    if others := sorted({path.name for path in out.iterdir()} - {HEADER, PASSAGES, VECTORS}):
        raise UsageError(f"{out} holds {others[0]}, which is no part of an index; choose another folder")
