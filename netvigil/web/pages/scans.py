"""`/scans`: every scan, and the report of each."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from netvigil.access.edge import ReadSession, Session, cursor_after, read_cursor
from netvigil.access.scopes import Scope
from netvigil.errors import Invalid, NotFound
from netvigil.reports.diff_queries import get_previous_scan
from netvigil.reports.exports.table import FORMATS
from netvigil.reports.history import not_scanned
from netvigil.reports.listing import build_instances
from netvigil.reports.pdf.service import have_pdf
from netvigil.reports.queries import Links, ReportFilter, build_reports, build_status, get_scan, list_scans
from netvigil.scans.events import find_scan_id
from netvigil.scans.models import Scan
from netvigil.scans.service import lock_scan, stop_locked
from netvigil.scans.states import ACTIVE, ScanState
from netvigil.web.rendering import go_to, render, with_query
from netvigil.web.scan_queries import (
    PAGE_SIZE,
    SORTS,
    STATUSES,
    FindingFilter,
    count_by_severity,
    page_findings,
)
from netvigil.web.session import PostedForm, Viewer, needs

router = APIRouter()
SCANS_A_PAGE: Final = 30
FORMAT_NAMES: Final = {"json": "JSON", "csv": "CSV", "sarif": "SARIF", "cyclonedx": "CycloneDX"}
CanView = Annotated[Viewer, needs(Scope.CVE_VIEW)]
CanRun = Annotated[Viewer, needs(Scope.CVE_RUN)]


@router.get("/scans")
async def list_all(
    request: Request, session: ReadSession, viewer: CanView, state: str = "", cursor: str = ""
) -> Response:
    """The organisation's scans, the newest first."""
    only = ReportFilter(state=ScanState(state) if state in list(ScanState) else None)
    try:
        before = read_cursor(cursor) if cursor else None
    except Invalid:
        before = None
    rows = await list_scans(session, viewer.caller.organisation_id, only, limit=SCANS_A_PAGE, before=before)
    shown = rows[:SCANS_A_PAGE]
    reports = await build_reports(session, shown, _links(request))
    older = cursor_after(shown[-1]) if len(rows) > SCANS_A_PAGE else ""
    return render(
        request,
        "scans.html",
        scans=list(zip(shown, reports, strict=True)),
        chosen=only.state,
        states=list(ScanState),
        first_page=before is None,
        older=with_query("/scans", {"state": only.state or "", "cursor": older}) if older else "",
    )


@router.get("/scans/{scan_id}")
async def show_scan(request: Request, session: ReadSession, viewer: CanView, scan_id: str) -> Response:
    """The report of a scan; while it runs, how far it is."""
    scan = await get_scan(session, viewer.caller.organisation_id, scan_id)
    only = FindingFilter.read(request.query_params)
    links = _links(request)
    [report] = await build_reports(session, [scan], links)
    found, number = await page_findings(session, scan, only)
    path = f"/scans/{scan.human_id}"
    return render(
        request,
        "scan.html",
        scan=scan,
        report=report,
        scan_status=build_status(scan),
        active=scan.state in ACTIVE,
        previous=await _previous(session, scan),
        by_severity=await count_by_severity(session, scan),
        findings=await build_instances(session, found),
        number=number,
        only=only,
        pages=max(1, ceil(number / PAGE_SIZE)),
        at=lambda **changes: with_query(path, only.query(**{"page": "", **changes})) + "#findings",
        path=path,
        files=await _files(session, scan, links),
        left_out=not_scanned(scan, []),
        site_names={str(site.site_id): site.site_name for site in scan.sites},
        sorts=SORTS,
        statuses=STATUSES,
    )


@router.post("/scans/{scan_id}/stop")
async def stop_scan(session: Session, viewer: CanRun, scan_id: str, form: PostedForm) -> Response:  # noqa: ARG001 - proof
    """Stop a running scan; what was seen until then is kept and reported."""
    wanted = await find_scan_id(session, viewer.caller.organisation_id, scan_id)
    scan = await lock_scan(session, wanted)
    await stop_locked(session, scan, now=datetime.now(UTC))
    return go_to(f"/scans/{scan.human_id}")


def _links(request: Request) -> Links:
    """Links on this very service, whatever it is called outside."""
    state = request.app.state
    return Links(base="", key=state.keys.link, ttl=state.settings.link_ttl)


async def _files(session: AsyncSession, scan: Scan, links: Links) -> list[tuple[str, str]]:
    """What can be downloaded, by name."""
    if scan.state in ACTIVE:
        return [("Log", links.to(scan, "log.txt"))]
    files = [
        (FORMAT_NAMES.get(form.name, form.name.upper()), links.to(scan, f"report.{form.extension}"))
        for form in FORMATS.values()
    ]
    if scan.id in await have_pdf(session, [scan.id]):
        files.insert(0, ("PDF", links.to(scan, "report.pdf")))
    return [*files, ("Log", links.to(scan, "log.txt"))]


async def _previous(session: AsyncSession, scan: Scan) -> dict[str, Any] | None:
    """The numbers that this scan's are held against, None where there is no run before it."""
    try:
        before = await get_previous_scan(session, scan)
    except NotFound:
        return None
    return {"human_id": before.human_id, "started_at": before.started_at, **(before.summary or {})}
