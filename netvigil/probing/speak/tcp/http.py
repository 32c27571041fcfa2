"""HTTP: the first page of a web server, its icon, and one more request where that tells a known product's version."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import mmh3

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.http_message import (
    BODY_LIMIT,
    Response,
    is_http,
    is_http2_only,
    missing,
    parse_response,
)
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.web_page import Page, Target, banner_of, read_page, resolve
from netvigil.probing.speak.web_products import Named, Sighting, conclude, learn, look_at
from netvigil.probing.speak.web_questions import PATHS

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

PORTS: Final = frozenset(
    {80, 81, 82, 88, 2375, 3000, 5000, 5357, 5601, 7547, 8000, 8001, 8008, 8080, 8081, 8088, 8090, 8096, 8123, 8200, 8888}
    | {9000, 9090, 9091, 9197, 9200, 10000, 32400, 37215, 49152}
)  # fmt: skip
_MAX_REDIRECTS: Final = 2
_MAX_READS: Final = 400
_READING: Final = (
    4.0  # seconds for one whole answer beyond the wait for its start, after which what came must do
)
_ENOUGH: Final = 4.0  # seconds of a conversation after which nothing further is asked
_EXTRA_PATIENCE: Final = 1.5  # where a web server is expected, a slow one is waited for longer
_SLOW: Final = 1.0  # seconds: a device that takes this long is not asked for its icon when it is known
_OK: Final = 200
_FACTS: Final = {
    "x-powered-by": "powered_by",
    "x-generator": "generator",
    "x-aspnet-version": "aspnet_version",
    "via": "via",
}


@dataclass(frozen=True, slots=True)
class _Browser:
    """Requests after the first, each on a connection of its own, as long as the device is worth the time."""

    line: Line
    began: float

    @property
    def elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    async def ask(self, path: str, *, body: bytes = b"", kind: str = "") -> Response | None:
        if self.elapsed > _ENOUGH:
            return None
        return await ask_again(self.line, path, body=body, kind=kind)

    def target(self, reference: str, path: str) -> Target | None:
        """Where a reference on our page at `path` leads, if it stays on this very port."""
        scheme = "https" if self.line.certificate else "http"
        host = str(self.line.address)
        found = resolve(reference, scheme, host, self.line.port, path)
        here = found is not None and (found.scheme, found.host, found.port) == (scheme, host, self.line.port)
        return found if here else None


@dataclass(frozen=True, slots=True)
class _Visit:
    """A page that was fetched, and the path it was found at."""

    path: str
    page: Page


async def converse(line: Line, heard: bytes) -> Answer | None:
    """The first page and what follows from it; `heard` is used where the server answers no request of ours."""
    browser = _Browser(line, asyncio.get_running_loop().time())
    if heard and line.closed:
        fresh = await line.again()
        raw = await fetch(fresh, "/") if fresh is not None else b""
        if fresh is not None:
            fresh.close()
    else:
        raw = await fetch(line, "/")
        if _is_too_old(line, raw):
            raw = await _fetch_old(line) or raw
    if not is_http(raw):
        raw = heard
    slow = browser.elapsed > _SLOW
    if is_http2_only(raw):
        return Answer("http", raw[:64], extra_info="HTTP/2 only", facts={"http_version": "2"})
    response = parse_response(raw)
    if response is None:
        return Answer("http", raw[:256]) if is_http(raw) else None
    first = _Visit("/", read_page(response))
    last, redirect = await _follow(browser, first)
    return await _describe(browser, first, last, redirect, slow=slow)


def _is_too_old(line: Line, raw: bytes) -> bool:
    """Whether the server may know only HTTP/1.0: it says so, or hangs up on a request where web servers live."""
    return raw.startswith((b"HTTP/1.0 505", b"HTTP/1.1 505")) or (
        not raw and line.closed and line.port in PORTS
    )


async def _fetch_old(line: Line) -> bytes:
    fresh = await line.again()
    if fresh is None:
        return b""
    try:
        return await fetch(fresh, "/", version="1.0")
    finally:
        fresh.close()


async def fetch(line: Line, path: str, *, body: bytes = b"", kind: str = "", version: str = "1.1") -> bytes:
    """One request on a line that has carried none, and its answer as sent: 64 kB at most, b"" when none came."""
    start = len(line.heard)
    consumed = start
    if not await line.send(request(line, path, body, kind, version)):
        return b""
    wait = line.patience * (_EXTRA_PATIENCE if line.port in PORTS else 1)
    try:
        async with asyncio.timeout(wait + _READING):
            for _ in range(_MAX_READS):
                # One byte more than has come: returns with whatever the device sends next.
                needed = missing(line.heard[start:])
                if needed == 0:
                    break
                more = await line.read_exactly(len(line.heard) - consumed + max(1, needed), wait)
                consumed += len(more)
                if not more or line.closed or len(line.heard) >= BODY_LIMIT:
                    break
    except TimeoutError:
        pass
    return line.heard[start:]


def request(line: Line, path: str, body: bytes = b"", kind: str = "", version: str = "1.1") -> bytes:
    """A browser's plain request, with no identity, no language and nothing to be remembered."""
    host = str(line.address) if line.port == _own_port(line) else f"{line.address}:{line.port}"
    lines = [
        f"{'POST' if kind else 'GET'} {path} HTTP/{version}",
        f"Host: {host}",
        "User-Agent: netvigil",
        "Accept: */*",
        "Connection: close",
    ]
    if kind:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


