"""PURE: what all services of one host together say of its RouterOS, and where they contradict each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netvigil.probing.observations import ServiceObservation

MAX_TEXT: Final = 4096
MAX_DISAGREEMENTS: Final = 8

# As RouterOS writes itself everywhere: `6.42`, `7.4beta4`, `v7.15rc2 (testing)`, `7.18.2 (stable) 2025-03-11`.
VERSION: Final = r"(\d{1,2}\.\d{1,3}(?:\.\d{1,3}){0,2})((?:alpha|beta|rc)\d{1,3})?(?![\d.]*\d)"
CHANNEL: Final = r"(?:\s*\(?(stable|long-term|testing|development|current|bugfix)\b)?"
_CHANNELS: Final = {
    "stable": "stable",
    "long-term": "long-term",
    "testing": "testing",
    "development": "development",
    "current": "stable",  # what stable was called until 2018
    "bugfix": "long-term",  # what long-term was called until 2018
}

_FLAGS: Final = re.IGNORECASE | re.ASCII
_BARE: Final = re.compile(rf"\s*v?{VERSION}{CHANNEL}", _FLAGS)
_LISTED: Final = re.compile(rf"name: \"roteros\.jg\"[^}}]{{0,200}}version: \"{VERSION}\"()", _FLAGS)
_NAMED: Final = re.compile(
    rf"\b(?:MikroTik RouterOS|MikroTik router ftpd|MikroTik|RouterOS) v?{VERSION}{CHANNEL}", _FLAGS
)
_KIN: Final = re.compile(r"\bROSSSH\b|\bRouterOS\b|\bMikroTik\b(?! RouterBoard 2\d0GS| SwOS)", _FLAGS)
# Switches whose system, SwOS, announces itself like RouterOS: boards that run nothing else, and its versions 1 and 2.
_SWITCH: Final = re.compile(r"(?:CSS|RB2[56]0GS)|CRS", re.IGNORECASE)


class Source(StrEnum):
    """Who speaks of the router, the most exact first."""

    MNDP = "MNDP"
    TELNET = "telnet"
    LIST = "WebFig's list of files"
    WEBFIG = "WebFig"
    FTP = "FTP"
    WINBOX = "WinBox"
    SNMP = "SNMP"
    OTHER = "another service"


_NAMING: Final = frozenset(
    {Source.MNDP, Source.FTP, Source.SNMP}
)  # whose word for the host is the router's own
_RANK: Final = {source: rank for rank, source in enumerate(Source)}


@dataclass(frozen=True, slots=True)
class Statement:
    """What one source says; None where it says nothing. `version` has no channel, `channel` is today's word for it."""

    source: Source
    version: str | None = None
    channel: str | None = None
    board: str | None = None
    identity: str | None = None
    software_id: str | None = None

    @property
    def release(self) -> str | None:
        """The version with its channel: `6.49.10 (long-term)`."""
        return f"{self.version} ({self.channel})" if self.version and self.channel else self.version


@dataclass(frozen=True, slots=True)
class RouterOs:
    """The RouterOS of one host. `disagreements` are plain sentences, empty when all sources agree."""

    version: str | None = None
    channel: str | None = None
    board: str | None = None
    identity: str | None = None
    software_id: str | None = None
    disagreements: tuple[str, ...] = ()

    @property
    def os_name(self) -> str:
        """As a host's system is named: `RouterOS 6.42 (stable)`, `RouterOS` alone where no version is known."""
        channel = f"({self.channel})" if self.version and self.channel else None
        return " ".join(filter(None, ("RouterOS", self.version, channel)))


def reconcile(services: Sequence[ServiceObservation]) -> RouterOs | None:
    """What a host's services say of its RouterOS, from the best source of each fact; None when none shows RouterOS."""
    statements = [statement for service in services for statement in read_statements(service)]
    if not statements:
        return None
    statements.sort(key=lambda statement: _RANK[statement.source])
    best = next((statement for statement in statements if statement.version), None)
    channel = next(
        (s.channel for s in statements if s.channel and best and _same(s.version, best.version)), None
    )
    return RouterOs(
        best.version if best else None,
        channel,
        _first(statements, lambda statement: statement.board),
        _first(statements, lambda statement: statement.identity),
        _first(statements, lambda statement: statement.software_id),
        tuple(dict.fromkeys(_disagreements(statements)))[:MAX_DISAGREEMENTS],
    )


