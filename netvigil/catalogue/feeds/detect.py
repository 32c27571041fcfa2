"""Finds the feed that a file belongs to, by what stands in it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import orjson

from netvigil.catalogue.encoding import decode_record
from netvigil.catalogue.feeds.base import HEAD_SIZE
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.catalogue.feeds.nvd import Nvd
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netvigil.catalogue.feeds.base import Feed
    from netvigil.catalogue.records import CveRecord

FEEDS: tuple[Feed, ...] = (Nvd(),)
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
    """Every record of a file, typed; FeedError at the first that is none. For tools and tests, not for imports."""
    feed = recognise(path)
    for block in feed.blocks(read_chunks(path)):
        for raw in block.data.split(block.separator):
            if raw.strip():
                yield decode_record(feed.read(orjson.loads(raw)))
