"""PURE: which product a web page shows, from its header, title, realm and markup, and from the tables beside this."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.web_devices import DEVICES
from netvigil.probing.speak.web_networks import NETWORKS
from netvigil.probing.speak.web_programs import APPLICATIONS, BESIDES, NAMELESS, SERVERS, Server
from netvigil.probing.speak.web_questions import QUESTIONS, Question
from netvigil.probing.speak.web_rows import Compiled, Row, compile_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netvigil.probing.speak.web_page import Page

_SEARCHED: Final = 32 * 1024  # characters of a body
_PRODUCTS: Final = compile_rows((*NETWORKS, *DEVICES, *APPLICATIONS))
_BESIDES: Final = compile_rows(BESIDES)

_VERSION: Final = re.compile(r"v?(\d[\w.+~-]{0,40})")
_JETTY: Final = re.compile(r"Jetty\(v?(\d[\w.-]{0,40})\)", re.IGNORECASE)
_SPACED: Final = re.compile(r"([\w-]{2,30}) v?(\d[\w.-]{0,20})$")
_UPNP: Final = re.compile(r"\bUPnP/1\.\d,? ([A-Za-z][\w .-]{1,59})/v?(\d[\w.-]{0,30})$")
_ONE_COMMENT: Final = re.compile(r"\(([^()]*)\)")
_SYSTEMS: Final = (
    ("Win32", "Windows"),
    ("Win64", "Windows"),
    ("Debian", "Linux"),
    ("Ubuntu", "Linux"),
    ("Raspbian", "Linux"),
    ("CentOS", "Linux"),
    ("Red Hat", "Linux"),
    ("Fedora", "Linux"),
    ("FreeBSD", "FreeBSD"),
)
_TP_LINK: Final = re.compile(r"(?:w[ra]|wdr|mr|wpa|wvr|r|er|sg|sl|sc)\d")


@dataclass(frozen=True, slots=True)
class Named:
    """What a page turned out to be; the fields of `answer.Answer`. `known`: by a table, not by its own word alone."""

    product: str | None = None
    version: str | None = None
    extra_info: str | None = None
    device_type: str | None = None
    model: str | None = None
    os_name: str | None = None
    hostname: str | None = None
    mac: str | None = None
    cpes: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    known: bool = False


class ServerSeen(NamedTuple):
    """A `Server` header taken apart; `program` is None for one that the table does not know."""

    product: str | None
    version: str | None
    comment: str | None
    program: Server | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen so far: the row that fits, what its groups told, the server, and what runs beside."""

    server: ServerSeen
    row: Row | None = None
    learnt: Mapping[str, str] = field(default_factory=dict)
    besides: tuple[tuple[Row, Mapping[str, str]], ...] = ()

    @property
    def question(self) -> Question | None:
        """What to ask for the version that is missing; None when nothing is, or nobody would tell."""
        return (
            QUESTIONS.get(self.row.ask) if self.row is not None and not self.learnt.get("version") else None
        )


def look_at(page: Page) -> Sighting:
    """What this page shows."""
    texts = {
        "server": page.server,
        "title": page.title,
        "realm": page.realm,
        "generator": page.generator,
        "headers": "\n".join(f"{name.lower()}: {value}" for name, value in page.response.headers),
        "body": page.markup[:_SEARCHED],
    }
    server = read_server(page.server)
    row, learnt = next(
        ((c.row, seen) for c in _PRODUCTS if (seen := _seen(c, texts)) is not None), (None, {})
    )
    besides = tuple((c.row, seen) for c in _BESIDES if (seen := _seen(c, texts)) is not None)
    return Sighting(server, row, learnt, besides)


def learn(sighting: Sighting, question: Question, text: str) -> Sighting:
    """The same, knowing what the answer to a question says."""
    learnt = dict(sighting.learnt)
    for pattern in question.says:
        if found := pattern.search(text[: 2 * _SEARCHED]):
            for key, value in _groups(found).items():
                learnt.setdefault(key, value)
    return replace(sighting, learnt=learnt)


def read_server(text: str) -> ServerSeen:
    """`Apache/2.2.15 (CentOS) PHP/5.3.3` and whatever else devices write there."""
    text = text.strip()
    if found := _JETTY.match(text):
        return _server("jetty", found[1], text[found.end() :])
    if (found := _UPNP.search(text)) is not None:
        return _server(found[1], found[2], "")
    name, slash, rest = text.partition("/")
    if name.lower() == "python" and " " in rest:  # the language before the program
        language, _, text = rest.partition(" ")
        inner = read_server(text)
        return inner._replace(comment=inner.comment or f"Python {language}")
    if not slash or "(" in name:
        name, _, rest = text.partition("(")
        spaced = _SPACED.match(name.strip())
        if spaced and spaced[1].lower() in SERVERS:
            return _server(spaced[1], spaced[2], "")
        return _server(name, None, f"({rest}" if rest else "")
    version = _VERSION.match(rest)
    return _server(
        name, version[1].rstrip(".+~-_") if version else None, rest[version.end() :] if version else ""
    )


