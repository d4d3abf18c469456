"""mtalign: multilingual news corpora, aligned by sentence and annotated in every language."""

__version__ = "0.1.0"
