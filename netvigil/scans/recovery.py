"""Recovery: our own rows say what should be going on; whatever no living job carries is enqueued again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select, text

from netvigil.jobs import ALIVE, enqueue, is_alive, requeue_stalled
from netvigil.scans.due import replan_schedules
from netvigil.scans.overtime import end_overtime
from netvigil.scans.service import (
    RECONCILE_JOB,
    end_if_done,
    end_site_scan,
    enqueue_site_scan,
    lock_scan,
    lock_site_scans,
)
from netvigil.scans.states import SITE_ACTIVE, ScanState, SiteScanState
from netvigil.scans.waiting import Limits, is_anyone_held_back, release_all, watch_vantages
from netvigil.schedules.models import ScanSchedule
from netvigil.schedules.service import plan_job

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.scans.models import Scan
    from netvigil.settings import Settings

log = structlog.get_logger(__name__)
SCHEDULES_A_TURN = 1000
_JOB = f"""SELECT FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
           WHERE {ALIVE}"""
_STUCK = text(f"""
SELECT id FROM scan WHERE state = 'processing' AND NOT EXISTS ({_JOB} AND j.id = scan.job_id)
UNION SELECT p.scan_id FROM site_scan p JOIN scan s ON s.id = p.scan_id
WHERE p.state IN ('pending', 'running') AND NOT EXISTS ({_JOB} AND j.id = p.job_id)
  AND (p.held_back_at IS NULL OR p.job_id IS NOT NULL OR s.stop_requested_at IS NOT NULL)
UNION SELECT id FROM scan WHERE state IN ('pending', 'running') AND NOT EXISTS (
  SELECT FROM site_scan p WHERE p.scan_id = scan.id AND p.state IN ('pending', 'running'))""")  # noqa: S608 - words of our own


async def recover(database: Database, settings: Settings) -> None:
    """One turn of everything that keeps scans going on; safe in any number of processes at once."""
    await recover_scans(database, settings.worker_dead_after)
    await watch_vantages(database, settings)
    limits = Limits.of(settings)
    if limits.any or await is_anyone_held_back(database):
        await release_all(database, limits)


async def recover_scans(database: Database, dead_after: float) -> None:
    """Give dead workers' jobs back to the queue and every scan without a living job a new one."""
    async with database.transaction() as session:
        requeued = await requeue_stalled(session, dead_after)
        if requeued:
            log.warning("jobs of dead workers put back", jobs=requeued)
    await end_overtime(database)
    async with database.reading() as session:
        stuck = list(await session.scalars(_STUCK, {"dead_after": dead_after}))
    for scan_id in stuck:
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
        if site_scan.held_back_at is not None and site_scan.job_id is None and scan.stop_requested_at is None:
            continue
        if scan.stop_requested_at is not None:
            end_site_scan(session, site_scan, SiteScanState.STOPPED)
            continue
        log.warning("site scan starts again", scan_id=str(scan.id), site_scan_id=str(site_scan.id))
        await enqueue_site_scan(session, site_scan)
    await end_if_done(session, scan)


async def recover_schedules(database: Database) -> None:
    """Plan anew what does not hold any more, and a job for every schedule that has none.

    Only a damaged or restored queue can cause the second.
    """
    async with database.transaction() as session:
        now = (await session.scalars(select(func.clock_timestamp()))).one()
        await replan_schedules(session, now=now)
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
