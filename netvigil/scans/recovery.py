"""Recovery: our own rows say what should be going on; whatever no living job carries is enqueued again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, text

from netvigil.jobs import enqueue, is_alive, requeue_stalled
from netvigil.scans.models import Scan
from netvigil.scans.service import (
    RECONCILE_JOB,
    end_if_done,
    end_site_scan,
    enqueue_site_scan,
    lock_scan,
    lock_site_scans,
)
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, ScanState, SiteScanState
from netvigil.schedules.models import ScanSchedule
from netvigil.schedules.service import plan_job

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
SCHEDULES_A_TURN = 1000


async def recover_scans(database: Database, dead_after: float) -> None:
    """Give dead workers' jobs back to the queue and every scan without a living job a new one."""
    async with database.transaction() as session:
        if requeued := await requeue_stalled(session, dead_after):
            log.warning("jobs of dead workers put back", jobs=requeued)
    async with database.session() as session:
        active = list(await session.scalars(select(Scan.id).where(Scan.state.in_(ACTIVE))))
    for scan_id in active:
        async with database.transaction() as session:
            await _recover_scan(session, await lock_scan(session, scan_id), dead_after)


async def _recover_scan(session: AsyncSession, scan: Scan, dead_after: float) -> None:
    if scan.state == ScanState.PROCESSING:
        if not await is_alive(session, scan.job_id, dead_after):
            log.warning("report of a scan starts again", scan_id=str(scan.id))
            scan.job_id = await enqueue(session, RECONCILE_JOB, scan_id=str(scan.id))
        return
    for site_scan in await lock_site_scans(session, scan.id):
        if site_scan.state not in SITE_ACTIVE or await is_alive(session, site_scan.job_id, dead_after):
            continue
        if scan.stop_requested_at is not None:
            end_site_scan(session, site_scan, SiteScanState.STOPPED)
            continue
        log.warning("site scan starts again", scan_id=str(scan.id), site_scan_id=str(site_scan.id))
        await enqueue_site_scan(session, site_scan)
    await end_if_done(session, scan)


async def recover_schedules(database: Database) -> None:
    """Plan a job for every schedule that has none; only a damaged or restored queue can cause that."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(ScanSchedule)
            .where(
                text(
                    "NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.queueing_lock = "
                    "'schedule:' || scan_schedule.id::text AND j.status IN ('todo', 'doing'))"
                )
            )
            .limit(SCHEDULES_A_TURN)
            .with_for_update(skip_locked=True)
        )
        for schedule in rows:
            log.warning("schedule had no job, planned one", schedule_id=str(schedule.id))
            await plan_job(session, schedule)
