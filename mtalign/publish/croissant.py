"""Croissant metadata (mlcommons.org/croissant, version 1.0): what other tools than `datasets` read.

One record set per config, over a file set of all its splits. Fields are numbers, strings, structures of
them, and lists of either. What lies deeper (lists within a language, as the sentences of an article) is not
described; the record set says so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtalign import __version__
from mtalign.errors import MissingExtra
from mtalign.publish.rows import Config

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def describe(
    configs: Sequence[Config],
    rows: Mapping[str, Mapping[str, int]],
    *,
    name: str,
    licence: str,
    languages: Sequence[str],
) -> str:
    """Return the text of croissant.json for the configs that have rows."""
    written = [config for config in configs if config.name in rows]
    return json.dumps(
        {
            "@context": _CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.0",
            "name": name,
            "description": f"News articles in {', '.join(languages)}, aligned by sentence, with entities "
            "carried over as character spans.",
            "license": licence,
            "inLanguage": list(languages),
            "creator": {"@type": "Organization", "name": f"made with mtalign {__version__}"},
            "distribution": [_file_set(config.name) for config in written],
            "recordSet": [_record_set(config, list(rows[config.name])) for config in written],
        },
        ensure_ascii=False,
        indent=1,
    )


def check(path: Path) -> list[str]:
    """Validate a croissant.json with the field's own library and return its warnings.

    Raises:
        MissingExtra: mlcroissant is not installed.
        ValueError: the file is not valid.
    """
    try:
        import mlcroissant
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "checking Croissant metadata needs mlcroissant: pip install 'mtalign[publish]'"
        ) from error
    # Its warnings come back as a value; on the terminal they would be there twice.
    logging.getLogger("absl").setLevel(logging.ERROR)
    dataset = mlcroissant.Dataset(jsonld=str(path))
    return sorted(dataset.metadata.issues.warnings)


def _file_set(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "encodingFormat": "application/x-parquet",
        "includes": f"{config}/*.parquet",
    }


def _record_set(config: Config, splits: Sequence[str]) -> dict[str, Any]:
    features = config.features()
    fields = {column: _field(config.name, column, feature) for column, feature in features.items()}
    left_out = [column for column, field in fields.items() if field is None]
    split = {
        "@type": "cr:Field",
        "@id": f"{config.name}/split",
        "name": "split",
        "dataType": "sc:Text",
        "source": {
            "fileSet": {"@id": f"{config.name}-files"},
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": f"^({'|'.join(splits)})-"},
        },
    }
    return {
        "@type": "cr:RecordSet",
        "@id": config.name,
        "name": config.name,
        "description": config.about + (f"; not described here: {', '.join(left_out)}" if left_out else ""),
        "field": [split, *(field for field in fields.values() if field is not None)],
    }


def _field(config: str, column: str, feature: Any) -> dict[str, Any] | None:
    """Return the field of a column, None where Croissant has no words for it."""
    inner, repeated = _unwrapped(feature)
    name = f"{config}/{column}"
    field: dict[str, Any] = {"@type": "cr:Field", "@id": name, "name": column}
    if repeated:
        field["repeated"] = True
    if (data_type := _data_type(inner)) is not None:
        return {**field, "dataType": data_type, "source": _source(config, column)}
    if not isinstance(inner, dict):
        return None
    leaves = list(_leaves(inner))
    if any(data_type is None for _, _, data_type in leaves) or (
        repeated and any(many for _, many, _ in leaves)
    ):
        return None
    return {
        **field,
        "subField": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{path}",
                "name": path,
                "dataType": data_type,
                **({"repeated": True} if many else {}),
                "source": _source(config, column, path),
            }
            for path, many, data_type in leaves
        ],
    }


def _leaves(structure: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, bool, str | None]]:
    """Yield path, whether it is a list, and data type (None: has no words) of everything in a structure."""
    for key, feature in structure.items():
        inner, repeated = _unwrapped(feature)
        if isinstance(inner, dict) and not repeated:
            yield from _leaves(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", repeated, _data_type(inner)


def _unwrapped(feature: Any) -> tuple[Any, bool]:
    """Return what is inside a list, and whether it was one; a translation is a structure of strings."""
    from datasets import List, Translation, Value

    if isinstance(feature, List):
        return feature.feature, True
    if isinstance(feature, Translation):
        return {lang: Value("string") for lang in feature.languages}, False
    return feature, False


def _data_type(feature: Any) -> str | None:
    from datasets import ClassLabel, Value

    if isinstance(feature, ClassLabel):
        return "sc:Integer"
    if not isinstance(feature, Value):
        return None
    kinds = {"string": "sc:Text", "bool": "sc:Boolean", "int": "sc:Integer", "float": "sc:Float"}
    return next((kind for start, kind in kinds.items() if str(feature.dtype).startswith(start)), None)


def _source(config: str, column: str, path: str | None = None) -> dict[str, Any]:
    return {
        "fileSet": {"@id": f"{config}-files"},
        "extract": {"column": column},
        **({"transform": {"jsonPath": path}} if path else {}),
    }
