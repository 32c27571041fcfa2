"""The jobs of scans: a schedule's time has come, and one site of a scan is probed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from procrastinate import JobContext, RetryStrategy
from procrastinate.job_context import AbortReason

from netvigil.errors import NetvigilError, SiteOffline, Superseded
from netvigil.jobs import services_of, tasks
from netvigil.probing.pipeline import probe
from netvigil.scans import run as writes
from netvigil.scans.asking import build_request
from netvigil.scans.due import start_due
from netvigil.scans.service import SITE_SCAN_JOB
from netvigil.scans.states import FailureKind, SiteScanState
from netvigil.schedules.service import START_JOB
from netvigil.sites.scope import targets

if TYPE_CHECKING:
    from netvigil.jobs import Services
    from netvigil.probing.observations import HostObservation
    from netvigil.probing.progress import ProbeProgress
    from netvigil.scans.run import Run

log = structlog.get_logger(__name__)
PROGRESS_SECONDS = 0.5  # a fast sweep tells more often than anyone looks


@tasks.task(name=START_JOB, pass_context=True, retry=RetryStrategy(max_attempts=10, wait=2, linear_wait=5))
async def start_due_scan(context: JobContext, schedule_id: str, planned_at: str) -> None:
    """Start the schedule's scan if it is due; see `due.start_due`."""
    services = services_of(context)
    grace = timedelta(seconds=services.settings.missed_run_grace)
    async with services.database.transaction() as session:
        await start_due(
            session, UUID(schedule_id), datetime.fromisoformat(planned_at), now=datetime.now(UTC), grace=grace
        )


@tasks.task(name=SITE_SCAN_JOB, pass_context=True)
async def run_site_scan(context: JobContext, site_scan_id: str) -> None:
    """Probe one site of a scan and store what was seen, host by host.

    However it ends, the row says so, with a reason that a user can act on. Only a worker that is shut down
    leaves the row running: the next one goes on with the hosts that are missing.
    """
    services = services_of(context)
    database = services.database
    run = await writes.begin(database, UUID(site_scan_id))
    if run is None:
        return
    bound = {"scan_id": str(run.scan_id), "site_id": str(run.site_id), "attempt": run.attempt}
    with structlog.contextvars.bound_contextvars(**bound):
        try:
            limitations = await _probe_site(services, run)
            await writes.end(database, run, SiteScanState.SCANNED, limitations=limitations, online=True)
        except asyncio.CancelledError:
            if context.abort_reason() is AbortReason.USER_REQUEST:
                await writes.end(database, run, SiteScanState.STOPPED)
            raise
        except Superseded:
            log.warning("another worker took this run over")
        except SiteOffline as offline:
            await _fail(services, run, FailureKind.OFFLINE, str(offline))
        except NetvigilError as fault:
            await _fail(services, run, FailureKind.FAULT, str(fault))
        except Exception:
            log.exception("site scan failed")
            await _fail(
                services, run, FailureKind.FAULT, "An unexpected error occurred; the service's log has it."
            )


async def _probe_site(services: Services, run: Run) -> tuple[str, ...]:
    """Probe what is left of the run; returns what could not be seen."""
    async with services.database.session() as session:
        request, limitations = await build_request(session, services.settings, run)
    left = [
        address
        for network in run.targets
        for address in targets(network, request.exclude)
        if address not in run.recorded
    ]
    if not left:
        return limitations
    told = 0.0
    stage = ""

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

    result = await probe(request, on_host=on_host, on_found=on_found, on_progress=on_progress)
    return (*limitations, *result.limitations)


async def _fail(services: Services, run: Run, kind: FailureKind, reason: str) -> None:
    try:
        online = False if kind is FailureKind.OFFLINE else None
        await writes.end(
            services.database, run, SiteScanState.FAILED, failure=kind, error=reason, online=online
        )
    except Superseded:
        log.warning("another worker took this run over")
