"""Ask many hosts many questions over UDP at once, and listen to what devices announce by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, Self

from netvigil.probing.speak.channel import Channel, Heard, merge
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netvigil.probing.interfaces import Interface
    from netvigil.probing.speak.protocol import UdpProtocol
    from netvigil.probing.vantage import Sockets

__all__ = ["Heard", "Listener", "ask_all"]

MORE_BUDGET: Final = 3.0  # seconds for all further questions to one host
_MORE_WAIT = 0.6  # for the reply to one of them, which is asked twice
_SETTLE = 0.1  # before the first of them: a host's other replies may say what to ask
_LATE = 0.02  # seconds of pause that a late sender may make up for at once
_REPEAT = 15.0  # seconds between a listener's own requests


async def ask_all(
    sockets: Sockets,
    protocols: Sequence[UdpProtocol],
    addresses: Collection[IPv4Address],
    *,
    interface: Interface | None,
    rate: float,
    wait: float = 1.2,
    tries: int = 2,
    groups: bool = True,
) -> dict[IPv4Address, list[Heard]]:
    """What the addresses answer, one `Heard` per host and protocol, in the order of `protocols`.

    `interface` is the one of the hosts' segment, None beyond a router: the groups are then not asked. `rate` bounds
    the datagrams per second, further questions included. Silent hosts are asked `tries` times; `wait` is how long the
    last replies may take, in seconds. Nothing but `addresses` is asked or reported, except that datagrams to groups
    reach everyone on the segment. Raises OSError when there are no sockets to be had, and ProbeFault as `Sockets`.
    """
    asking = _Asking(_Pace(rate), interface if groups else None)
    try:
        for protocol in protocols:
            asking.channels.append(await Channel.open(sockets, protocol, addresses, asking.go_on))
        # In the order given, so that one host is not sent all questions at once.
        hosts = list(dict.fromkeys(addresses))
        for turn in range(tries):
            await asking.ask_everyone(hosts)
            await asking.listen(wait if turn == tries - 1 else wait / 2, len(hosts))
        await asking.finish()
    finally:
        asking.close()
    return {host: found for host in hosts if (found := asking.collect(host))}


class _Pace:
    """Hands out moments, at most `rate` a second over any time longer than `_LATE`."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        # A sleep ends late; without making up for it the rate would be far below what is allowed.
        self._next = max(self._next + self._interval, now - _LATE)
        if self._next > now:
            await asyncio.sleep(self._next - now)


class _Asking:
    """One run of `ask_all`."""

    def __init__(self, pace: _Pace, interface: Interface | None) -> None:
        self.channels: list[Channel] = []
        self._pace = pace
        self._interface = interface if interface is not None and not interface.loopback else None
        self._more: dict[asyncio.Task[None], None] = {}
        self._changed = asyncio.Event()

    async def ask_everyone(self, hosts: Sequence[IPv4Address]) -> None:
        """Every question to the groups, and to every host that has not answered it."""
        for channel in self.channels:
            await self._ask_group(channel)
            for host in hosts:
                if host in channel.heard:
                    continue
                for data in _requests(channel.protocol, host):
                    await self._pace.wait()
                    await channel.send(data, host)

    async def listen(self, wait: float, hosts: int) -> None:
        """Let replies come in for `wait` seconds, or until there is nobody left who has not answered."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while self._interface is not None or any(len(each.heard) < hosts for each in self.channels):
                    self._changed.clear()
                    await self._changed.wait()

    def go_on(self, channel: Channel, host: IPv4Address) -> None:
        """A host has first answered: ask it what else its protocol has to ask."""
        self._changed.set()
        if channel.protocol.more is not None:
            self._more[asyncio.create_task(self._ask_more(channel, host))] = None

    async def finish(self) -> None:
        """Wait for the further questions; each has its own bound."""
        if self._more:
            await asyncio.gather(*self._more)

    def collect(self, host: IPv4Address) -> list[Heard]:
        """What the host said, one entry per protocol."""
        return [channel.heard[host] for channel in self.channels if host in channel.heard]

    def close(self) -> None:
        """Hear no more, and end what still asks."""
        for task in self._more:
            task.cancel()
        for channel in self.channels:
            channel.close()

    async def _ask_group(self, channel: Channel) -> None:
        protocol = channel.protocol
        if protocol.group is None or self._interface is None:
            return
        group = IPv4Address(protocol.group)
        if isinstance(protocol, KeyedProtocol) and protocol.joins:
            channel.join(group, self._interface)
        for data in _requests(protocol, group):
            await self._pace.wait()
            await channel.send_to_group(data, group, self._interface)

    async def _ask_more(self, channel: Channel, host: IPv4Address) -> None:
        async def ask(data: bytes) -> bytes | None:
            for _ in range(2):
                await self._pace.wait()
                if (reply := await channel.ask(data, host, _MORE_WAIT)) is not None:
                    return reply
            return None

        more = channel.protocol.more
        assert more is not None  # noqa: S101 - the caller looked
        await asyncio.sleep(_SETTLE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MORE_BUDGET):
                answer = await more(ask, channel.heard[host].answer)
                # Others of its replies may have come in the meantime.
                known = channel.heard[host]
                channel.heard[host] = replace(known, answer=merge(answer, known.answer))


def _requests(protocol: UdpProtocol, address: IPv4Address) -> tuple[bytes, ...]:
    others = protocol.others(address) if isinstance(protocol, KeyedProtocol) else ()
    return (protocol.request(address), *others, *protocol.also)


class Listener:
    """Listens for what devices announce unasked, and asks the group now and then, for as long as it is entered.

    For a protocol with a `source_port` to which announcements come and a `group` to ask. `fault` says why it is deaf,
    if it is: listening is a gain, not a condition. Holds at most `channel.MAX_SOURCES` sources.
    """

    def __init__(self, sockets: Sockets, protocol: UdpProtocol, interface: Interface | None) -> None:
        self.fault: str | None = None
        self._sockets = sockets
        self._protocol = protocol
        self._interface = interface
        self._channel: Channel | None = None
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._channel = await Channel.open(self._sockets, self._protocol, None)
        except OSError as error:
            self.fault = f"nothing can be heard on UDP port {self._protocol.source_port}: {error.strerror}"
            return self
        if self._interface is not None and not self._interface.loopback and self._protocol.group is not None:
            self._asking = asyncio.create_task(self._ask(self._channel, self._interface))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        if self._channel is not None:
            self._channel.close()

    def collect(self, addresses: Collection[IPv4Address]) -> dict[IPv4Address, list[Heard]]:
        """What was heard from these addresses until now, also after the end."""
        heard = self._channel.heard if self._channel is not None else {}
        return {address: [heard[address]] for address in addresses if address in heard}

    async def _ask(self, channel: Channel, interface: Interface) -> None:
        group = IPv4Address(self._protocol.group or "")
        while True:
            for data in _requests(self._protocol, group):
                await channel.send_to_group(data, group, interface)
            await asyncio.sleep(_REPEAT)
