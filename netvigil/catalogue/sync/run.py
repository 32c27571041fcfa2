"""Brings every source up to date: fetch what changed, import what is whole, note how it went."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from netvigil.catalogue.feeds.detect import recognise
from netvigil.catalogue.feeds.files import FILE_LIMIT
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.sync import state
from netvigil.catalogue.sync.archive import is_archive, unpack
from netvigil.catalogue.sync.cvelist import fetch_changes, fetch_records
from netvigil.catalogue.sync.fetch import Fetcher, Wanted, open_client
from netvigil.catalogue.sync.nvd import REQUESTS, REQUESTS_WITH_KEY, WINDOW_SECONDS, NvdApi
from netvigil.catalogue.sync.pages import PageStore
from netvigil.catalogue.sync.sources import CVE_LIST, NVD, SOURCES
from netvigil.catalogue.sync.waits import Pace, Waits
from netvigil.errors import Conflict, EnvironmentFault, FeedError, NetvigilError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from pathlib import Path

    import httpx
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from netvigil.catalogue.importer import ImportResult
    from netvigil.catalogue.sync.settings import FeedSettings
    from netvigil.catalogue.sync.sources import Source
    from netvigil.db.session import Database

SYNC_LOCK = 0x6E76_7379_6E63
"""Held by the one sync that runs ("nvsync", any number that nothing else takes)."""

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """How the sync of a source ended."""

    UPDATED = "updated"  # something new was imported
    UNCHANGED = "unchanged"  # its owner has nothing new
    FAILED = "failed"  # the old data stays in force
    OFF = "off"  # a setting turned it off


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How one source went: records read and skipped, seconds, and for a failure one sentence why."""

    source: str
    outcome: Outcome
    records: int = 0
    skipped: int = 0
    seconds: float = 0.0
    catalogue_version: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    """What the sync of every source works with."""

    database: Database
    folder: Path
    feeds: FeedSettings
    client: httpx.AsyncClient
    waits: Waits
    on_progress: Callable[[str, int, int], None]


async def sync_all(
    database: Database,
    data_dir: Path,
    feeds: FeedSettings,
    *,
    only: Collection[str] = (),
    waits: Waits | None = None,
    on_progress: Callable[[str, int, int], None] = lambda source, done, total: None,  # noqa: ARG005
) -> list[SyncResult]:
    """Bring the sources, all or those named in `only`, up to date, one after the other; a result for each.

    The failure of one is in its result and stops no other. What is fetched is kept below `data_dir` until it is
    imported. `on_progress` is told the source, the records that NVD has given so far, and how many there are.

    Raises:
        Conflict: another sync runs on this database, here or in another process.
        UsageError: `only` names a source that there is not, or a proxy setting is wrong.
        EnvironmentFault: the data directory cannot be written.
    """
    unknown = set(only) - {source.name for source in SOURCES}
    if unknown:
        names = ", ".join(source.name for source in SOURCES)
        raise UsageError(f"There is no source {', '.join(sorted(unknown))}; there are {names}.")
    wanted = [source for source in SOURCES if not only or source.name in only]
    _make(data_dir / "feeds")
    async with _alone(database), open_client() as client:
        run = _Run(database, data_dir / "feeds", feeds, client, waits or Waits(), on_progress)
        return [await _sync(run, source) for source in wanted]


async def sync_runs(session: AsyncSession) -> bool:
    """Whether a sync runs on this database at this moment, in any process."""
    held = await session.scalar(
        text("""
        SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = :number >> 32 AND objid::bigint = :number & 4294967295)"""),
        {"number": SYNC_LOCK},
    )
    return bool(held)


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Hold the one place of a sync; it is free again when this ends, however it ends."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": SYNC_LOCK}):
            raise Conflict("sync_running", "The feeds are being fetched already.")
        try:
            yield
        finally:
            await _release(connection)


async def _release(connection: AsyncConnection) -> None:
    """Give the place back; a connection that cannot must not go back to the pool, for it may hold the lock."""
    try:
        await connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": SYNC_LOCK})
    except DBAPIError:
        await connection.invalidate()  # the lock went with it
    except BaseException:
        await connection.invalidate()
        raise


async def _sync(run: _Run, source: Source) -> SyncResult:
    url = run.feeds.urls[source.name]
    if url is None:
        return SyncResult(source.name, Outcome.OFF)
    started = time.monotonic()
    try:
        await state.record_attempt(run.database, source.name, url, datetime.now(UTC))
        imported = await _WAYS.get(source.name, _sync_file)(run, source, url)
    except NetvigilError as error:
        return await _failed(run, source, str(error), started)
    except Exception:
        log.exception("sync failed", source=source.name)
        reason = "An unexpected error occurred; the service's log has it."
        return await _failed(run, source, reason, started)
    result = SyncResult(
        source.name,
        Outcome.UPDATED if imported else Outcome.UNCHANGED,
        sum(one.records for one in imported),
        sum(one.skipped for one in imported),
        time.monotonic() - started,
        max((one.catalogue_version for one in imported), default=None),
    )
    log.info("source synced", source=source.name, outcome=str(result.outcome), records=result.records)
    return result


