"""`/scans/cve/{scan_id}/events`: what happens in a scan, as a stream or as a list."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from netvigil.access.edge import DOCUMENTED_BODIES, Caller, Paging, ReadSession, link_next, requires
from netvigil.access.scopes import Scope
from netvigil.access.wire import answers
from netvigil.errors import Invalid
from netvigil.scans import events
from netvigil.scans.event_schemas import ScanEndBody, ScanEventBody, ScanProgressBody
from netvigil.scans.following import follow
from netvigil.scans.positions import START, Position
from netvigil.scans.streams import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

router = APIRouter(prefix="/scans/cve", tags=["Scan Execution"])
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]
STREAM = "text/event-stream"
SEND_PATIENCE_SECONDS = 60.0  # for a client that takes nothing; then it is gone
FAREWELL_SECONDS = 0.5

DOCUMENTED_BODIES |= {model.__name__: model for model in (ScanProgressBody, ScanEndBody)}
_STREAM_SCHEMA = {
    "type": "string",
    "description": (
        "Server-sent events. The name of each says what happened; `data` is a JSON object: a ScanEventBody, for "
        "`progress` a ScanProgressBody, for `end` a ScanEndBody. Send the last `id` as the header `Last-Event-ID` to "
        "go on behind it. A comment comes every 15 s when nothing else does."
    ),
    "examples": [
        "retry: 2000\n\nid: 7.811:811:.815:815:\nevent: site_scanned\ndata: {…}\n\nevent: end\ndata: {…}\n\n"
    ],
    "x-event-data": {
        "default": {"$ref": "#/components/schemas/ScanEventBody"},
        "progress": {"$ref": "#/components/schemas/ScanProgressBody"},
        "end": {"$ref": "#/components/schemas/ScanEndBody"},
    },
}


class EventStream(Response):
    """A stream that ends with its source, its client or the service, whichever is first."""

    media_type = STREAM

    def __init__(self, pieces: AsyncIterator[bytes], closed: asyncio.Event) -> None:
        self.status_code = 200
        self.background = None
        self.pieces = pieces
        self.closed = closed
        # X-Accel-Buffering: a proxy in between must hand on each event at once
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"})

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """ASGI."""
        sending = asyncio.create_task(self._send(send))
        others = [asyncio.create_task(_left(receive)), asyncio.create_task(self.closed.wait())]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self.pieces) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                try:
                    async with asyncio.timeout(SEND_PATIENCE_SECONDS):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                except TimeoutError:
                    return


@dataclass(frozen=True, slots=True)
class _Listed:
    """An event as paging needs it: a page's end is named by a time and a UUID."""

    created_at: datetime
    id: UUID
    row: events.EventRow


@router.get(
    "/{scan_id}/events",
    summary="Watch a scan",
    response_model=list[ScanEventBody],
    responses={**answers(404, 422), 200: {"content": {STREAM: {"schema": _STREAM_SCHEMA}}}},
)
async def watch_scan(
    request: Request,
    response: Response,
    session: ReadSession,
    caller: CanView,
    page: Paging,
    scan_id: str,
    last_event_id: Annotated[
        str | None,
        Query(description="Go on behind this event of a stream; the header Last-Event-ID wins over it."),
    ] = None,
) -> Any:
    """What happens in the scan, as server-sent events until it is over; what has happened comes first.

    With `Accept: application/json` it is a list of what has happened so far, oldest first.
    """
    wanted = await events.find_scan_id(session, caller.organisation_id, scan_id)
    if _wants_json(request.headers.get("accept", "")):
        last = page.before[1].int if page.before is not None else 0
        rows = await events.list_events(session, wanted, last=min(last, 2**63 - 1), limit=page.limit + 1)
        listed = [_Listed(row.at, UUID(int=row.id), row) for row in rows]
        response.headers["Vary"] = "Accept"
        return [one.row.body() for one in link_next(request, response, page, listed)]
    streams: Streams = request.app.state.streams
    streams.admit()
    position = position_of(request.headers.get("last-event-id"), last_event_id)
    return EventStream(follow(streams, wanted, position), streams.closed)


def position_of(header: str | None, parameter: str | None) -> Position:
    """Where the client stopped; a header that we did not give means another server's stream, so all is new."""
    if header:
        try:
            return Position.parse(header)
        except ValueError:
            return START
    if not parameter:
        return START
    try:
        return Position.parse(parameter)
    except ValueError:
        message = "The 'last_event_id' parameter must be the id of an event of this stream."
        raise Invalid("parameter_invalid", message, {"last_event_id": [message]}) from None


def _wants_json(accept: str) -> bool:
    """Whether JSON is asked for by name and preferred to the stream (RFC 9110, section 12.5.1)."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            weights[media] = float(weight)
        except ValueError:
            weights[media] = 0.0
    return weights.get("application/json", 0.0) > weights.get(STREAM, 0.0)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
