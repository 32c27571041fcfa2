"""Read nmap's XML while it is written, safely: no entities, bounded, and a cut-off document counts as far as it goes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.ports import LAST_PORT, parse_ports
from netvigil.probing.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DOCUMENT = 256 * 1024 * 1024
MAX_TOKEN = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_CPES = 16
_CPE_LIMIT = 256
_SKIPPED = frozenset({"script", "hostscript", "trace"})  # large, and read by nobody
_MAC = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")


class XmlFault(Exception):
    """The document is none that nmap writes, or too large; what was read before stays valid."""


@dataclass(frozen=True, slots=True)
class HostSeen:
    """A host element is complete and the host is up.

    `answered` counts the ports that answered at all, `silent` are those that did not, in nmap's notation.
    """

    host: HostObservation
    answered: int = 0
    silent: str = ""


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """nmap's own estimate for its current task."""

    task: str
    percent: float


@dataclass(frozen=True, slots=True)
class PortsPlanned:
    """The TCP ports that this nmap run looks at."""

    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The document's end: did nmap call it a success, and how many hosts were up of how many."""

    success: bool
    message: str | None
    hosts_up: int
    hosts_total: int


NmapEvent = HostSeen | TaskProgress | PortsPlanned | Finished


class NmapXmlReader:
    """Push bytes in, take events out; holds at most one host in memory.

    expat is used itself because ElementTree's parsers cannot refuse entity declarations. nmap writes an empty
    `<!DOCTYPE nmaprun>` and a style sheet instruction; both pass, anything declared inside a DOCTYPE does not.
    """

    def __init__(self, max_document: int = MAX_DOCUMENT, max_token: int = MAX_TOKEN) -> None:
        self._max_document = max_document
        self._max_token = max_token
        self._size = 0
        self._depth = 0
        self._events: list[NmapEvent] = []
        self._host: TreeBuilder | None = None
        self._skipped_from = 0
        self._hosts_up = 0
        self._hosts_total = 0
        self._finished: dict[str, str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._on_doctype
        self._parser.EntityDeclHandler = self._on_entity
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text
        self._parser.buffer_text = True

    def feed(self, data: bytes) -> list[NmapEvent]:
        """The events that these bytes complete; raises XmlFault (after which nothing more may be fed)."""
        self._size += len(data)
        if self._size > self._max_document:
            raise XmlFault(f"nmap's document is larger than {self._max_document} bytes")
        try:
            self._parser.Parse(data, False)  # noqa: FBT003 - expat's own positional flag
        except expat.ExpatError as error:
            raise XmlFault(f"nmap's document is damaged: {error}") from error
        if self._size - max(self._parser.CurrentByteIndex, 0) > self._max_token:
            raise XmlFault(f"a single piece of nmap's document is larger than {self._max_token} bytes")
        events, self._events = self._events, []
        return events

    def drain(self) -> list[NmapEvent]:
        """The events that were complete before a fault."""
        events, self._events = self._events, []
        return events

    def _on_doctype(self, name: str, system: str | None, public: str | None, has_subset: int) -> None:
        if name != "nmaprun" or system or public or has_subset:
            raise XmlFault("nmap's document declares a foreign document type")

    def _on_entity(self, name: str, *_: object) -> None:
        raise XmlFault(f"nmap's document declares an entity ({clean_text(name, 40)})")

    def _on_start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise XmlFault("nmap's document is nested too deeply")
        if self._skipped_from:
            return
        if tag in _SKIPPED:
            self._skipped_from = self._depth
        elif self._host is not None:
            self._host.start(tag, attributes)
        elif tag == "host":
            self._host = TreeBuilder()
            self._host.start(tag, attributes)
        else:
            self._note(tag, attributes)

    def _on_end(self, tag: str) -> None:
        self._depth -= 1
        if self._skipped_from:
            if self._depth < self._skipped_from:
                self._skipped_from = 0
        elif self._host is not None:
            element = self._host.end(tag)
            if tag == "host":
                self._host = None
                seen = read_host(element)
                if seen is not None:
                    self._events.append(HostSeen(seen, *_read_silence(element)))
        elif tag == "runstats" and self._finished is not None:
            self._events.append(self._end_of_run(self._finished))

    def _on_text(self, text: str) -> None:
        if self._host is not None and not self._skipped_from:
            self._host.data(text)

    def _note(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "taskprogress":
            percent = _number(attributes.get("percent"))
            self._events.append(TaskProgress(clean_text(attributes.get("task"), 80) or "", percent))
        elif tag == "scaninfo" and attributes.get("protocol") == "tcp":
            try:
                self._events.append(PortsPlanned(parse_ports(attributes.get("services", ""))))
            except ValueError as error:
                raise XmlFault("nmap's port list cannot be read") from error
        elif tag == "finished":
            self._finished = attributes
        elif tag == "hosts":
            self._hosts_up = int(_number(attributes.get("up")))
            self._hosts_total = int(_number(attributes.get("total")))

    def _end_of_run(self, attributes: Mapping[str, str]) -> Finished:
        return Finished(
            success=attributes.get("exit") == "success",
            message=clean_text(attributes.get("errormsg")),
            hosts_up=self._hosts_up,
            hosts_total=self._hosts_total,
        )


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def read_host(element: Element) -> HostObservation | None:
    """The observation in one `<host>` element; None when it is down or has no IPv4 address."""
    status = element.find("status")
    address, mac, vendor = _read_addresses(element)
    if status is None or status.get("state") != "up" or address is None:
        return None
    services = tuple(filter(None, map(_read_port, element.iterfind("ports/port"))))
    name = element.find("hostnames/hostname")
    hostname = clean_text(name.get("name"), 255) if name is not None else None
    return HostObservation(
        address=address,
        observed_at=datetime.now(UTC),
        reason=clean_text(status.get("reason"), 40) or "unknown",
        mac=mac,
        manufacturer=vendor,
        hostname=hostname or next((service.hostname for service in services if service.hostname), None),
        os_name=_read_os(element, services),
        services=services,
    )


def _read_silence(element: Element) -> tuple[int, str]:
    answered = len(element.findall("ports/port"))
    silent: list[str] = []
    for reason in element.iterfind("ports/extraports/extrareasons"):
        if (reason.get("reason") or "").startswith("no-response"):
            silent.append(reason.get("ports") or "")
        else:
            answered += int(_number(reason.get("count")))
    return answered, ",".join(filter(None, silent))


def _read_addresses(element: Element) -> tuple[IPv4Address | None, str | None, str | None]:
    address = mac = vendor = None
    for item in element.iterfind("address"):
        text = item.get("addr", "").upper()
        if item.get("addrtype") == "mac" and _MAC.fullmatch(text):
            mac, vendor = text, clean_text(item.get("vendor"), 120)
        elif item.get("addrtype") == "ipv4":
            try:
                address = IPv4Address(text)
            except AddressValueError:
                address = None
    return address, mac, vendor


def _read_port(element: Element) -> ServiceObservation | None:
    """The open port in a `<port>` element; None for any other state (`open|filtered` proves nothing)."""
    state = element.find("state")
    number = element.get("portid", "")
    if state is None or state.get("state") != "open" or element.get("protocol") not in set(Protocol):
        return None
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= LAST_PORT:
        return None
    found = element.find("service")
    service = found if found is not None else Element("service")
    cpes = (clean_text(item.text, _CPE_LIMIT) for item in service.findall("cpe")[:MAX_CPES])
    return ServiceObservation(
        port=int(number),
        protocol=Protocol(element.get("protocol", "")),
        method=Method.NMAP if service.get("method") == "probed" else Method.SWEEP,
        name=clean_text(service.get("name"), 120),
        product=clean_text(service.get("product")),
        version=clean_text(service.get("version")),
        extra_info=clean_text(service.get("extrainfo")),
        os_type=clean_text(service.get("ostype"), 120),
        device_type=clean_text(service.get("devicetype"), 120),
        hostname=clean_text(service.get("hostname"), 255),
        tunnel=clean_text(service.get("tunnel"), 40),
        cpes=tuple(filter(None, cpes)),
    )


def _read_os(element: Element, services: tuple[ServiceObservation, ...]) -> str | None:
    """Nmap's best guess at the system, else what most of the services name."""
    guess = element.find("os/osmatch")
    if guess is not None:
        return clean_text(guess.get("name"), 255)
    named = Counter(service.os_type for service in services if service.os_type)
    return named.most_common(1)[0][0] if named else None
