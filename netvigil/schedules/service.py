"""Schedules: create, change, delete, and the one future job that each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, tuple_

from netvigil.errors import Conflict, Invalid, NotFound
from netvigil.jobs import DUE_QUEUE, cancel_waiting, enqueue
from netvigil.schedules.models import ScanSchedule, ScheduleSite
from netvigil.schedules.recurrence import Recurrence, first_after
from netvigil.sites.service import WINDOWS_JOB, authorise
from netvigil.sites.wall_clock import find_zone, parse_time_of_day

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.probing.ports import Profile
    from netvigil.settings import SiteRegistration
    from netvigil.sites.exclusions import Exclusions
    from netvigil.sites.windows import Window

START_JOB = "scans.start_due"
TIMING = ("day_of_week", "time_of_day", "every_n_weeks", "timezone")


@dataclass(frozen=True, slots=True)
class ScheduleValues:
    """What a client decides about a schedule; `sites` are (site id, subnet) in the client's order."""

    description: str
    day_of_week: int
    time_of_day: str
    every_n_weeks: int
    timezone: str
    min_cvss: float
    warning_threshold: float
    ignore_offline_sites: bool
    notification_group: str
    notify: list[Any] | None
    profile: Profile
    exclusions: Exclusions
    maintenance_windows: Sequence[Window]
    max_duration_minutes: int | None
    sites: Sequence[tuple[UUID, IPv4Network]]


def recurrence_of(schedule: ScanSchedule) -> Recurrence:
    """The schedule's timing as the pure module understands it; raises UnknownZone."""
    return Recurrence(
        day_of_week=schedule.day_of_week,
        time_of_day=schedule.time_of_day,
        every_n_weeks=schedule.every_n_weeks,
        timezone=schedule.timezone,
    )


def local_time(schedule: ScanSchedule, instant: datetime) -> datetime:
    """The instant by the schedule's wall clock, or by UTC when the tz database has lost its zone."""
    return instant.astimezone(find_zone(schedule.timezone) or UTC)


async def get_schedule(
    session: AsyncSession, organisation_id: UUID, schedule_id: UUID, *, lock: bool = False
) -> ScanSchedule:
    """The organisation's schedule; raises NotFound. `lock` holds its row for the rest of the transaction.

    Whoever starts, changes or deletes a schedule holds that lock, so these never cross.
    """
    query = select(ScanSchedule).where(
        ScanSchedule.id == schedule_id, ScanSchedule.organisation_id == organisation_id
    )
    # NO KEY: a scan that ends refers to its schedule, and must not wait for whoever reads or changes that
    schedule = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    if schedule is None:
        raise NotFound(f"No such scan schedule: '{schedule_id}'.")
    return schedule


async def list_schedules(
    session: AsyncSession, organisation_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None
) -> list[ScanSchedule]:
    """Newest first, one more than `limit` when there are more."""
    query = select(ScanSchedule).where(ScanSchedule.organisation_id == organisation_id)
    if before is not None:
        query = query.where(tuple_(ScanSchedule.created_at, ScanSchedule.id) < before)
    query = query.order_by(ScanSchedule.created_at.desc(), ScanSchedule.id.desc()).limit(limit + 1)
    return list(await session.scalars(query))


async def create_schedule(
    session: AsyncSession,
    organisation_id: UUID,
    values: ScheduleValues,
    *,
    registration: SiteRegistration,
    now: datetime,
) -> ScanSchedule:
    """A new schedule with its first run planned; raises Invalid when a subnet may not be scanned."""
    await _authorise(session, organisation_id, values, registration)
    schedule = ScanSchedule(organisation_id=organisation_id, last_run_at=None)
    _assign(schedule, values)
    _assign_sites(schedule, values)
    _plan_first(schedule, now)
    session.add(schedule)
    await session.flush()
    await session.refresh(schedule)
    await _enqueue_due(session, schedule)
    return schedule


