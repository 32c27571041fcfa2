"""The due job: when a schedule's time has come, plan the next run and start, skip or miss this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.scans.service import find_active_scan, start_scan
from netvigil.scans.states import Trigger
from netvigil.schedules.models import Occurrence, Outcome, ScanSchedule
from netvigil.schedules.recurrence import latest_due, next_after, occurrence_on, resume_after
from netvigil.schedules.service import plan_job, recurrence_of

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

log = structlog.get_logger(__name__)


async def start_due(
    session: AsyncSession, schedule_id: UUID, planned_at: datetime, *, now: datetime, grace: timedelta
) -> Outcome | None:
    """Decide on the run planned for `planned_at`, in one transaction with the plan for the next.

    None when the schedule is gone or was planned anew since the job was made. After a downtime only the
    newest missed run counts, and only while it is younger than `grace`: never a burst.
    """
    query = select(ScanSchedule).where(ScanSchedule.id == schedule_id).with_for_update(key_share=True)
    schedule = await session.scalar(query)
    if schedule is None or schedule.next_scan_at != planned_at or planned_at > now:
        return None
    recurrence = recurrence_of(schedule)
    due = latest_due(recurrence, schedule.planned_date, now) or occurrence_on(
        recurrence, schedule.planned_date
    )
    coming = resume_after(recurrence, schedule.planned_date, now)
    outcome, scan_id = await _decide(session, schedule, due.instant, now, grace)
    missed = occurrence_on(recurrence, schedule.planned_date)
    while missed.planned < due.planned:
        await _record(session, schedule_id, missed.instant, Outcome.MISSED, None)
        missed = next_after(recurrence, missed)
    await _record(session, schedule_id, due.instant, outcome, scan_id)
    schedule.planned_date = coming.planned
    schedule.next_scan_at = coming.instant
    await session.flush()
    await plan_job(session, schedule)
    log.info(
        "planned run", schedule_id=str(schedule_id), planned_at=due.instant.isoformat(), outcome=str(outcome)
    )
    return outcome


async def _decide(
    session: AsyncSession, schedule: ScanSchedule, due: datetime, now: datetime, grace: timedelta
) -> tuple[Outcome, UUID | None]:
    if now - due > grace:
        return Outcome.MISSED, None
    if await find_active_scan(session, schedule.id) is not None:
        return Outcome.SKIPPED, None
    scan = await start_scan(session, schedule, Trigger.SCHEDULE, now=now)
    return Outcome.STARTED, scan.id


async def _record(
    session: AsyncSession, schedule_id: UUID, planned_at: datetime, outcome: Outcome, scan_id: UUID | None
) -> None:
    values = {"schedule_id": schedule_id, "planned_at": planned_at, "outcome": outcome, "scan_id": scan_id}
    await session.execute(insert(Occurrence).values(**values).on_conflict_do_nothing())
