"""The models that a configuration names: found first, loaded when first used, and then kept.

Finding is cheap and tells whether a run can start at all; loading costs seconds and gigabytes. A run
that finds all its articles done loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from mtalign import __version__
from mtalign.config import Config, TranslatorConfig, digest
from mtalign.errors import ConfigError
from mtalign.models import ModelFiles, resolve
from mtalign.translate.openai import api_key
from mtalign.translate.options import CTranslate2Options, OpenAIOptions

if TYPE_CHECKING:
    from mtalign.encode import Encoder
    from mtalign.translate.engine import Engine
    from mtalign.translate.translator import Translator
    from mtalign.words import Linker


@dataclass(frozen=True)
class UsedModel:
    """What the manifest says about a model: the part it plays, and where it comes from."""

    role: str
    name: str
    revision: str | None
    fingerprint: str
    license: str | None
    demo: bool


class Models:
    """Everything that is loaded from weights, on first use."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._files: dict[str, ModelFiles] = {}
        self._engines: dict[TranslatorConfig, Engine] = {}
        self._signatures: dict[tuple[str, ...], str] = {}

    def find(self, translated: Iterable[str]) -> list[UsedModel]:
        """Resolve the encoder and the translators into the given languages, without loading weights.

        Raises:
            ModelUnavailable: one of them cannot be had.
            ConfigError: the configuration names no translator for a language.
        """
        used = [_used("encoder", self._find(self.config.encoder.model))]
        for lang in translated:
            chosen = self._translator(lang)
            role = f"translator {lang}"
            if isinstance(chosen.options, OpenAIOptions):
                # Nothing to find, but the key must be there.
                api_key(chosen.options)
                where = chosen.options.base_url
                used.append(UsedModel(role, chosen.model, None, where, chosen.options.license, False))
            else:
                used.append(_used(role, self._find(chosen.model)))
        return used

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of sentences and tokens."""
        from mtalign.encode import Encoder

        chosen = self.config.encoder
        return Encoder(
            self._find(chosen.model),
            prefix=chosen.prefix,
            pooling=chosen.pooling,
            dtype=chosen.dtype,
            batch_tokens=chosen.batch_tokens,
        )

    @cached_property
    def linker(self) -> Linker:
        """The word linker, on the same encoder."""
        from mtalign.words import Linker

        return Linker(self.encoder, self.config.words)

    def engine(self, lang: str) -> Engine:
        """Return the engine that translates into a language; one model serves all its languages."""
        chosen = self._translator(lang)
        if chosen not in self._engines:
            self._engines[chosen] = self._load_engine(chosen)
        return self._engines[chosen]

    def translator(self, lang: str) -> Translator:
        """Return what translates into a language: its engine, and all that chooses and checks."""
        from mtalign.translate.translator import Translator

        return Translator(self.engine(lang), self.encoder)

    def _load_engine(self, chosen: TranslatorConfig) -> Engine:
        from mtalign.translate import ctranslate2, openai, transformers

        if isinstance(chosen.options, OpenAIOptions):
            return openai.load_engine(chosen.model, chosen.options)
        files = self._find(chosen.model)
        if isinstance(chosen.options, CTranslate2Options):
            return ctranslate2.load_engine(files, chosen.options)
        return transformers.load_engine(files, chosen.options)

    def signature(self, translated: Iterable[str]) -> str:
        """Return one line that changes whenever the records would: the resume key of an article.

        It holds the versions, the models with their fingerprints, a digest of the package's own weights and
        examples, and one of each stage's options.
        """
        langs = tuple(sorted(translated))
        # Asked for twice per article, and the same for all that lack the same translations.
        if langs not in self._signatures:
            self._signatures[langs] = self._make_signature(langs)
        return self._signatures[langs]

    def _make_signature(self, langs: tuple[str, ...]) -> str:
        config = self.config
        encoder = self._find(config.encoder.model)
        parts = [
            f"mtalign:{__version__}",
            f"transformers:{version('transformers')}",
            f"encoder:{encoder.name}#{encoder.fingerprint}/{digest(config.encoder)}",
            f"entities:{config.entities}",
            f"data:{_data_digest()}",
            *(
                f"{stage}:{digest(getattr(config, stage))}"
                for stage in ("align", "words", "project", "check")
            ),
        ]
        for lang in langs:
            chosen = self._translator(lang)
            model = chosen.model
            if not isinstance(chosen.options, OpenAIOptions):
                found = self._find(model)
                model = f"{found.name}#{found.fingerprint}"
            parts.append(f"{lang}:{model}/{digest(chosen)}")
            if chosen.engine == "ctranslate2":
                parts.append(f"ctranslate2:{version('ctranslate2')}")
        return "|".join(parts)

    def _find(self, name: str) -> ModelFiles:
        if name not in self._files:
            self._files[name] = resolve(name)
        return self._files[name]

    def _translator(self, lang: str) -> TranslatorConfig:
        chosen = self.config.translator(lang)
        if chosen is None:
            raise ConfigError(
                f"the configuration names no translator into {lang!r}, and an article brings no translation "
                f"of its own; add translate.{lang} (or translate.default) to it"
            )
        return chosen


def _used(role: str, found: ModelFiles) -> UsedModel:
    return UsedModel(role, found.name, found.revision, found.fingerprint, found.license, found.demo)


@cache
def _data_digest() -> str:
    """Return a digest of the data inside the package that decides what records look like."""
    data = (files("mtalign.project") / "weights.json", files("mtalign.translate") / "few_shot.json")
    return sha256(b"".join(each.read_bytes() for each in data)).hexdigest()[:8]
