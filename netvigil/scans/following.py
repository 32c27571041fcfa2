"""What one stream says of a scan: all that its client has not seen, then what comes, then that it is over.

The form is that of server-sent events (HTML standard, section 9.2).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from netvigil.scans.event_schemas import ScanEndBody
from netvigil.scans.positions import START
from netvigil.scans.streams import AWAY_SECONDS, PAGE_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from pydantic import BaseModel

    from netvigil.scans.events import EventRow
    from netvigil.scans.positions import Position
    from netvigil.scans.streams import Feed, Streams, View

log = structlog.get_logger(__name__)
RETRY_MILLISECONDS = 2000
KEEP_ALIVE_SECONDS = 15.0


async def follow(
    streams: Streams, scan_id: UUID, position: Position, *, keep_alive: float = KEEP_ALIVE_SECONDS
) -> AsyncIterator[bytes]:
    """The stream from `position` on, piece by piece; ends after `end`, or when the service stops.

    `keep_alive` is how many seconds may pass in silence. Between two pieces no
    database connection is held.
    """
    with streams.follow(scan_id) as feed:
        yield b"retry: %d\n\n" % RETRY_MILLISECONDS
        told_at, version = time.monotonic(), 0
        while not streams.closed.is_set():
            news = feed.news
            try:
                view = await feed.look()
                if view is not None:
                    async for piece, reached in _events(feed, view, position):
                        position = reached
                        if piece:
                            yield piece
                            told_at = time.monotonic()
            except LookupError:  # deleted while it was watched
                yield _frame("end", ScanEndBody(scan_id=scan_id, state="deleted"))
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning("cannot read a scan's events for now", error=str(error)[:200])
                await _wait(news, AWAY_SECONDS)
                continue
            if view is not None and (changed := view.progress_since(version)):
                version = view.version
                yield b"".join(_frame("progress", one) for one in changed)
                told_at = time.monotonic()
            if view is not None and view.now.over:
                yield _frame("end", ScanEndBody(scan_id=scan_id, state=view.now.state))
                return
            if told_at + keep_alive <= time.monotonic():
                yield b":\n\n"
                told_at = time.monotonic()
            await _wait(news, min(feed.look_again_at, told_at + keep_alive) - time.monotonic())


async def _events(feed: Feed, view: View, position: Position) -> AsyncIterator[tuple[bytes, Position]]:
    """Pieces of the log up to the view, each with the place behind it."""
    now = view.now.snapshot
    if position.foreign_to(now):
        position = START
    if position.batch is not None:  # the client left in the middle of a batch
        async for piece, reached in _pages(feed, position):
            yield piece, reached
        position = position.finished()
    if position.seen is not None and (rows := feed.since(position.seen)) is not None:
        # in one piece: while it is sent the feed goes on, and may forget what is not taken now
        pieces = [_event(row, position.after(row.id, now)) for row in rows]
        yield b"".join(pieces), position.after(0, now).finished()
        return
    position = position.after(0, now)
    async for piece, reached in _pages(feed, position):
        yield piece, reached
    yield b"", position.finished()


async def _pages(feed: Feed, position: Position) -> AsyncIterator[tuple[bytes, Position]]:
    batch = position.batch
    while batch is not None:
        rows = await feed.page(position.seen, batch, position.last)
        pieces = []
        for row in rows:
            position = position.after(row.id, batch)
            pieces.append(_event(row, position))
        if pieces:
            yield b"".join(pieces), position
        if len(rows) < PAGE_EVENTS:
            return


def _event(row: EventRow, reached: Position) -> bytes:
    return b"id: %s\n%s" % (str(reached).encode(), _frame(row.name, row.body()))


def _frame(name: str, body: BaseModel) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(body.model_dump(mode="json")))


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.01)):
            await news.wait()
    except TimeoutError:
        pass
