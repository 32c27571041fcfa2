"""Imports feed files into the catalogue: all files of a call, or nothing, in one step that readers see whole.

All files of a call are one transaction. The files of one day belong together, a reader shall never see half
of them, and "it failed, nothing has changed" is the only failure that needs no repair. Who wants files to
stand or fall alone imports them in several calls.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections import deque
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import psycopg
import structlog

from netvigil.catalogue.copying import COPY_HEADER, COPY_TRAILER
from netvigil.catalogue.feeds.detect import FEEDS, UnknownFeed, recognise
from netvigil.catalogue.feeds.files import file_digest, read_chunks
from netvigil.catalogue.models import STARTER
from netvigil.catalogue.staging import StagedBlock, stage_block, start_worker
from netvigil.db.session import libpq_url
from netvigil.errors import DatabaseFault, EnvironmentFault, FeedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from netvigil.catalogue.feeds.base import Block, Feed, Target

_LOCK = 0x6E76_6361_7461  # "nvcata", any number that nothing else takes
LOCK_WAIT_SECONDS = 600
_PROCESSES_FROM = 1 << 20  # bytes on disk; below, starting a process takes longer than the work
_MAX_WORKERS = 4
_WORK_MEM = "64MB"

_LOG = """
    INSERT INTO feed_import
        (catalogue_version, source, file_name, digest, records, skipped, newest_modified)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_BEYOND_STARTER = "SELECT 1 FROM cve WHERE NOT starter LIMIT 1"
_STARTER_DIGESTS = """
    SELECT digest FROM feed_import WHERE source = %s AND catalogue_version = (
        SELECT max(catalogue_version) FROM feed_import WHERE source = %s
    )
"""
_HELD = """
    UPDATE feed_import SET held = %s WHERE id = (SELECT max(id) FROM feed_import WHERE source = %s)
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What one file gave: its source, how many records were read and how many skipped as unreadable."""

    path: Path
    source: str
    records: int
    skipped: int
    seconds: float
    catalogue_version: int


@dataclass(slots=True)
class _File:
    """A file to import and its counts while it is read; `seconds` from its first block to its last."""

    path: Path
    feed: Feed
    digest: str = ""
    started: float = 0.0
    seconds: float = 0.0
    records: int = 0
    skipped: int = 0
    newest_modified: datetime | None = None

    def blocks(self) -> Iterator[Block]:
        self.started = time.monotonic()
        self.digest = file_digest(self.path)
        yield from self.feed.blocks(read_chunks(self.path))

    def add(self, staged: StagedBlock) -> None:
        self.seconds = time.monotonic() - self.started
        self.records += staged.records
        self.skipped += staged.skipped
        if staged.newest_modified is not None:
            self.newest_modified = max(self.newest_modified or staged.newest_modified, staged.newest_modified)


async def import_paths(database: str | AsyncEngine, paths: Iterable[Path]) -> list[ImportResult]:
    """Import files, and folders with all they hold, each by its content; one result a file.

    A CVE's newest record (`lastModified`) stays, wherever it came from. In a folder, files that are no feed
    are passed over; named outright, they are an error.

    Raises:
        FeedError: a file is damaged, unknown or without a single readable record; nothing has changed.
        DatabaseFault: the database is out of reach, or another import does not end.
        EnvironmentFault: a worker process was killed.
    """
    return await _import(database, paths, starter=False)


async def import_starter(database: str | AsyncEngine) -> list[ImportResult]:
    """Import the package's starter catalogue if nothing else is there; an empty list when it is there or not needed.

    A newer package's starter replaces an older one's for as long as there is nothing else.
    """
    with resources.as_file(resources.files("netvigil.catalogue") / "starter") as folder:
        digests = sorted([file_digest(path) for path, _ in _files([folder])])
        async with _connect(database) as connection:
            if await (await connection.execute(_BEYOND_STARTER)).fetchone():
                return []
            rows = await (await connection.execute(_STARTER_DIGESTS, [STARTER, STARTER])).fetchall()
        if sorted(digest for (digest,) in rows) == digests:
            return []
        return await _import(database, [folder], starter=True)


async def _import(database: str | AsyncEngine, paths: Iterable[Path], *, starter: bool) -> list[ImportResult]:
    files = await asyncio.to_thread(_recognise_all, list(paths))
    async with _connect(database) as connection, connection.transaction():
        version = await _begin(connection)
        try:
            with _executor([file.path for file in files]) as executor:
                for target, group in _by_target(files):
                    await connection.execute(target.stage)
                    await _stage(connection, executor, target, group)
        except BrokenProcessPool as error:
            raise EnvironmentFault("A process that reads feeds was killed, or memory ran out.") from error
        _refuse_unreadable(files)
        changed = 0
        for target, group in _by_target(files):
            changed += await _merge(connection, target, group, version, starter=starter)
    log.info("catalogue imported", catalogue_version=version, files=len(files), changed=changed)
    return [
        ImportResult(one.path, _source(one, starter=starter), one.records, one.skipped, one.seconds, version)
        for one in files
    ]


def _source(file: _File, *, starter: bool) -> str:
    return STARTER if starter else file.feed.name


def _by_target(files: Sequence[_File]) -> Iterator[tuple[Target, list[_File]]]:
    """The files of each target; targets in the order in which they first appear."""
    groups: dict[str, list[_File]] = {}
    for file in files:
        groups.setdefault(file.feed.target.name, []).append(file)
    for group in groups.values():
        yield group[0].feed.target, group


