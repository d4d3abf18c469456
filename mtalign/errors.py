"""Every error that mtalign raises on purpose.

    MtalignError                  the root: catch this to catch them all
    ├── UsageError                the command line or the configuration is wrong (exit code 2)
    │   ├── ConfigError           a configuration file cannot be read, or a value in it is not allowed
    │   ├── UnknownLanguage       a language code without a row in `mtalign.languages`
    │   ├── ModelUnavailable      weights cannot be found, fetched, built or read
    │   ├── MissingExtra          an optional package is needed and not installed
    │   └── StoreError            a run directory cannot be read, written or locked
    └── InputError                one article, row or file is unusable; the others go on
        ├── InvalidDocument       offsets, sentences or entities contradict the text
        ├── InvalidAlignment      beads or tuples that leave a sentence out or use it twice
        └── InvalidRecord         a record whose parts do not fit together

A message says what is wrong, where, and what to do about it. Exceptions of other libraries are
wrapped where they are first met; they never reach a user bare.
"""

from __future__ import annotations


class MtalignError(Exception):
    """The root of every error raised on purpose."""


class UsageError(MtalignError):
    """The command line, configuration or environment is wrong; nothing can run until it is changed."""


class ConfigError(UsageError):
    """A configuration file cannot be read, or holds a value that is not allowed."""


class UnknownLanguage(UsageError):
    """A language code that has no row in the language table."""


class ModelUnavailable(UsageError):
    """Model weights cannot be found, fetched, built or read."""


class MissingExtra(UsageError):
    """An optional package is needed for what was asked and is not installed."""


class StoreError(UsageError):
    """A run directory cannot be read, written or locked."""


class InputError(MtalignError, ValueError):
    """One article, row or file cannot be used. A batch turns this into a reject row and goes on."""


class InvalidDocument(InputError):
    """Offsets, sentences or entities that contradict the text they belong to."""


class InvalidAlignment(InputError):
    """Beads or tuples that leave a sentence out, use it twice, or point outside the text."""


class InvalidRecord(InputError):
    """A record whose documents, beads and projections do not fit together."""
