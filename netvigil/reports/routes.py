"""`/scans/cve`: operations 10 to 12 of the contract, and the signed downloads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from netvigil.access.edge import Caller, Paging, ReadSession, Session, base_url, link_next, requires
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id
from netvigil.access.wire import answers, utc_text
from netvigil.errors import Invalid, NotFound
from netvigil.reports import content, listing, queries
from netvigil.reports.links import check_signature
from netvigil.reports.queries import Links, ReportFilter
from netvigil.reports.schemas import ScanReport, ScanStatus
from netvigil.scans.states import ScanState
from netvigil.schedules.service import get_schedule

router = APIRouter(prefix="/scans/cve", tags=["Scan Results"])
downloads = APIRouter(prefix="/downloads/scans", tags=["Downloads"])
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


@router.get("/{scan_id}", summary="Retrieve a Scan Report", response_model=ScanReport, responses=answers(404))
async def get_report(request: Request, session: ReadSession, caller: CanView, scan_id: str) -> ScanReport:
    """One scan, by its UUID or its human identifier."""
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
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


@router.get(
    "/{scan_id}/hosts",
    summary="List a scan's hosts",
    response_model=list[dict[str, Any]],
    responses=answers(404, 422),
)
async def list_hosts(
    request: Request, response: Response, session: ReadSession, caller: CanView, page: Paging, scan_id: str
) -> list[dict[str, Any]]:
    """The scan's live hosts with their services, as far as they are known."""
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
    rows = await listing.list_hosts(session, scan, limit=page.limit, before=page.before)
    rows = link_next(request, response, page, rows)
    findings = await listing.list_findings_of(session, [row.id for row in rows])
    return [content.describe_host(row, findings, scan.min_cvss) for row in rows]


@router.get(
    "/{scan_id}/findings",
    summary="List a scan's findings",
    response_model=list[dict[str, Any]],
    responses=answers(404, 422),
)
async def list_findings(
    request: Request, response: Response, session: ReadSession, caller: CanView, page: Paging, scan_id: str
) -> list[dict[str, Any]]:
    """The scan's findings at or above its `min_cvss`, each with its proof."""
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
    rows = await listing.list_findings(session, scan, limit=page.limit, before=page.before)
    return await listing.build_instances(session, link_next(request, response, page, rows))


@downloads.get("/{scan_id}/report.json", summary="Download a report as JSON", responses=answers(404))
async def download_report(
    request: Request, session: Session, scan_id: str, expires: str = "", signature: str = ""
) -> Response:
    """The full report; the signature in the link is the permission."""
    check_signature(request.url.path, expires, signature, key=request.app.state.keys.link)
    body = await content.find_report(session, path_id(scan_id, "scan"))
    if body is None:
        raise NotFound("The report of this scan does not exist.")
    name = f"netvigil-{scan_id}.json"
    return Response(
        body, media_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@downloads.get("/{scan_id}/log.txt", summary="Download a scan's log", responses=answers(404))
async def download_log(
    request: Request, session: Session, scan_id: str, expires: str = "", signature: str = ""
) -> Response:
    """What happened in the scan, a line each; the signature in the link is the permission."""
    check_signature(request.url.path, expires, signature, key=request.app.state.keys.link)
    events = await content.list_events(session, path_id(scan_id, "scan"))
    lines = [f"{utc_text(event.at)} {event.kind:<14} {event.message}\n" for event in events]
    return Response("".join(lines), media_type="text/plain; charset=utf-8")


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
