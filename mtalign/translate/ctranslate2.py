"""Translation with CTranslate2: the engine for processors, several times faster than transformers there.

A checkpoint is converted once, from its safetensors, and the conversion kept in the cache under the
checkpoint's fingerprint and the compute type. Served are the encoder-decoder kinds of `codec`. Sampling
is not handled: its draws would depend on the batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtalign.errors import ConfigError, ModelUnavailable, UsageError
from mtalign.folder import new_folder
from mtalign.models import cache_root, locked
from mtalign.record import Origin
from mtalign.translate.batching import plan_batches, run_batches
from mtalign.translate.checkpoint import load_config, load_model, load_tokenizer
from mtalign.translate.codec import Codec, CodecEngine, Coding
from mtalign.translate.engine import Capabilities, Decoding, Hypothesis, Profile, check_decoding
from mtalign.translate.options import CTranslate2Options, Search

if TYPE_CHECKING:
    from mtalign.models import ModelFiles

# Changes when the way of converting does, so that older conversions are not taken for newer ones.
_RECIPE = 1
_LIST = "mtalign-conversion.json"
_NOTES = "mtalign-compute-types.json"


class CTranslate2Engine(CodecEngine):
    """Greedy or beam search; the n-best hypotheses are the best beams."""

    def __init__(
        self, translator: Any, codec: Codec, tokenizer: Any, profile: Profile, options: CTranslate2Options
    ) -> None:
        self._translator = translator
        self._codec = codec
        self._tokenizer = tokenizer
        self._options = options
        # With integers the sum over a row does not depend on which rows go with it; only padding does harm.
        self._integer = translator.compute_type.startswith("int")
        self.origin = profile.origin
        self.signature = profile.signature
        self.capabilities = profile.capabilities

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the candidates of every sentence, best first, in the order of the sentences."""
        check_decoding(self, decoding, contexts)
        coding = self._codec.coding(source, target)
        ids = self._codec.encode_within_limit(sentences, coding)
        search = self._options.search(decoding)

        def work(batch: Sequence[int]) -> list[list[Hypothesis]]:
            return self._search([ids[i] for i in batch], coding, search)

        batches = self._batches([len(tokens) for tokens in ids], search.beams)
        return run_batches(batches, work, workers=self._translator.num_translators)

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation, its end token included."""
        coding = self._codec.coding(source, target)
        read = self._codec.encode_within_limit(sources, coding)
        written = self._codec.encode_targets(translations, coding)
        start = [] if coding.first_token is None else [coding.first_token]

        def work(batch: Sequence[int]) -> list[list[float]]:
            results = self._translator.score_batch(
                [self._tokens(read[i]) for i in batch],
                # The end token is added by CTranslate2.
                [self._tokens([*start, *written[i][:-1]]) for i in batch],
                max_input_length=0,
                offset=len(start),
            )
            return [list(each.log_probs) for each in results]

        lengths = [max(len(a), len(b)) for a, b in zip(read, written, strict=True)]
        return run_batches(self._batches(lengths, 1), work, workers=self._translator.num_translators)

    def _batches(self, lengths: Sequence[int], rows: int) -> list[list[int]]:
        apart: Sequence[int] | None = None
        if self._options.batching == "exact":
            apart = lengths if self._integer else range(len(lengths))
        return plan_batches(lengths, self._options.batch_tokens, rows_per_item=rows, apart=apart)

    def _search(self, batch: list[list[int]], coding: Coding, search: Search) -> list[list[Hypothesis]]:
        room = self._codec.limit - 2
        allowed = [min(room, self._options.max_new_tokens(len(ids))) for ids in batch]
        start = None if coding.first_token is None else [self._tokens([coding.first_token])] * len(batch)
        results = self._translator.translate_batch(
            [self._tokens(ids) for ids in batch],
            target_prefix=start,
            beam_size=search.beams,
            num_hypotheses=search.candidates,
            no_repeat_ngram_size=search.no_repeat,
            # 1024 by default: the rest would be dropped without a word.
            max_input_length=0,
            max_decoding_length=max(allowed),
            return_end_token=True,
            return_scores=True,
        )
        return [
            [
                self._hypothesis(tokens, score, most, coding)
                for tokens, score in zip(result.hypotheses, result.scores, strict=True)
            ]
            for result, most in zip(results, allowed, strict=True)
        ]

    def _hypothesis(self, tokens: list[str], score: float, most: int, coding: Coding) -> Hypothesis:
        """Cut an output at its own limit, beyond which a longer neighbour gave it room."""
        ids: list[int] = self._tokenizer.convert_tokens_to_ids(tokens[:most])
        complete = bool(ids) and ids[-1] == self._codec.end_token
        if coding.first_token is not None:
            # The mean is over the language token too, which is given and not chosen.
            score *= len(tokens) / (len(tokens) - 1)
        return Hypothesis(self._codec.decode(ids, coding), score, complete)

    def _tokens(self, ids: Sequence[int]) -> list[str]:
        tokens: list[str] = self._tokenizer.convert_ids_to_tokens(ids)
        return tokens


def load_engine(files: ModelFiles, options: CTranslate2Options) -> CTranslate2Engine:
    """Convert a checkpoint where that is still to be done, load it, and return its engine.

    Raises:
        ModelUnavailable: the checkpoint or its conversion cannot be read.
        ConfigError: CTranslate2 does not take models of this kind, or not this compute type here.
    """
    import ctranslate2

    device, compute_type = _asked_for(options)
    if compute_type not in (able := ctranslate2.get_supported_compute_types(device)):
        raise ConfigError(
            f"compute_type {compute_type}: this machine's {device} takes {', '.join(sorted(able))}"
        )
    tokenizer = load_tokenizer(files)
    codec = Codec(tokenizer, load_config(files), files.name)
    folder = converted(files, compute_type)
    try:
        translator = ctranslate2.Translator(
            str(folder),
            device=device,
            compute_type=compute_type,
            inter_threads=options.workers or _cores(),
            intra_threads=options.threads,
        )
    except (RuntimeError, ValueError) as error:
        raise ModelUnavailable(
            f"the conversion of model {files.name!r} in {folder} cannot be loaded: {error}; remove that "
            "folder to have it made again"
        ) from error
    _note(folder, device, translator.compute_type)
    made = _profile(files, options, translator.device, translator.compute_type)
    return CTranslate2Engine(translator, codec, tokenizer, made, options)


def profile(files: ModelFiles, options: CTranslate2Options) -> Profile | None:
    """Return what the engine of a checkpoint says of itself, without loading it; None if it never was.

    CTranslate2 falls back to another compute type without a word, and only a loaded model says to which:
    that is noted beside the conversion, for this version and processor, whenever one is loaded.
    """
    device, compute_type = _asked_for(options)
    noted = _noted(_folder(files, compute_type)).get(_circumstances(device))
    return _profile(files, options, device, noted) if noted else None


def _asked_for(options: CTranslate2Options) -> tuple[str, str]:
    """Return the device, and the compute type that the options mean there."""
    import ctranslate2

    device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if options.compute_type != "auto":
        return device, options.compute_type
    return device, "int8" if device == "cpu" else "float16"


def _profile(files: ModelFiles, options: CTranslate2Options, device: str, compute_type: str) -> Profile:
    """Return the profile of an engine that really computes in `compute_type`."""
    signature = [
        _circumstances(device),
        f"model:{files.name}#{files.fingerprint}",
        f"compute:{compute_type}",
        f"threads:{options.threads}",
        f"beams:{options.search(Decoding()).beams}",
        f"candidates:{options.candidates}",
        f"no-repeat:{options.no_repeat}",
        f"ratio:{options.max_ratio}",
        f"batch:{options.batch_tokens}",
        f"batching:{options.batching}",
    ]
    return Profile(
        Origin("machine", f"ctranslate2 {compute_type}", files.name, files.license, files.demo),
        "|".join(signature),
        Capabilities(beam=True, n_best=True, no_repeat=True, score=True),
    )


def _circumstances(device: str) -> str:
    """Return what decides, beside a model and its options, in which compute type it runs, and how."""
    import ctranslate2

    where = f"{device} {_processor()}" if device == "cpu" else device
    return f"ctranslate2:{ctranslate2.__version__}|device:{where}"


def _noted(folder: Path) -> dict[str, str]:
    """Return the compute types that a conversion was seen to run in, by circumstances."""
    try:
        found = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _note(folder: Path, device: str, compute_type: str) -> None:
    """Remember the compute type that a conversion runs in here."""
    here = _circumstances(device)
    if _noted(folder).get(here) == compute_type:
        return
    # A cache that others fill may not be ours to write to: then the model is loaded every time.
    with suppress(OSError), locked(folder):
        # One that is torn is none.
        noted = _noted(folder) | {here: compute_type}
        (folder / _NOTES).write_text(json.dumps(noted, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class _Conversion:
    """What lies in a folder of the cache, and the size of its weights, by which damage shows."""

    model: str
    fingerprint: str
    license: str | None
    compute_type: str
    ctranslate2: str
    bytes: int


def converted(files: ModelFiles, compute_type: str) -> Path:
    """Return the folder with a checkpoint's conversion, made now if it is not in the cache.

    Raises:
        ModelUnavailable: it cannot be made, or the cache cannot be written.
    """
    folder = _folder(files, compute_type)
    with locked(folder):
        if not _is_whole(folder):
            try:
                with new_folder(folder) as building:
                    _convert(files, compute_type, building)
            except UsageError as error:
                raise ModelUnavailable(f"model {files.name!r} cannot be converted: {error}") from error
    return folder


def _folder(files: ModelFiles, compute_type: str) -> Path:
    """Return where the conversion of a checkpoint is, or will be: other files, another folder."""
    key = hashlib.sha256(f"{files.name}\0{files.fingerprint}\0{_RECIPE}".encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9]+", "-", files.name.rpartition(":")[2])[-40:].strip("-")
    return cache_root() / "ctranslate2" / f"{name}-{key}-{compute_type}"


def _is_whole(folder: Path) -> bool:
    try:
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        return bool((folder / "model.bin").stat().st_size == listed["bytes"])
    except (OSError, ValueError, KeyError):
        return False


def _convert(files: ModelFiles, compute_type: str, out: Path) -> None:
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):  # type: ignore[misc]
        """The converter, with our own way of reading a checkpoint: safetensors only, checked."""

        def load_model(self, model_class: Any, _: str, **options: Any) -> Any:
            model = load_model(files, model_class, options["dtype"])
            if model.config.model_type == "mbart":
                # The original's settings, which newer configurations leave out: mBART has no other form.
                model.config.normalize_before = model.config.normalize_embedding = True
                model.config.tokenizer_class = "MBart50Tokenizer"
            return model

        def load_tokenizer(self, *_: Any, **__: Any) -> Any:
            tokenizer = load_tokenizer(files)
            # M2M100's language tokens stand behind its vocabulary, and transformers 5 does not list them.
            tokens = tokenizer.get_vocab() | getattr(tokenizer, "lang_token_to_id", {})
            tokenizer.get_vocab = lambda: tokens
            # mBART-50 has none in transformers 5; CTranslate2 wants one, and does not use it here.
            tokenizer.bos_token = tokenizer.bos_token or tokenizer.cls_token
            return tokenizer

    try:
        Converter(str(files.path)).convert(str(out), quantization=compute_type, force=True)
    except (ValueError, KeyError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise ModelUnavailable(
            f"CTranslate2 {ctranslate2.__version__} cannot convert model {files.name!r}: {error}; use "
            "engine: transformers"
        ) from error
    _check_vocabulary(files, out)
    listed = _Conversion(
        files.name,
        files.fingerprint,
        files.license,
        compute_type,
        ctranslate2.__version__,
        (out / "model.bin").stat().st_size,
    )
    (out / _LIST).write_text(json.dumps(asdict(listed), indent=1), encoding="utf-8")


def _check_vocabulary(files: ModelFiles, out: Path) -> None:
    """Compare the conversion's tokens with the tokenizer's: CTranslate2 takes what it lacks for `<unk>`."""
    tokenizer = load_tokenizer(files)
    for path in out.glob("*_vocabulary.json"):
        tokens = json.loads(path.read_text(encoding="utf-8"))
        known = tokenizer.convert_ids_to_tokens(range(min(len(tokens), len(tokenizer))))
        if wrong := [(i, a, b) for i, (a, b) in enumerate(zip(tokens, known, strict=False)) if a != b]:
            raise ModelUnavailable(
                f"the conversion of model {files.name!r} has other tokens than its tokenizer, {wrong[0]} the "
                "first; use engine: transformers"
            )


def _cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _processor() -> str:
    """Name the processor: what it can do decides how CTranslate2 multiplies."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
