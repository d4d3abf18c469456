"""The configuration: one YAML file, checked, frozen, and part of every record's signature."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from mtalign.align.beads import BeadOptions
from mtalign.check import Limits
from mtalign.device import DType
from mtalign.encode import Pooling
from mtalign.errors import ConfigError
from mtalign.languages import LANGUAGES
from mtalign.project.evidence import EvidenceOptions
from mtalign.project.rank import ProjectOptions
from mtalign.quality import QualityOptions
from mtalign.translate.options import CTranslate2Options, OpenAIOptions, TransformersOptions
from mtalign.translate.rerank import RankWeights
from mtalign.translate.terms import Pattern
from mtalign.translate.translator import DEFAULT_LADDER, Rung
from mtalign.words import LinkOptions

DEFAULT = "default"


_OPTIONS: dict[str, type[TransformersOptions | CTranslate2Options | OpenAIOptions]] = {
    "transformers": TransformersOptions,
    "ctranslate2": CTranslate2Options,
    "openai": OpenAIOptions,
}


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderConfig(_Frozen):
    """Which encoder makes sentence and token vectors."""

    model: str = Field(description="hub:OWNER/NAME@REVISION, starter:NAME or a folder")
    prefix: str = Field("", description="put before every sentence; e5 models want 'query: '")
    query_prefix: str | None = Field(
        None, description="put before a search query instead, where an encoder tells queries from passages"
    )
    pooling: Pooling = Field(
        "mean",
        description="how tokens become a vector; `tokens`, for language models, leaves special ones out",
    )
    layers: int | None = Field(
        None, gt=0, description="use the first so many layers alone, as language models want; null: all"
    )
    dtype: DType = "auto"
    batch_tokens: int = Field(4096, gt=0, description="padded tokens per forward pass")


class EngineConfig(_Frozen):
    """An engine and its model."""

    engine: Literal["transformers", "ctranslate2", "openai"] = "transformers"
    model: str = Field(
        description="hub:OWNER/NAME@REVISION, starter:NAME or a folder; what the server calls it for openai"
    )
    options: TransformersOptions | CTranslate2Options | OpenAIOptions = Field(
        None, validate_default=True, description="those of the engine"
    )

    @field_validator("options", mode="before")
    @classmethod
    def _of_the_engine(cls, value: object, others: ValidationInfo) -> object:
        engine = others.data.get("engine", "")
        kind = _OPTIONS.get(engine)
        if kind is None or isinstance(value, kind):
            return value
        known = {each.name for each in fields(kind)}
        if isinstance(value, dict) and (unknown := set(value) - known):
            raise ValueError(
                f"engine {engine} has no option {sorted(unknown)}; it has {', '.join(sorted(known))}"
            )
        try:
            return TypeAdapter(kind).validate_python(value or {})
        except ValidationError as error:
            raise ValueError(_problems(error)) from error


class TranslatorConfig(EngineConfig):
    """Which engine and model translate into one language, and how a translation is chosen and checked."""

    candidates: int | None = Field(
        None, gt=0, description="hypotheses per sentence to choose from; otherwise what the options say"
    )
    weights: RankWeights = Field(RankWeights(), description="what counts how much in that choice")
    ladder: tuple[Rung, ...] = Field(
        DEFAULT_LADDER, description="what a sentence that fails a check goes up; [] tries nothing again"
    )
    fallback: EngineConfig | None = Field(
        None, description="the engine and model for rungs with fallback: true"
    )
    context: Literal["none", "previous"] = Field(
        "none", description="previous: the engine sees the sentences before, if it can use them"
    )
    context_sentences: int = Field(3, gt=0, description="how many of them with context: previous")


class TermsConfig(_Frozen):
    """What is said in a given way, and what is not translated."""

    glossary: Path | None = Field(
        default=None,
        description="TSV with the columns source, language codes, and perhaps case and whole_word",
    )
    protect: tuple[Pattern, ...] = Field(
        default=("url", "email", "handle", "code"),
        description="patterns that are not translated; quantity (12 km) is one more",
    )


class Config(_Frozen):
    """Everything that decides what a record looks like."""

    encoder: EncoderConfig
    translate: dict[str, TranslatorConfig] = Field(
        default_factory=dict, description="a translator per target language; 'default' serves the others"
    )
    terms: TermsConfig = TermsConfig()
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="rows with other names: the column of each field (text, id, translations.ko, …)",
    )
    entities: str = Field(
        "none",
        description="who annotates articles that come without entities: none, spacy (English), or a "
        "token-classification model (hub:OWNER/NAME@REVISION or a folder)",
    )
    align: BeadOptions = BeadOptions()
    words: LinkOptions = LinkOptions()
    project: ProjectOptions = ProjectOptions()
    evidence: EvidenceOptions = EvidenceOptions()
    check: Limits = Limits()
    quality: QualityOptions = QualityOptions()

    @field_validator("translate")
    @classmethod
    def _known_languages(cls, value: dict[str, TranslatorConfig]) -> dict[str, TranslatorConfig]:
        if unknown := set(value) - set(LANGUAGES) - {DEFAULT}:
            raise ValueError(
                f"unknown languages {sorted(unknown)}; known are {', '.join(LANGUAGES)} and default"
            )
        return value

    @field_validator("entities")
    @classmethod
    def _known_annotator(cls, value: str) -> str:
        if value not in {"none", "spacy"} and not value.startswith("hub:") and not Path(value).is_dir():
            raise ValueError(f"{value!r} is neither none, spacy, hub:OWNER/NAME nor a folder with a model")
        return value

    @property
    def tagger(self) -> str | None:
        """The model that annotates articles, if one does."""
        return None if self.entities in {"none", "spacy"} else self.entities

    def translator(self, lang: str) -> TranslatorConfig | None:
        """Return what translates into `lang`, if anything does."""
        return self.translate.get(lang, self.translate.get(DEFAULT))


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or holds an unknown key or a value out of range; the
            message names the file and the key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is not YAML: {error}") from error
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"configuration {path} is not valid:\n{_problems(error)}") from error
    except ConfigError as error:
        raise ConfigError(f"configuration {path}: {error}") from error


def _problems(error: ValidationError) -> str:
    return "\n".join(
        f"  {'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors()
    )


def digest(part: object) -> str:
    """Return eight hexadecimal digits that change when the options do."""
    return hashlib.sha256(repr(part).encode()).hexdigest()[:8]
