"""PURE: what a page may load and do, and the proof that a form came from one of our own pages."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PAGE_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",  # after signing out, Back must not show the last page again
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept, Cookie",
}
_OWN_SITES: Final = frozenset({"same-origin", "none"})


def form_proof(key: bytes, cookie: str) -> str:
    """What every form carries: bound to the cookie of the browser that was given the page."""
    return hmac.new(key, f"console form\n{cookie}".encode(), hashlib.sha256).hexdigest()


def proves(given: str, key: bytes, cookie: str) -> bool:
    """Whether a form's proof is that of the cookie it came with; no cookie proves nothing."""
    return bool(cookie) and given.isascii() and hmac.compare_digest(given, form_proof(key, cookie))


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that another site made this request (Fetch Metadata); silence is no statement."""
    return headers.get("sec-fetch-site", "none") not in _OWN_SITES


def local_path(path: str | None) -> str:
    """The path to go on to, `/` for anything that would leave this service."""
    if (
        not path
        or not path.startswith("/")
        or path.startswith("//")
        or "\\" in path
        or not path.isprintable()
    ):
        return "/"
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc or parts.path.startswith("/sign-") else path
