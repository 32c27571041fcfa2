"""`/live/{scan_id}`: a scan's events for the page that shows it, by the session's cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import ReadSession
from netvigil.access.scopes import Scope
from netvigil.scans.event_routes import EventStream, position_of
from netvigil.scans.events import find_scan_id
from netvigil.scans.following import follow
from netvigil.scans.streams import Streams
from netvigil.web.session import Viewer, needs

router = APIRouter()


@router.get("/live/{scan_id}")
async def watch(
    request: Request,
    session: ReadSession,
    viewer: Annotated[Viewer, needs(Scope.CVE_VIEW)],
    scan_id: str,
) -> Response:
    """The stream that the API has at `/scans/cve/{scan_id}/events`."""
    wanted = await find_scan_id(session, viewer.caller.organisation_id, scan_id)
    streams: Streams = request.app.state.streams
    streams.admit()
    position = position_of(request.headers.get("last-event-id"), None)
    return EventStream(follow(streams, wanted, position), streams.closed)
