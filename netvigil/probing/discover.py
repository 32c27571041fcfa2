"""Which addresses are alive: by ARP on the own segment, by echo and a few TCP ports beyond, by connections without rights."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from netvigil.errors import SiteOffline
from netvigil.probing.connect import Connector, Outcome
from netvigil.probing.nmap_xml import HostSeen, TaskProgress
from netvigil.probing.observations import HostObservation
from netvigil.probing.privileges import Privileges
from netvigil.probing.progress import Stage
from netvigil.probing.vantage import VantageKind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.nmap_xml import NmapEvent
    from netvigil.probing.reach import ReachableNetwork

Hosts = dict[IPv4Address, HostObservation]

# Measured on a /24: 1.8 s with every host found. nmap ARPs by itself on the own segment.
_ON_LINK = ("-sn", "-T4", "--min-parallelism", "256", "--min-hostgroup", "256")
# Through a router echo alone misses what drops it: 24 of 24 hosts in 6.2 s instead of 22.
_BEYOND = ("-sn", "-T4", "-PE", "--max-retries", "2")
_BEYOND_PORTS = {"-PS": (22, 80, 135, 443, 445, 3389, 8291), "-PA": (80, 443)}
_PING_PORTS = (80, 443, 22, 445, 135, 53, 8291, 3389)
_ARP_TABLE = Path("/proc/net/arp")
_ARP_COMPLETE = 0x2
_ARP_COLUMNS = 4


async def discover(
    network: ReachableNetwork, addresses: Sequence[IPv4Address], context: ProbeContext
) -> Hosts:
    """The live addresses among these of one network, without services.

    On loopback every address answers, so all of them are candidates and the sweep decides.
    Raises SiteOffline when nothing answers and the gateway is silent too, or may not be asked.
    """
    if not addresses:
        return {}
    if network.loopback:
        now = datetime.now(UTC)
        return {address: HostObservation(address, now, "loopback") for address in addresses}
    hosts = await ask_alive(network, addresses, context)
    interface = network.interface
    own = interface.address.ip if interface is not None else None
    if interface is not None and own in hosts:
        hosts[own] = replace(hosts[own], mac=hosts[own].mac or interface.mac)
    others = [address for address in addresses if address != own]
    if others and not any(address != own for address in hosts) and not network.proven:
        await _require_gateway(network, addresses, context)
    return hosts


async def _require_gateway(
    network: ReachableNetwork, addresses: Collection[IPv4Address], context: ProbeContext
) -> None:
    """An empty network and a dead one look the same but for the gateway, and for hosts that were there before."""
    gateway = network.gateway
    interface = network.interface
    if interface is not None and gateway == interface.address.ip:
        return  # we are the gateway: empty it is
    # a gateway that is only custom's guess may not exist, so the hosts are asked whatever it is
    proofs = [gateway] if network.may_ask_gateway else []
    proofs += [witness for witness in network.witnesses if witness != gateway]
    unasked = [proof for proof in proofs if proof not in addresses]
    if unasked and await ask_alive(network, unasked, context):
        return
    count = len(addresses)
    witnesses = sum(proof != gateway for proof in unasked)
    before = f", as are {witnesses} more that were there before" if witnesses else ""
    tried = "ARP" if network.on_link else "echo and the usual TCP ports"
    if context.privileges is Privileges.NONE:
        tried = "TCP connections"
    raise SiteOffline(
        f"Nothing answers in {network.network}: {count} address{'es' if count != 1 else ''} "
        f"and the gateway {gateway} are silent{before} ({tried} tried from {context.sockets.vantage})."
    )


async def ask_alive(
    network: ReachableNetwork,
    addresses: Sequence[IPv4Address],
    context: ProbeContext,
    *,
    beside: bool = False,
) -> Hosts:
    """Those of the addresses that answer now; `beside` a sweep, with a small part of the site's rate and no news."""
    if context.privileges is Privileges.RAW:
        return await _ask_with_nmap(network, addresses, context, beside=beside)
    return await _ask_by_connecting(network, addresses, context)


