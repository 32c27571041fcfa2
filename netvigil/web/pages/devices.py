"""`/devices`: every device, and what is known of each."""

from __future__ import annotations

from math import ceil
from typing import Annotated

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import ReadSession
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id
from netvigil.findings.intelligence import newest_findings, summarise_devices
from netvigil.findings.queries import get_device
from netvigil.findings.states import LifeState
from netvigil.web.device_queries import (
    PAGE_SIZE,
    SORTS,
    DeviceFilter,
    page_devices,
    site_names,
    worst_of,
)
from netvigil.web.rendering import render, with_query
from netvigil.web.session import Viewer, needs

router = APIRouter()
CanView = Annotated[Viewer, needs(Scope.CVE_VIEW)]


@router.get("/devices")
async def list_all(request: Request, session: ReadSession, viewer: CanView) -> Response:
    """Devices with their addresses and open CVEs."""
    organisation_id = viewer.caller.organisation_id
    only = DeviceFilter.read(request.query_params)
    rows, number = await page_devices(session, organisation_id, only)
    return render(
        request,
        "devices.html",
        devices=await summarise_devices(session, organisation_id, rows),
        worst=await worst_of(session, [row.id for row in rows]),
        number=number,
        only=only,
        pages=max(1, ceil(number / PAGE_SIZE)),
        at=lambda **changes: with_query("/devices", only.query(**{"page": "", **changes})),
        sites=await site_names(session, organisation_id),
        sorts=SORTS,
    )


@router.get("/devices/{device_id}")
async def show_device(request: Request, session: ReadSession, viewer: CanView, device_id: str) -> Response:
    """Identity, addresses over time, services, CVEs with their history, decisions."""
    organisation_id = viewer.caller.organisation_id
    found = await get_device(session, organisation_id, path_id(device_id, "device"))
    findings = await newest_findings(session, [one.life for one in found.vulnerabilities])
    evidence = {one.id: one.evidence for one in findings}
    is_open = [one for one in found.vulnerabilities if one.life.state == LifeState.OPEN]
    return render(
        request,
        "device.html",
        found=found,
        device=found.device,
        open=is_open,
        gone=[one for one in found.vulnerabilities if one.life.state != LifeState.OPEN],
        evidence_of=lambda life: evidence.get(life.finding_id),
        sites=await site_names(session, organisation_id),
    )
