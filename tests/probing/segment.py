"""A LAN of our own in network namespaces: scripted devices with MACs, one scanner, and a recording of every frame."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Self

from netvigil.probing.vantage import Sockets, Vantage

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Reply = Callable[[bytes, tuple[str, int]], bytes | None]
ETH_ALL = 3


def ip(*arguments: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Frame:
    """One frame that the scanner sent: ARP (`kind` arp, `target` asked for) or IPv4."""

    at: float
    kind: str
    destination: str
    target: IPv4Address
    port: int = 0
    flags: int = 0
    payload: bytes = b""

    @property
    def starts_connection(self) -> bool:
        """Whether it is a SYN."""
        return self.kind == "tcp" and self.flags & 0x12 == 0x02


def read_frame(data: bytes, at: float) -> Frame | None:
    """The frame's parts that matter here; None for other protocols (IPv6, STP)."""
    destination, kind = data[:6].hex(":"), struct.unpack_from(">H", data, 12)[0]
    if kind == 0x0806:
        return Frame(at, "arp", destination, IPv4Address(data[38:42]))
    if kind != 0x0800:
        return None
    header = (data[14] & 0xF) * 4
    total = struct.unpack_from(">H", data, 16)[0]
    packet = data[14 : 14 + total]
    target = IPv4Address(packet[16:20])
    body = packet[header:]
    if packet[9] == 6:
        offset = (body[12] >> 4) * 4
        return Frame(
            at, "tcp", destination, target, struct.unpack_from(">H", body, 2)[0], body[13], body[offset:]
        )
    if packet[9] == 17:
        return Frame(at, "udp", destination, target, struct.unpack_from(">H", body, 2)[0], 0, body[8:])
    return Frame(at, "icmp" if packet[9] == 1 else f"ip-{packet[9]}", destination, target)


@dataclass
class Segment:
    """The LAN 10.98.7.0/24; devices are added before it is scanned. Leaving it removes every namespace."""

    name: str
    received: dict[tuple[str, int], bytes] = field(default_factory=lambda: defaultdict(bytes))
    connections: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    frames: list[Frame] = field(default_factory=list)
    _namespaces: list[str] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _talks: set[asyncio.Task] = field(default_factory=set)
    _ending: threading.Event = field(default_factory=threading.Event)

    @property
    def vantage(self) -> Vantage:
        """Where the scanner stands."""
        return Vantage.parse(f"netns:{self._name('scan')}")

    async def __aenter__(self) -> Self:
        switch = self._make("sw")
        ip("-n", switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        ip("-n", switch, "link", "set", "br0", "up")
        scanner = self._make("scan")
        self._plug(scanner, "10.98.7.250", "02:00:00:00:07:fa")
        await self._record(scanner)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._stack.aclose()
        for namespace in self._namespaces:
            ip("netns", "del", namespace)

    async def add(
        self,
        number: int,
        mac: str,
        tcp: dict[int, Script] | None = None,
        udp: dict[int, Reply] | None = None,
    ) -> str:
        """A device at 10.98.7.<number>; its address."""
        address = f"10.98.7.{number}"
        namespace = self._make(f"h{number}")
        self._plug(namespace, address, mac)
        sockets = await self._stack.enter_async_context(Sockets(Vantage.parse(f"netns:{namespace}")))
        for port, script in (tcp or {}).items():
            listening = await sockets.open()
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("0.0.0.0", port))
            server = await asyncio.start_server(
                self._serve(address, port, script), sock=listening, backlog=256
            )
            self._stack.callback(server.close)
        for port, reply in (udp or {}).items():
            bound = await sockets.open(socket.SOCK_DGRAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            bound.bind(("0.0.0.0", port))
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda reply=reply, port=port: _Datagrams(self, address, port, reply), sock=bound
            )
            self._stack.callback(transport.close)
        return address

    def cut(self) -> None:
        """Pull the scanner's cable."""
        ip("-n", self._name("sw"), "link", "set", "p-scan", "down")

    def silence(self, address: str) -> None:
        """Let a device answer the scanner no more, as one does that has run out of memory."""
        namespace = self._name(f"h{address.rsplit('.', 1)[1]}")
        with contextlib.suppress(subprocess.CalledProcessError):  # it is silent already
            ip("-n", namespace, "route", "add", "blackhole", "10.98.7.250/32")

    def lose(self, address: str, percent: int) -> None:
        """Let a device lose this share of the packets that come to it, as one on a weak radio link does."""
        namespace = self._name(f"h{address.rsplit('.', 1)[1]}")
        rules = (
            "add table inet lossy\n"
            "add chain inet lossy arriving { type filter hook input priority 0; }\n"
            f"add rule inet lossy arriving numgen random mod 100 < {percent} drop\n"
        )
        command = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
        subprocess.run(command, input=rules, text=True, check=True, capture_output=True)

    def sent(self, *kinds: str) -> list[Frame]:
        """Frames of the scanner, all or of some kinds."""
        return [frame for frame in self.frames if not kinds or frame.kind in kinds]

    def _name(self, part: str) -> str:
        return f"nvseg-{os.getpid()}-{self.name}-{part}"

    def _make(self, part: str) -> str:
        namespace = self._name(part)
        ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def _plug(self, namespace: str, address: str, mac: str) -> None:
        switch = self._name("sw")
        port = f"p-{namespace.rsplit('-', 1)[1]}"
        ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", port, "netns", switch)
        ip("-n", namespace, "link", "set", "eth0", "address", mac)
        ip("-n", switch, "link", "set", port, "master", "br0", "up")
        ip("-n", namespace, "addr", "add", f"{address}/24", "brd", "+", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "route", "add", "255.255.255.255/32", "dev", "eth0")

    async def _record(self, scanner: str) -> None:
        """Every frame that leaves the scanner, read by a thread of its own so that none waits for the loop."""
        sockets = await self._stack.enter_async_context(Sockets(Vantage.parse(f"netns:{scanner}")))

        def open_tap() -> socket.socket:
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
            tap.setsockopt(
                socket.SOL_SOCKET,
                socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33,
                64 << 20,
            )
            tap.bind(("eth0", ETH_ALL))
            tap.settimeout(0.2)
            return tap

        tap = await sockets.run(open_tap)

        def read() -> None:
            while not self._ending.is_set():
                try:
                    data, source = tap.recvfrom(65536)
                except TimeoutError:
                    continue
                except OSError:
                    break
                if source[2] == socket.PACKET_OUTGOING and (frame := read_frame(data, time.monotonic())):
                    self.frames.append(frame)
            tap.close()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self._stack.callback(thread.join)

    def _serve(self, address: str, port: int, script: Script) -> Script:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._talks.add(asyncio.current_task())
            self.connections[address, port] += 1
            original = reader.feed_data

            def note(data: bytes) -> None:
                self.received[address, port] += data
                original(data)

            note_early = bytes(reader._buffer)
            self.received[address, port] += note_early
            reader.feed_data = note
            with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
                await script(reader, writer)
            writer.close()

        return serve


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, segment: Segment, address: str, port: int, reply: Reply) -> None:
        self.segment, self.address, self.port, self.reply = segment, address, port, reply

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.segment.received[self.address, -self.port] += data
        if answer := self.reply(data, source):
            self.transport.sendto(answer, source)