async def update_schedule(
    session: AsyncSession,
    schedule: ScanSchedule,
    values: ScheduleValues,
    *,
    registration: SiteRegistration,
    now: datetime,
) -> ScanSchedule:
    """Change a locked schedule; a changed timing plans its next run anew, nothing else does."""
    before = [getattr(schedule, name) for name in TIMING]
    windows = (schedule.maintenance_windows, schedule.timezone)
    if [(s.site_id, s.subnet) for s in schedule.sites] != list(values.sites):
        await _authorise(session, schedule.organisation_id, values, registration)
        schedule.sites.clear()
        await session.flush()  # the old rows must go before new ones take their positions
        _assign_sites(schedule, values)
    _assign(schedule, values)
    if before != [getattr(schedule, name) for name in TIMING]:
        _plan_first(schedule, now)
        await plan_job(session, schedule)
    if windows != (schedule.maintenance_windows, schedule.timezone):
        await enqueue(session, WINDOWS_JOB, schedule_id=str(schedule.id))
    schedule.updated_at = (await session.scalars(select(func.clock_timestamp()))).one()
    await session.flush()
    return schedule


async def delete_schedule(session: AsyncSession, schedule: ScanSchedule, *, running: bool) -> None:
    """Delete a locked schedule and its future job; raises Conflict while a scan of it runs."""
    if running:
        raise Conflict("schedule_running", "A scan of this schedule is running; stop it first.")
    await cancel_waiting(session, queueing_lock(schedule.id))
    await session.delete(schedule)


async def plan_job(session: AsyncSession, schedule: ScanSchedule) -> None:
    """Replace the schedule's one future job by one for `next_scan_at`, in the same transaction."""
    await cancel_waiting(session, queueing_lock(schedule.id))
    await _enqueue_due(session, schedule)


async def _enqueue_due(session: AsyncSession, schedule: ScanSchedule) -> None:
    await enqueue(
        session,
        START_JOB,
        queue=DUE_QUEUE,
        queueing_lock=queueing_lock(schedule.id),
        schedule_at=schedule.next_scan_at,
        schedule_id=str(schedule.id),
        planned_at=schedule.next_scan_at.astimezone(UTC).isoformat(),
    )


def queueing_lock(schedule_id: UUID) -> str:
    """Keeps a schedule from having two waiting jobs."""
    return f"schedule:{schedule_id}"


def _plan_first(schedule: ScanSchedule, now: datetime) -> None:
    occurrence = first_after(recurrence_of(schedule), now)
    schedule.zone_lost_at = None
    schedule.planned_date = occurrence.planned
    schedule.next_scan_at = occurrence.instant


def _assign(schedule: ScanSchedule, values: ScheduleValues) -> None:
    schedule.description = values.description
    schedule.day_of_week = values.day_of_week
    schedule.time_of_day = parse_time_of_day(values.time_of_day)
    schedule.every_n_weeks = values.every_n_weeks
    schedule.timezone = values.timezone
    schedule.min_cvss = values.min_cvss
    schedule.warning_threshold = values.warning_threshold
    schedule.ignore_offline_sites = values.ignore_offline_sites
    schedule.notification_group = values.notification_group
    schedule.notify = values.notify
    schedule.profile = values.profile
    schedule.exclusions = values.exclusions.to_json()
    schedule.maintenance_windows = [window.to_json() for window in values.maintenance_windows]
    schedule.max_duration_minutes = values.max_duration_minutes


def _assign_sites(schedule: ScanSchedule, values: ScheduleValues) -> None:
    schedule.sites.extend(
        ScheduleSite(
            position=position, organisation_id=schedule.organisation_id, site_id=site_id, subnet=subnet
        )
        for position, (site_id, subnet) in enumerate(values.sites)
    )


async def _authorise(
    session: AsyncSession, organisation_id: UUID, values: ScheduleValues, registration: SiteRegistration
) -> None:
    problems = await authorise(session, organisation_id, values.sites, registration)
    if not problems:
        return
    first = problems[min(problems)]
    errors: dict[str, list[str]] = {}
    for position, problem in sorted(problems.items()):
        field = "id" if problem.code == "site_unknown" else "subnet"
        errors[f"sites.{position}.{field}"] = [problem.message]
    raise Invalid(first.code, first.message, errors)
