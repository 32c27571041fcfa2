"""A branch office in network namespaces: a scanner, a router that is also its RouterOS API, and a LAN behind it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from scripted_router import ScriptedRouter
from segment import ETH_ALL, Frame, ip, read_frame

from netvigil.probing.vantage import Sockets, Vantage

SUBNET = "192.168.188.0/29"
ROUTER = "192.168.188.1"
_NEAR, _SCANNER = "10.98.8.1", "10.98.8.2"


def can_route() -> bool:
    """Whether this machine lets us make a namespace and forward packets in it."""
    if os.geteuid() != 0 or not Path("/usr/sbin/ip").exists():
        return False
    name = f"nvbr-{os.getpid()}-try"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        return False
    try:
        return _forward(name).returncode == 0
    finally:
        ip("netns", "del", name)


def _forward(namespace: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ip", "netns", "exec", namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"],
        check=False,
        capture_output=True,
    )


@dataclass
class Branch:
    """One branch; several may stand side by side with the same addresses. Leaving it removes every namespace.

    `frames` are those that the scanner sent, `touched` counts connections by address and port.
    """

    name: str
    router: ScriptedRouter = field(default_factory=ScriptedRouter)
    frames: list[Frame] = field(default_factory=list)
    touched: dict[tuple[str, int], int] = field(default_factory=dict)
    _namespaces: list[str] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _talks: set[asyncio.Task] = field(default_factory=set)
    _ending: threading.Event = field(default_factory=threading.Event)

    @property
    def vantage(self) -> dict[str, str]:
        """Where the scanner stands, as a site's field."""
        return {"type": "netns", "name": self._full("scan")}

    async def __aenter__(self) -> Self:
        self._make("scan")
        self._make("router")
        self._make("lan")
        assert _forward(self._full("router")).returncode == 0
        self._cable("scan", "eth0", "router", "wan")
        self._cable("router", "lan", "lan", "p-router")
        ip("-n", self._full("lan"), "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        ip("-n", self._full("lan"), "link", "set", "br0", "up")
        ip("-n", self._full("lan"), "link", "set", "p-router", "master", "br0")
        self._address("scan", "eth0", f"{_SCANNER}/30")
        self._address("router", "wan", f"{_NEAR}/30")
        self._address("router", "lan", f"{ROUTER}/29")
        ip("-n", self._full("scan"), "route", "add", "default", "via", _NEAR)
        await self._record()
        await self._listen("router", ROUTER, 8728, self.router._talk)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        for talk in (*self._talks, *self.router._tasks):
            talk.cancel()
        await asyncio.gather(*self._talks, *self.router._tasks, return_exceptions=True)
        await self._stack.aclose()
        for namespace in self._namespaces:
            ip("netns", "del", namespace)

    async def add(self, number: int, mac: str, hostname: str, services: dict[int, bytes]) -> str:
        """A device at the LAN's address `number`, which the router knows; it greets on each port. Its address."""
        address, part = f"192.168.188.{number}", f"h{number}"
        self._make(part)
        self._cable(part, "eth0", "lan", f"p-{part}")
        ip("-n", self._full(part), "link", "set", "eth0", "address", mac)
        ip("-n", self._full("lan"), "link", "set", f"p-{part}", "master", "br0")
        self._address(part, "eth0", f"{address}/29")
        ip("-n", self._full(part), "route", "add", "default", "via", ROUTER)
        for port, greeting in services.items():
            await self._listen(part, address, port, self._greeting(address, port, greeting))
        tables = self.router.tables
        tables.setdefault("/ip/arp/print", []).append(
            {"address": address, "mac-address": mac, "complete": "true"}
        )
        tables.setdefault("/ip/dhcp-server/lease/print", []).append(
            {"address": address, "mac-address": mac, "host-name": hostname, "status": "bound"}
        )
        return address

    def _full(self, part: str) -> str:
        return f"nvbr-{os.getpid()}-{self.name}-{part}"

    def _make(self, part: str) -> None:
        ip("netns", "add", self._full(part))
        self._namespaces.append(self._full(part))
        ip("-n", self._full(part), "link", "set", "lo", "up")

    def _cable(self, one: str, port: str, other: str, its_port: str) -> None:
        there = self._full(other)
        ip(
            *("link", "add", port, "netns", self._full(one), "type", "veth"),
            *("peer", "name", its_port, "netns", there),
        )
        ip("-n", self._full(one), "link", "set", port, "up")
        ip("-n", there, "link", "set", its_port, "up")

    def _address(self, part: str, port: str, address: str) -> None:
        ip("-n", self._full(part), "addr", "add", address, "dev", port)

    async def _listen(self, part: str, address: str, port: int, talk) -> None:
        async with Sockets(Vantage.parse(f"netns:{self._full(part)}")) as sockets:
            listening = await sockets.open()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        server = await asyncio.start_server(talk, sock=listening)
        self._stack.callback(server.close)

    def _greeting(self, address: str, port: int, greeting: bytes):
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._talks.add(asyncio.current_task())
            self.touched[address, port] = self.touched.get((address, port), 0) + 1
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                writer.write(greeting)
                while await reader.read(4096):
                    pass
            writer.close()

        return talk

    async def _record(self) -> None:
        """Keep every frame that leaves the scanner, read by a thread so that none waits for the loop."""

        def open_tap() -> socket.socket:
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
            tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
            tap.bind(("eth0", ETH_ALL))
            tap.settimeout(0.2)
            return tap

        async with Sockets(Vantage.parse(f"netns:{self._full('scan')}")) as sockets:
            tap = await sockets.run(open_tap)

        def read() -> None:
            while not self._ending.is_set():
                with contextlib.suppress(TimeoutError):
                    data, source = tap.recvfrom(65536)
                    frame = read_frame(data, time.monotonic())
                    if source[2] == socket.PACKET_OUTGOING and frame is not None:
                        self.frames.append(frame)
            tap.close()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
