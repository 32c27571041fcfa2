"""PURE: what a page tells of itself: title, generator, realm, icon, where it sends the browser."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from netvigil.probing.speak.http_message import Response

_TEXT_LIMIT: Final = 200
_BANNER_LIMIT: Final = 1900  # characters; what is stored of a banner is cut at 2,048
_MAX_TAGS: Final = 60
_PATH_LIMIT: Final = 300
_SHORT_PAGE: Final = 3000  # a page of more than this is one to read, not one that sends elsewhere

_CHARSET: Final = re.compile(r"charset\s{0,3}=\s{0,3}[\"']?([\w.-]{2,20})", re.IGNORECASE)
# Only these: a device must not choose which of Python's codecs reads it.
_CHARSETS: Final = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "shift_jis": "cp932",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "iso-8859-1": "cp1252",
    "iso-8859-15": "iso8859-15",
    "windows-1252": "cp1252",
    "windows-1251": "cp1251",
    "koi8-r": "koi8_r",
}
_TITLE: Final = re.compile(r"<title[^>]{0,100}>([^<]{0,600})", re.IGNORECASE)
_TAG: Final = re.compile(r"<(meta|link)\b([^<>]{0,600})>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    r"([a-zA-Z-]{1,20})\s{0,3}=\s{0,3}(?:\"([^\"]{0,500})\"|'([^']{0,500})'|([^\s\"'>]{1,300}))"
)
_REALM: Final = re.compile(r"realm\s{0,3}=\s{0,3}(?:\"([^\"]{0,200})|([^\s,]{1,100}))", re.IGNORECASE)
_REFRESH: Final = re.compile(
    r"^\s{0,5}\d{0,5}[^=]{0,20}url\s{0,3}=\s{0,3}[\"']?([^\"']{1,300})", re.IGNORECASE
)
_SCRIPTED: Final = re.compile(r"\blocation(?:\.href)?\s{0,5}=\s{0,5}[\"'](/[\w./?=&%;:#-]{0,200})[\"']")
_SCRIPTED_CALL: Final = re.compile(r"\blocation\.replace\([\"'](/[\w./?=&%;:#-]{0,200})[\"']")
# These stand first in a banner, so that whatever else a device sends cannot push them out of it.
_TELLING: Final = (
    "server",
    "www-authenticate",
    "x-powered-by",
    "x-jenkins",
    "via",
    "x-generator",
    "location",
    "x-aspnet-version",
)


@dataclass(frozen=True, slots=True)
class Page:
    """A response as read. Texts are of one line, at most 200 characters; `markup` is the body as text.

    `sends_to`: where a browser goes from here by itself, as written; "" when it stays.
    """

    response: Response
    markup: str
    title: str
    generator: str
    realm: str
    icon: str
    sends_to: str

    @property
    def server(self) -> str:
        """The `Server` header."""
        return self.response.header("server")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reference leads: scheme and port of the same device, or None for another one's, and the path there."""

    scheme: str
    host: str
    port: int
    path: str


def read_page(response: Response) -> Page:
    """Everything a page says of itself; never raises."""
    markup = _decode(response)
    titled = _TITLE.search(markup)
    generator = icon = refresh = ""
    for count, tag in enumerate(_TAG.finditer(markup)):
        if count >= _MAX_TAGS:
            break
        attributes = _attributes(tag[2])
        content = attributes.get("content", "")
        if tag[1].lower() == "link":
            if not icon and "icon" in attributes.get("rel", "").lower().split():
                icon = attributes.get("href", "")
        elif attributes.get("name", "").lower() == "generator":
            generator = generator or _one_line(content)
        elif attributes.get("http-equiv", "").lower() == "refresh" and (found := _REFRESH.match(content)):
            refresh = refresh or found[1].strip()
    challenge = _REALM.search(response.header("www-authenticate"))
    realm = _one_line(challenge[1] or challenge[2] or "") if challenge else ""
    title = _one_line(titled[1]) if titled else ""
    elsewhere = _sends_to(response, markup, refresh)
    return Page(
        response,
        markup,
        title,
        generator or _one_line(response.header("x-generator")),
        realm,
        icon,
        elsewhere,
    )


def resolve(reference: str, scheme: str, host: str, port: int, path: str) -> Target | None:
    """A reference on a page of `scheme://host:port/path`, taken apart; None for what is no web address."""
    try:
        shown = f"{scheme}://{host}:{port}{path}"
        parts = urlsplit(urljoin(shown, "".join(reference.split())[:_PATH_LIMIT]))
        where = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        name = parts.hostname or ""
    except ValueError:
        return None
    if not where or not name:
        return None
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    # What goes into our next request line is printable ASCII, or we do not ask.
    if not target.isascii() or any(not "!" <= char <= "~" for char in target):
        return None
    return Target(parts.scheme, name, where, target if target.startswith("/") else f"/{target}")


def banner_of(page: Page, *more: str) -> bytes:
    """Status line and headers, the telling ones first, then title and generator (and `more` lines) as markup."""
    title, generator = (
        page.title.replace("<", " "),
        page.generator.replace('"', " ").replace("<", " ").replace(">", " "),
    )
    tail = [f"<title>{title}</title>"] if title else []
    if generator:
        tail.append(f'<meta name="generator" content="{generator}">')
    tail += [line[:_TEXT_LIMIT] for line in more if line]
    left = _BANNER_LIMIT - sum(len(line) + 2 for line in tail) - 4
    lines = [page.response.status_line]
    left -= len(lines[0])
    headers = sorted(page.response.headers, key=lambda header: header[0].lower() not in _TELLING)
    for name, value in headers:
        line = f"{name}: {value}"
        telling = name.lower() in _TELLING
        if not telling and len(line) > _TEXT_LIMIT:
            line = line[:_TEXT_LIMIT]
        left -= len(line) + 2
        if left < 0:
            break
        lines.append(line)
    text = "\r\n".join(lines) + "\r\n\r\n" + "\n".join(tail)
    return text.encode()


def _decode(response: Response) -> str:
    start = response.body[:1024].decode("latin-1")
    named = _CHARSET.search(response.header("content-type")) or _CHARSET.search(start)
    codec = _CHARSETS.get(named[1].lower(), "utf-8") if named else "utf-8"
    return response.body.decode(codec, "replace")


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        found.setdefault(match[1].lower(), match[2] or match[3] or match[4] or "")
    return found


def _one_line(text: str) -> str:
    visible = "".join(char if char.isprintable() else " " for char in html.unescape(text[:600]))
    return " ".join(visible.split())[:_TEXT_LIMIT]


def _sends_to(response: Response, markup: str, refresh: str) -> str:
    if 300 <= response.status < 400:  # noqa: PLR2004 - redirections
        return response.header("location")[:_PATH_LIMIT]
    if refresh:
        return refresh
    if response.status == 200 and len(markup) < _SHORT_PAGE:  # noqa: PLR2004
        scripted = _SCRIPTED.search(markup) or _SCRIPTED_CALL.search(markup)
        return scripted[1] if scripted else ""
    return ""
