"""The models that a configuration names: found first, loaded when first used, and then kept.

Finding is cheap and tells whether a run can start at all; loading costs seconds and gigabytes. A run
that finds all its articles done loads nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING

from mtalign import __version__
from mtalign.config import Config, EngineConfig, TranslatorConfig, digest
from mtalign.errors import ConfigError
from mtalign.models import Absent, ModelFiles, look_up, resolve
from mtalign.translate.openai import api_key
from mtalign.translate.options import CTranslate2Options, OpenAIOptions

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from mtalign.encode import Encoder, RememberedVectors
    from mtalign.project.evidence import Evidence
    from mtalign.tagger import Tagger
    from mtalign.translate.engine import Engine
    from mtalign.translate.memory import Group, Memory
    from mtalign.translate.terms import Terms
    from mtalign.translate.translator import Translator
    from mtalign.words import Linker


# PyTorch keeps the kernels made for the last 1,024 shapes of a batch, twice over. Batches of text hardly ever
# have the same shape again, so that all this costs is memory: half a megabyte a shape. These variables are
# read as its libraries are loaded.
_KERNEL_CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
_KERNELS_KEPT = "16"
# The Russian tagger that comes as a package; any other name is a model's.
NATASHA = "natasha"


@dataclass(frozen=True)
class UsedModel:
    """What the manifest says about a model: the part it plays, and where it comes from.

    `engine` runs it (None for the encoder), `compute_type` is the number format that was asked for, `bytes`
    the size of its files; both None for what a server runs.
    """

    role: str
    name: str
    revision: str | None
    fingerprint: str
    license: str | None
    demo: bool
    engine: str | None = None
    compute_type: str | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class PlannedModel:
    """A model of a plan. One that is not here has bytes `to_fetch`, or a `problem`: why it cannot be had."""

    model: UsedModel
    to_fetch: int = 0
    problem: str | None = None


class Models:
    """Everything that is loaded from weights, on first use."""

    def __init__(self, config: Config, memory: Path | None = None) -> None:
        """Name the models of a configuration; `memory` is the file that remembers translations."""
        for name in _KERNEL_CACHES:
            os.environ.setdefault(name, _KERNELS_KEPT)
        self.config = config
        self._memory_path = memory
        self._loading = Lock()
        self._files: dict[str, ModelFiles] = {}
        self._absent: dict[str, Absent] = {}
        self._engines: dict[tuple[str, str, object], Engine] = {}
        self._translators: dict[TranslatorConfig, Translator] = {}
        self._taggers: dict[str, Tagger] = {}
        self._evidence: dict[str, list[Evidence]] = {}
        self._signatures: dict[tuple[str, ...], str] = {}

    def find(self, translated: Iterable[str]) -> list[UsedModel]:
        """Resolve encoder, annotator, and the translators into the given languages; load no weights.

        Raises:
            ModelUnavailable: one of them cannot be had.
            ConfigError: the configuration names no translator for a language, or its glossary cannot be read.
        """
        return [each.model for each in self._named(translated, self._find)]

    def survey(self, translated: Iterable[str]) -> list[PlannedModel]:
        """Return what `find` would find, and fetch nothing: what is not here is as the hub describes it.

        Raises:
            ModelUnavailable: a folder or a starter model is not usable.
            ConfigError: the configuration names no translator for a language, or its glossary cannot be read.
        """
        return self._named(translated, self._look_up)

    def are_here(self, target: str) -> bool:
        """Say whether all that translates into a language is on this machine, or on a server."""
        chosen = self._translator(target)
        engines = [chosen, *([chosen.fallback] if chosen.fallback else [])]
        names = [each.model for each in engines if not isinstance(each.options, OpenAIOptions)]
        return all(
            isinstance(self._look_up(each), ModelFiles) for each in [self.config.encoder.model, *names]
        )

    def _named(
        self, translated: Iterable[str], look: Callable[[str], ModelFiles | Absent]
    ) -> list[PlannedModel]:
        translated = list(translated)
        if translated:
            # No model, but as soon found out: a glossary may be unreadable.
            _ = self.terms
        encoder = self.config.encoder
        named = [_planned("encoder", look(encoder.model), None, encoder.dtype)]
        if self.config.tagger:
            named.append(_planned("entities", look(self.config.tagger), None, "auto"))
        if (ner := self.config.evidence.ner) and ner != NATASHA:
            named.append(_planned("evidence", look(ner), None, "auto"))
        for lang in translated:
            chosen = self._translator(lang)
            engines = [(f"translator {lang}", chosen), (f"fallback {lang}", chosen.fallback)]
            for role, engine in engines:
                if engine is None:
                    continue
                options = engine.options
                if isinstance(options, OpenAIOptions):
                    named.append(PlannedModel(_served(role, engine.model, options)))
                    continue
                compute = options.compute_type if isinstance(options, CTranslate2Options) else options.dtype
                named.append(_planned(role, look(engine.model), engine.engine, compute))
        return named

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of sentences and tokens."""
        from mtalign.encode import Encoder

        chosen = self.config.encoder
        # One thread may translate while another aligns: the second to come takes what the first has loaded.
        with self._loading:
            if "encoder" not in vars(self):
                vars(self)["encoder"] = Encoder(
                    self._find(chosen.model),
                    prefix=chosen.prefix,
                    query_prefix=chosen.query_prefix,
                    pooling=chosen.pooling,
                    layers=chosen.layers,
                    dtype=chosen.dtype,
                    batch_tokens=chosen.batch_tokens,
                )
            made: Encoder = vars(self)["encoder"]
            return made

    @cached_property
    def vectors(self) -> RememberedVectors:
        """Sentence vectors of the same encoder, the latest of them remembered."""
        from mtalign.encode import RememberedVectors

        return RememberedVectors(_EncoderOnUse(self))

    @cached_property
    def linker(self) -> Linker:
        """The word linker, on the same encoder."""
        from mtalign.words import Linker

        return Linker(self.encoder, self.config.words)

    @cached_property
    def tagger(self) -> Tagger | None:
        """What finds entities in articles that come without any, if a model of its own does."""
        return self._load_tagger(self.config.tagger) if self.config.tagger else None

    @property
    def evidence_asks_models(self) -> bool:
        """Whether projection asks models beside the encoder, which unlike that may serve one thread only."""
        chosen = self.config.evidence
        return bool(chosen.ner or chosen.score or chosen.markers)

    def evidence(self, lang: str) -> list[Evidence]:
        """Return what else than the ranker speaks for spans in a language, as the configuration has it."""
        if lang not in self._evidence:
            self._evidence[lang] = list(self._load_evidence(lang))
        return self._evidence[lang]

    def _load_evidence(self, lang: str) -> Iterator[Evidence]:
        from mtalign.annotate import natasha_entities, tagged_entities
        from mtalign.project.evidence import EngineScores, MarkedTranslations, TaggedNames

        chosen = self.config.evidence
        if chosen.ner == NATASHA:
            if lang == "ru":
                yield TaggedNames(natasha_entities, chosen.ner_weight)
        elif chosen.ner is not None:
            tagger = self._load_tagger(chosen.ner)
            yield TaggedNames(lambda document: tagged_entities(document, tagger), chosen.ner_weight)
        if chosen.score:
            engine = self.engine(lang)
            if not engine.capabilities.score:
                raise ConfigError(f"evidence.score: the engine of {lang!r} cannot score translations")
            yield EngineScores(engine, chosen.score, self.config.project.accept)
        if chosen.markers:
            yield MarkedTranslations(self._translate_plainly, chosen.markers, self.config.project.accept)

    def _translate_plainly(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """Return the engine's first translation of each sentence; none for a sentence over its limit."""
        engine = self.engine(target)
        fits = [
            engine.count_tokens(each, source, target) <= engine.limit(source, target) for each in sentences
        ]
        made = iter(
            engine.translate([each for each, may in zip(sentences, fits, strict=True) if may], source, target)
        )
        return [next(made)[0].text if may else "" for may in fits]

    def _load_tagger(self, name: str) -> Tagger:
        from mtalign.tagger import Tagger

        if name not in self._taggers:
            self._taggers[name] = Tagger(self._find(name))
        return self._taggers[name]

    @cached_property
    def terms(self) -> Terms:
        """The glossary and the patterns of text that is not translated.

        Raises:
            ConfigError: the glossary cannot be read.
        """
        from mtalign.translate.terms import Terms, read_glossary

        chosen = self.config.terms
        return Terms(read_glossary(chosen.glossary) if chosen.glossary else (), chosen.protect)

    @cached_property
    def memory(self) -> Memory | None:
        """The translation memory, if one is used.

        Raises:
            StoreError: it cannot be opened.
        """
        from mtalign.translate.memory import Memory

        return Memory(self._memory_path) if self._memory_path else None

    def may_remember(self, source: str, target: str) -> bool:
        """Say whether the memory holds translations between two languages by our model or by people.

        No engine is looked at for that, no model fetched, and no memory made.
        """
        if self._memory_path is None or not self._memory_path.is_file():
            return False
        chosen = self._translator(target)
        named = f"model:{chosen.model}"
        if not isinstance(chosen.options, OpenAIOptions):
            found = self._look_up(chosen.model)
            named += f"#{found.fingerprint if isinstance(found, ModelFiles) else 'absent'}"
        return any(
            (each.source_lang, each.target_lang) == (source, target)
            and (each.signature is None or named in each.signature)
            for each in self._remembered
        )

    @cached_property
    def _remembered(self) -> list[Group]:
        return self.memory.groups() if self.memory else []

    def engine(self, lang: str) -> Engine:
        """Return the engine that translates into a language; one model serves all its languages."""
        return self._engine(self._translator(lang))

    def _engine(self, chosen: EngineConfig) -> Engine:
        key = (chosen.engine, chosen.model, chosen.options)
        if key not in self._engines:
            self._engines[key] = self._load_engine(chosen)
        return self._engines[key]

    def translator(self, lang: str) -> Translator:
        """Return what translates into a language: its engine, and all that chooses, checks and remembers."""
        from mtalign.check import Judge
        from mtalign.likeness import Likeness
        from mtalign.translate.prompts import examples
        from mtalign.translate.translator import Translator

        chosen = self._translator(lang)
        if chosen not in self._translators:
            self._translators[chosen] = Translator(
                self._engine(chosen),
                encoder=self.vectors,
                weights=chosen.weights,
                candidates=chosen.candidates,
                judge=Judge(self.config.check, Likeness(self.vectors, examples())),
                ladder=chosen.ladder,
                fallback=self._engine(chosen.fallback) if chosen.fallback else None,
                terms=self.terms,
                context_sentences=chosen.context_sentences if chosen.context == "previous" else 0,
                memory=self.memory,
                identity=f"mtalign:{__version__}|{self._encoder_signature}|check:{digest(self.config.check)}",
            )
        return self._translators[chosen]

    def _load_engine(self, chosen: EngineConfig) -> Engine:
        from mtalign.translate import ctranslate2, openai, transformers
        from mtalign.translate.lazy import LazyEngine

        options = chosen.options
        if isinstance(options, OpenAIOptions):
            return openai.load_engine(chosen.model, options)
        files = self._find(chosen.model)
        if isinstance(options, CTranslate2Options):
            known = ctranslate2.profile(files, options)
            if known is None:
                return ctranslate2.load_engine(files, options)
            return LazyEngine(known, lambda: ctranslate2.load_engine(files, options))
        known = transformers.profile(files, options)
        return LazyEngine(known, lambda: transformers.load_engine(files, options))

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
        parts = [
            f"mtalign:{__version__}",
            f"transformers:{version('transformers')}",
            self._encoder_signature,
            f"entities:{self._annotator_signature}",
            f"data:{_digest_of('project/weights.json', 'translate/few_shot.json')}",
            *(
                f"{stage}:{digest(getattr(config, stage))}"
                for stage in ("align", "words", "project", "check")
            ),
            f"evidence:{digest(config.evidence)}{self._evidence_signature}",
            f"quality:{digest(config.quality)}/{_digest_of('quality.json')}",
        ]
        if langs:
            parts.append(f"terms:{self.terms.signature}")
        for lang in langs:
            chosen = self._translator(lang)
            engines = [chosen, *([chosen.fallback] if chosen.fallback else [])]
            parts.append(f"{lang}:{'+'.join(map(self._model_signature, engines))}/{digest(chosen)}")
        return "|".join(parts)

    @cached_property
    def _encoder_signature(self) -> str:
        encoder = self._find(self.config.encoder.model)
        return f"encoder:{encoder.name}#{encoder.fingerprint}/{digest(self.config.encoder)}"

    @property
    def _evidence_signature(self) -> str:
        ner = self.config.evidence.ner
        if ner is None:
            return ""
        return f"/natasha:{version('natasha')}" if ner == NATASHA else f"/{self._find(ner).fingerprint}"

    @property
    def _annotator_signature(self) -> str:
        if not self.config.tagger:
            return self.config.entities
        found = self._find(self.config.tagger)
        return f"{found.name}#{found.fingerprint}"

    def _model_signature(self, chosen: EngineConfig) -> str:
        if isinstance(chosen.options, OpenAIOptions):
            return chosen.model
        found = self._find(chosen.model)
        library = f"@ctranslate2:{version('ctranslate2')}" if chosen.engine == "ctranslate2" else ""
        return f"{found.name}#{found.fingerprint}{library}"

    def _find(self, name: str) -> ModelFiles:
        if name not in self._files:
            self._files[name] = resolve(name)
        return self._files[name]

    def _look_up(self, name: str) -> ModelFiles | Absent:
        """Return a model that is here, and what is known of one that is not."""
        if name in self._files:
            return self._files[name]
        if name not in self._absent:
            found = look_up(name)
            if isinstance(found, ModelFiles):
                self._files[name] = found
                return found
            self._absent[name] = found
        return self._absent[name]

    def _translator(self, lang: str) -> TranslatorConfig:
        chosen = self.config.translator(lang)
        if chosen is None:
            raise ConfigError(
                f"the configuration names no translator into {lang!r}, and an article brings no translation "
                f"of its own; add translate.{lang} (or translate.default) to it"
            )
        return chosen


class _EncoderOnUse:
    """The encoder of a configuration, loaded when the first text is to be encoded."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._models.encoder.encode(texts)

    def token_embeddings(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        return self._models.encoder.token_embeddings(texts)


def _planned(role: str, found: ModelFiles | Absent, engine: str | None, compute_type: str) -> PlannedModel:
    if isinstance(found, Absent):
        model = UsedModel(
            role, found.name, found.revision, "", found.license, False, engine, compute_type, found.bytes
        )
        return PlannedModel(model, found.bytes or 0, found.problem)
    model = UsedModel(
        role,
        found.name,
        found.revision,
        found.fingerprint,
        found.license,
        found.demo,
        engine,
        compute_type,
        sum(each.stat().st_size for each in found.path.rglob("*") if each.is_file()),
    )
    return PlannedModel(model)


def _served(role: str, name: str, options: OpenAIOptions) -> UsedModel:
    """Return what is known of a model on a server: there is nothing to find, but the key must be there."""
    api_key(options)
    return UsedModel(role, name, None, options.base_url, options.license, False, "openai")


@cache
def _digest_of(*names: str) -> str:
    """Return a digest of data inside the package that decides what records look like."""
    return sha256(b"".join(files("mtalign").joinpath(name).read_bytes() for name in names)).hexdigest()[:8]