async def _failed(run: _Run, source: Source, reason: str, started: float) -> SyncResult:
    log.warning("source not synced", source=source.name, reason=reason)
    try:
        await state.record_failure(run.database, source.name, reason)
    except Exception:
        log.exception("the failure could not be recorded", source=source.name)
    return SyncResult(source.name, Outcome.FAILED, seconds=time.monotonic() - started, error=reason)


# --------------------------------------------------------------------- files
async def _sync_file(run: _Run, source: Source, url: str) -> list[ImportResult]:
    known = await state.read_known(run.database, source.name, url)
    fetcher = Fetcher(run.client, run.waits)
    with _folder(run.folder / source.name) as folder:
        path = folder / source.name
        fetched = await fetcher.fetch(Wanted(url, source.limit, headers=known.conditions()), path)
        now = datetime.now(UTC)
        if fetched.unchanged:
            await state.record_success(run.database, source.name, now)
            return []
        results = await _import_file(run, source, path)
        await state.record_success(
            run.database,
            source.name,
            now,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            last_change_at=now,
            records=sum(one.records for one in results),
        )
        return results


async def _import_file(run: _Run, source: Source, path: Path) -> list[ImportResult]:
    stop = Event()
    try:
        paths = await asyncio.to_thread(_opened, source, path, stop)
    finally:
        stop.set()
    return await import_paths(run.database.engine, paths)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """An empty folder for the time of the download and its import; what a killed process left goes first."""
    shutil.rmtree(path, ignore_errors=True)
    _make(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"The data directory cannot be written: {error}.") from error


def _opened(source: Source, path: Path, stop: Event) -> list[Path]:
    """The files to import; FeedError when they are not of the source, a log-in page or another feed, say."""
    paths = [path]
    if is_archive(path):
        folder = path.with_name("members")
        folder.mkdir()
        paths = unpack(path, folder, source.members, FILE_LIMIT, stop)
        path.unlink()
    for one in paths:
        feed = recognise(one)
        if feed.name != source.feed:
            raise FeedError(f"What came is {feed.label} and not {source.title}.")
    return paths


# --------------------------------------------------------------------- the two of their own kind
async def _sync_cvelist(run: _Run, source: Source, url: str) -> list[ImportResult]:
    base = run.feeds.cvelist_changes_url
    if base is None:
        return await _sync_file(run, source, url)
    known = await state.read_known(run.database, source.name, url)
    fetcher = Fetcher(run.client, run.waits)
    with _folder(run.folder / source.name) as folder:
        # the log before the list: what changes in between is then named by the next log
        changes = await fetch_changes(fetcher, base, folder / "log", known.cursor)
        path = folder / source.name
        whole = changes.names is None
        if changes.names:
            try:
                on_record = partial(run.on_progress, source.name)
                await fetch_records(fetcher, base, changes.names, path, on_record)
            except FeedError as error:
                log.warning("changes cannot be fetched, so the whole list is", reason=str(error))
                whole = True
        if whole:
            path.unlink(missing_ok=True)
            await fetcher.fetch(Wanted(url, source.limit), path)
        results = await _import_file(run, source, path) if path.exists() else []
        now = datetime.now(UTC)
        moved = {"last_change_at": now} if results else {}
        await state.record_success(run.database, source.name, now, cursor=changes.until, **moved)
        return results


async def _sync_nvd(run: _Run, source: Source, url: str) -> list[ImportResult]:
    known = await state.read_known(run.database, NVD, url)
    key = run.feeds.nvd_api_key
    pace = Pace(REQUESTS_WITH_KEY if key else REQUESTS, WINDOW_SECONDS, run.waits)
    api = NvdApi(
        Fetcher(run.client, run.waits, pace),
        url,
        source.limit,
        key,
        on_page=partial(run.on_progress, NVD),
    )
    store = PageStore(run.folder / NVD)
    results: list[ImportResult] = []
    async with aclosing(api.loads(store, known.cursor)) as loads:
        async for load in loads:
            if load.paths:
                try:
                    results += await import_paths(run.database.engine, load.paths)
                except FeedError:
                    store.clear()  # pages that cannot be read would be in the way for ever
                    raise
            await state.record_cursor(run.database, NVD, datetime.now(UTC), load.cursor)
    await state.record_success(
        run.database, NVD, datetime.now(UTC), records=sum(one.records for one in results)
    )
    return results


_WAYS = {NVD: _sync_nvd, CVE_LIST: _sync_cvelist}
