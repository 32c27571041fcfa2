"""The way to a site's ports: paced for the whole site, a few at a time for each host, slower for one that begins to fail."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netvigil.probing.connect import Pacer
from netvigil.probing.speak.dial import dial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ipaddress import IPv4Address

    from netvigil.probing.limits import ScanLimits
    from netvigil.probing.speak.line import Line
    from netvigil.probing.vantage import Sockets

_SLOW_AFTER = 3  # connections in a row that an open port did not take
_STOP_AFTER = 6
_SLOW_PAUSE = 0.5  # seconds between two connections to a host that fails


@dataclass(slots=True)
class Gate:
    """Hands out the ways to the hosts of one site; one gate a probe."""

    sockets: Sockets
    limits: ScanLimits
    pacer: Pacer = field(init=False)
    places: asyncio.Semaphore = field(init=False)
    _hosts: dict[IPv4Address, HostGate] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.limits.connections_per_second)
        self.places = asyncio.Semaphore(self.limits.looks_at_once)

    def to(self, address: IPv4Address) -> HostGate:
        """The way to one host, the same for everybody who asks."""
        return self._hosts.setdefault(address, HostGate(self, address))

    def stopped(self) -> list[IPv4Address]:
        """The hosts that no longer take connections."""
        return [address for address, host in self._hosts.items() if host.stopped]


@dataclass(slots=True)
class HostGate:
    """The way to one host.

    Each port that we come for was open a moment ago. A host that refuses or swallows several connections in a row is
    close to its limits: it then gets one connection at a time with pauses between, and after a few more none at all.
    """

    gate: Gate
    address: IPv4Address
    misses: int = 0
    slowed: bool = False
    stopped: bool = False
    _few: asyncio.Semaphore = field(init=False)
    _one: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._few = asyncio.Semaphore(self.gate.limits.looks_per_host)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the places for a port that is being examined: a few at a host, some more at the site."""
        async with self._few, self.gate.places:
            yield

    async def dial(self, port: int, *, tls: bool = False, patience: float | None = None) -> Line | None:
        """A connected line, None when the port does not take it or the host has been given up."""
        if self.slowed and not self.stopped:
            async with self._one:
                if not self.stopped:
                    await asyncio.sleep(_SLOW_PAUSE)
                return await self._dial(port, tls=tls, patience=patience)
        return await self._dial(port, tls=tls, patience=patience)

    def note(self) -> str | None:
        """What a report should say of this host's strength; None when there was no trouble."""
        if self.stopped:
            return "It stopped taking connections while it was examined, and was left alone from then on."
        if self.slowed:
            return "It refused connections while it was examined, and was asked more slowly from then on."
        return None

    async def _dial(self, port: int, *, tls: bool, patience: float | None) -> Line | None:
        if self.stopped:
            return None
        await self.gate.pacer.wait()
        wait = patience or self.gate.limits.answer_wait

        async def again() -> Line | None:
            return await self.dial(port, tls=tls, patience=patience)

        line = await dial(self.gate.sockets, self.address, port, patience=wait, tls=tls, again=again)
        if line is not None:
            self.misses = 0
        elif not tls:  # a handshake that fails says nothing of the host's strength
            self._miss()
        return line

    def _miss(self) -> None:
        self.misses += 1
        self.slowed = self.slowed or self.misses >= _SLOW_AFTER
        self.stopped = self.stopped or self.misses >= _STOP_AFTER