async def _ask_with_nmap(
    network: ReachableNetwork, addresses: Sequence[IPv4Address], context: ProbeContext, *, beside: bool
) -> Hosts:
    hosts: Hosts = {}
    known = context.progress.hosts_total

    async def note(event: NmapEvent) -> None:
        if isinstance(event, HostSeen):
            hosts[event.host.address] = event.host
            if not beside:
                await context.report(Stage.DISCOVER, 0, hosts_total=known + len(hosts))
        elif isinstance(event, TaskProgress) and not beside:
            await context.report(Stage.DISCOVER, event.percent / 100)

    limits = context.limits
    rate = (limits.retry_rate if beside else limits.site_rate)(on_link=context.on_link)
    options = _ON_LINK if network.on_link else (*_BEYOND, *_port_pings(context.excluded_tcp))
    floor = () if network.on_link else ("--min-rate", str(min(300, rate)))
    arguments = [*options, *floor, "--max-rate", str(rate), "-v", "--stats-every", "1s"]
    outcome = await context.nmap(arguments, addresses, note, context.limits.discover_budget)
    if outcome.timed_out:
        context.limit(f"Looking for hosts in {network.network} was cut off after its time budget.")
    return hosts


def _port_pings(excluded: Collection[int]) -> list[str]:
    """Options for the ports that are asked besides the echo; one without a port would take nmap's own choice."""
    kept = {
        option: [port for port in ports if port not in excluded] for option, ports in _BEYOND_PORTS.items()
    }
    return [option + ",".join(map(str, ports)) for option, ports in kept.items() if ports]


async def _ask_by_connecting(
    network: ReachableNetwork, addresses: Sequence[IPv4Address], context: ProbeContext
) -> Hosts:
    """Without raw packets: whoever accepts or refuses a connection lives, and so does who answered the kernel's ARP."""
    proofs: dict[IPv4Address, str] = {}
    known = context.progress.hosts_total
    before = read_arp_table() if _sees_arp(network, context) else {}

    def note(address: IPv4Address, _port: int, outcome: Outcome) -> None:
        if outcome in {Outcome.OPEN, Outcome.CLOSED}:
            proofs.setdefault(address, "syn-ack" if outcome is Outcome.OPEN else "conn-refused")

    limits = context.limits
    connector = Connector(
        context.sockets, note, limits.connect_timeout, limits.connects_at_once, limits.packets_per_second
    )
    # As many addresses as there are sockets for all their ports: the dead ones are waited for together.
    ports = [port for port in _PING_PORTS if port not in context.excluded_tcp]
    size = max(1, limits.connects_at_once // max(1, len(ports)))
    for start in range(0, len(addresses), size):
        some = addresses[start : start + size]
        await connector.run((address, port) for port in ports for address in some if address not in proofs)
        share = (start + len(some)) / len(addresses)
        await context.report(Stage.DISCOVER, share, hosts_total=known + len(proofs))
    after = read_arp_table() if _sees_arp(network, context) else {}
    for address in addresses:
        if address in after and address not in before:
            proofs.setdefault(address, "arp-response")
    now = datetime.now(UTC)
    return {
        address: HostObservation(address, now, proofs[address], mac=after.get(address))
        for address in addresses
        if address in proofs
    }


def _sees_arp(network: ReachableNetwork, context: ProbeContext) -> bool:
    return network.on_link and context.sockets.vantage.kind is not VantageKind.NETNS


def read_arp_table(path: Path = _ARP_TABLE) -> dict[IPv4Address, str]:
    """MACs the kernel has resolved (proc(5)), upper case; readable for everyone, and only of our own namespace."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()[1:]]
    except OSError:
        return {}
    return {
        IPv4Address(row[0]): row[3].upper()
        for row in rows
        if len(row) >= _ARP_COLUMNS and int(row[2], 16) & _ARP_COMPLETE and row[3] != "00:00:00:00:00:00"
    }
