"""What wraps every request: its id, the optional trailing slash, safe headers, an answer when all else fails."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)
# a client's id is taken over only in a form that cannot forge a log line
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


class Envelope:
    """Gives each request an id, binds it to the log, and serves paths with and without trailing slash.

    It also answers what nobody caught, by `unforeseen`: Starlette's own place for that lies outside of every
    middleware, where the request has no id any more.
    """

    def __init__(self, app: ASGIApp, unforeseen: Callable[[Request, Exception], Awaitable[Response]]) -> None:
        self.app = app
        self.unforeseen = unforeseen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if GIVEN_ID.match(given) else uuid4().hex
        path: str = scope["path"]
        scope = {**scope, "request_id": request_id, "path": path.rstrip("/") or "/"}
        started = time.perf_counter()
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault(
                    "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
                )
                log.debug(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=message["status"],
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                )
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, answer)
            except ClientDisconnect:
                log.debug("client left", path=scope["path"])
            except Exception as error:
                if answered:  # too late for another answer; the server closes the connection
                    raise
                response = await self.unforeseen(Request(scope), error)
                await response(scope, receive, answer)
