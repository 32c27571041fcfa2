"""`/scans/cve/{scan_id}/…`: a scan's hosts, findings, changes and files, and the signed downloads."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime
from importlib.resources import files
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from netvigil.access.edge import Caller, Paging, ReadSession, link_next, requires
from netvigil.access.links import check_signature
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id
from netvigil.access.wire import answers, utc_text
from netvigil.errors import NotFound
from netvigil.findings.models import Finding
from netvigil.reports import content, listing, queries
from netvigil.reports.diff_queries import describe_diff, get_previous_scan
from netvigil.reports.exports.edge import Chosen, Exported, answer
from netvigil.reports.exports.service import export_current, export_frozen, file_name
from netvigil.reports.exports.table import FORMATS, find_format_by_extension
from netvigil.reports.routes import links_of
from netvigil.scans.models import Scan
from netvigil.scans.states import ACTIVE

router = APIRouter(prefix="/scans/cve", tags=["Scan Results"])
downloads = APIRouter(prefix="/downloads/scans", tags=["Downloads"])
schemas = APIRouter(prefix="/schemas", tags=["Downloads"])
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]


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
    by_host: dict[UUID, list[Finding]] = defaultdict(list)
    for finding in await listing.list_findings_of(session, [row.id for row in rows]):
        by_host[finding.host_id].append(finding)
    return [content.describe_host(row, by_host[row.id], scan.min_cvss) for row in rows]


@router.get(
    "/{scan_id}/findings",
    summary="List a scan's findings",
    response_model=list[dict[str, Any]],
    responses=answers(404, 422),
)
async def list_findings(
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    scan_id: str,
    exported: Exported,
) -> Any:
    """The scan's findings at or above its `min_cvss` by the data of now; with `format` all of them as a file.

    `json` is this list itself, page by page; the report's own JSON is at `/scans/cve/{scan_id}?format=json`.
    """
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
    if exported is not None and exported.form.name != "json":
        return answer(scan, exported.form, await export_current(session, scan, *exported))
    rows = await listing.list_findings(session, scan, limit=page.limit, before=page.before)
    return await listing.build_instances(session, link_next(request, response, page, rows))


@router.get(
    "/{scan_id}/diff",
    summary="Compare two scans",
    response_model=dict[str, Any],
    responses=answers(404),
)
async def get_diff(
    session: ReadSession,
    caller: CanView,
    scan_id: str,
    other: Annotated[
        str | None,
        Query(alias="with", description="The scan to compare with; the schedule's previous completed one."),
    ] = None,
) -> dict[str, Any]:
    """What changed since another scan of the organisation: hosts, services and findings, site by site."""
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
    if other is None:
        return await describe_diff(session, scan, await get_previous_scan(session, scan))
    return await describe_diff(session, scan, await queries.get_scan(session, caller.organisation_id, other))


@router.get(
    "/{scan_id}/exports",
    summary="List the links to a scan's files",
    response_model=list[dict[str, Any]],
    responses=answers(404),
)
async def list_exports(
    request: Request, session: ReadSession, caller: CanView, scan_id: str
) -> list[dict[str, Any]]:
    """A signed link a format, empty until the scan has ended."""
    scan = await queries.get_scan(session, caller.organisation_id, scan_id)
    if scan.state in ACTIVE:
        return []
    links = links_of(request)
    expires_at = utc_text(datetime.fromtimestamp(int(time.time() + links.ttl), UTC))
    return [
        {
            "format": form.name,
            "url": links.to(scan, f"report.{form.extension}"),
            "media_type": form.media_type,
            "file_name": file_name(scan, form),
            "expires_at": expires_at,
        }
        for form in FORMATS.values()
    ]


@downloads.get("/{scan_id}/report.{extension}", summary="Download a report", responses=answers(404, 422))
async def download_report(
    request: Request,
    session: ReadSession,
    scan_id: str,
    extension: str,
    options: Chosen,
    expires: str = "",
    signature: str = "",
) -> Response:
    """The report as a file; the signature in the link is the permission, for this scan and form only."""
    check_signature(request.url.path, expires, signature, key=request.app.state.keys.link)
    form = find_format_by_extension(extension)
    scan = await session.get(Scan, path_id(scan_id, "scan"))
    if form is None or scan is None:
        raise NotFound("The report of this scan does not exist.")
    return answer(scan, form, await export_frozen(session, scan, form, options))


@downloads.get("/{scan_id}/log.txt", summary="Download a scan's log", responses=answers(404))
async def download_log(
    request: Request, session: ReadSession, scan_id: str, expires: str = "", signature: str = ""
) -> Response:
    """What happened in the scan, a line each; the signature in the link is the permission."""
    check_signature(request.url.path, expires, signature, key=request.app.state.keys.link)
    events = await content.list_events(session, path_id(scan_id, "scan"))
    lines = [f"{utc_text(event.at)} {event.kind:<14} {event.message}\n" for event in events]
    return Response("".join(lines), media_type="text/plain; charset=utf-8")


@schemas.get("/report-1.json", summary="The JSON schema of a report")
async def get_report_schema() -> Response:
    """The published schema of the reports' JSON (draft 2020-12); a new version gets a path of its own."""
    body = files("netvigil.reports.exports").joinpath("schemas", "report-1.json").read_bytes()
    return Response(body, media_type="application/schema+json")