async def ask_again(line: Line, path: str, *, body: bytes = b"", kind: str = "") -> Response | None:
    """A request on a new connection to the same port; None when nothing usable came."""
    fresh = await line.again()
    if fresh is None:
        return None
    try:
        return parse_response(await fetch(fresh, path, body=body, kind=kind))
    finally:
        fresh.close()


def answer_of(page: Page, named: Named, facts: dict[str, str], *more: str) -> Answer:
    """The answer for a page that is named."""
    return Answer(
        "upnp" if "UPnP/1." in page.server else "http",
        banner_of(page, *more),
        named.product,
        named.version,
        named.extra_info,
        named.os_name,
        named.device_type,
        named.hostname,
        named.model,
        named.mac,
        named.cpes,
        {**facts, **named.facts},
        complete=named.known or bool(named.product and named.version),
    )


def page_facts(page: Page) -> dict[str, str]:
    """What a page says of itself, by the names of `Answer.facts`."""
    facts = {"status": str(page.response.status), "server": page.server, "title": page.title}
    facts |= {"generator": page.generator, "realm": page.realm}
    for header, fact in _FACTS.items():
        facts.setdefault(fact, page.response.header(header))
    return {key: value for key, value in facts.items() if value}


async def _follow(browser: _Browser, visit: _Visit) -> tuple[_Visit, str]:
    """Where a browser would end up on this very port, and the address of another place that it was sent to."""
    for _ in range(_MAX_REDIRECTS):
        if not visit.page.sends_to:
            break
        target = browser.target(visit.page.sends_to, visit.path)
        if target is None:
            return visit, visit.page.sends_to
        if target.path == visit.path:
            break
        response = await browser.ask(target.path)
        if response is None:
            break
        visit = _Visit(target.path, read_page(response))
    return visit, ""


async def _describe(browser: _Browser, first: _Visit, last: _Visit, redirect: str, *, slow: bool) -> Answer:
    page = last.page
    facts = page_facts(first.page) | page_facts(page)
    if redirect:
        facts["redirect"] = redirect
    sighting = look_at(page)
    if sighting.row is None and last is not first:
        # the way there may show more than its end: `/cgi-bin/luci`, `/start.html`
        sighting = look_at(first.page) if look_at(first.page).row else sighting
    sighting = await _ask_for_more(browser, last, sighting)
    if page.response.status == _OK and _is_html(page) and not (slow and sighting.row):
        sighting = await _look_at_icon(browser, last, sighting, facts)
    named = conclude(sighting)
    told = f"RouterOS v{named.version}" if named.product == "MikroTik RouterOS" and named.version else ""
    if not page.server and first.page.server:
        page = first.page
    return answer_of(page, named, facts, told)


async def _ask_for_more(browser: _Browser, visit: _Visit, sighting: Sighting) -> Sighting:
    """One more request where the product is known to tell its version there, or the port is known for it."""
    if (path := PATHS.get(browser.line.port)) and sighting.row is None and sighting.server.version is None:
        reply = await browser.ask(path)
        instead = look_at(read_page(reply)) if reply is not None and reply.status == _OK else sighting
        if reply is not None and instead.row is not None and instead.question is not None:
            return learn(instead, instead.question, reply.body.decode("utf-8", "replace"))
        return instead if instead.row is not None else sighting
    if (question := sighting.question) is None:
        return sighting
    path = question.path
    if not path.startswith("/"):  # beside the page, wherever that was installed
        path = f"{visit.path.partition('?')[0].rpartition('/')[0]}/{path}"
    reply = await browser.ask(path, body=question.body.encode(), kind=question.kind)
    if reply is None or reply.status != _OK:
        return sighting
    return learn(sighting, question, reply.body.decode("utf-8", "replace"))


async def _look_at_icon(
    browser: _Browser, visit: _Visit, sighting: Sighting, facts: dict[str, str]
) -> Sighting:
    """The icon's hash as Shodan computes it; a server's own error page in its place may name the server."""
    target = browser.target(visit.page.icon or "/favicon.ico", visit.path)
    response = await browser.ask(target.path) if target is not None else None
    if response is None:
        return sighting
    if (
        response.status == _OK
        and response.body
        and not response.header("content-type").startswith("text/html")
    ):
        facts["favicon_mmh3"] = str(favicon_hash(response.body))
    elif response.status != _OK and sighting.row is None:
        instead = look_at(read_page(response))
        if instead.learnt.get("version"):
            return instead
    return sighting


def favicon_hash(icon: bytes) -> int:
    """MurmurHash3 (32 bits, signed) of the icon in Base64 with a line end after every 76 characters (MIME's form)."""
    return mmh3.hash(base64.encodebytes(icon))


def _own_port(line: Line) -> int:
    return 443 if line.certificate else 80


def _is_html(page: Page) -> bool:
    kind = page.response.header("content-type").lower()
    return "html" in kind or (not kind and "<" in page.markup[:256])


PROTOCOL: Final = TcpProtocol("http", PORTS, converse, recognises=is_http)
