"""The shape of a protocol's module: what the catalogue lists, and what a new one has to supply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address

    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.line import Line


def _recognise_nothing(_: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class TcpProtocol:
    """One protocol over TCP.

    `ports`: where it is expected, so that it is the first to be tried there. `greets`: the server speaks first; it is
    then given time, and nothing is sent before. `recognises`: whether bytes that a server sent, unasked or in answer
    to a request of another protocol, are this one's; it must be sure, for it settles what the port is.
    `converse(line, heard)`: speak and return what was learnt, None when the other side does not speak it. `heard` is
    what it sent by itself (b"" where `greets` is false); when `recognises` said yes, an Answer with at least the name
    is returned, even if the other side then hangs up. It never raises for what a device says or does.
    `anywhere`: it is also tried on a port of unknown purpose that neither greets nor speaks HTTP or TLS.
    """

    name: str
    ports: frozenset[int]
    converse: Callable[[Line, bytes], Awaitable[Answer | None]]
    greets: bool = False
    recognises: Callable[[bytes], bool] = _recognise_nothing
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A datagram that came back: from whom, and its bytes."""

    source: IPv4Address
    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class UdpProtocol:
    """One protocol over UDP: a datagram, and what a reply to it says.

    `request(address)`: the bytes for one address (the group's address when it goes to a group). `parse(data)`: what
    the reply says, None when it is no reply to ours. `group`: the multicast or broadcast address that is asked too
    on our own segment. `source_port`: bind our socket to it, where answers only come to that port. `more`: further
    questions to one host that has answered, asked one after the other: `ask(datagram)` sends it there and returns
    the reply's bytes (None when none came); it returns the answer that replaces the first.
    """

    name: str
    port: int
    request: Callable[[IPv4Address], bytes]
    parse: Callable[[bytes], Answer | None]
    group: str | None = None
    source_port: int | None = None
    more: Callable[[Callable[[bytes], Awaitable[bytes | None]], Answer], Awaitable[Answer]] | None = None
    also: tuple[bytes, ...] = field(default=())
    """Further requests sent to the port besides the first; their replies go to `parse` too."""
