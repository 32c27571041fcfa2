"""Every error as the contract's ErrorResponse, and a page for each code."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.routing import Match

from netvigil.access.edge import base_url
from netvigil.errors import Invalid, NotFound, RateLimited, RequestError, Unauthenticated

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response
    from starlette.exceptions import HTTPException

log = structlog.get_logger(__name__)

EXPLANATIONS = {
    "malformed_json": "The body is not valid JSON. Check for trailing commas, quotes and the encoding (UTF-8).",
    "invalid_content_type": "Send the header Content-Type: application/json.",
    "body_not_object": "The body must be a JSON object in braces, not an array, a string or a number.",
    "token_missing": "Send the header Authorization: Bearer followed by a token. Make one with netvigil token create.",
    "token_invalid": "The token was not signed by this service, or is damaged. Make one with netvigil token create.",
    "token_expired": "The token's time is over. Make a new one with netvigil token create.",
    "scope_missing": "The token is valid but lacks the scope that the message names. Make one with that scope.",
    "resource_missing": "No such thing exists in the token's organisation.",
    "route_missing": "No operation has this path. All operations are listed at /docs.",
    "method_not_allowed": "The path exists, but not with this method. The Allow header names those it has.",
    "scan_already_running": "A schedule has one scan at a time. Wait for it, or stop it first.",
    "no_scan_running": "There is nothing to stop.",
    "schedule_running": "A scan of the schedule is running. Stop it before deleting the schedule.",
    "site_exists": "The id is taken by another site of the organisation. Change that one with PUT or PATCH.",
    "site_in_use": "A schedule scans the site. Change or delete the schedule first.",
    "group_exists": "Another notification group has this key. Choose another one, or change that group.",
    "target_forbidden": "Messages are not sent to this machine, link-local or metadata addresses (setting NETVIGIL_NOTIFY_ALLOW).",
    "sync_running": "The vulnerability data is being refreshed already. GET /feeds shows how each source went.",
    "body_too_large": "The body exceeds the service's limit (setting NETVIGIL_MAX_BODY_BYTES).",
    "parameter_missing": "A required field is not there.",
    "parameter_invalid": "A field has the wrong type or is out of bounds; the message says which and why.",
    "site_unknown": "The service takes registered sites only (setting NETVIGIL_SITE_REGISTRATION). Register the site.",
    "subnet_invalid": "The subnet must be an IPv4 network in CIDR notation from /22 to /32, without host bits.",
    "subnet_out_of_scope": "The subnet is outside the site's networks, or public. Someone with sites:manage can add it.",
    "threshold_order": "min_cvss must be less than warning_threshold.",
    "timezone_unknown": "Use an IANA name such as America/New_York or UTC, spelt exactly so.",
    "rate_limited": "Too many requests. The Retry-After header says when to go on.",
    "link_invalid": "The download link is damaged or has expired. Ask the API for the report again: it has a new link.",
    "form_stale": "The console's form belongs to another session. Reload the page and send it again.",
    "internal_error": "Something went wrong in the service. The request_id finds it in the log.",
}


class _WrongMethod(RequestError):
    """The path exists, but not with this method."""

    status = 405


class _Unforeseen(RequestError):
    """Whatever nobody thought of; the log has the rest."""

    status = 500
    type = "api_error"


def error_answer(request: Request, error: RequestError) -> JSONResponse:
    """The error as the contract words it."""
    request_id = request.scope.get("request_id")
    content: dict[str, Any] = {
        "type": error.type,
        "code": error.code,
        "message": error.message,
        "doc_url": f"{base_url(request)}/docs/errors/{error.code}",
    }
    headers: dict[str, str] = {}
    if isinstance(error, Invalid):
        content["errors"] = error.errors
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after)
    content["request_id"] = request_id
    return JSONResponse(content, status_code=error.status, headers=headers)


async def unforeseen_answer(request: Request, error: Exception) -> Response:
    """500: the error goes to the log, the client gets the id to ask for."""
    log.error("request failed", path=request.url.path, exc_info=error)
    wrong = _Unforeseen("internal_error", "An unexpected error occurred; the request_id finds it in the log.")
    return error_answer(request, wrong)


def add_error_answers(app: FastAPI) -> None:
    """Map our errors and the framework's to answers, and serve the codes' pages."""

    async def deliberate(request: Request, error: RequestError) -> Response:
        return error_answer(request, error)

    async def framework(request: Request, error: HTTPException) -> Response:
        allowed = _allowed_methods(app, request)
        if error.status_code == 405 or (error.status_code == 404 and allowed):  # noqa: PLR2004 - HTTP
            wrong = _WrongMethod(
                "method_not_allowed", f"The method {request.method} is not allowed for this path."
            )
            answer = error_answer(request, wrong)
            answer.headers["Allow"] = ", ".join(sorted(allowed))
            return answer
        return error_answer(request, NotFound("No operation has this path.", "route_missing"))

    app.add_exception_handler(RequestError, deliberate)  # type: ignore[arg-type]
    app.add_exception_handler(404, framework)  # type: ignore[arg-type]
    app.add_exception_handler(405, framework)  # type: ignore[arg-type]

    @app.get("/docs/errors/{code}", include_in_schema=False)
    async def error_page(code: str) -> HTMLResponse:
        if code not in EXPLANATIONS:
            raise NotFound(f"No such error code: '{code[:100]}'.")
        return HTMLResponse(page(f"Error: {code}", f"<p>{escape(EXPLANATIONS[code])}</p>"))


def page(title: str, body: str) -> str:
    """A plain page without script; `title` is escaped, `body` is markup that the caller escaped."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · netvigil</title>"
        "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}code{font-size:.95em}</style>"
        f"</head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _allowed_methods(app: FastAPI, request: Request) -> set[str]:
    """Every method that some route has for this path; routers match one at a time and know only theirs."""
    allowed: set[str] = set()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in app.router.routes):
            allowed.add(method)
    return allowed
