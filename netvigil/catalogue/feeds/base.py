"""What every feed offers to the importer: to know its files, to cut them up, to read one record, and where its rows go.

A new source is one module with one class that follows `Feed`, and one entry in `detect.FEEDS`. What is the same for all
comes for free: compression, limits, parallel reading, COPY, one transaction for all files of a call, the lock, the log.
Sources of CVE records share the target `parts.CVE_PARTS`; others bring a `Target` of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from netvigil.catalogue.copying import row_encoder
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from netvigil.catalogue.copying import ColumnType

RECORD_LIMIT = 16 << 20
"""Most bytes of one record; the longest known is 1.5 MB."""

BLOCK_SIZE = 2 << 20
"""About how many bytes of records are read in one go."""

HEAD_SIZE = 1 << 20
"""How much of a file is looked at to know its form; above the size of almost all single records."""

RECORD_SEPARATOR = b"\x1e"
"""Between the records of a block that may contain line feeds (RFC 7464 chose it: JSON cannot hold it)."""


class DamagedFile(FeedError):
    """The text is none of the form at all (cut off, broken JSON): the whole file is refused, not a record skipped."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole records, not yet parsed, with `separator` between them; empty ones between are no records.

    `context` is what `Feed.read` must know beside the record: a date in the file's first line, say.
    """

    data: bytes
    separator: bytes = RECORD_SEPARATOR
    context: str = ""


class Reading(NamedTuple):
    """What one record gives: rows for the feed's target (none is fine), and how new the record is."""

    rows: Sequence[Sequence[Any]]
    modified: datetime | None = None


@dataclass(frozen=True)
class Target:
    """A kind of rows: how they are staged, and how they enter the catalogue.

    All files of a call that share a target are copied into the temporary table `incoming_<name>`; then `merge` runs
    once, in the import's one transaction. Rows of one table may come in any order and may repeat, so the statements
    resolve conflicts by the rows' own dates and never by their order. Parameters: `%(version)s`, the number of
    this import (integer), and `%(starter)s`, whether it is the package's own starter (boolean).
    """

    name: str
    """One word; the staging table is `incoming_<name>`."""

    columns: tuple[tuple[str, ColumnType], ...]
    """The staged columns, in the order of a row's values."""

    merge: tuple[str, ...]
    """SQL from the staging table into the tables of the catalogue, run in order."""

    held: str
    """SQL: (feed name, rows held now) for each feed of this target; it counts what is there, so nothing twice."""

    changed: str | None = None
    """SQL: how many CVEs are new or have changed by the merge (one number); None when it concerns no CVE."""

    @property
    def staging_table(self) -> str:
        """The temporary table's name."""
        return f"incoming_{self.name}"

    @property
    def stage(self) -> str:
        """The statement that makes the staging table."""
        columns = ", ".join(f"{name} {kind.value}" for name, kind in self.columns)
        return f"CREATE TEMPORARY TABLE {self.staging_table} ({columns}) ON COMMIT DROP"

    @property
    def copy(self) -> str:
        """The statement that fills it."""
        return f"COPY {self.staging_table} ({', '.join(name for name, _ in self.columns)}) FROM STDIN BINARY"

    @cached_property
    def encode(self) -> Callable[[Sequence[Any]], bytes]:
        """One row in COPY's binary form; ValueError, TypeError or struct.error for what a column cannot hold."""
        return row_encoder(kind for _, kind in self.columns)


class Feed(Protocol):
    """One source's form. A new feed is a module with one such class, added to `detect.FEEDS`."""

    name: str
    """The source in one word, as the catalogue's state shows it."""

    label: str
    """What the files are, as an error message lists it."""

    target: Target
    """Where its rows go."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins so, decompressed, is of this form; `head` is up to HEAD_SIZE bytes."""
        ...

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Cut a file into blocks without reading its records; FeedError for a file that is cut off.

        Runs in the importing process, in a thread; `cutting` has ways to cut lines and JSON arrays.
        """
        ...

    def read(self, raw: bytes, context: str) -> Reading:
        """The rows of one record from its bytes; runs in a worker process.

        Raises:
            FeedError: it has not the form of one; it is skipped and counted.
            DamagedFile: it is no JSON (no CSV, …) at all; the file is refused.
        """
        ...


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text; DamagedFile where it is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DamagedFile(f"The file is damaged: a record is no JSON ({error}).") from error
