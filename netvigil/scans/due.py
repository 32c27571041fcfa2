"""The due job: when a schedule's time has come, plan the next run and start, skip or miss this one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from netvigil.scans.service import find_active_scan, start_scan
from netvigil.scans.states import Trigger
from netvigil.schedules.models import Occurrence, Outcome, ScanSchedule
from netvigil.schedules.recurrence import (
    UnknownZone,
    latest_due,
    next_after,
    occurrence_on,
    resume_after,
)
from netvigil.schedules.service import plan_job, recurrence_of
from netvigil.sites.wall_clock import is_timezone, reread_zones

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

log = structlog.get_logger(__name__)
SCHEDULES_A_TURN = 1000
_SLACK = timedelta(days=2)  # the longest that any zone ever jumped, twice


@dataclass(frozen=True, slots=True)
class Turn:
    """What is due of a series: the newest run, those before it that were missed, and the one that comes."""

    due: datetime
    missed: tuple[datetime, ...]
    coming: datetime
    coming_date: date


async def start_due(
    session: AsyncSession,
    schedule_id: UUID,
    planned_at: datetime,
    *,
    now: datetime,
    grace: timedelta,
    give_up: bool = False,
) -> Outcome | None:
    """Decide on the run planned for `planned_at`, in one transaction with the plan for the next.

    None when there is nothing to decide: the schedule is gone or was planned anew since the job was made, its time
    lies ahead (the clock was set back, or the zone has other rules now), or its run was had already. After a downtime,
    or when the clock was set forward, only the newest missed run counts, and only while it is younger than `grace`:
    never a burst. With `give_up` no scan is created and the run is recorded as failed.
    """
    query = select(ScanSchedule).where(ScanSchedule.id == schedule_id).with_for_update(key_share=True)
    schedule = await session.scalar(query)
    if schedule is None or schedule.next_scan_at != planned_at:
        return None
    if planned_at > now:
        await plan_job(
            session, schedule
        )  # this job's turn is over; without another one nothing would start it
        return None
    turn = _turn_of(schedule, now)
    if turn is None:
        await _plan(session, schedule, schedule.planned_date, _instant_of(schedule))
        return None
    outcome: Outcome | None = None
    if await _was_had(session, schedule_id, turn.due):
        log.warning("planned run was had already", schedule_id=str(schedule_id), planned_at=str(turn.due))
    else:
        outcome, scan_id = await _decide(session, schedule, turn.due, now, grace, give_up=give_up)
        await _record(session, schedule_id, turn.due, outcome, scan_id)
    for missed in turn.missed:
        await _record(session, schedule_id, missed, Outcome.MISSED, None)
    await _plan(session, schedule, turn.coming_date, turn.coming)
    log.info(
        "planned run", schedule_id=str(schedule_id), planned_at=turn.due.isoformat(), outcome=str(outcome)
    )
    return outcome


async def replan_schedules(session: AsyncSession, *, now: datetime) -> int:
    """Plan anew what does not hold any more, and return how many schedules that were.

    A zone that was gone may be back. And a run may lie further ahead than its series allows, because it was planned
    while the clock was wrong: without this the schedule would be silent until then.
    """
    lost = set(
        await session.scalars(
            select(ScanSchedule.timezone).where(ScanSchedule.zone_lost_at.is_not(None)).distinct()
        )
    )
    if lost:
        reread_zones()
    back = [zone for zone in lost if is_timezone(zone)]
    period = func.make_interval(0, 0, ScanSchedule.every_n_weeks)
    too_far = ScanSchedule.next_scan_at > now + period + _SLACK
    rows = await session.scalars(
        select(ScanSchedule)
        .where(or_(ScanSchedule.zone_lost_at.is_not(None) & ScanSchedule.timezone.in_(back), too_far))
        .limit(SCHEDULES_A_TURN)
        .with_for_update(key_share=True, skip_locked=True)
    )
    number = 0
    for schedule in rows:
        was = schedule.next_scan_at
        planned, at = _hold_against(schedule, now)
        await _plan(session, schedule, planned, at)
        log.warning(
            "schedule planned anew", schedule_id=str(schedule.id), was=was.isoformat(), now=at.isoformat()
        )
        number += 1
    return number


def _turn_of(schedule: ScanSchedule, now: datetime) -> Turn | None:
    """What is due by the wall clock, or by the last known offset when the zone is gone; None when nothing is."""
    try:
        series = recurrence_of(schedule)
        due = latest_due(series, schedule.planned_date, now)
        if due is None:
            return None
        coming = resume_after(series, schedule.planned_date, now)
        missed = []
        before = occurrence_on(series, schedule.planned_date)
        while before.planned < due.planned:
            missed.append(before.instant)
            before = next_after(series, before)
        schedule.zone_lost_at = None
        return Turn(due.instant, tuple(missed), coming.instant, coming.planned)
    except UnknownZone:
        _note_lost_zone(schedule, now)
    period = timedelta(weeks=schedule.every_n_weeks)
    first = schedule.next_scan_at
    count = (now - first) // period
    return Turn(
        due=first + count * period,
        missed=tuple(first + index * period for index in range(count)),
        coming=first + (count + 1) * period,
        coming_date=schedule.planned_date + (count + 1) * period,
    )


def _hold_against(schedule: ScanSchedule, now: datetime) -> tuple[date, datetime]:
    """The planned date and moment of the next run as they should be."""
    period = timedelta(weeks=schedule.every_n_weeks)
    try:
        series = recurrence_of(schedule)
        if schedule.next_scan_at <= now + period + _SLACK:
            schedule.zone_lost_at = None
            return schedule.planned_date, occurrence_on(series, schedule.planned_date).instant
        # back by whole periods to a date that is surely past, so that the series keeps its weeks
        ahead = (schedule.planned_date - now.astimezone(UTC).date()) // period + 1
        coming = resume_after(series, schedule.planned_date - ahead * period, now)
    except UnknownZone:
        _note_lost_zone(schedule, now)
        ahead = -(-(schedule.next_scan_at - now) // period) - 1
        return schedule.planned_date - ahead * period, schedule.next_scan_at - ahead * period
    schedule.zone_lost_at = None
    return coming.planned, coming.instant


def _note_lost_zone(schedule: ScanSchedule, now: datetime) -> None:
    log.error("time zone is not known any more", schedule_id=str(schedule.id), timezone=schedule.timezone)
    schedule.zone_lost_at = schedule.zone_lost_at or now


def _instant_of(schedule: ScanSchedule) -> datetime:
    return occurrence_on(recurrence_of(schedule), schedule.planned_date).instant


async def _plan(session: AsyncSession, schedule: ScanSchedule, planned: date, at: datetime) -> None:
    schedule.planned_date = planned
    schedule.next_scan_at = at
    await session.flush()
    await plan_job(session, schedule)


async def _was_had(session: AsyncSession, schedule_id: UUID, due: datetime) -> bool:
    """Whether the run was started or skipped before: the clock was set back, and its time comes a second time."""
    done = await session.get(Occurrence, (schedule_id, due))
    return done is not None and done.outcome in {Outcome.STARTED, Outcome.SKIPPED}


async def _decide(
    session: AsyncSession,
    schedule: ScanSchedule,
    due: datetime,
    now: datetime,
    grace: timedelta,
    *,
    give_up: bool,
) -> tuple[Outcome, UUID | None]:
    if now - due > grace:
        return Outcome.MISSED, None
    if await find_active_scan(session, schedule.id) is not None:
        return Outcome.SKIPPED, None
    if give_up:
        return Outcome.FAILED, None
    scan = await start_scan(session, schedule, Trigger.SCHEDULE, now=now)
    return Outcome.STARTED, scan.id


async def _record(
    session: AsyncSession, schedule_id: UUID, planned_at: datetime, outcome: Outcome, scan_id: UUID | None
) -> None:
    """Note what became of a run; one that was missed may be had later, what was had stays."""
    values = {"schedule_id": schedule_id, "planned_at": planned_at, "outcome": outcome, "scan_id": scan_id}
    note = insert(Occurrence).values(**values)
    await session.execute(
        note.on_conflict_do_update(
            index_elements=[Occurrence.schedule_id, Occurrence.planned_at],
            set_={"outcome": outcome, "scan_id": scan_id, "decided_at": func.now()},
            where=Occurrence.outcome.in_((Outcome.MISSED, Outcome.FAILED)),
        )
    )
