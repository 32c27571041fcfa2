"""One site's probe from start to end: reach, discover, sweep, identify."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netvigil.errors import SiteOffline
from netvigil.inventory.oui import find_manufacturer
from netvigil.probing.context import ProbeContext
from netvigil.probing.discover import discover
from netvigil.probing.identify import Identifier
from netvigil.probing.limits import DEFAULT_LIMITS
from netvigil.probing.loopback import CONTROL_ADDRESS, set_apart
from netvigil.probing.nmap import list_frequent_ports, require_nmap
from netvigil.probing.observations import HostObservation
from netvigil.probing.ports import Profile, plan_ports
from netvigil.probing.privileges import Privileges, detect_privileges
from netvigil.probing.probe_file import quick_probe_file
from netvigil.probing.progress import Stage
from netvigil.probing.reach import check_reach
from netvigil.probing.sweep import sweep
from netvigil.probing.targets import as_network, plan_addresses
from netvigil.probing.vantage import LOCAL, Sockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv4Network

    from netvigil.probing.limits import ScanLimits
    from netvigil.probing.progress import ProbeProgress
    from netvigil.probing.reach import ReachableNetwork
    from netvigil.probing.targets import Target
    from netvigil.probing.vantage import Vantage

    HostReceiver = Callable[[HostObservation], Awaitable[None]]
    ProgressReceiver = Callable[[ProbeProgress], Awaitable[None]]

_UNPRIVILEGED = (
    "Scanned without privileges, by whole TCP connections: hosts that answer neither a connection nor a fresh ARP "
    "request were not seen, and MAC addresses only as far as this machine's ARP table shows them."
)
_EVERYWHERE = "Ports open on every loopback address belong to this machine itself and are listed for 127.0.0.1 only: {ports}."
_NO_UDP = "UDP services were not looked at."


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to probe and how.

    `targets`: networks (their network and broadcast addresses are left out) and addresses; `exclude` is taken
    away from them and nothing is sent there. `known`: hosts that an earlier attempt at this scan has finished; they
    are not asked again, and prove that the site was there. `gateway`: who must answer if the site is online; by default the
    router of our segment, else the first address of each network. `privileges`: detected where None.
    """

    targets: Sequence[Target]
    vantage: Vantage = LOCAL
    limits: ScanLimits = DEFAULT_LIMITS
    profile: Profile = Profile.STANDARD
    extra_ports: tuple[int, ...] = ()
    exclude: Sequence[Target] = ()
    known: frozenset[IPv4Address] = frozenset()
    gateway: IPv4Address | None = None
    privileges: Privileges | None = None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A finished probe: live hosts by address, and what could not be seen, in plain sentences for the report.

    `addresses`: how many were asked; `ports`: how many TCP ports were swept on each live host; `seconds` by stage.
    """

    hosts: tuple[HostObservation, ...]
    limitations: tuple[str, ...]
    addresses: int
    ports: int
    privileges: Privileges
    seconds: dict[Stage, float]


async def _ignore(_: object) -> None:
    """Receive what nobody asked for."""


async def probe(
    request: ProbeRequest,
    *,
    on_host: HostReceiver = _ignore,
    on_found: HostReceiver = _ignore,
    on_progress: ProgressReceiver = _ignore,
) -> ProbeResult:
    """Probe one site.

    `on_host` gets each live host once, when it is finished; `on_found` each live host with its open ports right
    after the sweep, before anything is identified. Neither is called twice at the same time, and what they raise
    ends the probe. Cancelling ends it at once, with every process that it started.

    Raises SiteOffline (the reason in words; an empty site is an empty result instead), ProbeFault (vantage or
    nmap broken), ToolMissing (nmap or ip not installed).
    """
    require_nmap(request.vantage)
    privileges = request.privileges or detect_privileges()
    async with Sockets(request.vantage) as sockets:
        context = ProbeContext(sockets, request.limits, privileges, on_progress)
        if privileges is Privileges.NONE:
            context.limit(_UNPRIVILEGED)
        context.limit(_NO_UDP)
        return await _run_stages(request, context, on_host, on_found)


async def _run_stages(
    request: ProbeRequest, context: ProbeContext, on_host: HostReceiver, on_found: HostReceiver
) -> ProbeResult:
    seconds: dict[Stage, float] = {}
    plan = plan_addresses(request.targets, request.exclude, request.limits.addresses)
    await context.report(Stage.REACH, 0)
    with _timed(seconds, Stage.REACH):
        reachable = await _reach(request, plan, context)
        frequent = await _list_frequent(request.profile)
        ports = plan_ports(request.profile, frequent, request.extra_ports)
    with _timed(seconds, Stage.DISCOVER):
        remaining = {
            network: [address for address in addresses if address not in request.known]
            for network, addresses in plan.items()
        }
        alive = await _discover(remaining, reachable, context)
    with _timed(seconds, Stage.SWEEP):
        await context.report(Stage.SWEEP, 0, hosts_total=len(alive))
        if any(address.is_loopback for address in alive):
            alive[CONTROL_ADDRESS] = HostObservation(CONTROL_ADDRESS, datetime.now(UTC), "loopback")
        kept, everywhere = set_apart(await sweep(alive, ports, context))
        if everywhere:
            context.limit(_EVERYWHERE.format(ports=", ".join(map(str, everywhere))))
        for host in kept:
            await on_found(host)
    with _timed(seconds, Stage.IDENTIFY), quick_probe_file() as probe_file:
        hosts = await Identifier(context, on_host, probe_file).run(kept)
    await context.report(Stage.DONE, 1)
    return ProbeResult(
        hosts=tuple(sorted(hosts, key=lambda host: host.address)),
        limitations=tuple(context.limitations),
        addresses=sum(len(plan[network.network]) for network in reachable),
        ports=len(ports),
        privileges=context.privileges,
        seconds=seconds,
    )


async def _reach(
    request: ProbeRequest, plan: dict[IPv4Network, list[IPv4Address]], context: ProbeContext
) -> list[ReachableNetwork]:
    excluded = [as_network(target) for target in request.exclude]
    return [
        replace(
            network,
            may_ask_gateway=not any(network.gateway in one for one in excluded),
            proven=not request.known.isdisjoint(plan[network.network]),
        )
        for network in await check_reach(list(plan), request.gateway, context)
    ]


async def _list_frequent(profile: Profile) -> tuple[int, ...]:
    return await list_frequent_ports(profile.top_ports) if profile.top_ports else ()


async def _discover(
    plan: dict[IPv4Network, list[IPv4Address]],
    reachable: Sequence[ReachableNetwork],
    context: ProbeContext,
) -> dict[IPv4Address, HostObservation]:
    """The live hosts of all networks; a silent network is a limitation as long as another one answers."""
    alive: dict[IPv4Address, HostObservation] = {}
    silent: list[SiteOffline] = []
    for done, network in enumerate(reachable, start=1):
        try:
            alive |= await discover(network, plan[network.network], context)
        except SiteOffline as offline:
            silent.append(offline)
        if not network.on_link and not network.loopback:
            context.limit(f"{network.network} lies beyond a router: MAC addresses cannot be seen from here.")
        await context.report(Stage.DISCOVER, done / len(reachable), hosts_total=len(alive))
    if silent and len(silent) == len(reachable):
        raise SiteOffline(" ".join(map(str, silent)))
    for fault in silent:
        context.limit(str(fault))
    return {address: _with_manufacturer(host) for address, host in alive.items()}


def _with_manufacturer(host: HostObservation) -> HostObservation:
    if host.mac is None:
        return host
    return replace(host, manufacturer=find_manufacturer(host.mac) or host.manufacturer)


@contextmanager
def _timed(seconds: dict[Stage, float], stage: Stage) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[stage] = time.monotonic() - began