# --------------------------------------------------------------------- files
def _recognise_all(paths: Sequence[Path]) -> list[_File]:
    """Every file with its form, before the database is touched."""
    known = []
    for path, named in _files(paths):
        try:
            known.append(_File(path, recognise(path)))
        except UnknownFeed as error:
            if named:
                raise UnknownFeed(f"{path.name}: {error}") from error
        except FeedError as error:
            raise _named(path, error) from error
    if not known:
        names = ", ".join(str(path) for path in paths)
        raise FeedError(f"There is no feed file in {names or 'an empty list'}.")
    return known


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Files in order, each with whether it was named itself rather than found in a folder."""
    for path in paths:
        if not path.exists():
            raise FeedError(f"There is no file {path}.")
        if path.is_dir():
            yield from ((found, False) for found in sorted(path.rglob("*")) if found.is_file())
        else:
            yield path, True


def _executor(paths: Iterable[Path]) -> Executor:
    """Processes for real feeds, so that the event loop's process stays free; one thread for small ones."""
    if sum(path.stat().st_size for path in paths) < _PROCESSES_FROM:
        return ThreadPoolExecutor(1, "feed")
    # spawned, not forked: a fork would copy the service's threads' locks in whatever state they are
    return ProcessPoolExecutor(
        _workers(), mp_context=multiprocessing.get_context("spawn"), initializer=start_worker
    )


def _workers() -> int:
    return max(1, min(_MAX_WORKERS, len(os.sched_getaffinity(0))))


async def _stage(
    connection: psycopg.AsyncConnection, executor: Executor, target: Target, files: Sequence[_File]
) -> None:
    """All files into the temporary table. Only so many blocks are under way that memory stays flat."""
    waiting: deque[tuple[_File, asyncio.Future[StagedBlock]]] = deque()
    async with (
        connection.cursor() as cursor,
        cursor.copy(target.copy) as copy,
    ):
        await copy.write(COPY_HEADER)
        blocks = _blocks(files)
        more = True
        while more or waiting:
            if more and len(waiting) < _workers() + 2:
                found = await asyncio.to_thread(next, blocks, None)
                more = found is not None
                if found is not None:
                    file, block = found
                    waiting.append(
                        (file, asyncio.wrap_future(executor.submit(stage_block, file.feed.name, block)))
                    )
                continue
            file, future = waiting.popleft()
            staged = await _result(file, future)
            file.add(staged)
            await copy.write(staged.rows)
        await copy.write(COPY_TRAILER)


def _blocks(files: Sequence[_File]) -> Iterator[tuple[_File, Block]]:
    """The blocks of all files in one stream, so that the workers never wait at the end of one."""
    for file in files:
        try:
            for block in file.blocks():
                yield file, block
        except FeedError as error:
            raise _named(file.path, error) from error


async def _result(file: _File, future: asyncio.Future[StagedBlock]) -> StagedBlock:
    try:
        return await future
    except FeedError as error:
        raise _named(file.path, error) from error


def _refuse_unreadable(files: Sequence[_File]) -> None:
    for file in files:
        if file.skipped and not file.records:
            raise _named(file.path, FeedError("Not one of its records has a form that netvigil can read."))


def _named(path: Path, error: FeedError) -> FeedError:
    return FeedError(f"{path.name}: {error} Nothing was imported.")


# --------------------------------------------------------------------- database
@asynccontextmanager
async def _connect(database: str | AsyncEngine) -> AsyncIterator[psycopg.AsyncConnection]:
    url = database if isinstance(database, str) else database.url.render_as_string(hide_password=False)
    try:
        connection = await psycopg.AsyncConnection.connect(libpq_url(url))
    except psycopg.OperationalError as error:
        raise DatabaseFault(f"The database cannot be reached: {error}") from error
    try:
        async with connection:
            yield connection
    except psycopg.OperationalError as error:  # it went away, or its disk is full
        raise DatabaseFault(f"The database broke off, nothing was imported: {error}") from error


async def _begin(connection: psycopg.AsyncConnection) -> int:
    """Take the one import's place, waiting for a running one; the number of the new catalogue version."""
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'")
    try:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseFault(f"Another import has not ended within {LOCK_WAIT_SECONDS} seconds.") from error
    await connection.execute(f"SET LOCAL work_mem = '{_WORK_MEM}'")
    found = await connection.execute("SELECT coalesce(max(catalogue_version), 0) + 1 FROM feed_import")
    row = await found.fetchone()
    return int(row[0]) if row else 1


async def _merge(
    connection: psycopg.AsyncConnection,
    target: Target,
    files: Sequence[_File],
    version: int,
    *,
    starter: bool,
) -> int:
    """Bring the staged rows into the catalogue and log the files; how many CVEs are new or have changed."""
    values = {"version": version, "starter": starter}
    await connection.execute(f"ANALYZE {target.staging_table}")
    for statement in target.merge:
        await connection.execute(statement, values)
    for one in files:
        counts = (one.path.name, one.digest, one.records, one.skipped, one.newest_modified)
        await connection.execute(_LOG, (version, _source(one, starter=starter), *counts))
    await _count_held(connection, target)
    if target.changed is None:
        return 0
    changed = await (await connection.execute(target.changed, values)).fetchone()
    return int(changed[0]) if changed else 0


async def _count_held(connection: psycopg.AsyncConnection, target: Target) -> None:
    """Note with each feed's newest import how much of it the catalogue holds now; another feed's may have gone."""
    held = {feed.name: 0 for feed in FEEDS if feed.target.name == target.name}
    held |= dict(await (await connection.execute(target.held)).fetchall())
    for name, number in held.items():
        await connection.execute(_HELD, (number, name))
