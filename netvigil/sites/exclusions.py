"""PURE: what a scan must leave alone: addresses, ports and devices as people write them, and their normal form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range
from itertools import chain
from typing import TYPE_CHECKING, Any

from netvigil.errors import Invalid
from netvigil.inventory.mac import parse_mac
from netvigil.sites.scope import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Interval = tuple[int, int]  # both ends belong to it

LAST_PORT = 65535

_CIDR = re.compile(r"([0-9.]{7,15})/([0-9]|[12][0-9]|3[0-2])")
_RANGE = re.compile(r"([0-9.]{7,15})-([0-9.]{7,15})")
_PORTS = re.compile(r"(?:(tcp|udp)/)?([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LONGEST_ECHO = 50


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Nothing is sent to these addresses and ports, nor to a device once its MAC is known to be one of these.

    `networks` share no address, are as wide as can be, and ascend; `macs` are as `inventory.mac.parse_mac` gives them.
    """

    networks: tuple[IPv4Network, ...] = ()
    tcp_ports: frozenset[int] = frozenset()
    udp_ports: frozenset[int] = frozenset()
    macs: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Exclusions:
        """Read `{"addresses": […], "ports": […], "macs": […]}`; each list may be absent.

        An address is `192.168.1.5`, `192.168.1.0/28` or `192.168.1.5-192.168.1.9`. A port is 80 or `"80"` (TCP and
        UDP), `"tcp/80"`, `"udp/161"`, and any of them may be a range, `"8000-8010"`. A MAC has any usual spelling.
        Raises Invalid (`parameter_invalid`) with a sentence that names the entry.
        """
        addresses = [parse_addresses(entry) for entry in _entries(value, "addresses")]
        ports = [parse_ports(entry) for entry in _entries(value, "ports")]
        ranges = _joined((int(first), int(last)) for first, last in addresses)
        return cls(
            networks=tuple(chain.from_iterable(_networks(*interval) for interval in ranges)),
            tcp_ports=_numbers(interval for protocol, interval in ports if protocol != "udp"),
            udp_ports=_numbers(interval for protocol, interval in ports if protocol != "tcp"),
            macs=frozenset(parse_exclusion_mac(entry) for entry in _entries(value, "macs")),
        )

    def to_json(self) -> dict[str, list[Any]]:
        """The normal form of what `from_json` reads: ascending, joined, never more entries than were written."""
        addresses = _joined((int(n.network_address), int(n.broadcast_address)) for n in self.networks)
        tcp = set(_joined((port, port) for port in self.tcp_ports))
        udp = set(_joined((port, port) for port in self.udp_ports))
        ports = [(interval, "") for interval in tcp & udp]
        ports += [(interval, "tcp/") for interval in tcp - udp]
        ports += [(interval, "udp/") for interval in udp - tcp]
        return {
            "addresses": [_address_text(*interval) for interval in addresses],
            "ports": [_port_entry(*interval, prefix) for interval, prefix in sorted(ports)],
            "macs": sorted(self.macs),
        }

    def merge(self, other: Exclusions) -> Exclusions:
        """What either of the two leaves alone."""
        return Exclusions(
            networks=tuple(collapse_addresses((*self.networks, *other.networks))),
            tcp_ports=self.tcp_ports | other.tcp_ports,
            udp_ports=self.udp_ports | other.udp_ports,
            macs=self.macs | other.macs,
        )


def parse_addresses(entry: Any) -> tuple[IPv4Address, IPv4Address]:
    """The first and last address of an entry; raises Invalid."""
    text = entry if isinstance(entry, str) else ""
    if match := _RANGE.fullmatch(text):
        first, last = map(parse_address, match.groups())
        if first > last:
            raise _invalid(f"The range {text} ends before it begins.")
        return first, last
    if match := _CIDR.fullmatch(text):
        network = IPv4Network((parse_address(match[1]), int(match[2])), strict=False)
        if str(network) != text:
            raise _invalid(f"{text} has host bits set; did you mean {network}?")
        return network.network_address, network.broadcast_address
    if re.fullmatch(r"[0-9.]{7,15}", text):
        address = parse_address(text)
        return address, address
    raise _invalid(
        f"{_shown(entry)} is no address to exclude; write 192.168.1.5, 192.168.1.0/28 or 192.168.1.5-192.168.1.9."
    )


def parse_ports(entry: Any) -> tuple[str | None, Interval]:
    """The protocol (`tcp`, `udp`, None for both) and the first and last port of an entry; raises Invalid."""
    number = isinstance(entry, int) and not isinstance(entry, bool)
    text = str(entry) if number and 0 <= entry <= LAST_PORT else entry if isinstance(entry, str) else ""
    match = _PORTS.fullmatch(text)
    if match is None:
        raise _invalid(
            f'{_shown(entry)} is no port to exclude; write 80, "8000-8010", "tcp/80" or "udp/161".'
        )
    first, last = int(match[2]), int(match[3] or match[2])
    if not 1 <= first <= last <= LAST_PORT:
        raise _invalid(f"{_shown(entry)} is no port to exclude: ports ascend and are 1 to {LAST_PORT}.")
    return match[1], (first, last)


def parse_exclusion_mac(entry: Any) -> str:
    """The MAC of an entry in its normal form; raises Invalid."""
    if not isinstance(entry, str):
        raise _invalid(f"{_shown(entry)} is not a MAC address, such as 00:1A:2B:3C:4D:5E.")
    return parse_mac(entry)


def _entries(value: Mapping[str, Any], name: str) -> list[Any]:
    entries = value.get(name, [])
    if not isinstance(entries, list):
        raise _invalid(f"The exclusions' {name} must be a list.")
    return entries


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same numbers in as few intervals as can be, ascending.

    Done before anything is counted out: a thousand entries may each name nearly every port.
    """
    joined: list[Interval] = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _numbers(intervals: Iterable[Interval]) -> frozenset[int]:
    return frozenset(chain.from_iterable(range(first, last + 1) for first, last in _joined(intervals)))


def _networks(first: int, last: int) -> Iterable[IPv4Network]:
    return summarize_address_range(IPv4Address(first), IPv4Address(last))


def _address_text(first: int, last: int) -> str:
    if first == last:
        return str(IPv4Address(first))
    network, *more = _networks(first, last)
    return f"{IPv4Address(first)}-{IPv4Address(last)}" if more else str(network)


def _port_entry(first: int, last: int, prefix: str) -> int | str:
    if first == last:
        return f"{prefix}{first}" if prefix else first
    return f"{prefix}{first}-{last}"


def _shown(entry: Any) -> str:
    text = repr(entry)
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"


def _invalid(sentence: str) -> Invalid:
    return Invalid("parameter_invalid", sentence)
