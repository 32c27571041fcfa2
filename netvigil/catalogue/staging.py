"""Turns blocks of a feed into rows for PostgreSQL's binary COPY; runs in worker processes.

The rows are built where the records are parsed, so the process with the event loop only passes bytes on.
Source of the form: PostgreSQL, "COPY", "Binary Format", and the send functions of the types used.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import connection
from threading import Thread
from typing import TYPE_CHECKING

import orjson

from netvigil.catalogue.feeds.base import RECORD_LIMIT, Block
from netvigil.catalogue.feeds.detect import feed_named
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from netvigil.catalogue.encoding import StoredCve

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
COPY_TRAILER = struct.pack("!h", -1)
COLUMNS = "cve_id, status, published, modified, score, severity, vector, cvss_version, product_keys, configurations, details"

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NULL = struct.pack("!i", -1)
_INT4_OID = 23
_FIELDS = struct.pack("!h", 11)
_pack_length = struct.Struct("!i").pack
_pack_time = struct.Struct("!iq").pack
_pack_score = struct.Struct("!id").pack


@dataclass(frozen=True, slots=True)
class StagedBlock:
    """What became of a block: the rows as COPY takes them, and the counts."""

    rows: bytes
    records: int
    skipped: int
    newest_modified: datetime | None


def start_worker() -> None:
    """What a worker process does first: leave Ctrl-C to its parent, and end when its parent does.

    A parent that was killed ends nothing itself, and its workers would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True, name="parent-watch").start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def stage_block(feed_name: str, block: Block) -> StagedBlock:
    """Parse and encode the records of a block; FeedError for text that is no JSON at all.

    A record that is JSON but not a record of the feed is skipped and counted: one odd entry, or one in a
    form of next year, must not keep out the others. Broken JSON means a damaged file, and that is refused.
    """
    feed = feed_named(feed_name)
    rows = []
    skipped = 0
    newest: datetime | None = None
    for raw in block.data.split(block.separator):
        if not raw or raw.isspace():
            continue
        if len(raw) > RECORD_LIMIT:
            raise FeedError(f"The file has a record of more than {RECORD_LIMIT} bytes.")
        try:
            stored = feed.read(orjson.loads(raw))
        except orjson.JSONDecodeError as error:
            raise FeedError(f"The file is damaged: a record is no JSON ({error}).") from error
        except FeedError:
            skipped += 1
            continue
        rows.append(copy_row(stored))
        if newest is None or stored.modified > newest:
            newest = stored.modified
    return StagedBlock(b"".join(rows), len(rows), skipped, newest)


def copy_row(cve: StoredCve) -> bytes:
    """One row of COLUMNS in COPY's binary form."""
    return b"".join(
        (
            _FIELDS,
            _text(cve.cve_id),
            _text(cve.status),
            _time(cve.published),
            _time(cve.modified),
            _NULL if cve.score is None else _pack_score(8, cve.score),
            _text(cve.severity),
            _text(cve.vector),
            _text(cve.cvss_version),
            _integers(cve.product_keys),
            _bytes(cve.configurations),
            _bytes(cve.details),
        )
    )


def _bytes(value: bytes | None) -> bytes:
    return _NULL if value is None else _pack_length(len(value)) + value


def _text(value: str | None) -> bytes:
    return _bytes(None if value is None else value.encode())


def _time(value: datetime) -> bytes:
    since = value - _EPOCH
    return _pack_time(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _integers(values: tuple[int, ...]) -> bytes:
    if not values:
        return struct.pack("!iiii", 12, 0, 0, _INT4_OID)
    count = len(values)
    # dimensions, nulls, type, then length and lower bound of the one dimension
    head = struct.pack("!iiiiii", 20 + 8 * count, 1, 0, _INT4_OID, count, 1)
    return head + struct.pack(f"!{2 * count}i", *(number for value in values for number in (4, value)))
