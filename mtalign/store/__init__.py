"""The run directory: what a run has made so far, written so that no crash can spoil it.

    RUN/manifest.json         what made it: version, configuration, models, targets, inputs
    RUN/records/00000.jsonl   records, one a line, plain JSON, only ever appended to
    RUN/journal/00000.jsonl   which records count: their sizes and checksums, and what making them took
    RUN/rejects/00000.jsonl   inputs that could not be used, with file, line and reason
    RUN/torn/00000.jsonl      what a crash left behind unfinished, set aside for a person to look at
    RUN/logs/00001.jsonl      what happened, a file for every start
    RUN/claims/               who is writing

The number of a shard is that of a block of input articles, so that the same inputs give the same files
whatever machine or process works on which block. One process at a time writes a shard.
"""

from mtalign.store.claim import Owner, Share, claim, owners
from mtalign.store.files import LOGS, REJECTS, append, shard_numbers, write_atomically, writing
from mtalign.store.index import Index, Place, id_hash
from mtalign.store.journal import Commit, Entry, Tally, resume_key
from mtalign.store.migrate import migrate
from mtalign.store.run import MANIFEST, Run, is_run
from mtalign.store.shard import Made, Refused, Shard, read_refused, write_refused
from mtalign.store.writer import Writer

__all__ = [
    "LOGS",
    "MANIFEST",
    "REJECTS",
    "Commit",
    "Entry",
    "Index",
    "Made",
    "Owner",
    "Place",
    "Refused",
    "Run",
    "Shard",
    "Share",
    "Tally",
    "Writer",
    "append",
    "claim",
    "id_hash",
    "is_run",
    "migrate",
    "owners",
    "read_refused",
    "resume_key",
    "shard_numbers",
    "write_atomically",
    "write_refused",
    "writing",
]
