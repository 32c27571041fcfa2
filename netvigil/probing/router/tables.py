"""PURE: from the rows of a router's ARP and DHCP tables to which host has which MAC and which name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Final

from netvigil.errors import Invalid
from netvigil.inventory.mac import is_multicast, parse_mac
from netvigil.probing.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_ADDRESSES_OF_A_MAC: Final = 8
"""A MAC with more addresses than this is a router's or a proxy's that answers for others, not theirs."""

_MAX_NAME: Final = 255  # a DHCP option's length
_NOBODY: Final = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One row that gives an address its MAC, as text from the router and unchecked."""

    address: str
    mac: str


@dataclass(frozen=True, slots=True)
class Lease:
    """One DHCP lease in force, as text from the router and unchecked; `name` is what the client calls itself."""

    address: str
    mac: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class RouterResource:
    """What the router says of itself; None where it does not."""

    version: str | None = None
    board: str | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class RouterTables:
    """What the router knows of the hosts around it: their MACs (normal form) and the names they gave to DHCP."""

    arp: Mapping[IPv4Address, str] = field(default_factory=dict)
    names: Mapping[IPv4Address, str] = field(default_factory=dict)
    resource: RouterResource | None = None


def build_tables(
    neighbours: Iterable[Neighbour],
    leases: Iterable[Lease] = (),
    resource: RouterResource | None = None,
) -> RouterTables:
    """The tables without what identifies nobody.

    Dropped are broken rows, group addresses, a MAC that stands for many addresses, and an address with two MACs (two
    networks of the router have it: nobody knows which is ours). A lease stands in where ARP has forgotten the host;
    where ARP knows the address under another MAC, the lease and its name are another host's.
    """
    seen: dict[IPv4Address, set[str]] = {}
    for row in neighbours:
        _note(seen, row.address, row.mac)
    leased: dict[IPv4Address, set[str]] = {}
    names: dict[tuple[IPv4Address, str], str] = {}
    for lease in leases:
        if (noted := _note(leased, lease.address, lease.mac)) and (name := clean_text(lease.name, _MAX_NAME)):
            names[noted] = name
    macs = {address: next(iter(found)) for address, found in (leased | seen).items() if len(found) == 1}
    shared = {mac for mac, count in Counter(macs.values()).items() if count > MAX_ADDRESSES_OF_A_MAC}
    arp = {address: mac for address, mac in macs.items() if mac not in shared}
    return RouterTables(
        arp, {address: name for (address, mac), name in names.items() if arp.get(address) == mac}, resource
    )


def _note(table: dict[IPv4Address, set[str]], address: str, mac: str) -> tuple[IPv4Address, str] | None:
    """Enter a row into the table; None when it names no host or no card."""
    try:
        host, card = IPv4Address(address), parse_mac(mac)
    except (AddressValueError, Invalid):
        return None
    if host.is_multicast or host.is_unspecified or host.is_loopback or card == _NOBODY or is_multicast(card):
        return None
    table.setdefault(host, set()).add(card)
    return host, card
