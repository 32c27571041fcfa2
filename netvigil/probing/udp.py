"""The UDP side of a probe: our own datagrams to every live host, calls to the whole segment, and what devices announce."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from netvigil.probing.loopback import CONTROL_ADDRESS
from netvigil.probing.speak.catalogue import UDP
from netvigil.probing.speak.datagrams import Listener, ask_all
from netvigil.probing.speak.udp.mndp import PROTOCOL as MNDP
from netvigil.probing.targets import as_network

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from ipaddress import IPv4Address

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.interfaces import Interface
    from netvigil.probing.request import ProbeRequest
    from netvigil.probing.speak.datagrams import Heard
    from netvigil.probing.speak.protocol import UdpProtocol

_TRIES = 4  # of those who stay silent: some answer only now and then, and the sweep takes longer anyway
_NO_CALLS = (
    "Nothing was broadcast or multicast, because devices on this segment are excluded and would hear it: "
    "what answers only to such calls was not found."
)


@dataclass(slots=True)
class Datagrams:
    """Asks over UDP and listens, from entering to leaving; `interface` is that of the site's segment if we are on it.

    A call to everybody would reach excluded devices too, and make them answer; where there are any, each host that may
    be asked is asked by itself.
    """

    context: ProbeContext
    interface: Interface | None
    request: ProbeRequest
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _listener: Listener | None = None
    _heard: dict[IPv4Address, list[Heard]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        if self.interface is not None and self._excludes_neighbours():
            self.context.limit(_NO_CALLS)
            self.interface = None
        if self.interface is not None and MNDP.port not in self.request.excluded_udp:
            listener = Listener(self.context.sockets, MNDP, self.interface)
            self._listener = await self._stack.enter_async_context(listener)
            if listener.fault is not None:
                self.context.limit(f"Announcements of neighbours were not heard: {listener.fault}.")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, hosts: Collection[IPv4Address]) -> None:
        """Ask these hosts everything that is not excluded; what they answer is kept."""
        protocols = self._protocols()
        if not hosts or not protocols:
            return
        loopback = any(address.is_loopback for address in hosts)
        limits = self.context.limits
        try:
            heard = await ask_all(
                self.context.sockets,
                protocols,
                [*hosts, CONTROL_ADDRESS] if loopback else hosts,
                interface=self.interface,
                rate=limits.datagram_rate(on_link=self.context.on_link),
                wait=limits.udp_wait,
                tries=_TRIES,
            )
        except OSError as error:
            self.context.limit(f"UDP services were not looked at: {error.strerror or error}.")
            return
        # What this machine itself answers on every loopback address is no emulated device's.
        own = {one.protocol.name for one in heard.pop(CONTROL_ADDRESS, [])}
        for address, replies in heard.items():
            self._heard[address] = [one for one in replies if not loopback or one.protocol.name not in own]

    def heard(self, hosts: Collection[IPv4Address]) -> Mapping[IPv4Address, list[Heard]]:
        """Everything that these hosts said until now, asked or unasked, one entry a host and protocol."""
        said = {address: list(self._heard.get(address, ())) for address in hosts}
        if self._listener is not None:
            for address, replies in self._listener.collect(hosts).items():
                known = {one.protocol.name for one in said[address]}
                said[address] += [one for one in replies if one.protocol.name not in known]
        return {address: replies for address, replies in said.items() if replies}

    def _protocols(self) -> list[UdpProtocol]:
        listening = self._listener is not None and self._listener.fault is None
        return [
            protocol
            for protocol in UDP
            if protocol.port not in self.request.excluded_udp and not (listening and protocol is MNDP)
        ]

    def _excludes_neighbours(self) -> bool:
        request = self.request
        return bool(request.excluded_macs) or any(
            self.interface is not None and as_network(target).overlaps(self.interface.address.network)
            for target in request.exclude
        )
