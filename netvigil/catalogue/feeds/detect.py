"""Finds the feed that a file belongs to, by what stands in it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from netvigil.catalogue.feeds.base import HEAD_SIZE
from netvigil.catalogue.feeds.cvelist import CveList
from netvigil.catalogue.feeds.cwe import Cwe
from netvigil.catalogue.feeds.epss import Epss
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.catalogue.feeds.kev import Kev
from netvigil.catalogue.feeds.nvd import Nvd
from netvigil.catalogue.feeds.nvd11 import Nvd11
from netvigil.catalogue.feeds.osv import Osv
from netvigil.catalogue.feeds.overrides import Overrides
from netvigil.catalogue.merging import merge_parts
from netvigil.catalogue.parts import StoredPart
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netvigil.catalogue.feeds.base import Feed
    from netvigil.catalogue.records import CveRecord

FEEDS: tuple[Feed, ...] = (Overrides(), Nvd(), Nvd11(), CveList(), Kev(), Epss(), Cwe(), Osv())
"""Every form we read; the first that recognises a file reads it."""


class UnknownFeed(FeedError):
    """The file is whole, but none of our feeds."""


def feed_named(name: str) -> Feed:
    """The feed of that name; KeyError if there is none, which only a programming error can cause."""
    return {feed.name: feed for feed in FEEDS}[name]


def recognise(path: Path) -> Feed:
    """The feed of a file; UnknownFeed when it is of none, FeedError when it cannot be read."""
    head = bytearray()
    with closing(read_chunks(path)) as chunks:
        for chunk in chunks:
            head += chunk
            if len(head) >= HEAD_SIZE:
                break
    for feed in FEEDS:
        if feed.recognises(bytes(head)):
            return feed
    forms = "; ".join(feed.label for feed in FEEDS)
    raise UnknownFeed(f"The file is no feed that netvigil can read. It reads: {forms}; plain, gzip or zstd.")


def read_records(path: Path) -> Iterator[CveRecord]:
    """Every CVE record of a file, typed; FeedError at the first that is none. For tools and tests, not for imports."""
    feed = recognise(path)
    for block in feed.blocks(read_chunks(path)):
        for raw in block.data.split(block.separator):
            if raw.strip():
                yield from (merge_parts([StoredPart(*row)]) for row in feed.read(raw, block.context).rows)
