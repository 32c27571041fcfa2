"""One UDP socket that asks many hosts one protocol's question, and what it hears; bounded whatever comes in."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, Self

from netvigil.probing.speak.keyed import KeyedProtocol
from netvigil.probing.speak.protocol import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from netvigil.probing.interfaces import Interface
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.protocol import UdpProtocol
    from netvigil.probing.vantage import Sockets

MAX_REPLIES: Final = 64  # looked at per source and protocol
MAX_STRANGERS: Final = 256  # replies from addresses that were not asked, looked at per protocol
MAX_SOURCES: Final = 4096  # of a channel that only listens
MAX_BANNER: Final = 4096
_LARGEST = 65535
_AT_ONCE = 64  # datagrams read before the event loop gets its turn: a flood must not keep others waiting
_BUFFER = 4 << 20
_SO_SNDBUFFORCE = 32  # socket(7); Python does not name them
_SO_RCVBUFFORCE = 33
_IP_PKTINFO = 8  # linux/in.h; Python has it from 3.14 on
_FULL = frozenset({errno.EAGAIN, errno.ENOBUFS})
_FULL_WAIT = 0.005
_FULL_TRIES = 20


@dataclass(frozen=True, slots=True)
class Heard:
    """What one host said in one protocol; `port` is the service's, whatever port the reply came from.

    `answer` is everything that it told in all its replies, `raw` the reply that told most.
    """

    protocol: UdpProtocol
    address: IPv4Address
    port: int
    answer: Answer
    raw: bytes


@dataclass(slots=True)
class _Question:
    """A further question to one host that waits for its reply."""

    address: IPv4Address
    key: bytes | None
    reply: asyncio.Future[bytes]


@dataclass(slots=True)
class Channel:
    """The socket of one protocol. `asked` None: listen to every source, up to `MAX_SOURCES`.

    `on_first` is called once for each host, when it has first answered.
    """

    protocol: UdpProtocol
    asked: frozenset[IPv4Address] | None
    sockets: Sockets
    own: socket.socket
    on_first: Callable[[Channel, IPv4Address], None] | None = None
    heard: dict[IPv4Address, Heard] = field(default_factory=dict)
    _sent: dict[bytes, set[IPv4Address | None]] = field(default_factory=dict)  # None: to the group
    _counts: Counter[IPv4Address] = field(default_factory=Counter)
    _strangers: int = 0
    _questions: list[_Question] = field(default_factory=list)

    @classmethod
    async def open(
        cls,
        sockets: Sockets,
        protocol: UdpProtocol,
        asked: Collection[IPv4Address] | None,
        on_first: Callable[[Channel, IPv4Address], None] | None = None,
    ) -> Self:
        """A channel that hears; raises OSError when there is no socket to be had."""
        own = await sockets.open(socket.SOCK_DGRAM)
        try:
            await sockets.run(lambda: _configure(own, protocol.source_port, must=asked is None))
            channel = cls(protocol, None if asked is None else frozenset(asked), sockets, own, on_first)
            asyncio.get_running_loop().add_reader(own, channel._read)
        except BaseException:
            own.close()
            raise
        return channel

    def close(self) -> None:
        """Hear no more; safe to repeat."""
        if self.own.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.own)
            self.own.close()

    async def send(self, data: bytes, address: IPv4Address) -> bool:
        """One datagram to one host; False when the kernel will not take it (no route, for one)."""
        if (key := self._key(data)) is not None:
            self._sent.setdefault(key, set()).add(address)
        return await self._send(data, address, [])

    async def send_to_group(self, data: bytes, group: IPv4Address, interface: Interface) -> bool:
        """One datagram to a broadcast or multicast address, out of that interface and no other."""
        try:
            control = await self.sockets.run(lambda: _leave_by(interface))
        except OSError:  # the interface is gone
            return False
        if (key := self._key(data)) is not None:
            self._sent.setdefault(key, set()).add(None)
        return await self._send(data, group, control)

    def join(self, group: IPv4Address, interface: Interface) -> None:
        """Hear what is sent to a multicast group on that interface, too; left with the socket."""
        with contextlib.suppress(OSError):  # too many memberships: what is sent to us is still heard
            member = group.packed + interface.address.ip.packed
            self.own.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    async def ask(self, data: bytes, address: IPv4Address, wait: float) -> bytes | None:
        """The bytes with which the host answers this datagram; None when it does not within `wait` seconds."""
        question = _Question(address, self._key(data), asyncio.get_running_loop().create_future())
        self._questions.append(question)
        try:
            if not await self.send(data, address):
                return None
            async with asyncio.timeout(wait):
                return await question.reply
        except TimeoutError:
            return None
        finally:
            self._questions.remove(question)

    def _key(self, data: bytes) -> bytes | None:
        return self.protocol.key(data) if isinstance(self.protocol, KeyedProtocol) else None

    async def _send(self, data: bytes, address: IPv4Address, control: list[tuple[int, int, bytes]]) -> bool:
        for _ in range(_FULL_TRIES):
            try:
                self.own.sendmsg([data], control, 0, (str(address), self.protocol.port))
            except OSError as error:
                if error.errno not in _FULL:
                    return False
                await asyncio.sleep(_FULL_WAIT)
            else:
                return True
        return False

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, (host, port) = self.own.recvfrom(_LARGEST)
            except OSError:  # nothing more there, or an error of an earlier datagram
                return
            self.take(Reply(IPv4Address(host), port, data))

    def take(self, reply: Reply) -> None:
        """Note a datagram that came, if it is an answer of one whom we asked."""
        if not self._may_count(reply.source):
            return
        key = self._key(reply.data)
        address = self._find_sender(reply.source, key)
        if address is None or self._counts[address] >= MAX_REPLIES:
            return
        self._counts[address] += 1
        for question in self._questions:
            if question.address == address and question.key == key and not question.reply.done():
                question.reply.set_result(reply.data)
                return
        answer = self.protocol.parse(reply.data)
        if answer is not None:
            self._note(address, answer, reply.data)

    def _may_count(self, source: IPv4Address) -> bool:
        """Whether to look at a datagram at all: the cheap test that a flood has to pass."""
        if self.asked is None:
            return source in self._counts or len(self._counts) < MAX_SOURCES
        if source in self.asked:
            return self._counts[source] < MAX_REPLIES
        self._strangers += 1
        return self._strangers <= MAX_STRANGERS

    def _find_sender(self, source: IPv4Address, key: bytes | None) -> IPv4Address | None:
        """For whom a datagram counts: a router may answer from another of its addresses than the one we asked."""
        if self.asked is None:
            return source
        receivers = self._sent.get(key, set()) if key is not None else None
        if source in self.asked:
            # Asked there, or through the group; a reply to a question to another host is none of this one.
            return source if receivers is None or receivers & {source, None} else None
        return next(iter(receivers)) if receivers is not None and len(receivers) == 1 else None

    def _note(self, address: IPv4Address, answer: Answer, raw: bytes) -> None:
        known = self.heard.get(address)
        if known is not None:
            raw = raw if _weight(answer) > _weight(known.answer) else known.raw
            answer = merge(known.answer, answer)
        self.heard[address] = Heard(self.protocol, address, self.protocol.port, answer, raw)
        if known is None and self.on_first is not None:
            self.on_first(self, address)


def merge(first: Answer, second: Answer) -> Answer:
    """One answer of two by the same host: the one that tells more, with what only the other knows."""
    better, other = (second, first) if _weight(second) > _weight(first) else (first, second)
    banner = better.banner
    if other.banner not in banner and len(banner) + len(other.banner) < MAX_BANNER:
        banner += b"\n" + other.banner if banner else other.banner
    return replace(
        better,
        banner=banner,
        extra_info=better.extra_info or other.extra_info,
        os_name=better.os_name or other.os_name,
        device_type=better.device_type or other.device_type,
        hostname=better.hostname or other.hostname,
        model=better.model or other.model,
        mac=better.mac or other.mac,
        cpes=tuple(dict.fromkeys((*better.cpes, *other.cpes)))[:16],
        facts={**other.facts, **better.facts},
        complete=better.complete or other.complete,
    )


def _weight(answer: Answer) -> tuple[bool, bool, bool]:
    return answer.version is not None, answer.product is not None, bool(answer.banner)


def _configure(own: socket.socket, source_port: int | None, *, must: bool) -> None:
    own.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for forced, bounded in ((_SO_SNDBUFFORCE, socket.SO_SNDBUF), (_SO_RCVBUFFORCE, socket.SO_RCVBUF)):
        # What is sent to an address that nobody has stays in the buffer for the three seconds that ARP takes to fail.
        try:
            own.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
        except OSError:  # beyond the machine's bound only with CAP_NET_ADMIN
            own.setsockopt(socket.SOL_SOCKET, bounded, _BUFFER)
    own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    if source_port is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind(("", source_port))
        except OSError:
            # Another program has it, or we lack the right to it; some devices answer any port.
            if must:
                raise
        else:
            return
    own.bind(("", 0))


def _leave_by(interface: Interface) -> list[tuple[int, int, bytes]]:
    """One datagram's way out, as a control message (ip(7), IP_PKTINFO): a broadcast goes by no other option."""
    index = socket.if_nametoindex(interface.name)  # of the calling thread's namespace
    packed = struct.pack("@I4s4s", index, interface.address.ip.packed, bytes(4))
    return [(socket.IPPROTO_IP, _IP_PKTINFO, packed)]