def conclude(sighting: Sighting) -> Named:
    """The product: what the page shows with its version, else the server with its, else either without."""
    server, row = sighting.server, sighting.row
    served = _of_server(server)
    for beside, learnt in sighting.besides:
        known = served.product is not None
        served = replace(
            served,
            product=served.product or beside.product,
            version=served.version if known else learnt.get("version"),
            cpes=(*served.cpes, *_cpes(beside, learnt)),
            known=True,
        )
    if row is None:
        return served
    learnt = sighting.learnt
    words = " ".join(row.product.replace("{model}", learnt.get("model", "")).split())
    version = learnt.get("version")
    shown = Named(
        words,
        version,
        _filled(row.info, learnt),
        row.kind or served.device_type,
        learnt.get("model"),
        row.system or served.os_name,
        learnt.get("name"),
        _mac(learnt.get("mac")),
        (*_cpes(row, learnt), *served.cpes),
        {key: learnt[key] for key in ("serial", "build") if key in learnt},
        known=True,
    )
    if (
        version is None
        and served.version is not None
        and server.program is not None
        and served.product != words
    ):
        told = "; ".join(filter(None, (words, shown.extra_info, served.extra_info)))
        return replace(shown, product=served.product, version=served.version, extra_info=told)
    if version is None and served.product == words:
        return replace(shown, version=served.version, extra_info=shown.extra_info or served.extra_info)
    return replace(shown, extra_info=shown.extra_info or _behind(server))


def _seen(compiled: Compiled, texts: Mapping[str, str]) -> dict[str, str] | None:
    for place, pattern in compiled.places:
        text = texts[place]
        if text and (found := pattern.search(text)):
            return _groups(found)
    return None


def _groups(found: re.Match[str]) -> dict[str, str]:
    learnt: dict[str, str] = {}
    for key, value in found.groupdict().items():
        if value and (cleaned := " ".join(value.split()).strip(" -/.,")):
            learnt.setdefault(key.rstrip("2"), cleaned[:60])
    return learnt


def _server(name: str, version: str | None, comment: str) -> ServerSeen:
    name = " ".join(name.split()).strip(",;")[:60]
    comment = comment.strip()[:300]
    program = SERVERS.get(name.lower())
    if program is None and (not name[:1].isalpha() or name.lower() in NAMELESS):
        return ServerSeen(None, None, comment or None, None)
    alone = _ONE_COMMENT.fullmatch(comment)
    # nmap keeps the brackets for Apache only
    if alone and (program is None or program.cpe != "apache:http_server"):
        comment = alone[1]
    return ServerSeen(program.product if program else name, version, comment or None, program)


def _of_server(seen: ServerSeen) -> Named:
    program = seen.program
    if program is None:
        return Named(seen.product, seen.version, seen.comment if seen.product else None)
    cpes = (
        (f"cpe:/a:{program.cpe}" + (f":{_quoted(seen.version)}" if seen.version else ""),)
        if program.cpe
        else ()
    )
    info = "; ".join(filter(None, (program.info, seen.comment)))
    system = program.system or next((name for word, name in _SYSTEMS if word in (seen.comment or "")), None)
    return Named(program.product, seen.version, info or None, os_name=system, cpes=cpes, known=True)


def _behind(server: ServerSeen) -> str | None:
    """The web server as further words on a product that it serves."""
    if server.program is None:
        return None
    return " ".join(filter(None, (server.product, server.version, server.comment)))


def _filled(template: str, learnt: Mapping[str, str]) -> str | None:
    for key, value in learnt.items():
        template = template.replace(f"{{{key}}}", value)
    return template if template and "{" not in template else None


def _cpes(row: Row, learnt: Mapping[str, str]) -> tuple[str, ...]:
    """The row's name with what was learnt; hardware of known firmware gives the firmware's name too."""
    template = row.cpe
    if row.ask == "ilo":
        template = _ilo(learnt.get("model", ""))
    if "{slug}" in template:
        slug = _slug(learnt.get("model", ""))
        if not slug:
            return ()
        if ":tp-link:" in template and _TP_LINK.match(slug):
            slug = f"tl-{slug}"
        template = template.replace("{slug}", slug)
    version = learnt.get("version")
    bare = template.removesuffix(":{version}")
    if not bare or version is None:
        return (bare,) if bare else ()
    if bare.startswith("cpe:/h:"):
        firmware = bare.replace("cpe:/h:", "cpe:/o:", 1) + "_firmware"
        return (bare, f"{firmware}:{_quoted(version)}")
    return (f"{bare}:{_quoted(version)}",)


def _ilo(model: str) -> str:
    number = model[-1:]
    if not number.isdigit():
        return ""
    vendor = "hpe" if number >= "5" else "hp"
    return f"cpe:/o:{vendor}:integrated_lights-out_{number}_firmware"


def _slug(model: str) -> str:
    """A model as NVD writes it: `LaserJet 400 M401dn` is `laserjet_400_m401dn`."""
    return re.sub(r"[^a-z0-9._-]", "", "_".join(model.lower().split())).strip("_-.")


def _quoted(version: str) -> str:
    """A version inside a CPE 2.2 URI: what is no letter, figure, dot, hyphen or underscore is percent-encoded."""
    return re.sub(
        r"[^\w.-]",
        lambda found: f"%{ord(found[0]):02x}" if found[0].isascii() else "",
        version.lower(),
        flags=re.ASCII,
    )


def _mac(text: str | None) -> str | None:
    return ":".join(text[at : at + 2] for at in range(0, 12, 2)).upper() if text else None
