"""Which addresses may be scanned: networks as people write them, what covers what, and the targets of a subnet.

Networks are IPv4 in CIDR notation (RFC 4632). What no host can have as its address is refused at the door and left
out again when targets are listed, so that no packet is ever sent to it.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from netvigil.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDEST_SUBNET = 22
"""A schedule's subnet has a prefix from here to /32: 1024 addresses at most."""

WIDEST_NETWORK = 8
"""A site's authorised network has a prefix from here to /32."""

_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_CIDR = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})/([1-9]?[0-9])")
_LONGEST_ECHO = 50
_SINGLE_HOSTS = 31  # from this prefix on every address is a host's (RFC 3021)

_PRIVATE = (
    IPv4Network("10.0.0.0/8"),  # RFC 1918
    IPv4Network("172.16.0.0/12"),  # RFC 1918
    IPv4Network("192.168.0.0/16"),  # RFC 1918
    IPv4Network("100.64.0.0/10"),  # RFC 6598, shared behind a carrier's NAT
    IPv4Network("169.254.0.0/16"),  # RFC 3927, link-local
    IPv4Network("127.0.0.0/8"),  # RFC 1122, loopback
)

# None of these is the address of one host, and a packet to some of them goes to many. All are /8 or wider, as
# networks are /8 or narrower, so a network lies inside one of them or shares nothing with any.
_UNSCANNABLE = {
    IPv4Network("0.0.0.0/8"): '"this network" (RFC 791)',
    IPv4Network("224.0.0.0/4"): "multicast (RFC 5771)",
    IPv4Network("240.0.0.0/4"): "reserved or broadcast (RFC 1112)",
}


def parse_subnet(text: str) -> IPv4Network:
    """Return the subnet that a schedule names in CIDR notation, a network address with a prefix /22 to /32.

    Raises Invalid (`subnet_invalid`) with a sentence that says what to write instead.
    """
    return _parse(text, WIDEST_SUBNET)


def parse_network(text: str) -> IPv4Network:
    """Return the network that a site authorises in CIDR notation, with a prefix /8 to /32, private or public.

    Raises as `parse_subnet`. Whether a public network may be authorised is the caller's question (`is_private`).
    """
    return _parse(text, WIDEST_NETWORK)


def parse_address(text: str) -> IPv4Address:
    """Return one IPv4 address in dotted decimal; raises Invalid (`parameter_invalid`)."""
    if _ADDRESS.fullmatch(text) and not _has_bad_octet(text):
        return IPv4Address(text)
    raise Invalid("parameter_invalid", f"{_shown(text)} is not an IPv4 address, such as 192.168.1.1.")


def is_private(network: IPv4Network) -> bool:
    """Say whether the whole network lies inside one private range: RFC 1918, RFC 6598, link-local or loopback.

    Narrower than `IPv4Network.is_private`, which also holds documentation and benchmark ranges that others route.
    """
    return any(network.subnet_of(private) for private in _PRIVATE)


def covers(networks: Iterable[IPv4Network], subnet: IPv4Network) -> bool:
    """Say whether every address of the subnet is in at least one of the networks."""
    # Collapsed networks are as wide as can be, so a subnet that two halves cover together is inside one of these.
    return any(subnet.subnet_of(network) for network in collapse_addresses(networks))


def overlaps(subnets: Iterable[IPv4Network]) -> tuple[IPv4Network, IPv4Network] | None:
    """Return a pair of subnets that share an address (the same one twice also), the wider first, or None."""
    # Two networks are apart or one holds the other, so sorted by address a holder stands just before one it holds.
    return next((pair for pair in pairwise(sorted(subnets)) if pair[0].overlaps(pair[1])), None)


def targets(
    subnet: IPv4Network, exclusions: Iterable[IPv4Network | IPv4Address] = ()
) -> tuple[IPv4Address, ...]:
    """Return the addresses to scan, ascending: the subnet without the excluded networks and addresses.

    A subnet wider than /31 also loses its network and broadcast address; multicast, 0/8 and 240/4 never appear.
    Raises ValueError for a subnet wider than /22, which `parse_subnet` would have refused.
    """
    if subnet.prefixlen < WIDEST_SUBNET:
        raise ValueError(f"{subnet} is wider than /{WIDEST_SUBNET}")
    excluded = [network for network in map(IPv4Network, exclusions) if network.overlaps(subnet)]
    if any(subnet.subnet_of(network) for network in (*excluded, *_UNSCANNABLE)):
        return ()
    # What is left lies inside the subnet, so that this set never outgrows it, and collapsed it is walked once.
    spared = set(chain.from_iterable(collapse_addresses(excluded)))
    if subnet.prefixlen < _SINGLE_HOSTS:
        spared |= {subnet.network_address, subnet.broadcast_address}
    return tuple(address for address in subnet if address not in spared)


def _parse(text: str, widest: int) -> IPv4Network:
    match = _CIDR.fullmatch(text)
    if match is None:
        raise _invalid(f"{_shown(text)} is not an IPv4 network in CIDR notation, such as 192.168.1.0/24.")
    address, prefix = match.groups()
    if _has_bad_octet(address):
        raise _invalid(f"{_shown(text)} is not an IPv4 network: each part is 0 to 255 without leading zeros.")
    if not widest <= int(prefix) <= 32:  # noqa: PLR2004 - bits of an address
        raise _invalid(f"The prefix of {text} must be between /{widest} and /32.")
    network = IPv4Network(text, strict=False)
    for unscannable, reason in _UNSCANNABLE.items():
        if network.subnet_of(unscannable):
            raise _invalid(f"{text} cannot be scanned: its addresses are {reason}.")
    if network.network_address != IPv4Address(address):
        raise _invalid(f"{text} has host bits set; did you mean {network}?")
    return network


def _has_bad_octet(address: str) -> bool:
    return any(str(int(part)) != part or int(part) > 255 for part in address.split("."))  # noqa: PLR2004 - an octet


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…")


def _invalid(sentence: str) -> Invalid:
    return Invalid("subnet_invalid", sentence)
