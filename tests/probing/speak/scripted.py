"""Scripted servers on loopback, and lines to them; each remembers every byte that it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest

from netvigil.probing.speak.dial import dial
from netvigil.probing.vantage import LOCAL, Sockets

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOST = f"127.{120 + _WORKER}.0.1"

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(*turns: bytes) -> Script:
    """A server that says the first turn unasked (nothing if empty), and each next one after it was sent something."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(turns[0])
        for turn in turns[1:]:
            if not await reader.read(65536):
                return
            writer.write(turn)
        while await reader.read(65536):
            pass

    return script


@dataclass
class Bench:
    """Starts scripted servers and opens lines to them."""

    sockets: Sockets
    received: dict[int, list[bytes]] = field(default_factory=dict)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _tasks: set[asyncio.Task] = field(default_factory=set)

    async def serve(self, script: Script, port: int = 0, **tls) -> int:
        """The port of a new server; its connections' bytes are in `received[port]`, one entry a connection."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._tasks.add(asyncio.current_task())
            number = writer.get_extra_info("sockname")[1]
            log = self.received.setdefault(number, [])
            log.append(b"")
            at = len(log) - 1
            original = reader.feed_data

            def note(data: bytes) -> None:
                log[at] += data
                original(data)

            if buffered := bytes(reader._buffer):
                log[at] += buffered
            reader.feed_data = note
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await script(reader, writer)
            writer.close()

        server = await asyncio.start_server(talk, HOST, port, **tls)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def dial(self, port: int, *, patience: float = 0.5, tls: bool = False):
        """A line to one of our servers."""
        return await dial(self.sockets, IPv4Address(HOST), port, patience=patience, tls=tls)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def bench():
    async with Sockets(LOCAL) as sockets:
        made = Bench(sockets)
        yield made
        await made.close()
