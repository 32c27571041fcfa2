"""Templates to answers: everything escaped, nothing undefined, the same headers and frame on every page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from netvigil.access.scopes import Scope
from netvigil.web import words
from netvigil.web.assets import asset_url
from netvigil.web.markdown import render_markdown
from netvigil.web.navigation import ADMINISTRATION, AREAS
from netvigil.web.security import PAGE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

THEME: Final = "netvigil_theme"
THEMES: Final = ("auto", "light", "dark")


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("netvigil.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters = (words.when, words.iso, words.ago, words.count, words.percent, words.delta)
    made.filters |= {one.__name__: one for one in filters}
    made.filters["state_word"] = words.state_word
    made.filters["severity_class"] = words.severity_class
    made.filters["markdown"] = render_markdown
    made.globals |= {
        "asset": asset_url,
        "areas": AREAS,
        "administration": ADMINISTRATION,
        "Scope": Scope,
        "severities": words.SEVERITIES,
        "themes": THEMES,
    }
    return made


_TEMPLATES = _environment()


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page; its template finds `viewer` (None before signing in), `here` and `theme` beside the values given."""
    theme = request.cookies.get(THEME, "auto")
    text = _TEMPLATES.get_template(template).render(
        viewer=getattr(request.state, "viewer", None),
        here=request.url.path,
        here_and_query=address_of(request),
        theme=theme if theme in THEMES else "auto",
        now=datetime.now(UTC),
        **values,
    )
    return HTMLResponse(text, status_code=status, headers=PAGE_HEADERS)


def go_to(path: str) -> RedirectResponse:
    """See other: what follows a form that did what it should."""
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


def address_of(request: Request) -> str:
    """Path and query of this page, to come back to."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def with_query(path: str, values: Mapping[str, object]) -> str:
    """The path with those values that are not empty."""
    kept = {name: value for name, value in values.items() if value not in ("", None, False)}
    return f"{path}?{urlencode(kept)}" if kept else path
