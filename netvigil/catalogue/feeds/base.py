"""What every feed offers to the importer: to know its files, to cut them up, to read one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netvigil.catalogue.encoding import StoredCve

RECORD_LIMIT = 16 << 20
"""Most bytes of one record; the longest known is 1.5 MB."""

BLOCK_SIZE = 2 << 20
"""About how many bytes of records are read in one go."""

HEAD_SIZE = 1 << 20
"""How much of a file is looked at to know its form; above the size of almost all single records."""

RECORD_SEPARATOR = b"\x1e"
"""Between the records of a block that may contain line feeds (RFC 7464 chose it: JSON cannot hold it)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole records, still JSON, with `separator` between them; empty ones between are no records."""

    data: bytes
    separator: bytes = RECORD_SEPARATOR


class Feed(Protocol):
    """One source's form. A new feed is a module with one such class, added to `detect.FEEDS`."""

    name: str
    """The source in one word, as the catalogue's state shows it."""

    label: str
    """What the files are, as an error message lists it."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins so, decompressed, is of this form; `head` is up to HEAD_SIZE bytes."""
        ...

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Cut a file into blocks without reading its records; FeedError for a file that is cut off."""
        ...

    def read(self, value: object) -> StoredCve:
        """One record from its parsed JSON; FeedError where it has not the form of one."""
        ...
