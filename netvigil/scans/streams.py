"""Who watches which scan: one LISTEN for the process, one reader a scan, any number of streams on it.

A stream holds a position and nothing else; what is new it takes from its scan's feed, which reads each event once
however many watch. A stream that is slow, or comes back, falls behind the feed and reads from the database.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netvigil.db.listen import listen
from netvigil.errors import RateLimited
from netvigil.scans.events import CHANNEL, EventRow, ScanNow, read_events, read_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netvigil.db.session import Database
    from netvigil.scans.event_schemas import ScanProgressBody
    from netvigil.scans.positions import Snapshot

log = structlog.get_logger(__name__)
STREAMS_MAX = 2000
"""Open streams in one process; more are told to come back."""
BUSY_SECONDS = 10  # after which one that was turned away may try again
READERS = 4  # connections that all streams of a process use together, so that requests find some
TAIL_EVENTS = 64  # that a feed keeps for those that are up to date
PAGE_EVENTS = 50
GATHER_SECONDS = 0.1  # between two looks at one scan: many notifications, one look
TRAILING_SECONDS = (
    1.0  # after news another look: progress is told twice a second at most, the last of it not at all
)
IDLE_SECONDS = 15.0  # without any news a look all the same
AWAY_SECONDS = 1.0  # between tries while the database is away


@dataclass(frozen=True, slots=True)
class View:
    """A scan as its feed last saw it; `versions` grow with each change of progress, by site (None: the whole scan)."""

    now: ScanNow
    version: int
    versions: dict[UUID | None, int]

    def progress_since(self, version: int) -> list[ScanProgressBody]:
        """What has changed since the version."""
        return [one for one in self.now.progress if self.versions[one.site_id] > version]


class Feed:
    """One scan as this process follows it."""

    def __init__(self, scan_id: UUID, database: Database, turns: asyncio.Semaphore) -> None:
        self.scan_id = scan_id
        self.streams = 0
        self.news = asyncio.Event()
        self.look_again_at = 0.0
        self._database = database
        self._turns = turns
        self._lock = asyncio.Lock()
        self._stale = True
        self._read_at = 0.0
        self._view: View | None = None
        # each look's new events with the snapshot it began from; the last ends at the view's snapshot
        self._tail: deque[tuple[Snapshot, list[EventRow]]] = deque()

    def join(self) -> None:
        """One stream more; it must not see less than its client saw elsewhere, so the next look is a new one."""
        self.streams += 1
        self._stale = True

    def wake(self) -> None:
        """The scan has news, or may have."""
        self._stale = True
        self.news.set()
        self.news = asyncio.Event()

    async def look(self) -> View | None:
        """The scan as it is, read at most once whoever asks; None while the database is away.

        Raises LookupError when the scan is gone.
        """
        async with self._lock:
            if self._view is not None and not self._stale and time.monotonic() < self.look_again_at:
                return self._view
            await asyncio.sleep(max(0.0, self._read_at + GATHER_SECONDS - time.monotonic()))
            told, self._stale = self._stale, False
            try:
                self._view = await self._read()
            except (SQLAlchemyError, OSError) as error:
                self._stale = True
                self.look_again_at = time.monotonic() + AWAY_SECONDS
                log.warning("cannot read a scan's events for now", error=str(error)[:200])
                return None
            except BaseException:  # the one who read has left; whoever comes next must look
                self._stale = True
                raise
            self._read_at = time.monotonic()
            self.look_again_at = self._read_at + (TRAILING_SECONDS if told else IDLE_SECONDS)
            return self._view

    def since(self, seen: Snapshot) -> list[EventRow] | None:
        """The events between the snapshot and the view's, in order of id; None when only the database knows."""
        if self._view is None or (not self._tail and seen != self._view.now.snapshot):
            return None
        if self._tail and not seen.includes(self._tail[0][0]):
            return None
        rows = [row for _, some in self._tail for row in some if not seen.sees(row.xid)]
        return sorted(rows, key=lambda row: row.id)

    async def page(self, seen: Snapshot | None, batch: Snapshot, last: int) -> list[EventRow]:
        """The next events of a batch, from the database; fewer than PAGE_EVENTS are the last."""
        async with self._turns, self._database.session() as session:
            return await read_events(
                session, self.scan_id, seen=seen, batch=batch, last=last, limit=PAGE_EVENTS
            )

    async def _read(self) -> View:
        before = self._view
        async with self._turns, self._database.session() as session:
            now = await read_now(session, self.scan_id)
            if now is None:
                raise LookupError(f"scan {self.scan_id} is gone")
            if before is not None:
                seen = before.now.snapshot
                rows = await read_events(
                    session, self.scan_id, seen=seen, batch=now.snapshot, last=0, limit=TAIL_EVENTS + 1
                )
                self._keep(seen, rows)
        return _next_view(before, now)

    def _keep(self, seen: Snapshot, rows: list[EventRow]) -> None:
        if len(rows) > TAIL_EVENTS:
            self._tail.clear()
            return
        self._tail.append((seen, rows))
        while len(self._tail) > 1 and (
            len(self._tail) > TAIL_EVENTS or sum(len(some) for _, some in self._tail) > TAIL_EVENTS
        ):
            self._tail.popleft()


class Streams:
    """All feeds of a process; listening begins with the first stream and ends with the last."""

    def __init__(self, database: Database) -> None:
        self.closed = asyncio.Event()
        self.count = 0
        self._database = database
        self._turns = asyncio.Semaphore(READERS)
        self._feeds: dict[UUID, Feed] = {}
        self._listening: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """Raise RateLimited when the process has as many streams as it takes."""
        if self.count >= STREAMS_MAX:
            raise RateLimited("Too many event streams are open; try again in a moment.", BUSY_SECONDS)

    @contextmanager
    def follow(self, scan_id: UUID) -> Iterator[Feed]:
        """The scan's feed for one stream."""
        feed = self._feeds.setdefault(scan_id, Feed(scan_id, self._database, self._turns))
        feed.join()
        self.count += 1
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="listening")
        try:
            yield feed
        finally:
            feed.streams -= 1
            self.count -= 1
            if not feed.streams:
                del self._feeds[scan_id]
            if not self.count:
                self._listening.cancel()
                self._listening = None

    def close(self) -> None:
        """End every stream; the service stops."""
        self.closed.set()
        self._wake_all()

    async def _listen(self) -> None:
        await listen(self._database.url, CHANNEL, on_notice=self._wake, on_listening=self._wake_all)

    def _wake(self, payload: str) -> None:
        try:
            feed = self._feeds.get(UUID(payload))
        except ValueError:
            return
        if feed is not None:
            feed.wake()

    def _wake_all(self) -> None:
        for feed in self._feeds.values():
            feed.wake()


def _next_view(before: View | None, now: ScanNow) -> View:
    known = {one.site_id: one for one in before.now.progress} if before is not None else {}
    version = (before.version if before is not None else 0) + 1
    versions = {
        one.site_id: before.versions[one.site_id]
        if before is not None and known.get(one.site_id) == one
        else version
        for one in now.progress
    }
    return View(now, version if version in versions.values() else version - 1, versions)
