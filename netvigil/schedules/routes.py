"""`/scans/cve/scheduled`: operations 1 to 5 of the contract."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response

from netvigil.access.edge import (
    Caller,
    JsonObject,
    Paging,
    ReadSession,
    Session,
    base_url,
    describes,
    json_body,
    link_next,
    requires,
)
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id, validated
from netvigil.access.wire import answers
from netvigil.probing.ports import Profile
from netvigil.schedules import models, service
from netvigil.schedules.activity import Activity, GroupsReader
from netvigil.schedules.schemas import EXAMPLE, ScanSchedule, ScanScheduleSite, ScanScheduleWrite
from netvigil.schedules.service import ScheduleValues
from netvigil.sites.schemas import ExclusionLists, MaintenanceWindow
from netvigil.sites.wall_clock import is_timezone

router = APIRouter(prefix="/scans/cve/scheduled", tags=["Scan Schedules"])
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]
CanCreate = Annotated[Caller, requires(Scope.CVE_CREATE)]
CanUpdate = Annotated[Caller, requires(Scope.CVE_UPDATE)]
CanDelete = Annotated[Caller, requires(Scope.CVE_DELETE)]
Body = Annotated[ScanScheduleWrite, json_body(ScanScheduleWrite)]
_ZONE_LOST = (
    "This host's tz database does not know the timezone '{zone}' any more: runs are planned by its last known offset "
    "from UTC, and times are shown in UTC, until it does or the schedule has another one."
)
_WINDOW_ZONE_LOST = "This host's tz database does not know the timezone '{zone}' of a maintenance window any more: it is read as UTC."
_LISTS = {"sites", "exclusions", "maintenance_windows"}
log = structlog.get_logger(__name__)


def _shown(schedule: models.ScanSchedule, activity: Activity, groups: Collection[str]) -> ScanSchedule:
    last = schedule.last_run_at
    return ScanSchedule(
        **_written(schedule).model_dump(exclude=_LISTS),
        id=schedule.id,
        next_scan_at=service.local_time(schedule, schedule.next_scan_at),
        running=activity.running,
        # stored in normal form: reading thousands of entries again for each row of a list would take seconds
        exclusions=ExclusionLists.model_construct(**schedule.exclusions),
        maintenance_windows=list(map(MaintenanceWindow.stored, schedule.maintenance_windows)),
        sites=[ScanScheduleSite(id=s.site_id, subnet=str(s.subnet)) for s in schedule.sites],
        created_at=schedule.created_at,
        updated_at=schedule.updated_at,
        status=activity.status,
        last_run_at=service.local_time(schedule, last) if last else None,
        latest_scan=activity.latest_scan,
        warnings=_warnings(schedule, groups),
    )


def _warnings(schedule: models.ScanSchedule, groups: Collection[str]) -> list[str]:
    warnings: list[str] = []
    if schedule.notification_group not in groups:
        warnings.append(
            f"No notification group is called '{schedule.notification_group}': nobody is notified."
        )
    if not is_timezone(schedule.timezone):
        warnings.append(_ZONE_LOST.format(zone=schedule.timezone))
    lost = {one["timezone"] for one in schedule.maintenance_windows} - {None}
    warnings += [_WINDOW_ZONE_LOST.format(zone=zone) for zone in sorted(lost) if not is_timezone(zone)]
    return warnings


def _written(schedule: models.ScanSchedule) -> ScanScheduleWrite:
    """The schedule as a client would send it; the base that a PATCH changes."""
    return ScanScheduleWrite.model_construct(
        description=schedule.description,
        day_of_week=schedule.day_of_week,
        time_of_day=schedule.time_of_day.isoformat("minutes"),
        every_n_weeks=schedule.every_n_weeks,
        timezone=schedule.timezone,
        min_cvss=schedule.min_cvss,
        warning_threshold=schedule.warning_threshold,
        sites=[{"id": s.site_id, "subnet": str(s.subnet)} for s in schedule.sites],
        notification_group=schedule.notification_group,
        ignore_offline_sites=schedule.ignore_offline_sites,
        notify=schedule.notify,
        profile=Profile(schedule.profile),
        exclusions=schedule.exclusions,
        maintenance_windows=schedule.maintenance_windows,
        max_duration_minutes=schedule.max_duration_minutes,
    )


def _values(body: ScanScheduleWrite) -> ScheduleValues:
    sites = [(site.id, IPv4Network(site.subnet)) for site in body.sites]
    windows = [window.value() for window in body.maintenance_windows]
    plain = body.model_dump(exclude=_LISTS)
    return ScheduleValues(
        **plain, sites=sites, exclusions=body.exclusions.value(), maintenance_windows=windows
    )


async def _activity(
    request: Request, session: Session, schedules: list[models.ScanSchedule]
) -> list[Activity]:
    known = await request.app.state.schedule_activity(session, [s.id for s in schedules], base_url(request))
    return [known.get(schedule.id, Activity()) for schedule in schedules]


async def _groups(
    request: Request, session: Session, organisation_id: UUID, schedules: list[models.ScanSchedule]
) -> set[str]:
    """Which names of notification groups that these schedules use are a group's."""
    read: GroupsReader = request.app.state.known_groups
    return await read(session, organisation_id, {schedule.notification_group for schedule in schedules})


