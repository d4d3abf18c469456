"""The configuration: one YAML file, checked, frozen, and part of every record's signature."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mtalign.align.beads import BeadOptions
from mtalign.check import Limits
from mtalign.encode import DType, Pooling
from mtalign.errors import ConfigError
from mtalign.languages import LANGUAGES
from mtalign.project.rank import ProjectOptions
from mtalign.translate.options import TransformersOptions
from mtalign.words import LinkOptions

DEFAULT = "default"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderConfig(_Frozen):
    """Which encoder makes sentence and token vectors."""

    model: str = Field(description="hub:OWNER/NAME@REVISION, starter:NAME or a folder")
    prefix: str = Field("", description="put before every sentence; e5 models want 'query: '")
    pooling: Pooling = "mean"
    dtype: DType = "auto"
    batch_tokens: int = Field(4096, gt=0, description="padded tokens per forward pass")


class TranslatorConfig(_Frozen):
    """Which engine and model translate into one language."""

    engine: Literal["transformers"] = "transformers"
    model: str = Field(description="hub:OWNER/NAME@REVISION, starter:NAME or a folder")
    options: TransformersOptions = TransformersOptions()


class Config(_Frozen):
    """Everything that decides what a record looks like."""

    encoder: EncoderConfig
    translate: dict[str, TranslatorConfig] = Field(
        default_factory=dict, description="a translator per target language; 'default' serves the others"
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="rows with other names: the column of each field (text, id, translations.ko, …)",
    )
    entities: Literal["none", "spacy"] = Field(
        "none", description="who annotates articles that come without entities"
    )
    align: BeadOptions = BeadOptions()
    words: LinkOptions = LinkOptions()
    project: ProjectOptions = ProjectOptions()
    check: Limits = Limits()

    @field_validator("translate")
    @classmethod
    def _known_languages(cls, value: dict[str, TranslatorConfig]) -> dict[str, TranslatorConfig]:
        if unknown := set(value) - set(LANGUAGES) - {DEFAULT}:
            raise ValueError(
                f"unknown languages {sorted(unknown)}; known are {', '.join(LANGUAGES)} and default"
            )
        return value

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
        problems = "\n".join(
            f"  {'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors()
        )
        raise ConfigError(f"configuration {path} is not valid:\n{problems}") from error
    except ConfigError as error:
        raise ConfigError(f"configuration {path}: {error}") from error


def digest(part: object) -> str:
    """Return eight hexadecimal digits that change when the options do."""
    return hashlib.sha256(repr(part).encode()).hexdigest()[:8]
