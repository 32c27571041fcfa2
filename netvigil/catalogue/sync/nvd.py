"""Fetches NVD by its API 2.0: everything once, then what was modified, in windows of at most 120 days.

Source: NVD, "Developers: Start Here" and "API Workflows" (limits, windows, paging).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog

from netvigil.catalogue.feeds.base import DamagedFile
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.catalogue.sync.fetch import Wanted
from netvigil.catalogue.sync.pages import Page, PageStore, Progress, Window
from netvigil.catalogue.sync.settings import shown_url
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from netvigil.catalogue.sync.fetch import Fetcher

RECORDS_A_PAGE = 2000
LONGEST_WINDOW = timedelta(days=120)
OVERLAP = timedelta(hours=2)
"""How far a window reaches back before the cursor: NVD's answers may lag behind its own clock."""
WINDOW_SECONDS = 31.0
"""NVD counts requests in any 30 seconds; one more, because they do not all travel equally long."""
REQUESTS = 5
REQUESTS_WITH_KEY = 50
_MOST_RECORDS = 10_000_000

log = structlog.get_logger(__name__)


class _Answer(msgspec.Struct):
    """A page as NVD's schema `cve_api_json_2.0` has it; records are checked to be JSON and left unread."""

    resultsPerPage: int
    startIndex: int
    totalResults: int
    timestamp: str
    vulnerabilities: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Load:
    """A load that is whole: its files, none when nothing was modified, and up to when NVD is known with it."""

    paths: list[Path]
    cursor: datetime


@dataclass(frozen=True, slots=True)
class NvdApi:
    """NVD's service at `url`; `limit` is the most bytes of a page."""

    fetcher: Fetcher
    url: str
    limit: int
    api_key: str | None = None
    on_page: Callable[[int, int], None] = lambda done, total: None  # noqa: ARG005 - nobody listens

    async def loads(self, store: PageStore, cursor: datetime | None) -> AsyncGenerator[Load]:
        """One load after the other until nothing is left; without a cursor the first is of everything.

        The caller imports each and stores its cursor before it asks for the next; the pages of one are thrown
        away when the next begins. Raises FeedError; what was fetched before stays for the next time.
        """
        while True:
            progress = self._resumed(store, cursor)
            caught_up = False
            if progress is None:
                now = await self._server_time(store.folder)
                window = _next_window(cursor, now)
                caught_up = window.end == now
                progress = store.begin(self._place, window)
            load = self._finished(store, await self._fill(store, progress))
            yield load
            store.clear()
            if caught_up:
                return
            if cursor is not None and load.cursor <= cursor:
                raise FeedError(f"{self._place} has a clock that stands still or runs backwards.")
            cursor = load.cursor

    @property
    def _place(self) -> str:
        return shown_url(self.url)

    def _resumed(self, store: PageStore, cursor: datetime | None) -> Progress | None:
        """A load that was interrupted, if it is the one that this cursor asks for."""
        progress = store.load(self._place)
        if progress is None or progress.window.start != (None if cursor is None else cursor - OVERLAP):
            return None
        log.info("NVD goes on", done=progress.next_index, total=progress.total)
        return progress

    def _finished(self, store: PageStore, progress: Progress) -> Load:
        as_of = progress.as_of or progress.started_at
        end = progress.window.end
        if end is None and not progress.total:
            store.clear()
            raise FeedError(f"{self._place} says that it has no CVEs at all.")
        paths = store.paths(progress) if progress.total else []
        return Load(paths, as_of if end is None else min(end, as_of))

    async def _fill(self, store: PageStore, progress: Progress) -> Progress:
        while not progress.whole:
            page = await self._page(
                store.path_of_next(progress), progress.window, progress.next_index, RECORDS_A_PAGE
            )
            progress = store.add(progress, page)
            self.on_page(min(progress.next_index, page.total), page.total)
        log.info("NVD fetched", records=progress.total, pages=len(progress.pages))
        return progress

    async def _server_time(self, folder: Path) -> datetime:
        """NVD's own clock, by the smallest question there is: ours may be wrong by any amount."""
        path = folder.with_name(f"{folder.name}-time")
        try:
            return (await self._page(path, Window(), 0, 1)).time
        finally:
            path.unlink(missing_ok=True)

    async def _page(self, path: Path, window: Window, start: int, most: int) -> Page:
        params = {"resultsPerPage": str(most), "startIndex": str(start)}
        if window.start is not None and window.end is not None:
            params |= {"lastModStartDate": _stamp(window.start), "lastModEndDate": _stamp(window.end)}
        wanted = Wanted(
            self.url,
            self.limit,
            params,
            {"apiKey": self.api_key} if self.api_key else {},
            throttled_by_403=True,
            redirects=False,
        )
        found: list[Page] = []
        await self.fetcher.fetch(
            wanted, path, check=lambda at: found.append(read_page(at, start, self.limit))
        )
        return found[-1]


def read_page(path: Path, start: int, limit: int) -> Page:
    """What a page says of itself; DamagedFile when it is no whole page, or not the one that begins at `start`."""
    try:
        answer = msgspec.json.decode(b"".join(read_chunks(path, limit=limit)), type=_Answer)
        time = datetime.fromisoformat(answer.timestamp)
    except (msgspec.MsgspecError, ValueError, FeedError) as error:
        raise DamagedFile(f"it is no page of NVD: {error}") from error
    count = len(answer.vulnerabilities)
    if answer.startIndex != start or not 0 <= answer.totalResults <= _MOST_RECORDS:
        raise DamagedFile(f"it begins at {answer.startIndex} instead of {start}")
    if count != answer.resultsPerPage or (not count and start < answer.totalResults):
        raise DamagedFile(f"it has {count} records of {answer.resultsPerPage}")
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return Page(start=start, count=count, total=answer.totalResults, time=time)


def _next_window(cursor: datetime | None, now: datetime) -> Window:
    """From a little before the cursor, at most 120 days, at most to now; everything where there is no cursor."""
    if cursor is None:
        return Window()
    start = min(cursor, now) - OVERLAP
    return Window(start, min(start + LONGEST_WINDOW, now))


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
