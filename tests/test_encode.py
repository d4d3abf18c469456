from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import checkpoints
import numpy as np
import pytest
from numpy.typing import NDArray

from mtalign.encode import Encoder, RememberedVectors
from mtalign.errors import ConfigError
from mtalign.models import resolve

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
    # In bfloat16 the last bits depend on the shape of a batch; sentences differ by a hundred times as much.
    assert (together[:4] * alone).sum(axis=1).min() > 0.9999


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


def test_static_vectors_do_not_depend_on_what_stands_around(encoder: Encoder) -> None:
    alone, beside = encoder.token_vectors(["Київ", "Київ і Львів"], [0])
    context, moved = encoder.token_vectors(["Київ", "Київ і Львів"], [4])
    word = len(alone.offsets)
    # Places are embedded too, so it is the first word that is compared.
    assert np.allclose(alone.vectors[0], beside.vectors[0, :word], atol=1e-3)
    assert not np.allclose(context.vectors[0], moved.vectors[0, :word], atol=1e-2)


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


def test_lower_layers_alone_are_an_encoder(encoder: Encoder) -> None:
    cut = Encoder(resolve("starter:e5-small"), layers=4, pooling="tokens")
    assert cut.depth == 4
    means = [each.vectors[0].mean(axis=0) for each in encoder.token_vectors(SENTENCES, [4])]
    expected = np.array([mean / np.linalg.norm(mean) for mean in means])
    assert ((cut.encode(SENTENCES) * expected).sum(axis=1) > 0.999).all()
    assert "layers:4" in cut.signature
    with pytest.raises(ConfigError, match="has 12 layers"):
        Encoder(resolve("starter:e5-small"), layers=13)


def test_a_language_model_pools_its_texts_own_tokens(tmp_path: Path) -> None:
    """The first token sees nothing but itself, so it is the same in every text: it must not count."""
    model = Encoder(checkpoints.gemma3(tmp_path), layers=1, pooling="tokens", dtype="float32")
    texts = ["The harbour was closed.", "No", ""]
    tokens = model.token_vectors(texts, [1])
    for vector, each in zip(model.encode(texts)[:2], tokens[:2], strict=True):
        mean = each.vectors[0].mean(axis=0)
        assert vector @ mean / np.linalg.norm(mean) > 0.999
    assert np.allclose(model.encode(texts), [model.encode([text])[0] for text in texts], atol=1e-5)