async def _one(request: Request, session: Session, schedule: models.ScanSchedule) -> ScanSchedule:
    groups = await _groups(request, session, schedule.organisation_id, [schedule])
    return _shown(schedule, (await _activity(request, session, [schedule]))[0], groups)


@router.get("", summary="List Scan Schedules", response_model=list[ScanSchedule], responses=answers(422))
async def list_schedules(
    request: Request, response: Response, session: ReadSession, caller: CanView, page: Paging
) -> list[ScanSchedule]:
    """Every schedule of the organisation, newest first."""
    rows = await service.list_schedules(session, caller.organisation_id, limit=page.limit, before=page.before)
    rows = link_next(request, response, page, rows)
    activity = await _activity(request, session, rows)
    groups = await _groups(request, session, caller.organisation_id, rows)
    return [_shown(row, seen, groups) for row, seen in zip(rows, activity, strict=True)]


@router.post(
    "",
    summary="Create Scan Schedule",
    operation_id="createScanSchedule",
    status_code=201,
    response_model=ScanSchedule,
    responses=answers(400, 413, 422),
    openapi_extra=describes(ScanScheduleWrite, EXAMPLE),
)
async def create_schedule(request: Request, session: Session, caller: CanCreate, body: Body) -> ScanSchedule:
    """Create a recurring CVE scan schedule and plan its first run."""
    schedule = await service.create_schedule(
        session,
        caller.organisation_id,
        _values(body),
        registration=request.app.state.settings.site_registration,
        now=datetime.now(UTC),
    )
    groups = await _groups(request, session, caller.organisation_id, [schedule])
    log.info("schedule created", schedule_id=str(schedule.id), warnings=_warnings(schedule, groups))
    return _shown(schedule, Activity(), groups)


@router.get(
    "/{scanScheduleId}", summary="Retrieve Scan Schedule", response_model=ScanSchedule, responses=answers(404)
)
async def get_schedule(
    request: Request, session: ReadSession, caller: CanView, scanScheduleId: str
) -> ScanSchedule:
    """One schedule."""
    wanted = path_id(scanScheduleId, "scan schedule")
    return await _one(request, session, await service.get_schedule(session, caller.organisation_id, wanted))


async def _update(
    request: Request, session: Session, schedule: models.ScanSchedule, body: ScanScheduleWrite
) -> ScanSchedule:
    await service.update_schedule(
        session,
        schedule,
        _values(body),
        registration=request.app.state.settings.site_registration,
        now=datetime.now(UTC),
    )
    return await _one(request, session, schedule)


@router.put(
    "/{scanScheduleId}",
    summary="Replace Scan Schedule",
    response_model=ScanSchedule,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(ScanScheduleWrite, EXAMPLE),
)
async def replace_schedule(
    request: Request,
    session: Session,
    caller: CanUpdate,
    scanScheduleId: str,
    body: Body,
) -> ScanSchedule:
    """Replace the whole schedule; a changed timing plans the next run anew."""
    wanted = path_id(scanScheduleId, "scan schedule")
    schedule = await service.get_schedule(session, caller.organisation_id, wanted, lock=True)
    return await _update(request, session, schedule, body)


@router.patch(
    "/{scanScheduleId}",
    summary="Update Scan Schedule",
    response_model=ScanSchedule,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(ScanScheduleWrite, {"description": "A new name"}, part=True),
)
async def change_schedule(
    request: Request, session: Session, caller: CanUpdate, scanScheduleId: str, changes: JsonObject
) -> ScanSchedule:
    """Change the fields given and keep the others."""
    wanted = path_id(scanScheduleId, "scan schedule")
    schedule = await service.get_schedule(session, caller.organisation_id, wanted, lock=True)
    now = _written(schedule).model_dump(warnings=False)
    body = validated(ScanScheduleWrite, {**now, **changes})
    return await _update(request, session, schedule, body)


@router.delete(
    "/{scanScheduleId}", summary="Delete Scan Schedule", status_code=204, responses=answers(404, 409)
)
async def delete_schedule(request: Request, session: Session, caller: CanDelete, scanScheduleId: str) -> None:
    """Delete the schedule; its past reports stay."""
    wanted = path_id(scanScheduleId, "scan schedule")
    schedule = await service.get_schedule(session, caller.organisation_id, wanted, lock=True)
    activity = (await _activity(request, session, [schedule]))[0]
    await service.delete_schedule(session, schedule, running=activity.running)
