"""What the site's own router knows of hosts beyond it: their MAC addresses and names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netvigil.errors import ProbeFault
from netvigil.probing.router.credentials import SnmpCommunity
from netvigil.probing.router.read import RouterTables, read_router
from netvigil.probing.targets import as_network

if TYPE_CHECKING:
    from netvigil.probing.context import ProbeContext
    from netvigil.probing.observations import HostObservation
    from netvigil.probing.request import ProbeRequest
    from netvigil.probing.router.credentials import RouterAccess


async def read_tables(request: ProbeRequest, context: ProbeContext) -> RouterTables:
    """The router's tables; empty without credentials, and with a limitation when the router does not give them."""
    access = request.router
    if access is None:
        return RouterTables()
    if any(access.address in as_network(target) for target in request.exclude):
        context.limit("The site's router was not asked for MAC addresses and names: its address is excluded.")
        return RouterTables()
    if access.login.port in _excluded_ports(request, access):
        context.limit("The site's router was not asked for MAC addresses and names: its port is excluded.")
        return RouterTables()
    try:
        return await read_router(context.sockets, access)
    except ProbeFault as fault:
        context.limit(f"The site's router did not tell MAC addresses and names: {fault}")
        return RouterTables()


def _excluded_ports(request: ProbeRequest, access: RouterAccess) -> frozenset[int]:
    return request.excluded_udp if isinstance(access.login, SnmpCommunity) else request.excluded_tcp


def introduce(host: HostObservation, tables: RouterTables) -> HostObservation:
    """The host with what the router knows of it where we know nothing ourselves."""
    mac = tables.arp.get(host.address)
    if host.mac is None and mac is not None:
        host = replace(host, mac=mac, mac_source="router")
    return replace(host, hostname=host.hostname or tables.names.get(host.address))
