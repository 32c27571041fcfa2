"""A LAN of emulated devices in network namespaces of its own, for benchmarks; run as a program it is one group of devices.

Needs root and iproute2. Names start with `nvbench-<pid>`; leaving the LAN removes all of them and ends its programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Self

from netvigil.lab.service import Lab
from netvigil.probing.vantage import Vantage

SCANNER, ODD = 250, 200  # the last numbers of the scanner and of the first odd device
COPIES_A_GROUP = 2
READY_SECONDS = 30
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Truth = set[tuple[str, int]]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection and never say a word."""
    while await reader.read(65536):
        pass
    writer.close()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server that thinks for a while, and understands nothing but HTTP."""
    try:
        await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        writer.close()
        return
    await asyncio.sleep(1.5)
    writer.write(b"HTTP/1.0 200 OK\r\nServer: mini_httpd/1.30 26Oct2018\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection at the first word."""
    await reader.read(1)
    writer.transport.abort()


async def garbled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet with bytes that are no text."""
    writer.write(bytes(range(128, 256)))
    await silent(reader, writer)


# What each odd device listens on, and whether all its other packets are dropped, as a personal firewall does.
ODD_DEVICES: tuple[tuple[dict[int, Serve], bool], ...] = (
    ({}, True),
    ({}, True),
    ({443: silent}, True),
    ({80: slow, 8443: silent}, True),
    ({80: slow, 5000: resetting}, False),
    ({4444: silent, 8000: garbled}, False),
    ({49152: resetting}, False),
    ({}, False),
    ({}, True),
)


def ip(*arguments: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass
class Lan:
    """`copies` of the built-in lab and the odd devices on one segment; an async context manager.

    `hosts` and `open_ports` are what a scan of `network` has to find.
    """

    name: str
    network: IPv4Network
    copies: int
    hosts: set[str] = field(default_factory=set)
    open_ports: Truth = field(default_factory=set)
    _namespaces: list[str] = field(default_factory=list)
    _servers: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def vantage(self) -> Vantage:
        """Where the scanner stands."""
        return Vantage.parse(f"netns:{self._name('scan')}")

    @property
    def servers(self) -> set[int]:
        """The process ids of the devices."""
        return {server.pid for server in self._servers}

    async def __aenter__(self) -> Self:
        try:
            switch = self._make("sw")
            ip("-n", switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
            ip("-n", switch, "link", "set", "br0", "up")
            self._plug(self._make("scan"), [self._address(SCANNER)])
            ip("-n", self._name("scan"), "route", "add", "255.255.255.255/32", "dev", "eth0")
            # No more than fifteen lots of sixteen in each 256, the first for the router and the last for the odd ones.
            lots = [
                lot for lot in self.network.subnets(new_prefix=28) if int(lot[0]) % 256 // 16 in range(1, 12)
            ]
            for start in range(0, self.copies, COPIES_A_GROUP):
                await self._add_copies(f"g{start}", lots[start : min(start + COPIES_A_GROUP, self.copies)])
            await self._add_odd()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            if server.stdin is not None:
                server.stdin.close()
        for server in self._servers:
            try:
                await asyncio.wait_for(server.wait(), 5)
            except TimeoutError:
                server.kill()
                await server.wait()
        for namespace in self._namespaces:
            ip("netns", "del", namespace)

    async def _add_copies(self, part: str, lots: list[IPv4Network]) -> None:
        namespace = self._make(part)
        self._plug(namespace, [address for lot in lots for address in list(lot)[1:14]])
        await self._serve(namespace, *map(str, lots))

    async def _add_odd(self) -> None:
        namespace = self._make("odd")
        addresses = [self._address(ODD + number) for number in range(len(ODD_DEVICES))]
        self._plug(namespace, addresses)
        for address, (ports, dropping) in zip(addresses, ODD_DEVICES, strict=True):
            for port in ports if dropping else ():
                ip(
                    *f"-n {namespace} rule add pref 100 from {address} ipproto tcp sport {port} table main".split()
                )
            if dropping:
                ip(*f"-n {namespace} rule add pref 200 from {address} blackhole".split())
        await self._serve(namespace, "odd", str(addresses[0]))
        self.hosts |= set(map(str, addresses))

    async def _serve(self, namespace: str, *arguments: str) -> None:
        server = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", namespace, sys.executable, __file__, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        self._servers.append(server)
        if server.stdout is None:
            raise RuntimeError("a pipe was asked for")
        line = await asyncio.wait_for(server.stdout.readline(), READY_SECONDS)
        for address, port in json.loads(line):
            self.hosts.add(address)
            self.open_ports.add((address, port))

    def _address(self, number: int) -> IPv4Address:
        return self.network[number]

    def _name(self, part: str) -> str:
        return f"nvbench-{os.getpid()}-{self.name}-{part}"

    def _make(self, part: str) -> str:
        namespace = self._name(part)
        ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def _plug(self, namespace: str, addresses: list[IPv4Address]) -> None:
        switch = self._name("sw")
        port = f"p-{namespace.rsplit('-', 1)[1]}"
        ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", port, "netns", switch)
        ip("-n", switch, "link", "set", port, "master", "br0", "up")
        ip("-n", namespace, "link", "set", "eth0", "up")
        for address in addresses:
            ip(*f"-n {namespace} addr add {address}/{self.network.prefixlen} brd + dev eth0".split())


async def serve_lab(subnets: list[str], stack: contextlib.AsyncExitStack) -> Truth:
    """Start copies of the built-in lab; what they listen on."""
    truth: Truth = set()
    for subnet in subnets:
        lab = await stack.enter_async_context(Lab.start(subnet))
        truth |= {(str(host.ip), service.port) for host in lab.hosts for service in host.services}
    return truth


async def serve_odd(first: IPv4Address, stack: contextlib.AsyncExitStack) -> Truth:
    """Start the odd devices; what they listen on."""
    truth: Truth = set()
    for number, (ports, _) in enumerate(ODD_DEVICES):
        for port, serve in ports.items():
            server = await asyncio.start_server(serve, str(first + number), port, backlog=256)
            stack.callback(server.close)
            truth.add((str(first + number), port))
    return truth


async def main() -> None:
    """Serve what the arguments say until standard input ends, as it does when the benchmark is gone."""
    async with contextlib.AsyncExitStack() as stack:
        if sys.argv[1] == "odd":
            truth = await serve_odd(IPv4Address(sys.argv[2]), stack)
        else:
            truth = await serve_lab(sys.argv[1:], stack)
        print(json.dumps(sorted(truth)), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        os._exit(0)  # whatever conversations there are, nobody waits for their end


if __name__ == "__main__":
    asyncio.run(main())
