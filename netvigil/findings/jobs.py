"""The job between the last site of a scan and its report: matching."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from procrastinate import JobContext, RetryStrategy

from netvigil.findings.rematch import is_due, rematch
from netvigil.findings.renewal import renew_priorities
from netvigil.findings.service import reconcile
from netvigil.jobs import enqueue, is_last_try, is_waiting, services_of, tasks
from netvigil.scans.service import FREEZE_JOB, RECONCILE_JOB, fail_scan, lock_scan, record_event
from netvigil.scans.states import ScanState

if TYPE_CHECKING:
    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
REMATCH_JOB = "findings.rematch"
RETRY = RetryStrategy(max_attempts=3, exponential_wait=2)


@tasks.task(name=RECONCILE_JOB, pass_context=True, retry=RETRY)
async def reconcile_scan(context: JobContext, scan_id: str) -> None:
    """Match what a scan saw and hand on to the report, in one transaction."""
    database = services_of(context).database
    try:
        async with database.transaction() as session:
            scan = await lock_scan(session, UUID(scan_id))
            if scan.state != ScanState.PROCESSING or scan.job_id != context.job.id:
                return  # done already, or another job's now
            number = await reconcile(session, scan)
            record_event(session, scan.id, "matched", f"{number} match(es) in the catalogue.")
            scan.job_id = await enqueue(session, FREEZE_JOB, scan_id=scan_id)
    except Exception:
        if is_last_try(context, RETRY):
            async with database.transaction() as session:
                await fail_scan(session, UUID(scan_id), "Matching failed; the service's log says why.")
        raise


@tasks.task(name=REMATCH_JOB, pass_context=True, retry=RETRY)
async def rematch_catalogue(context: JobContext) -> None:
    """Match what was seen with the CVEs that an import changed, and renew what EPSS and KEV say of all."""
    await rematch(services_of(context).database)
    await renew_priorities(services_of(context).database)


async def request_rematch(database: Database) -> None:
    """Enqueue a rematch when an import has changed the catalogue, whoever ran it and wherever."""
    async with database.transaction() as session:
        if await is_due(session) and not await is_waiting(session, REMATCH_JOB):
            await enqueue(session, REMATCH_JOB, lock="rematch", queueing_lock="rematch")
