"""Many TCP connections at a bounded rate: the sweep and the ping of a scan without privileges."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ipaddress import IPv4Address

    from netvigil.probing.vantage import Sockets

# Out of descriptors, buffers or local ports: ours to wait for, the host has nothing to do with it.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
_REFUSED = {errno.ECONNREFUSED, errno.ECONNRESET}
_PATIENCE = 12  # how often one connection waits for our own resources
_DEAD_AFTER = 6  # connections in a row that found no host before the rest of it is skipped
_RESERVED_DESCRIPTORS = 64
# Closing with a reset leaves no TIME_WAIT behind, so a sweep cannot use up the local ports.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Outcome(StrEnum):
    """What became of one connection."""

    OPEN = "open"
    CLOSED = "closed"  # refused, so the host is alive
    SILENT = "silent"  # no answer in time
    UNREACHABLE = "unreachable"  # no such host, or no way to it
    SKIPPED = "skipped"  # not tried: the host is gone, or we had no socket left


class Pacer:
    """Hands out moments so that at most `rate` a second pass; None means as fast as the loop can."""

    def __init__(self, rate: float | None) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        """Return when the caller's moment has come."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(self._next - now)


@dataclass(slots=True)
class Connector:
    """Tries addresses and ports in the order given and tells each outcome; counts what had to be skipped."""

    sockets: Sockets
    on_outcome: Callable[[IPv4Address, int, Outcome], None]
    timeout: float
    at_once: int
    rate: float | None
    skipped: int = 0
    _misses: dict[IPv4Address, int] = field(default_factory=dict)

    async def run(self, pairs: Iterable[tuple[IPv4Address, int]]) -> None:
        """Try every pair; ends early only by cancellation, leaving no socket open."""
        shared = iter(pairs)
        pacer = Pacer(self.rate)
        async with asyncio.TaskGroup() as group:
            for _ in range(_bound_by_descriptors(self.at_once)):
                group.create_task(self._work(shared, pacer))

    async def _work(self, shared: Iterator[tuple[IPv4Address, int]], pacer: Pacer) -> None:
        for address, port in shared:
            if self._misses.get(address, 0) >= _DEAD_AFTER:
                outcome = Outcome.SKIPPED
            else:
                await pacer.wait()
                outcome = await self._try(address, port)
            if outcome is Outcome.UNREACHABLE:
                self._misses[address] = self._misses.get(address, 0) + 1
            elif outcome in {Outcome.OPEN, Outcome.CLOSED}:
                self._misses.pop(address, None)
            self.skipped += outcome is Outcome.SKIPPED
            self.on_outcome(address, port, outcome)

    async def _try(self, address: IPv4Address, port: int) -> Outcome:
        for attempt in range(_PATIENCE):
            try:
                return await self._connect(address, port)
            except TimeoutError:
                return Outcome.SILENT
            except OSError as error:
                if error.errno in _REFUSED:
                    return Outcome.CLOSED
                if error.errno == errno.ETIMEDOUT:
                    return Outcome.SILENT
                if error.errno not in _EXHAUSTED:
                    return Outcome.UNREACHABLE
                await asyncio.sleep(0.1 * (attempt + 1))
        return Outcome.SKIPPED

    async def _connect(self, address: IPv4Address, port: int) -> Outcome:
        opened = await self.sockets.open()
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            async with asyncio.timeout(self.timeout):
                await asyncio.get_running_loop().sock_connect(opened, (str(address), port))
            # On this very machine a socket may be given the port it asks for, and so meet itself.
            met_itself = opened.getsockname() == opened.getpeername()
            return Outcome.CLOSED if met_itself else Outcome.OPEN
        finally:
            opened.close()


def _bound_by_descriptors(wanted: int) -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(8, min(wanted, soft // 2 - _RESERVED_DESCRIPTORS))
