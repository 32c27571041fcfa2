"""`/`: what a network engineer looks at every morning."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import ReadSession
from netvigil.access.scopes import Scope
from netvigil.catalogue.feed_states import read_feeds
from netvigil.reports.queries import build_status
from netvigil.web.attention import list_concerns
from netvigil.web.chart import build_chart
from netvigil.web.overview_queries import count_open, list_running, list_worst_sites, read_days
from netvigil.web.rendering import render
from netvigil.web.session import Viewer, needs

router = APIRouter()


@router.get("/")
async def show_overview(
    request: Request, session: ReadSession, viewer: Annotated[Viewer, needs(Scope.CVE_VIEW)]
) -> Response:
    """Concerns in order, open findings over time, running scans, sites, and how old the data is."""
    organisation_id = viewer.caller.organisation_id
    state = request.app.state
    feeds = await read_feeds(session, state.feed_settings, dead_after=state.settings.worker_dead_after)
    numbers, by_site = await count_open(session, organisation_id)
    days = await read_days(session, organisation_id, numbers.by_severity, datetime.now(UTC).date())
    running = await list_running(session, organisation_id)
    sites, site_count = (
        await list_worst_sites(session, organisation_id, by_site)
        if viewer.may(Scope.SITES_VIEW)
        else (None, 0)
    )
    return render(
        request,
        "overview.html",
        concerns=await list_concerns(session, organisation_id, feeds),
        numbers=numbers,
        days=days,
        chart=build_chart(days),
        running=[(scan, build_status(scan)) for scan in running],
        sites=sites,
        site_count=site_count,
        feeds=feeds,
    )
