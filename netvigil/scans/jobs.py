"""The jobs of scans: a schedule's time has come, and one site of a scan is probed."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from procrastinate import JobContext, RetryStrategy
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason
from sqlalchemy import func, select

from netvigil.errors import NetvigilError, SiteOffline, Superseded
from netvigil.jobs import AgainAfterShutdown, is_last_try, services_of, tasks
from netvigil.probing.pipeline import probe
from netvigil.scans import run as writes
from netvigil.scans.asking import build_request
from netvigil.scans.due import start_due
from netvigil.scans.events import record_seconds
from netvigil.scans.patience import describe_fault, durably
from netvigil.scans.pausing import StopWins, WindowWatch, pause, put_off, reconsider
from netvigil.scans.service import SITE_SCAN_JOB
from netvigil.scans.states import FailureKind, SiteScanState
from netvigil.scans.waiting import Limits
from netvigil.scans.windows import InWindow
from netvigil.schedules.service import START_JOB
from netvigil.sites.service import WINDOWS_JOB

if TYPE_CHECKING:
    from netvigil.jobs import Services
    from netvigil.probing.observations import HostObservation
    from netvigil.probing.progress import ProbeProgress
    from netvigil.scans.run import Run

log = structlog.get_logger(__name__)
DUE_RETRY = RetryStrategy(max_attempts=10, wait=2, linear_wait=5)
PROGRESS_SECONDS = 0.5  # a fast sweep tells more often than anyone looks


@tasks.task(name=START_JOB, pass_context=True, retry=DUE_RETRY)
async def start_due_scan(context: JobContext, schedule_id: str, planned_at: str) -> None:
    """Start the schedule's scan if it is due; see `due.start_due`.

    A run that cannot be created after many tries is given up, so that the schedule goes on with the next.
    """
    try:
        await _start_due(context, schedule_id, planned_at, give_up=False)
    except Exception:
        if not is_last_try(context, DUE_RETRY):
            raise
        log.exception("planned run given up", schedule_id=schedule_id, planned_at=planned_at)
        await _start_due(context, schedule_id, planned_at, give_up=True)


async def _start_due(context: JobContext, schedule_id: str, planned_at: str, *, give_up: bool) -> None:
    services = services_of(context)
    grace = timedelta(seconds=services.settings.missed_run_grace)
    async with services.database.transaction() as session:
        # The queue gave the job out by the database's clock: a worker whose own is behind would find it too early.
        now = (await session.scalars(select(func.clock_timestamp()))).one()
        await start_due(
            session,
            UUID(schedule_id),
            datetime.fromisoformat(planned_at),
            now=now,
            grace=grace,
            give_up=give_up,
        )


@tasks.task(name=WINDOWS_JOB, pass_context=True, retry=RetryStrategy(max_attempts=5, wait=1))
async def reconsider_windows(
    context: JobContext, site_id: str | None = None, schedule_id: str | None = None
) -> None:
    """The maintenance windows of a site or schedule were edited: what waits for them may wait shorter or longer."""
    async with services_of(context).database.transaction() as session:
        await reconsider(
            session,
            site_id=UUID(site_id) if site_id else None,
            schedule_id=UUID(schedule_id) if schedule_id else None,
        )


@tasks.task(name=SITE_SCAN_JOB, pass_context=True, retry=AgainAfterShutdown())
async def run_site_scan(context: JobContext, site_scan_id: str) -> None:
    """Probe one site of a scan and store what was seen, host by host.

    However it ends, the row says so, with a reason that a user can act on. Only a worker that is shut down
    leaves the row running: the next one goes on with the hosts that are missing. In a maintenance window it is put
    off, or pauses, and holds no worker meanwhile.
    """
    services = services_of(context)
    database = services.database
    try:
        run = await writes.begin(database, UUID(site_scan_id), Limits.of(services.settings))
    except InWindow:
        await put_off(database, UUID(site_scan_id), context.job.id)
        return
    if run is None:
        return
    bound = {"scan_id": str(run.scan_id), "site_id": str(run.site_id), "attempt": run.attempt}
    with structlog.contextvars.bound_contextvars(**bound):
        try:
            await _carry_out(services, run)
        except asyncio.CancelledError:
            if context.abort_reason() is not AbortReason.USER_REQUEST:
                raise
            with suppress(Superseded):  # it paused or ended at the same moment
                await _end(services, run, SiteScanState.STOPPED)
            raise JobAborted from None
        except Superseded:
            log.warning("another worker took this run over")


async def _carry_out(services: Services, run: Run) -> None:
    """Probe and write down how it ended; raises Superseded."""
    try:
        limitations = await _probe_site(services, run)
        await _end(services, run, SiteScanState.SCANNED, limitations=limitations, online=True)
    except InWindow as window:
        await _pause(services, run, window.until)
    except Superseded:
        raise
    except SiteOffline as offline:
        await _fail(services, run, FailureKind.OFFLINE, str(offline))
    except NetvigilError as fault:
        await _fail(services, run, FailureKind.FAULT, str(fault))
    except Exception as error:
        log.exception("site scan failed")
        await _fail(services, run, FailureKind.FAULT, describe_fault(error))


async def _pause(services: Services, run: Run, until: datetime) -> None:
    try:
        await durably(services.database, lambda session: pause(session, run, until))
    except StopWins:
        await _end(services, run, SiteScanState.STOPPED)


async def _probe_site(services: Services, run: Run) -> tuple[str, ...]:
    """Probe what is left of the run; returns what could not be seen."""
    if next(run.left(), None) is None:
        return ()
    request, limitations = await durably(
        services.database, lambda session: build_request(session, services.settings, run)
    )
    told = 0.0
    stage = ""
    watch = WindowWatch(services.database, run)

    async def on_found(host: HostObservation) -> None:
        await writes.record_host(services.database, run, host, identified=False)

    async def on_host(host: HostObservation) -> None:
        await writes.record_host(services.database, run, host, identified=True)

    async def on_progress(progress: ProbeProgress) -> None:
        nonlocal told, stage
        if progress.stage == stage and time.monotonic() - told < PROGRESS_SECONDS:
            return
        told, stage = time.monotonic(), progress.stage
        await writes.record_progress(
            services.database,
            run,
            stage=progress.stage,
            hosts_total=progress.hosts_total + len(run.recorded),
            percent=progress.percent,
        )
        await watch.look(progress.stage)

    result = await probe(request, on_host=on_host, on_found=on_found, on_progress=on_progress)
    await record_seconds(services.database, run, result.seconds)
    return (*limitations, *result.limitations)


async def _fail(services: Services, run: Run, kind: FailureKind, reason: str) -> None:
    online = False if kind is FailureKind.OFFLINE else None
    await _end(services, run, SiteScanState.FAILED, failure=kind, error=reason, online=online)


async def _end(services: Services, run: Run, state: SiteScanState, **how: Any) -> None:
    await writes.end(services.database, run, state, limits=Limits.of(services.settings), **how)
