"""The console as an application of its own beside the API, and the door that sends browsers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers

from netvigil.errors import NotFound, RequestError, Unauthenticated
from netvigil.web import assets
from netvigil.web.pages import cves, devices, live, overview, scans, sign_in
from netvigil.web.rendering import address_of, go_to, render, with_query
from netvigil.web.security import from_elsewhere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request, Response
    from starlette.datastructures import State
    from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger(__name__)
OWN: Final = ("/static/", "/live/")
"""Paths of the console whatever a client accepts."""
NOT_OURS: Final = ("/docs", "/downloads", "/schemas", "/openapi.json", "/healthz", "/readyz", "/metrics")
"""What browsers open, too, and the API answers."""
_ANSWERED: Final = "netvigil.console_answered"
HEADINGS: Final = {
    403: "You may not do this",
    404: "Not found",
    405: "That cannot be done here",
    409: "Not now",
    413: "Too much at once",
    422: "That cannot be right",
    429: "Too many requests",
    500: "Something went wrong",
}


def create_console(state: State, dependencies: Sequence[Any] = ()) -> FastAPI:
    """The pages, over what the API's routes find in `app.state`, too."""
    console = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=list(dependencies),
    )
    console.state = state
    for area in (sign_in, overview, scans, devices, cves, live, assets):
        console.include_router(area.router)
    _add_error_pages(console)
    return console


class ConsoleDoor:
    """Sends to the console what a browser asks for as a page; all else is the API's.

    Pages and operations can so have the same address, such as `/sites`: a program that names its token, or does not ask
    for HTML by name, gets what the API has there.
    """

    def __init__(self, app: ASGIApp, console: ASGIApp) -> None:
        self.app = app
        self.console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not wants_page(scope):
            await self.app(scope, receive, send)
            return
        try:
            await self.console(scope, receive, send)
        except Exception:
            if not scope.get(_ANSWERED):  # the framework raises again what our page for it has answered
                raise


def wants_page(scope: Scope) -> bool:
    """Whether a request is for the console."""
    path: str = scope["path"]
    if path.startswith(OWN):
        return True
    headers = Headers(scope=scope)
    asks = "text/html" in headers.get("accept", "") and "authorization" not in headers
    return asks and not any(path == one or path.startswith(f"{one}/") for one in NOT_OURS)


def _add_error_pages(console: FastAPI) -> None:
    async def deliberate(request: Request, error: RequestError) -> Response:
        if isinstance(error, Unauthenticated):
            return _lead_to_sign_in(request, error)
        return _error_page(request, error.status, error.message)

    async def framework(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        return _error_page(request, status, NotFound("There is no page at this address.").message)

    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("page failed", path=request.url.path, exc_info=error)
        request.scope[_ANSWERED] = True
        number = request.scope.get("request_id", "")
        return _error_page(
            request, 500, f"The page could not be made. The service's log has the reason under {number}."
        )

    console.add_exception_handler(RequestError, deliberate)  # type: ignore[arg-type]
    console.add_exception_handler(404, framework)
    console.add_exception_handler(405, framework)
    console.add_exception_handler(Exception, unforeseen)


def _error_page(request: Request, status: int, message: str) -> Response:
    return render(
        request,
        "error.html",
        status=status,
        heading=HEADINGS.get(status, "That did not work"),
        message=message,
    )


def _lead_to_sign_in(request: Request, error: Unauthenticated) -> Response:
    """To the form, and back to the page afterwards; a link on another site arrives without the cookie at first."""
    if request.method != "GET":
        return go_to("/sign-in?why=expired")
    if "text/html" not in request.headers.get("accept", ""):
        return _error_page(request, 401, error.message)
    if from_elsewhere(request.headers) and not request.cookies:
        return render(request, "bounce.html")
    why = "" if error.code == "token_missing" else "expired"
    back = address_of(request)
    return go_to(with_query("/sign-in", {"next": back if back != "/" else "", "why": why}))
