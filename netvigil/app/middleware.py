"""What wraps every request: its id, its log line and figures, the optional trailing slash, safe headers, a last answer."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Observe = Callable[[str, str, int, float], None]

log = structlog.get_logger(__name__)
# a client's id is taken over only in a form that cannot forge a log line
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
UNMATCHED = "unmatched"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds; logged when they fail


async def bind_route(request: Request) -> None:
    """A dependency of the whole application: each log line of a request names its route's template."""
    structlog.contextvars.bind_contextvars(route=route_of(request.scope))


def route_of(scope: Scope) -> str:
    """The template of the route that took the request, such as `/sites/{site_id}`; UNMATCHED without one."""
    route: Any = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", None) or UNMATCHED)


class Envelope:
    """Gives each request an id, binds it to the log, and serves paths with and without trailing slash.

    It also answers what nobody caught, by `unforeseen`: Starlette's own place for that lies outside of every
    middleware, where the request has no id any more. `observe` is told of each answer: method, route, status and the
    seconds until it began.
    """

    def __init__(
        self,
        app: ASGIApp,
        unforeseen: Callable[[Request, Exception], Awaitable[Response]],
        observe: Observe | None = None,
    ) -> None:
        self.app = app
        self.unforeseen = unforeseen
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if GIVEN_ID.match(given) else uuid4().hex
        path: str = scope["path"]
        scope = {**scope, "request_id": request_id, "path": path.rstrip("/") or "/"}
        one = _Exchange(scope, send, self.observe)
        before = structlog.contextvars.get_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._answer(scope, receive, one)
        finally:
            one.log_access()
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(**before)

    async def _answer(self, scope: Scope, receive: Receive, one: _Exchange) -> None:
        try:
            await self.app(scope, receive, one.send)
        except ClientDisconnect:
            log.debug("client left", path=scope["path"])
        except Exception as error:
            if one.status is not None:  # too late for another answer; the server closes the connection
                raise
            response = await self.unforeseen(Request(scope), error)
            await response(scope, receive, one.send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, observe: Observe | None) -> None:
        self.status: int | None = None
        self._scope = scope
        self._send = send
        self._observe = observe
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        """ASGI: the answer with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._scope["request_id"]
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers.setdefault(
                "Content-Security-Policy",
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            )
            if self._observe is not None:
                passed = time.perf_counter() - self._started
                self._observe(self._scope["method"], route_of(self._scope), message["status"], passed)
        await self._send(message)

    def log_access(self) -> None:
        """The request's one line, without its query, which may hold a signature."""
        if self.status is None:  # its client left before there was an answer
            return
        path = self._scope["path"]
        quiet = path in PROBES and self.status < 400  # noqa: PLR2004 - HTTP
        (log.debug if quiet else log.info)(
            "request",
            method=self._scope["method"],
            path=path,
            status=self.status,
            milliseconds=round((time.perf_counter() - self._started) * 1000, 1),
        )
