"""The running service: database, keys, worker and recovery, started and ended together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

import netvigil.access.models
import netvigil.catalogue.jobs
import netvigil.notify.jobs
import netvigil.reports.jobs
import netvigil.scans.jobs  # noqa: F401 - these register their tables and tasks, as findings.jobs does
from netvigil.access.keys import Keys, load_keys
from netvigil.access.tokens import TokenAuthority
from netvigil.catalogue.importer import import_starter
from netvigil.catalogue.sync.planning import plan_sync
from netvigil.catalogue.sync.settings import read_feed_settings
from netvigil.db.datadir import DataDirectory
from netvigil.db.embedded import EmbeddedServer, connect_url
from netvigil.db.migrate import migrate
from netvigil.db.session import Database
from netvigil.errors import DatabaseFault, DataDirectoryHeld
from netvigil.findings.jobs import request_rematch
from netvigil.jobs import Services, WorkerProcess, apply_schema, every, prune_finished
from netvigil.notify.jobs import request_telling
from netvigil.scans.recovery import recover, recover_schedules
from netvigil.scans.waiting import list_active_vantages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from netvigil.settings import Settings

log = structlog.get_logger(__name__)
RECOVER_SCANS_SECONDS = 2.0
RECOVER_SCHEDULES_SECONDS = 60.0
REMATCH_SECONDS = 10.0
TELL_SECONDS = 10.0
PRUNE_SECONDS = 3600.0
RESTART_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Service:
    """What a process of netvigil works with."""

    settings: Settings
    database: Database
    keys: Keys
    authority: TokenAuthority


def authority_of(settings: Settings, keys: Keys) -> TokenAuthority:
    """Who issues and checks tokens under these settings."""
    return TokenAuthority(keys=keys, issuer=settings.token_issuer, audience=settings.token_audience)


@asynccontextmanager
async def open_database(settings: Settings, purpose: str, *, share: bool) -> AsyncIterator[Database]:
    """The migrated database: external, or embedded and started here, or that of a running service.

    `purpose` is what another process is told that finds the data directory held. With `share` a data
    directory held by a running service is no error: its database is used. Raises DataDirectoryHeld,
    DatabaseFault.
    """
    if settings.database_url is not None:
        async with _migrated(settings.database_url) as database:
            yield database
        return
    directory = DataDirectory(settings.data_dir)
    try:
        held = directory.hold(purpose)
    except DataDirectoryHeld:
        if not share:
            raise
        async with _connected(connect_url(settings.data_dir)) as database:
            yield database
        return
    with held:
        async with (
            EmbeddedServer(settings.data_dir) as server,
            _kept_up(server),
            _migrated(server.url) as database,
        ):
            yield database


@asynccontextmanager
async def open_service(settings: Settings, purpose: str, *, share: bool = False) -> AsyncIterator[Service]:
    """Database, keys and starter catalogue, ready for requests; no worker runs yet."""
    async with open_database(settings, purpose, share=share) as database:
        keys = load_keys(settings.keys_dir)
        await import_starter(database.engine)
        yield Service(settings, database, keys, authority_of(settings, keys))


@asynccontextmanager
async def run_jobs(service: Service, *, sync_feeds: bool = True) -> AsyncIterator[WorkerProcess]:
    """Take jobs and recover beside the caller; on exit running jobs are aborted and kept for later.

    With `sync_feeds` the daily refresh of the vulnerability data is planned too, if the settings want it.
    """
    settings, database = service.settings, service.database
    if sync_feeds:
        async with database.transaction() as session:
            await plan_sync(
                session, read_feed_settings(), now=datetime.now(UTC), dead_after=settings.worker_dead_after
            )

    async def find_vantages() -> list[str]:
        async with database.reading() as session:
            return await list_active_vantages(session)

    async def prune() -> None:
        async with database.transaction() as session:
            await prune_finished(session)

    regular = (
        (RECOVER_SCANS_SECONDS, lambda: recover(database, settings), "recover"),
        (RECOVER_SCHEDULES_SECONDS, lambda: recover_schedules(database), "recover_schedules"),
        (REMATCH_SECONDS, lambda: request_rematch(database), "request_rematch"),
        (TELL_SECONDS, lambda: request_telling(database), "request_telling"),
        (PRUNE_SECONDS, prune, "prune"),
    )
    worker = WorkerProcess(Services(settings, database), find_vantages=find_vantages)
    async with worker.run():
        work = [asyncio.create_task(every(*one), name=one[2]) for one in regular]
        try:
            yield worker
        finally:
            # recovery first: it must not hand on what the worker is just putting down
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)


@asynccontextmanager
async def _kept_up(server: EmbeddedServer) -> AsyncIterator[None]:
    """Start the embedded server again when something kills it; clients meanwhile see a short outage."""

    async def watch() -> None:
        while True:
            try:
                await server.watch()
            except DatabaseFault:
                log.exception("embedded database ended, starting it again")
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            try:
                await server.stop()
                await server.start()
            except DatabaseFault:
                log.exception("embedded database does not start")

    watching = asyncio.create_task(watch(), name="embedded database")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def _migrated(url: str) -> AsyncIterator[Database]:
    await migrate(url, then=apply_schema)
    async with _connected(url) as database:
        yield database


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
