"""PURE: which of the hosts that one scan saw a MAC tells apart, and which only their address does."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netvigil.inventory.mac import is_multicast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address
    from uuid import UUID

ADDRESSES_MAX = 8
"""More addresses than that behind one MAC are a router that answers for others, whatever they look like."""

# A router that others share or take over: VRRP and CARP (RFC 9568, 7.3), HSRP 1 and 2, GLBP.
_VIRTUAL = re.compile(r"00:00:5E:00:0[12]:|00:00:0C:07:AC:|00:00:0C:9F:F|00:07:B4:")
_NONE = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Sight:
    """A host as far as its identity goes; `looks` is everything that tells one kind of device from another."""

    host_id: UUID
    site_id: UUID
    address: IPv4Address
    mac: str | None
    looks: tuple[Any, ...]


def names_device(mac: str) -> bool:
    """Whether a MAC can name one device at all: not a group's, not a virtual router's, not empty. Raises Invalid."""
    return not is_multicast(mac) and mac != _NONE and _VIRTUAL.match(mac) is None


def identify_by_mac(sights: Iterable[Sight]) -> dict[UUID, str | None]:
    """For each host of one scan the MAC that identifies it, None where only site and address do.

    A MAC at several addresses is one device with several addresses when all of them look the same, and is no identity
    when they do not: a router that answers ARP for others (RFC 1027), or cloned machines.
    """
    behind: dict[str, list[Sight]] = defaultdict(list)
    identity: dict[UUID, str | None] = {}
    for sight in sights:
        identity[sight.host_id] = None
        if sight.mac is not None and names_device(sight.mac):
            behind[sight.mac].append(sight)
    for mac, some in behind.items():
        if _are_one(some):
            identity |= {sight.host_id: mac for sight in some}
    return identity


def _are_one(sights: Sequence[Sight]) -> bool:
    if len(sights) == 1:
        return True
    first = sights[0]
    # what shows nothing looks like everything else that shows nothing
    return (
        len(sights) <= ADDRESSES_MAX
        and any(first.looks)
        and all(other.looks == first.looks and other.site_id == first.site_id for other in sights)
    )
