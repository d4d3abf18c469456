from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mtalign.encode import Encoder, RememberedVectors

SENTENCES = [
    "The harbour was closed on Friday because of the storm.",
    "В пятницу порт закрыли из-за шторма.",
    "금요일에 폭풍 때문에 항구가 폐쇄되었다.",
    "A new library opens in the old town hall.",
]


def test_a_translation_is_nearer_than_another_sentence(encoder: Encoder) -> None:
    vectors = encoder.encode(SENTENCES)
    assert vectors.shape == (4, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > similarity[0, 3] + 0.05
    assert similarity[0, 2] > similarity[0, 3] + 0.05


def test_batching_does_not_change_a_vector(encoder: Encoder) -> None:
    together = encoder.encode([*SENTENCES, "Short.", "word " * 300])
    alone = np.concatenate([encoder.encode([text]) for text in SENTENCES])
    # Padding moves the last bits, and bfloat16, which some processors multiply in, has eight.
    limit = 1e-4 if "dtype:float32" in encoder.signature else 4e-3
    assert np.abs(together[:4] - alone).max() < limit


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.token_vectors([], [4]) == []


def test_a_long_text_is_read_to_its_end(encoder: Encoder) -> None:
    filler = "The committee met again to talk about the budget. " * 200
    ends = encoder.encode(
        [filler + "A volcano erupted in Iceland. " * 40, filler, "A volcano erupted in Iceland."]
    )
    assert ends[0] @ ends[2] > ends[1] @ ends[2] + 0.02


def test_tokens_have_offsets_into_the_raw_text(encoder: Encoder) -> None:
    text = "Ｆｕｌｌ－width «Київ» и  서울은"
    (tokens,) = encoder.token_vectors([text], [4, 8])
    assert tokens.vectors.shape == (2, len(tokens.offsets), 384)
    covered = {at for start, end in tokens.offsets for at in range(start, end)}
    assert all(at in covered for at, char in enumerate(text) if not char.isspace())
    assert tokens.offsets.max() <= len(text)


def test_every_token_of_a_long_text_has_a_vector(encoder: Encoder) -> None:
    text = "Слово за словом. " * 400
    (tokens,) = encoder.token_vectors([text], [6])
    assert len(tokens.offsets) > 1200
    assert (np.linalg.norm(tokens.vectors[0], axis=1) > 0.1).all()


def test_stopping_early_gives_the_same_layer(encoder: Encoder) -> None:
    (stopped,) = encoder.token_vectors([SENTENCES[0]], [8])
    (full,) = encoder.token_vectors([SENTENCES[0]], [8, 12])
    assert np.allclose(stopped.vectors[0], full.vectors[0], atol=1e-4)


def test_remembered_vectors_are_those_of_the_encoder(encoder: Encoder) -> None:
    class Counting:
        asked = 0

        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            self.asked += len(texts)
            return encoder.encode(texts)

    counting = Counting()
    remembered = RememberedVectors(cast("Encoder", counting), size=3)
    texts = ["Rain.", "Snow fell on Seoul.", "Rain."]
    assert np.allclose(remembered.encode(texts), encoder.encode(texts), atol=1e-5)
    remembered.encode(["Snow fell on Seoul.", "One."])
    assert counting.asked == 3
    remembered.encode(["Two."])  # the oldest, rain, is forgotten
    remembered.encode(["Snow fell on Seoul."])
    assert counting.asked == 4
    remembered.encode(["Rain."])
    assert counting.asked == 5