def read_statements(service: ServiceObservation) -> tuple[Statement, ...]:
    """What one service says of RouterOS; () when it does not even show that it is one."""
    texts = [
        text[:MAX_TEXT]
        for text in (
            service.banner or "",
            f"{service.product or ''} {service.version or ''}",
            service.extra_info or "",
        )
    ]
    if not _is_routeros(service, texts) or is_other_system(service):
        return ()
    facts, source = service.facts, _source(service)
    said = [
        (_LISTED.search(texts[0]), Source.LIST if source is Source.WEBFIG else source),
        (_find_named(service, texts), source),
    ]
    found = [
        Statement(teller, *_release(match, facts.get("channel")))
        for match, teller in said
        if match is not None
    ]
    identity = facts.get("identity") or (service.hostname if source in _NAMING else None)
    rest = Statement(source, None, None, facts.get("board"), identity, facts.get("software_id"))
    return (*found, rest)


def is_other_system(service: ServiceObservation) -> bool:
    """Whether a neighbour announcement is not RouterOS': SwOS speaks MNDP like it and has versions of its own."""
    if service.name != "mndp":
        return False
    product = service.product or "MikroTik"
    if "SwOS" in product or "MikroTik" not in product:
        return True
    board = _SWITCH.match(service.facts.get("board") or "")
    early = (service.version or service.banner or "").startswith(("1.", "2."))
    return board is not None and (early or board[0].upper() != "CRS")


def normal_channel(word: str | None) -> str | None:
    """Today's name of a release channel; None for what is none."""
    return _CHANNELS.get(word.strip().lower()) if word else None


def _is_routeros(service: ServiceObservation, texts: Sequence[str]) -> bool:
    return (
        service.name in {"mndp", "winbox", "routeros-api"}
        or any(":mikrotik:routeros" in cpe for cpe in service.cpes)
        or any(_KIN.search(text) for text in texts)
        or _LISTED.search(texts[0]) is not None
    )


def _find_named(service: ServiceObservation, texts: Sequence[str]) -> re.Match[str] | None:
    for text in texts:
        if found := _NAMED.search(text):
            return found
    bare = {"mndp": (service.version, service.banner), "winbox": (service.version,)}.get(
        service.name or "", ()
    )
    return next((found for text in bare if (found := _BARE.match((text or "")[:MAX_TEXT]))), None)


def _source(service: ServiceObservation) -> Source:
    name = service.name or ""
    if name.startswith("http"):
        return Source.WEBFIG
    return {
        "mndp": Source.MNDP,
        "telnet": Source.TELNET,
        "ftp": Source.FTP,
        "winbox": Source.WINBOX,
        "snmp": Source.SNMP,
    }.get(name, Source.OTHER)


def _release(found: re.Match[str], told: str | None) -> tuple[str, str | None]:
    version = found[1] + (found[2] or "").lower()
    return version, normal_channel(found[3]) or normal_channel(told)


def _first(statements: Sequence[Statement], read: Callable[[Statement], str | None]) -> str | None:
    return next((value for statement in statements if (value := read(statement))), None)


def _same(one: str | None, other: str | None) -> bool:
    """7.18 and 7.18.0 are one version; 7.18 and 7.18rc2 are not."""
    return one is not None and other is not None and _key(one) == _key(other)


def _key(version: str) -> tuple[tuple[int, ...], str]:
    found = _BARE.match(version)
    if found is None:
        return (), version
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers), (found[2] or "").lower()


def _disagreements(statements: Sequence[Statement]) -> Iterator[str]:
    """One sentence for each source that contradicts a better one: release, identity, software id.

    Boards are left out: the same one has a name on the box and another in the catalogue (hEX, RB750Gr3).
    """
    best: Statement | None = None
    for statement in statements:
        if best is None or not best.version:
            best = statement
        elif statement.version and (
            not _same(statement.version, best.version)
            or (statement.channel and best.channel and statement.channel != best.channel)
        ):
            yield f"{best.source} says {best.release}, {_other(statement, best)} says {statement.release}."
    yield from _contradictions(statements, "the router's name is", lambda statement: statement.identity)
    yield from _contradictions(statements, "the software id is", lambda statement: statement.software_id)


def _contradictions(
    statements: Sequence[Statement], what: str, read: Callable[[Statement], str | None]
) -> Iterator[str]:
    told = [(statement, value) for statement in statements if (value := read(statement))]
    for statement, value in told[1:]:
        best, first = told[0]
        if value != first:
            yield f"{best.source} says {what} {first}, {_other(statement, best)} says {value}."


def _other(statement: Statement, best: Statement) -> str:
    return "the same on another port" if statement.source is best.source else statement.source.value
