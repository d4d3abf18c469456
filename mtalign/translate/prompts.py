"""Prompts for causal language models: a few examples to continue, or a chat instruction.

The examples are fixed and were written for this project. One sentence in, one sentence out; what stood
before it may be shown: to a chat model with the instruction, to a base model after examples that show it too,
so that it learns from them not to translate it.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files

from mtalign.errors import ConfigError
from mtalign.languages import language

# No language's own word, as it labels what no translation follows.
_BEFORE = "[…]"


@cache
def _data() -> str:
    return files("mtalign.translate").joinpath("few_shot.json").read_text(encoding="utf-8")


@cache
def examples() -> tuple[dict[str, str], ...]:
    """Return the example sentences, each a mapping from language code to text."""
    return tuple(json.loads(_data())["examples"])


@cache
def prompt_version() -> str:
    """Return six hexadecimal digits that change with the wording of the prompts."""
    wording = [_data(), few_shot_tail("?", "en", "ko", "!"), chat_instruction("?", "en", "ko", "!")]
    return hashlib.sha256("\0".join(wording).encode()).hexdigest()[:6]


def few_shot_stem(source: str, target: str, *, shown: bool = False) -> str:
    """Return the part of a few-shot prompt that all sentences of a language pair share.

    `shown`: the examples, like the sentence then, come with what stood before them.

    Raises:
        ConfigError: the examples do not cover one of the languages.
    """
    known = set.intersection(*(set(example) for example in examples()))
    if missing := {source, target} - known:
        raise ConfigError(
            f"no few-shot examples in {', '.join(sorted(missing))}; there are some in "
            f"{', '.join(sorted(known))} (mtalign/translate/few_shot.json), or set prompt: chat"
        )
    contexts = json.loads(_data())["contexts"] if shown else [{source: ""}] * len(examples())
    shots = (
        f"{_before(context[source])}{_label(source)}: {example[source]}\n"
        f"{_label(target)}: {example[target]}\n\n"
        for example, context in zip(examples(), contexts, strict=True)
    )
    return "".join(shots) + (f"{_BEFORE}:" if shown else f"{_label(source)}:")


def few_shot_tail(sentence: str, source: str, target: str, context: str = "") -> str:
    """Return what follows the stem for one sentence; the translation is the rest of the last line.

    With a `context`, the sentences before, it follows the stem whose examples show them.
    """
    if context:
        return f" {context}\n{_label(source)}: {sentence}\n{_label(target)}:"
    return f" {sentence}\n{_label(target)}:"


def _before(context: str) -> str:
    return f"{_BEFORE}: {context}\n" if context else ""


def _label(code: str) -> str:
    """Name a language in itself: a small model stays in the language better than with its English name."""
    return language(code).name.capitalize()


def chat_instruction(sentence: str, source: str, target: str, context: str = "") -> str:
    """Return the user turn that asks an instruction-tuned model for the translation of one sentence.

    A `context`, the sentences before, is shown and not to be translated.
    """
    before = f"It follows this text, which is not to be translated:\n{context}\n\n" if context else ""
    return (
        f"Translate the following sentence from {language(source).english} into "
        f"{language(target).english}. Answer with the translation only.\n\n{before}{sentence}"
    )


def translategemma_content(sentence: str, source: str, target: str) -> list[dict[str, str]]:
    """Return the content of a user turn as the template of TranslateGemma wants it: text and two codes."""
    codes = {"source_lang_code": language(source).code, "target_lang_code": language(target).code}
    return [{"type": "text", **codes, "text": sentence}]
