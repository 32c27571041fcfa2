"""Which addresses a message may be sent to: a receiver must not be a door to this machine or its cloud's metadata."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from netvigil.errors import NetvigilError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Where clouds answer a machine's questions about itself, its passwords among them. Most are link-local and refused by
# that already; these are not.
_METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is the last 32 bits
_BROADCAST = IPv4Address("255.255.255.255")
_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 1122; Linux takes some of it for itself


class ForbiddenTarget(NetvigilError):
    """A receiver's address is one that messages are not sent to."""


def read_allowed(words: Iterable[str]) -> tuple[Network, ...]:
    """The networks of the setting `NETVIGIL_NOTIFY_ALLOW`; raises UsageError on what is no network."""
    try:
        return tuple(ip_network(word, strict=False) for word in words)
    except ValueError as error:
        raise UsageError(f"NETVIGIL_NOTIFY_ALLOW holds what is no address or network: {error}.") from None


def why_forbidden(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """In a word what the address is when nothing may be sent to it, None when it may.

    Private networks (RFC 1918, RFC 4193) are open, for that is where a company's own chat and mail servers stand.
    """
    real = _embedded(address)
    if any(one.version == net.version and one in net for one in (address, real) for net in allowed):
        return None
    kinds = (
        (real in _METADATA, "a cloud's metadata address"),
        (real.is_unspecified or (real.version == 4 and real in _THIS_NETWORK), "no address of a receiver"),  # noqa: PLR2004 - IP's version
        (real.is_loopback, "this machine itself (loopback)"),
        (real.is_link_local, "a link-local address"),
        (real.is_multicast or real == _BROADCAST, "a multicast or broadcast address"),
    )
    return next((word for is_so, word in kinds if is_so), None)


def check_address(text: str, allowed: Sequence[Network] = ()) -> None:
    """Raise ForbiddenTarget unless messages may go to this address, numeric and perhaps with a zone (`fe80::1%eth0`)."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        raise ForbiddenTarget("The receiver's host did not resolve to an address.") from None
    if what := why_forbidden(address, allowed):
        raise ForbiddenTarget(
            f"The receiver's address {address} is {what}; nothing is sent there unless the setting "
            "NETVIGIL_NOTIFY_ALLOW names it."
        )


def literal_address(host: str) -> str | None:
    """The address that a host written as a number means, in any of its spellings (`127.1`, `0x7f000001`); else None."""
    bare = host.strip("[]").rstrip(".")
    if bare.lower() == "localhost" or bare.lower().endswith(".localhost"):
        return "127.0.0.1"  # RFC 6761, section 6.3
    try:
        return str(ip_address(bare.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare)) if bare.isascii() and " " not in bare else None
    except OSError:
        return None


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries, for that is where the packets go."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
