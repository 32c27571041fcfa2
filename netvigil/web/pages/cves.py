"""`/cves/{cve_id}`: what a CVE is, what to do about it, and who has it."""

from __future__ import annotations

from math import ceil
from typing import Annotated

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import ReadSession
from netvigil.access.scopes import Scope
from netvigil.catalogue.records import CVE_ID, parse_vector
from netvigil.errors import NotFound
from netvigil.findings.decisions import find_standings
from netvigil.mitigation.queries import get_facts
from netvigil.mitigation.service import build_mitigation
from netvigil.web.device_queries import PAGE_SIZE, page_affected, site_names
from netvigil.web.rendering import render, with_query
from netvigil.web.session import Viewer, needs
from netvigil.web.words import page_number

router = APIRouter()


@router.get("/cves/{cve_id}")
async def show_cve(
    request: Request,
    session: ReadSession,
    viewer: Annotated[Viewer, needs(Scope.CVE_VIEW)],
    cve_id: str,
    page: str = "1",
) -> Response:
    """Facts, mitigation, and every affected device.

    A section by a language model takes seconds, so it is asked for by `?written=1` only.
    """
    name = cve_id.upper()
    if not CVE_ID.fullmatch(name):
        raise NotFound(f"{cve_id[:40]!r} is not a CVE identifier, such as CVE-2018-14847.")
    organisation_id = viewer.caller.organisation_id
    number = page_number(page)
    facts = await get_facts(session, name)
    affected, total = await page_affected(session, organisation_id, name, number)
    standings = await find_standings(session, organisation_id, {device.id for _, device in affected})
    writer = request.app.state.section_writer
    asked = writer is not None and request.query_params.get("written") == "1"
    mitigation = await build_mitigation(
        request.app.state.database, organisation_id, name, writer if asked else None
    )
    record = facts.record
    metric = record.best_metric if record else None
    return render(
        request,
        "cve.html",
        cve_id=name,
        facts=facts,
        record=record,
        metric=metric,
        metric_words=parse_vector(metric.vector) if metric else {},
        mitigation=mitigation,
        may_be_written=writer is not None and not asked,
        affected=affected,
        total=total,
        page=number,
        at=lambda page: with_query(f"/cves/{name}", {"page": page}),
        pages=max(1, ceil(total / PAGE_SIZE)),
        standings=standings,
        sites=await site_names(session, organisation_id),
    )
