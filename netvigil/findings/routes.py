"""`/scans/cve/mac-address`: operations 13, 14, 16 and 17 of the contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response

from netvigil.access.edge import (
    Caller,
    JsonObject,
    Paging,
    ReadSession,
    Session,
    describes,
    json_body,
    link_next,
    requires,
)
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id, validated
from netvigil.access.wire import answers
from netvigil.errors import Invalid, NotFound
from netvigil.findings import decisions, intelligence
from netvigil.findings.decisions import DecisionFilter
from netvigil.findings.describing import describe_findings
from netvigil.findings.life_models import CveDecision
from netvigil.findings.schemas import (
    CveStatus,
    CveStatusAnswer,
    CveStatusList,
    CveStatusWrite,
    DeviceCveStatusWrite,
    DeviceSummary,
    MacCves,
    MacCvesWanted,
    parse_cve_id,
)
from netvigil.findings.states import Decision
from netvigil.inventory.mac import parse_mac

router = APIRouter(prefix="/scans/cve/mac-address")
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]
CanUpdate = Annotated[Caller, requires(Scope.CVE_UPDATE)]
MANY_MACS = 100
MANY_MACS_PAGE = 100  # keeps an answer about 500 devices under 300 ms
INTELLIGENCE = "Vulnerability Intelligence"
MANAGEMENT = "Vulnerability Management"
EXAMPLE_MACS = {"mac_addresses": ["00:1A:2B:3C:4D:5E"]}
EXAMPLE_DECISION = {
    "mac_address": "00:1A:2B:3C:4D:5E",
    "cve_id": "CVE-2024-12345",
    "status": "accepted",
    "justification": "Reachable from the management network only; replaced in March.",
}


@router.post(
    "/cves",
    summary="CVEs by MAC Address",
    tags=[INTELLIGENCE],
    response_model=MacCves,
    responses=answers(400, 413, 422),
    openapi_extra=describes(MacCvesWanted, EXAMPLE_MACS),
)
async def find_cves(
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    wanted: Annotated[MacCvesWanted, json_body(MacCvesWanted)],
) -> Response:
    """What up to 500 devices have, each CVE and device once, the newest occurrence first."""
    return await _answer_cves(request, response, session, caller, page, wanted)


@router.get(
    "/cves",
    summary="CVEs by MAC Address",
    tags=[INTELLIGENCE],
    response_model=MacCves,
    responses=answers(422),
)
async def read_cves(
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    mac_address: Annotated[
        list[str] | None, Query(description="Once for each MAC, or several with commas between.")
    ] = None,
    include_resolved: Annotated[str, Query(description="`true` lists what is gone too.")] = "false",
) -> Response:
    """The same by query parameters."""
    macs = [one.strip() for text in mac_address or () for one in text.split(",")]
    body = {"mac_addresses": macs} if mac_address is not None else {}
    wanted = validated(MacCvesWanted, {**body, "include_resolved": include_resolved})
    return await _answer_cves(request, response, session, caller, page, wanted)


@router.get(
    "/list",
    summary="List Devices",
    tags=[INTELLIGENCE],
    response_model=list[DeviceSummary],
    responses=answers(422),
)
async def list_devices(
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    site_id: Annotated[
        str | None, Query(description="Only devices that were seen last at this site.")
    ] = None,
) -> list[DeviceSummary]:
    """Every device that a scan has seen, the last seen first."""
    rows = await intelligence.list_devices(
        session,
        caller.organisation_id,
        site_id=_id("site_id", site_id),
        limit=page.limit,
        before=page.before,
    )
    devices = link_next(request, response, page, rows)
    return await intelligence.summarise_devices(session, caller.organisation_id, devices)


@router.get(
    "/cve/status",
    summary="List CVE Statuses",
    tags=[MANAGEMENT],
    response_model=CveStatusList,
    responses=answers(422),
)
async def list_statuses(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    mac_address: str | None = None,
    cve_id: str | None = None,
    status: str | None = None,
    device_id: str | None = None,
) -> CveStatusList:
    """Every decision, expired and overtaken ones too, the newest first; `in_force` names those that count."""
    only = DecisionFilter(
        mac=_checked("mac_address", mac_address, parse_mac),
        cve_id=_checked("cve_id", cve_id, parse_cve_id),
        status=_status(status),
        device_id=_id("device_id", device_id),
    )
    rows = await decisions.list_decisions(
        session, caller.organisation_id, only, limit=page.limit, before=page.before
    )
    rows = link_next(request, response, page, rows)
    in_force = await decisions.find_in_force(session, caller.organisation_id, rows)
    return CveStatusList(data=[_record(row, in_force=row.id in in_force) for row in rows])


@router.post(
    "/cve/status",
    summary="Update CVE Status",
    tags=[MANAGEMENT],
    response_model=CveStatusAnswer,
    status_code=201,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(CveStatusWrite, EXAMPLE_DECISION),
)
async def update_status(session: Session, caller: CanUpdate, body: JsonObject) -> CveStatusAnswer:
    """Decide about a CVE on a device; every decision is a new record, and counts for past and future scans."""
    mac = device_id = None
    wanted: CveStatusWrite | DeviceCveStatusWrite
    if body.get("device_id") is not None and body.get("mac_address") is None:
        wanted = validated(DeviceCveStatusWrite, body)
        device_id = wanted.device_id
    else:
        wanted = validated(CveStatusWrite, body)
        mac = wanted.mac_address
    record = await decisions.decide(
        session,
        caller.organisation_id,
        mac=mac,
        device_id=device_id,
        cve_id=wanted.cve_id,
        status=wanted.status,
        justification=wanted.justification,
        expires_at=wanted.expires_at,
        author=caller.principal.subject,
    )
    shown = _record(record, in_force=True)
    return CveStatusAnswer(**shown.model_dump(), data=shown, message=_message(record))


async def _answer_cves(
    request: Request,
    response: Response,
    session: ReadSession,
    caller: Caller,
    page: Paging,
    wanted: MacCvesWanted,
) -> Response:
    macs = list(dict.fromkeys(wanted.mac_addresses))
    if len(macs) > MANY_MACS and "limit" not in request.query_params:
        page = replace(page, limit=MANY_MACS_PAGE)
    devices = await intelligence.find_devices(session, caller.organisation_id, macs)
    ids = [device.id for device in devices.values()]
    standings = await decisions.find_standings(session, caller.organisation_id, ids)
    tallies = await intelligence.tally_devices(session, ids, standings)
    history, scans = await intelligence.count_history(session, ids)
    rows = await intelligence.list_vulnerabilities(
        session, ids, with_resolved=wanted.include_resolved, limit=page.limit, before=page.before
    )
    lives = link_next(request, response, page, rows)
    findings = await intelligence.newest_findings(session, lives)
    cves = await describe_findings(
        session,
        findings,
        with_others=True,
        lives={(one.device_id, one.cve_id): one for one in lives},
        standings=standings,
    )
    stats = {}
    for mac in macs:
        device = devices.get(mac)
        own = (tallies[device.id], history[device.id]) if device else (None, (0, 0))
        stats[mac] = intelligence.mac_stats(device, *own)
    document: dict[str, Any] = {
        "mac_addresses": macs,
        "total_scans": scans,
        "total_cve_instances": sum(instances for _, instances in history.values()),
        "total_host_count": len(devices),
        "mac_stats": stats,
        "stats": intelligence.overall_stats(tallies.values(), await intelligence.count_unique(session, ids)),
        "cves": cves,
    }
    # written as it is: to check what we have just built, instance by instance, would cost half of the answer's time
    return Response(orjson.dumps(document), media_type="application/json", headers=dict(response.headers))


def _record(row: CveDecision, *, in_force: bool) -> CveStatus:
    return CveStatus(
        id=row.id,
        mac_address=row.mac,
        device_id=row.device_id,
        cve_id=row.cve_id,
        status=Decision(row.status),
        justification=row.justification,
        scan_id=row.scan_id,
        expiration_date=row.expires_at,
        created_by=row.created_by,
        updated_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.overruled_at or row.created_at,
        overruled_at=row.overruled_at,
        in_force=in_force,
    )


def _message(record: CveDecision) -> str:
    named = record.mac or f"device {record.device_id}"
    if record.status == Decision.OPEN:
        return f"{record.cve_id} on {named} is open again."
    ahead = (
        "" if record.scan_id else " No scan has seen it there yet; it counts from the first one that does."
    )
    return f"{record.cve_id} on {named} is {record.status} now.{ahead}"


def _checked(field: str, value: str | None, check: Any) -> str | None:
    if value is None:
        return None
    try:
        checked: str = check(value)
    except Invalid as error:
        raise _invalid(field, error.message) from None
    return checked


def _status(value: str | None) -> Decision | None:
    if value is None:
        return None
    try:
        return Decision(value)
    except ValueError:
        raise _invalid("status", f"it must be one of {', '.join(Decision)}") from None


def _id(field: str, value: str | None) -> UUID | None:
    if value is None:
        return None
    try:
        return path_id(value, field)
    except NotFound:
        raise _invalid(field, "it must be a UUID") from None


def _invalid(field: str, reason: str) -> Invalid:
    message = f"The '{field}' parameter is invalid: {reason.rstrip('.')}."
    return Invalid("parameter_invalid", message, {field: [message]})
