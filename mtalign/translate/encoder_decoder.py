"""Translation with encoder-decoder checkpoints of transformers: greedy, beam search or samples."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mtalign.record import Origin
from mtalign.translate.batching import plan_batches, run_batches
from mtalign.translate.codec import Codec, CodecEngine, Coding
from mtalign.translate.decode import TOP_K, logprobs_of, noise_source
from mtalign.translate.engine import Capabilities, Decoding, Hypothesis, Profile, check_decoding
from mtalign.translate.options import Search, TransformersOptions

if TYPE_CHECKING:
    import torch

# Logits held at once while hypotheses are scored: 64 MB in float32.
_SCORED_LOGITS = 16_000_000


class EncoderDecoderEngine(CodecEngine):
    """The n-best hypotheses are the best beams, or samples; either way scored by the model itself."""

    def __init__(self, model: Any, tokenizer: Any, profile: Profile, options: TransformersOptions) -> None:
        # A checkpoint may force its end token at the length limit, which would hide that the output was
        # cut. Both settings are taken away at the source: generate() fills gaps from here.
        model.generation_config.forced_eos_token_id = None
        model.generation_config.max_length = None
        self._model = model
        self._tokenizer = tokenizer
        self._codec = Codec(tokenizer, model.config, str(profile.origin.model))
        self._options = options
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
            return self._generate([sentences[i] for i in batch], [ids[i] for i in batch], coding, search)

        return run_batches(self._batches([len(each) for each in ids], search.beams), work)

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation, its end token included."""
        coding = self._codec.coding(source, target)
        read = self._codec.encode_within_limit(sources, coding)
        written = self._codec.encode_targets(translations, coding)
        lengths = [max(len(a), len(b)) for a, b in zip(read, written, strict=True)]

        def work(batch: Sequence[int]) -> list[list[float]]:
            return self._forced([read[i] for i in batch], [written[i] for i in batch], coding)

        return run_batches(self._batches(lengths, 1), work)

    def _batches(self, lengths: Sequence[int], rows: int) -> list[list[int]]:
        apart = range(len(lengths)) if self._options.batching == "exact" else None
        return plan_batches(lengths, self._options.batch_tokens, rows_per_item=rows, apart=apart)

    def _generate(
        self, texts: list[str], batch: list[list[int]], coding: Coding, search: Search
    ) -> list[list[Hypothesis]]:
        import torch

        inputs = self._padded(batch)
        room = self._codec.limit - 2
        allowed = [min(room, self._options.max_new_tokens(len(ids))) for ids in batch]
        count = search.candidates
        settings = copy.deepcopy(self._model.generation_config)
        settings.update(
            num_beams=search.beams,
            # As CTranslate2 does, so that both find the same.
            early_stopping=search.beams > 1,
            num_return_sequences=count,
            do_sample=False,
            no_repeat_ngram_size=search.no_repeat or settings.no_repeat_ngram_size,
            max_new_tokens=max(allowed),
            forced_bos_token_id=coding.first_token or settings.forced_bos_token_id,
        )
        with torch.inference_mode():
            if self._options.sample:
                settings.update(num_beams=1, num_return_sequences=1)
                rows = {key: each.repeat_interleave(count, 0) for key, each in inputs.items()}
                sequences, logprobs = self._chosen(rows, settings, [self._sampler(texts, count)])
            elif search.beams == 1:
                sequences, logprobs = self._chosen(inputs, settings, [])
            else:
                # Which beam a token was chosen in shows at the end only: the best are read once more.
                sequences = self._model.generate(**inputs, generation_config=settings)
                logprobs = self._logprobs(inputs, sequences)
            limits = torch.tensor(allowed, device=sequences.device).repeat_interleave(count)
            counted = self._counted(sequences[:, 1:], limits)
            # The language token is given, not chosen: it has no part in the score.
            scored = counted.clone()
            scored[:, 0] &= coding.first_token is None
            scores = ((logprobs * scored).sum(1) / scored.sum(1)).tolist()
        hypotheses = [
            Hypothesis(
                self._codec.decode(ids[:length], coding), score, ids[length - 1] == self._codec.end_token
            )
            for ids, length, score in zip(
                sequences[:, 1:].tolist(), counted.sum(1).tolist(), scores, strict=True
            )
        ]
        groups = [hypotheses[i : i + count] for i in range(0, len(hypotheses), count)]
        return [sorted(group, key=lambda each: -each.score) for group in groups]

    def _chosen(self, inputs: Any, settings: Any, processors: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Generate without beams, and note the log-probabilities of the chosen tokens on the way.

        Returns:
            Token ids, shape `[rows, width]`, and what `_logprobs` would find for them.
        """
        import torch

        noted = _ChosenLogprobs()
        with self._model.register_forward_hook(noted.read):
            sequences = self._model.generate(
                **inputs, generation_config=settings, logits_processor=[*processors, noted.choose]
            )
        # Steps beyond the last token may have been taken before it was seen that all rows had ended.
        return sequences, torch.stack(noted.logprobs[: sequences.shape[1] - 1], 1)

    def _sampler(self, texts: Sequence[str], count: int) -> Any:
        """Return a processor under which the most likely token is a sample (the Gumbel-max trick).

        The noise of a row depends on its sentence and the candidate's number, not on the batch.
        """
        import numpy as np
        import torch

        options = self._options
        sources = [noise_source(options.seed, text, k + 1) for text in texts for k in range(count)]

        def process(_: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
            top = logits.topk(min(TOP_K, logits.shape[1]), dim=1)
            drawn = np.stack([each.gumbel(size=top.values.shape[1]) for each in sources])
            noise = torch.from_numpy(drawn * options.temperature).to(logits)
            return torch.full_like(logits, -torch.inf).scatter(1, top.indices, top.values + noise)

        return process

    def _forced(self, read: list[list[int]], written: list[list[int]], coding: Coding) -> list[list[float]]:
        import torch

        start = [self._model.config.decoder_start_token_id]
        start += [] if coding.first_token is None else [coding.first_token]
        longest = max(map(len, written))
        sequences = torch.tensor(
            [[*start, *ids, *[self._codec.end_token] * (longest - len(ids))] for ids in written]
        )
        with torch.inference_mode():
            logprobs = self._logprobs(self._padded(read), sequences.to(self._model.device))
        kept = logprobs[:, len(start) - 1 :].tolist()
        return [row[: len(ids)] for row, ids in zip(kept, written, strict=True)]

    def _padded(self, batch: list[list[int]]) -> Any:
        return self._tokenizer.pad(
            {"input_ids": batch}, padding=True, padding_side="right", return_tensors="pt"
        ).to(self._model.device)

    def _counted(self, outputs: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
        """Say which output tokens belong to a hypothesis: up to its end token and its own length limit.

        What follows in a row is padding, or what a longer neighbour in the batch gave it room for.
        """
        import torch

        ends = (outputs == self._codec.end_token).long()
        before_end = ends.cumsum(1) - ends == 0
        return before_end & (torch.arange(outputs.shape[1], device=outputs.device) < limits[:, None])

    def _logprobs(self, inputs: Any, sequences: torch.Tensor) -> torch.Tensor:
        """Return the log-probability of every output token but the first, by reading the outputs once.

        Args:
            inputs: the padded sources.
            sequences: token ids, shape `[rows, width]`; each source has the same number of rows.

        Returns:
            float32, shape `[rows, width - 1]`.
        """
        import torch

        rows, width = sequences.shape
        repeats = rows // inputs["input_ids"].shape[0]
        step = max(1, _SCORED_LOGITS // (width * self._model.config.vocab_size))
        parts = []
        for start in range(0, rows, step):
            part = slice(start, start + step)
            source = torch.arange(rows, device=sequences.device)[part] // repeats
            logits = self._model(
                input_ids=inputs["input_ids"][source],
                attention_mask=inputs["attention_mask"][source],
                decoder_input_ids=sequences[part, :-1],
            ).logits
            parts.append(logprobs_of(logits, sequences[part, 1:]))
        return torch.cat(parts)


class _ChosenLogprobs:
    """What a model says of each token that a search without beams chooses, one step at a time.

    A hook reads the model's own logits, before anything is forbidden; the last of the search's processors
    sees what is left to choose from, of which the search takes the best.
    """

    def __init__(self) -> None:
        self.logprobs: list[torch.Tensor] = []
        self._logits: Any = None

    def read(self, module: Any, given: Any, output: Any) -> None:
        del module, given
        self._logits = output.logits[:, -1]

    def choose(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.logprobs.append(logprobs_of(self._logits, scores.argmax(-1)))
        return scores


def encoder_decoder_profile(origin: Origin, signature: str, options: TransformersOptions) -> Profile:
    """Return the profile of an engine, given the part of its signature that is about model and machine."""
    sampled = f"|sample:{options.temperature}/{options.seed}" if options.sample else ""
    decoding = (
        f"beams:{options.search(Decoding()).beams}|candidates:{options.candidates}{sampled}"
        f"|no-repeat:{options.no_repeat}|ratio:{options.max_ratio}|batch:{options.batch_tokens}"
        f"|batching:{options.batching}"
    )
    capabilities = Capabilities(beam=not options.sample, n_best=True, no_repeat=True, score=True)
    return Profile(origin, f"{signature}|{decoding}", capabilities)
