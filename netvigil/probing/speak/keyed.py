"""A protocol over UDP whose replies repeat something random of the datagram that they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netvigil.probing.speak.protocol import UdpProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Address


def _no_key(_: bytes) -> bytes | None:
    return None


def _no_others(_: IPv4Address) -> Sequence[bytes]:
    return ()


@dataclass(frozen=True, slots=True)
class KeyedProtocol(UdpProtocol):
    """A protocol with transaction ids.

    `key(data)`: what a request and its reply have in common and nobody else can know, from either of them; None when
    the data has no such thing. A reply whose key we never sent is dropped; one without a key counts only if it comes
    from the address that was asked. `others(address)`: further datagrams that go there with the first, like `also`
    but with ids of their own. `joins`: replies go to the group instead of to us, which has therefore to be joined.
    """

    key: Callable[[bytes], bytes | None] = _no_key
    others: Callable[[IPv4Address], Sequence[bytes]] = _no_others
    joins: bool = False
