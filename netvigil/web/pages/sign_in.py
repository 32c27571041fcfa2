"""`/sign-in`, `/sign-out` and the choice of a theme."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from netvigil.access.edge import Session
from netvigil.access.secrets import SecretBox
from netvigil.errors import PermissionDenied, Unauthenticated
from netvigil.web.codes import redeem
from netvigil.web.rendering import THEME, THEMES, go_to, render
from netvigil.web.security import form_proof, local_path
from netvigil.web.session import (
    VISIT,
    Form,
    PostedForm,
    VisitorsForm,
    close_session,
    open_session,
    remember_visit,
)

router = APIRouter()
LONGEST_TOKEN = 16_384
A_YEAR = 365 * 86400
REASONS = {
    "expired": "Your session has ended: the token it rests on has expired or is no longer valid here.",
    "out": "You are signed out.",
}


@router.get("/sign-in")
async def show_form(request: Request, code: str = "", why: str = "") -> Response:
    """A field for a token; with a code from a one-time link only a button, so that a preview of the link uses it up not."""
    return _form(request, code=code, notice=REASONS.get(why, ""))


@router.post("/sign-in")
async def sign_in(request: Request, session: Session, form: VisitorsForm) -> Response:
    """Check what was given, keep it as the session, and go on to the page that was asked for."""
    try:
        token = await _token(request, session, form)
        request.app.state.authority.verify(token)
    except Unauthenticated as error:
        return _form(request, status=401, error=_explain(error), next_path=form.get("next"))
    answer = go_to(local_path(form.get("next")))
    open_session(request, answer, token)
    return answer


@router.post("/sign-out")
async def sign_out(form: PostedForm) -> Response:  # noqa: ARG001 - read for its proof
    """Forget the session in this browser; the token itself stays good until its time is over."""
    answer = go_to("/sign-in?why=out")
    close_session(answer)
    return answer


@router.post("/theme")
async def choose_theme(form: PostedForm) -> Response:
    """Light, dark or as the system has it, kept by this browser."""
    theme = form.get("theme")
    if theme not in THEMES:
        raise PermissionDenied("form_stale", "There is no such theme.")
    answer = go_to(local_path(form.get("next")))
    answer.set_cookie(THEME, theme, max_age=A_YEAR, path="/", httponly=True, samesite="strict")
    return answer


async def _token(request: Request, session: AsyncSession, form: Form) -> str:
    if code := form.get("code"):
        return await redeem(session, SecretBox.of(request.app.state.settings), code)
    token = form.get("token").removeprefix("Bearer ").strip()
    if not token:
        raise Unauthenticated("token_missing", "Paste a token first.")
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated("token_invalid", "This is too long to be a token.")
    return token


def _form(
    request: Request,
    *,
    status: int = 200,
    code: str = "",
    notice: str = "",
    error: str = "",
    next_path: str | None = None,
) -> Response:
    visit = request.cookies.get(VISIT) or secrets.token_urlsafe(24)
    answer = render(
        request,
        "sign_in.html",
        status=status,
        code=code,
        notice=notice,
        error=error,
        next_path=local_path(next_path if next_path is not None else request.query_params.get("next")),
        proof=form_proof(request.app.state.keys.link, visit),
    )
    remember_visit(request, answer, visit)
    return answer


def _explain(error: Unauthenticated) -> str:
    return {
        "token_invalid": "This service did not make that token, or a part of it is missing. Paste it whole, in one line.",
        "token_expired": "The token's time is over. Make a new one with netvigil token create.",
    }.get(error.code, error.message)
