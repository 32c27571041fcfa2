"""The web pages of emulated devices, in HTTP/1.0 or 1.1, one request per connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netvigil.lab.conversation import Conversation, Greeter

_REQUEST = re.compile(rb"([A-Z]{3,8}) (\S{1,2048})(?: HTTP/(1\.[01]))?\r?\n")
_MAYBE_REQUEST = re.compile(rb"[A-Z]{1,8}( |\Z)")
_MOST_REQUEST = 16384
_PATIENCE_SECONDS = 10.0


def http_date() -> str:
    """The time now as HTTP writes it (RFC 9110, 5.6.7)."""
    return format_datetime(datetime.now(UTC), usegmt=True)


@dataclass(frozen=True, slots=True)
class Website:
    """What a web server answers.

    `headers` are sent in this order, `{date}` and `{length}` are filled in; `http` is the version in the status
    line, None for that of the request; `pages` maps a path to its text, every other path gives 404.
    """

    headers: tuple[str, ...]
    pages: dict[str, str]
    http: str | None = "1.1"
    status: HTTPStatus = HTTPStatus.OK
    missing: str = field(
        default="<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
    )


def website(site: Website) -> Greeter:
    """Answers one request with the page at its path and closes."""

    async def greet(talk: Conversation) -> None:
        head = await talk.hear(_PATIENCE_SECONDS)
        if _MAYBE_REQUEST.match(head) and b"\r\n\r\n" not in head:  # other protocols are turned away at once
            head += await talk.hear_until(b"\r\n\r\n", _MOST_REQUEST)
        if head:
            await talk.say(_answer(site, head))

    return greet


def _answer(site: Website, head: bytes) -> bytes:
    request = _REQUEST.match(head)
    if request is None:
        return _response(site, "1.0", HTTPStatus.BAD_REQUEST, "<html><body>Bad Request</body></html>\n")
    method, path, version = request.groups()
    http = site.http or (version or b"1.0").decode()
    if method not in (b"GET", b"HEAD"):
        return _response(
            site, http, HTTPStatus.NOT_IMPLEMENTED, "<html><body>Not Implemented</body></html>\n"
        )
    page = site.pages.get(path.split(b"?")[0].decode("latin-1"))
    status = HTTPStatus.NOT_FOUND if page is None else site.status
    answer = _response(site, http, status, site.missing if page is None else page)
    return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else answer


def _response(site: Website, http: str, status: HTTPStatus, page: str) -> bytes:
    body = page.encode()
    headers = [header.format(date=http_date(), length=len(body)) for header in site.headers]
    lines = [f"HTTP/{http} {status.value} {status.phrase}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
