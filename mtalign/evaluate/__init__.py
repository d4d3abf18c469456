"""The field's scores, each with its recipe in one signature line.

One module a task. `evaluate_*` takes rows with their places, `evaluate_*_files` reads them from JSONL;
the results are frozen, and `as_dict()` makes them ready for JSON. A score is over all of the gold or not
given at all: gold rows without a prediction are an error that lists them.
"""

from mtalign.evaluate.alignment_rows import SentenceRow
from mtalign.evaluate.entities import EntityRow, EntityScores, evaluate_entities, evaluate_entities_files
from mtalign.evaluate.predictions import alignment_row, projection_rows, translation_row
from mtalign.evaluate.rows import Row, read_rows, to_rows
from mtalign.evaluate.search import SearchScores, evaluate_search_files, score_search
from mtalign.evaluate.sentences import SentenceScores, evaluate_sentences, evaluate_sentences_files
from mtalign.evaluate.terms import TermRow, TermScores, evaluate_terms, evaluate_terms_files, term_rows
from mtalign.evaluate.translation import (
    TranslationRow,
    TranslationScores,
    evaluate_translation,
    evaluate_translation_files,
)
from mtalign.evaluate.words import WordScores, evaluate_words, evaluate_words_files

__all__ = [
    "EntityRow",
    "EntityScores",
    "Row",
    "SearchScores",
    "SentenceRow",
    "SentenceScores",
    "TermRow",
    "TermScores",
    "TranslationRow",
    "TranslationScores",
    "WordScores",
    "alignment_row",
    "evaluate_entities",
    "evaluate_entities_files",
    "evaluate_search_files",
    "evaluate_sentences",
    "evaluate_sentences_files",
    "evaluate_terms",
    "evaluate_terms_files",
    "evaluate_translation",
    "evaluate_translation_files",
    "evaluate_words",
    "evaluate_words_files",
    "projection_rows",
    "read_rows",
    "score_search",
    "term_rows",
    "to_rows",
    "translation_row",
]
