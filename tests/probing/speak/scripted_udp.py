"""Scripted UDP servers on loopback addresses; each remembers every datagram that it was sent."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Self

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

Script = Callable[[bytes], list[bytes]]


def host(number: int) -> IPv4Address:
    """One of this worker's loopback addresses."""
    return IPv4Address(f"127.{150 + _WORKER}.0.{number}")


@dataclass
class UdpServer(asyncio.DatagramProtocol):
    """Answers each datagram with what `script` makes of it; from `through`'s socket where given."""

    script: Script
    received: list[bytes] = field(default_factory=list)
    through: UdpServer | None = None
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.received.append(data)
        for reply in self.script(data):
            (self.through or self).transport.sendto(reply, address)


@dataclass
class UdpBench:
    """Servers on one port of several addresses, closed at the end."""

    port: int = 0
    servers: list[UdpServer] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("0.0.0.0", 0))
            self.port = free.getsockname()[1]
        return self

    async def __aexit__(self, *_):
        for server in self.servers:
            server.transport.close()
        await asyncio.sleep(0)

    async def serve(
        self, number: int, script: Script = lambda _: [], through: UdpServer | None = None
    ) -> UdpServer:
        """A server on `host(number)`; it is silent unless it has a script."""
        server = UdpServer(script, through=through)
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: server, local_addr=(str(host(number)), self.port))
        self.servers.append(server)
        return server
