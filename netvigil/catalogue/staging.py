"""Turns blocks of a feed into rows for PostgreSQL's binary COPY; runs in worker processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import connection
from threading import Thread

from netvigil.catalogue.feeds.base import RECORD_LIMIT, Block, DamagedFile
from netvigil.catalogue.feeds.detect import feed_named
from netvigil.errors import FeedError

CLOCK_SKEW = timedelta(days=2)
"""How far ahead of this machine's clock a record's time may lie."""


@dataclass(frozen=True, slots=True)
class StagedBlock:
    """What became of a block: the rows as COPY takes them, and the counts of its records."""

    rows: bytes
    records: int
    skipped: int
    newest_modified: datetime | None


def start_worker() -> None:
    """What a worker process does first: leave Ctrl-C to its parent, and end when its parent does.

    A parent that was killed ends nothing itself, and its workers would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(500_000, 100, 100)  # records hold no cycles; looking for some takes a tenth of the time
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True, name="parent-watch").start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def stage_block(feed_name: str, block: Block) -> StagedBlock:
    """Parse and encode the records of a block; DamagedFile for text that is not of the form at all.

    A record that can be parsed but is none of the feed is skipped and counted: one odd entry, or one in a form of next
    year, must not keep out the others. What cannot be parsed means a damaged file, and that is refused.
    """
    feed = feed_named(feed_name)
    read, encode = feed.read, feed.target.encode
    rows: list[bytes] = []
    records = skipped = 0
    newest: datetime | None = None
    # A record from the future would win over every later word of its source, and make old data look fresh.
    latest = datetime.now(UTC) + CLOCK_SKEW
    for raw in block.data.split(block.separator):
        if not raw or raw.isspace():
            continue
        if len(raw) > RECORD_LIMIT:
            raise FeedError(f"The file has a record of more than {RECORD_LIMIT} bytes.")
        try:
            reading = read(raw, block.context)
            encoded = [encode(row) for row in reading.rows]
        except DamagedFile:
            raise
        except (
            FeedError,
            ValueError,
            TypeError,
            OverflowError,
            struct.error,
        ):  # the last four: not for its column
            skipped += 1
            continue
        if reading.modified is not None and reading.modified > latest:
            skipped += 1
            continue
        rows += encoded
        records += 1
        if reading.modified is not None and (newest is None or reading.modified > newest):
            newest = reading.modified
    return StagedBlock(b"".join(rows), records, skipped, newest)
