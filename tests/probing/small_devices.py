"""Small emulated devices on loopback addresses, which remember every byte that reached them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netvigil.probing.privileges import Privileges, detect_privileges

# Tests that run side by side get loopback networks and wildcard ports of their own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOME = f"127.{88 + WORKER}"

HTTP = b"HTTP/1.0 200 OK\r\nServer: lighttpd/1.4.35\r\nContent-Type: text/html\r\n\r\n<html></html>"

needs_nmap = pytest.mark.skipif(shutil.which("nmap") is None, reason="nmap is not installed")
needs_raw = pytest.mark.skipif(
    shutil.which("nmap") is None or detect_privileges() is not Privileges.RAW, reason="needs raw sockets"
)


@dataclass
class Devices:
    """Servers by address and port; `received` and `connections` say what came to each."""

    received: dict[tuple[str, int], bytes] = field(default_factory=lambda: defaultdict(bytes))
    connections: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    servers: list[asyncio.Server] = field(default_factory=list)
    _talks: set[asyncio.Task] = field(default_factory=set)

    async def listen(self, address: str, port: int, greeting: bytes = b"", answer: bytes = b"") -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._talks.add(asyncio.current_task())
            self.connections[address, port] += 1
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                writer.write(greeting)
                while data := await reader.read(4096):
                    self.received[address, port] += data
                    if answer:
                        writer.write(answer)
                        break
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

        self.servers.append(await asyncio.start_server(serve, address, port))

    async def close(self) -> None:
        for server in self.servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)


@pytest.fixture
async def devices():
    made = Devices()
    yield made
    await made.close()


def list_nmaps(parent: int) -> list[int]:
    """The process ids of nmap programs among the descendants of a process."""
    parents: dict[int, tuple[int, str]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = status.read_text().rpartition(")")
            parents[int(status.parent.name)] = (int(tail.split()[1]), head.partition("(")[2])
    found, seen = [], {parent}
    for _ in range(8):
        seen |= {pid for pid, (above, _) in parents.items() if above in seen}
    found = [pid for pid in seen - {parent} if parents.get(pid, (0, ""))[1] == "nmap"]
    return sorted(found)
