"""Measure which form of placeholder comes through a translator: the share of outputs that keep all of them.

    python scripts/bench_placeholders.py [CONFIG] [LANGS]

Each sentence holds one or two placeholders, where a URL or a name would stand. The first hypothesis counts.
"""

from __future__ import annotations

import sys

from mtalign.cli.common import read_config
from mtalign.load import Models

SENTENCES = (
    "The minister published the report at {0} on Monday.",
    "Readers can write to {0} until the end of May.",
    "{0} said on Tuesday that the bridge would be closed.",
    "The company moved from {0} to {1} last year.",
    "Run {0} before you start the machine.",
    "Talks between {0} and {1} went on for six hours.",
    "More about the fire is at {0}.",
    "The president of {0} did not comment.",
    "A spokesman for {0} confirmed the number on Friday.",
    "Two of the ships belong to {0}, the third to {1}.",
)
FORMS = ("XQ{}", "X{}", "QX{}X", "[{}]", "{{{}}}", "<{}>", "⟦{}⟧", "__{}__", "#{}")


def main() -> None:
    """Print a row for each form."""
    models = Models(read_config(sys.argv[1] if len(sys.argv) > 1 else "starter"))
    langs = (sys.argv[2] if len(sys.argv) > 2 else "ko,uk,ru").split(",")
    print("form       " + "  ".join(f"{lang:>5}" for lang in langs))
    for form in FORMS:
        marks = [form.format(number) for number in range(2)]
        texts = [sentence.format(*marks) for sentence in SENTENCES]
        shares = []
        for lang in langs:
            made = models.engine(lang).translate(texts, "en", lang)
            kept = sum(
                all(hypotheses[0].text.count(mark) == text.count(mark) for mark in marks)
                for text, hypotheses in zip(texts, made, strict=True)
            )
            shares.append(kept / len(texts))
        print(f"{form:10} " + "  ".join(f"{share:5.0%}" for share in shares), flush=True)


if __name__ == "__main__":
    main()
