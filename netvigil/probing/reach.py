"""Is the site there at all, seen from the vantage: routes, interfaces and the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netvigil.errors import SiteOffline
from netvigil.probing.interfaces import Interface, Route, find_route, list_gateways
from netvigil.probing.vantage import VantageKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network

    from netvigil.probing.context import ProbeContext


@dataclass(frozen=True, slots=True)
class ReachableNetwork:
    """One network and the way to it.

    `on_link`: on our own segment, so that ARP works. `gateway`: who should answer there if anyone does, the
    address given for the site, else the router of our segment, else by custom the network's first address;
    `may_ask_gateway` is false where it is excluded. `proven`: an earlier attempt at this scan found hosts.
    `witnesses`: addresses that lived at earlier scans and may be asked.
    """

    network: IPv4Network
    interface: Interface | None
    gateway: IPv4Address
    may_ask_gateway: bool = True
    proven: bool = False
    witnesses: tuple[IPv4Address, ...] = ()

    @property
    def on_link(self) -> bool:
        """Whether the network lies on our own segment."""
        return self.interface is not None and self.network.subnet_of(self.interface.address.network)

    @property
    def loopback(self) -> bool:
        """Whether it is this machine's loopback, where every address answers."""
        return self.network.is_loopback


async def check_reach(
    networks: Sequence[IPv4Network], gateway: IPv4Address | None, context: ProbeContext
) -> list[ReachableNetwork]:
    """The networks that a packet can leave for; the others are noted as limitations.

    Raises SiteOffline with the reasons when none is left, ProbeFault when the vantage is missing.
    """
    vantage = context.sockets.vantage
    device = vantage.name if vantage.kind is VantageKind.VRF else None
    routers = await context.sockets.run(list_gateways)
    reachable: list[ReachableNetwork] = []
    faults: list[str] = []
    for network in networks:
        target = _first_host(network)
        route = await context.sockets.run(lambda target=target: find_route(target, device))  # type: ignore[misc]
        fault = _find_fault(route)
        if fault is not None:
            faults.append(f"{network} was not scanned: {fault}.")
        else:
            known = gateway if gateway is not None and gateway in network else None
            chosen = known or _choose_gateway(network, route.interface, routers)
            reachable.append(ReachableNetwork(network, route.interface, chosen))
    if not reachable:
        reasons = " ".join(faults)
        raise SiteOffline(f"The site cannot be reached from {vantage}. {reasons}")
    for sentence in faults:
        context.limit(sentence)
    return reachable


def _find_fault(route: Route) -> str | None:
    if route.fault is not None:
        return route.fault
    if route.interface is not None and not route.interface.running:
        return f"the interface {route.interface.name} has no carrier (cable unplugged, or link down)"
    return None


def _choose_gateway(
    network: IPv4Network, interface: Interface | None, routers: Sequence[IPv4Address]
) -> IPv4Address:
    segment = interface.address.network if interface is not None else network
    if network.overlaps(segment):
        return next((router for router in routers if router in segment), _first_host(segment))
    return _first_host(network)


def _first_host(network: IPv4Network) -> IPv4Address:
    return next(iter(network.hosts()), network.network_address)
