"""`/scans/cve`: operations 10 to 12 of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from netvigil.access.edge import Caller, Paging, ReadSession, base_url, link_next, requires
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id
from netvigil.access.wire import answers
from netvigil.errors import Invalid, NotFound
from netvigil.reports import queries
from netvigil.reports.exports.edge import Exported, answer
from netvigil.reports.exports.service import export_frozen
from netvigil.reports.queries import Links, ReportFilter
from netvigil.reports.schemas import ScanReport, ScanStatus
from netvigil.scans.states import ScanState
from netvigil.schedules.service import get_schedule

router = APIRouter(prefix="/scans/cve", tags=["Scan Results"])
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]


def links_of(request: Request) -> Links:
    """How links of this answer are made."""
    state = request.app.state
    return Links(base=base_url(request), key=state.keys.link, ttl=state.settings.link_ttl)


def read_filter(
    schedule_id: str | None = None,
    site_id: str | None = None,
    state: str | None = None,
    since: Annotated[str | None, Query(description="ISO 8601; scans started at or after this time.")] = None,
    until: Annotated[str | None, Query(description="ISO 8601; scans started before this time.")] = None,
) -> ReportFilter:
    """The list's filters; raises Invalid (422) on a value that cannot be meant."""
    return ReportFilter(
        schedule_id=_id("schedule_id", schedule_id),
        site_id=_id("site_id", site_id),
        state=_state(state),
        since=_time("since", since),
        until=_time("until", until),
    )


@router.get("", summary="List Scan Reports", response_model=list[ScanReport], responses=answers(422))
async def list_reports(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    schedule_id: str | None = None,
    site_id: str | None = None,
    state: str | None = None,
    since: Annotated[str | None, Query(description="ISO 8601; scans started at or after this time.")] = None,
    until: Annotated[str | None, Query(description="ISO 8601; scans started before this time.")] = None,
) -> list[ScanReport]:
    """Every scan of the organisation, running ones included, newest first."""
    only = read_filter(schedule_id, site_id, state, since, until)
    rows = await queries.list_scans(
        session, caller.organisation_id, only, limit=page.limit, before=page.before
    )
    return await queries.build_reports(session, link_next(request, response, page, rows), links_of(request))


@router.get(
    "/{scan_id}", summary="Retrieve a Scan Report", response_model=ScanReport, responses=answers(404, 422)
)
async def get_report(
    request: Request, session: ReadSession, caller: CanView, scan_id: str, exported: Exported
) -> Any:
    """One scan, by its UUID or its human identifier; with `format` its frozen report as a file."""
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
    if exported is not None:
        return answer(scan, exported.form, await export_frozen(session, scan, *exported))
    return (await queries.build_reports(session, [scan], links_of(request)))[0]


@router.get(
    "/{scanScheduleId}/status",
    summary="Latest Scan Status",
    response_model=ScanStatus | list[Any],
    responses=answers(404),
)
async def get_status(session: ReadSession, caller: CanView, scanScheduleId: str) -> ScanStatus | list[Any]:
    """How far the schedule's latest run is; an empty array when none has run yet. A scan's own id is taken too."""
    try:
        wanted = path_id(scanScheduleId, "scan schedule")
        await get_schedule(session, caller.organisation_id, wanted)
    except NotFound as no_schedule:
        try:
            own = await queries.get_scan(session, caller.organisation_id, scanScheduleId)
        except NotFound:
            raise no_schedule from None
        return queries.build_status(own)
    scan = await queries.find_latest_scan(session, caller.organisation_id, wanted)
    return queries.build_status(scan) if scan else []


def _id(field: str, value: str | None) -> UUID | None:
    if value is None:
        return None
    try:
        return path_id(value, field)
    except NotFound:
        raise _invalid(field, "a UUID") from None


def _state(value: str | None) -> ScanState | None:
    if value is None:
        return None
    try:
        return ScanState(value)
    except ValueError:
        raise _invalid("state", f"one of {', '.join(ScanState)}") from None


def _time(field: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        # a '+' of an offset arrives as a space when a client forgot to encode it
        when = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(field, "an ISO 8601 time such as 2026-01-31T12:00:00Z") from None


def _invalid(field: str, wanted: str) -> Invalid:
    message = f"The '{field}' parameter must be {wanted}."
    return Invalid("parameter_invalid", message, {field: [message]})
