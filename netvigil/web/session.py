"""Who looks at the console: the sealed cookie that holds the token, and what a page finds in it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response

from netvigil.access.edge import Caller, base_url, identify
from netvigil.access.scopes import ALL, Scope
from netvigil.access.secrets import SecretBox
from netvigil.errors import BodyTooLarge, EnvironmentFault, PermissionDenied, Unauthenticated
from netvigil.web.security import form_proof, from_elsewhere, proves

SESSION: Final = "netvigil_session"
VISIT: Final = "netvigil_visit"
"""The cookie of one who has not signed in yet: the form to sign in is proved by it."""
_LABEL: Final = "console session"
_LONGEST_FORM = 256 * 1024
_MOST_FIELDS = 2000


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page; `proof` belongs into every form that it shows."""

    caller: Caller
    proof: str

    @property
    def name(self) -> str:
        """Whom the token speaks for."""
        return self.caller.principal.subject

    @property
    def organisation(self) -> str:
        """Whose data it is, by name."""
        return self.caller.principal.organisation

    def may(self, scope: Scope) -> bool:
        """Whether the token carries the scope."""
        scopes = self.caller.principal.scopes
        return scope in scopes or ALL in scopes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form whose proof was checked."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The field's last value without white space around it, empty where it was not sent."""
        return next((value.strip() for key, value in reversed(self.fields) if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be sent often."""
        return [value for key, value in self.fields if key == name]


def needs(scope: Scope) -> Any:
    """A dependency that gives the Viewer; whoever has not signed in is led to, whoever lacks the scope is told so."""
    return Depends(_viewer_with(scope))


def _viewer_with(scope: Scope) -> Callable[[Request], Awaitable[Viewer]]:
    async def viewer(request: Request) -> Viewer:
        sealed = request.cookies.get(SESSION, "")
        principal = request.app.state.authority.verify(_token_in(request, sealed))
        found = Viewer(await identify(request, principal), form_proof(request.app.state.keys.link, sealed))
        request.state.viewer = found  # a page that says why it may not be seen has the frame all the same
        principal.require(scope)
        return found

    return viewer


def _token_in(request: Request, sealed: str) -> str:
    if not sealed:
        raise Unauthenticated("token_missing", "Sign in to see this page.")
    try:
        content = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
        return SecretBox.of(request.app.state.settings).open(content, _LABEL)
    except (ValueError, binascii.Error, EnvironmentFault):
        raise Unauthenticated("token_invalid", "Your session is not valid here any more.") from None


def open_session(request: Request, response: Response, token: str) -> None:
    """Have the browser keep the token, sealed, until it is closed; the token's own end is checked at each page."""
    sealed = SecretBox.of(request.app.state.settings).seal(token, _LABEL)
    _set(request, response, SESSION, base64.urlsafe_b64encode(sealed).decode())
    response.delete_cookie(VISIT, path="/", httponly=True, samesite="strict")


def close_session(response: Response) -> None:
    """Have the browser forget."""
    response.delete_cookie(SESSION, path="/", httponly=True, samesite="strict")


def remember_visit(request: Request, response: Response, visit: str) -> None:
    """The cookie behind the form to sign in."""
    _set(request, response, VISIT, visit)


def _set(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name, value, path="/", httponly=True, samesite="strict", secure=base_url(request).startswith("https:")
    )


async def read_form(request: Request) -> Form:
    """The form, its proof checked against the session's cookie; raises PermissionDenied, BodyTooLarge."""
    return await _read(request, SESSION)


async def read_visitors_form(request: Request) -> Form:
    """The same of somebody who has not signed in."""
    return await _read(request, VISIT)


# Read before the page opens its transaction: a browser that sends slowly must not hold one meanwhile.
PostedForm = Annotated[Form, Depends(read_form)]
VisitorsForm = Annotated[Form, Depends(read_visitors_form)]


async def _read(request: Request, cookie: str) -> Form:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise BodyTooLarge("body_too_large", "The form is larger than this page takes.")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace"
        )
    except ValueError:
        pairs = []
    form = Form(tuple((key, value.replace("\0", "")) for key, value in pairs))
    own = request.cookies.get(cookie, "")
    if from_elsewhere(request.headers) or not proves(form.get("proof"), request.app.state.keys.link, own):
        raise PermissionDenied(
            "form_stale", "This form is from another session. Go back, reload the page and send it again."
        )
    return form
