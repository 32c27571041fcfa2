"""One site's probe from start to end: reach, discover, sweep, identify."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netvigil.errors import SiteOffline
from netvigil.inventory.oui import find_manufacturer
from netvigil.probing.context import ProbeContext
from netvigil.probing.discover import ask_alive, discover
from netvigil.probing.examine import Examiner
from netvigil.probing.introduce import introduce, read_tables
from netvigil.probing.loopback import CONTROL_ADDRESS, set_apart
from netvigil.probing.nmap import list_frequent_ports, require_nmap
from netvigil.probing.observations import HostObservation
from netvigil.probing.ports import Profile, plan_ports
from netvigil.probing.privileges import Privileges, detect_privileges
from netvigil.probing.probe_file import quick_probe_file
from netvigil.probing.progress import Stage
from netvigil.probing.reach import check_reach
from netvigil.probing.request import ProbeRequest, ProbeResult
from netvigil.probing.sweep import sweep, swept_service
from netvigil.probing.targets import as_network, plan_addresses
from netvigil.probing.udp import Datagrams
from netvigil.probing.vantage import Sockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv4Network

    from netvigil.probing.discover import Hosts
    from netvigil.probing.interfaces import Interface
    from netvigil.probing.progress import ProbeProgress
    from netvigil.probing.reach import ReachableNetwork

    HostReceiver = Callable[[HostObservation], Awaitable[None]]
    ProgressReceiver = Callable[[ProbeProgress], Awaitable[None]]

__all__ = ["ProbeRequest", "ProbeResult", "probe"]

_UNPRIVILEGED = (
    "Scanned without privileges, by whole TCP connections: hosts that answer neither a connection nor a fresh ARP "
    "request were not seen, and MAC addresses only as far as this machine's ARP table shows them."
)
_EVERYWHERE = "Ports open on every loopback address belong to this machine itself and are listed for 127.0.0.1 only: {ports}."
_FLUSH_SECONDS = 1.0
_ASKED_AGAIN = 1024  # addresses of a network
_WITNESSES = 8  # of a network


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

    `on_host` gets each live host once, when it is finished; `on_found` each live host before that, as often as more of
    its open ports are known. Neither is called twice at the same time, and what they raise
    ends the probe. Cancelling ends it at once, with every process that it started.

    Raises SiteOffline (the reason in words; an empty site is an empty result instead), ProbeFault (vantage or
    nmap broken), ToolMissing (nmap or ip not installed).
    """
    require_nmap(request.vantage)
    privileges = request.privileges or detect_privileges()
    async with Sockets(request.vantage) as sockets:
        context = ProbeContext(
            sockets, request.limits, privileges, request.excluded_tcp, on_progress=on_progress
        )
        if privileges is Privileges.NONE:
            context.limit(_UNPRIVILEGED)
        try:
            return await _Course(request, context, on_host, on_found).run()
        except BaseExceptionGroup as several:
            raise _first_of(several) from several


@dataclass(slots=True)
class _Course:
    """One probe on its way through the stages."""

    request: ProbeRequest
    context: ProbeContext
    on_host: HostReceiver
    on_found: HostReceiver
    seconds: dict[Stage, float] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    spared: set[IPv4Address] = field(default_factory=set)
    """Addresses of devices whose MAC is excluded."""

    async def run(self) -> ProbeResult:
        request, context = self.request, self.context
        plan = plan_addresses(request.targets, request.exclude, request.limits.addresses, request.only)
        await context.report(Stage.REACH, 0)
        with _timed(self.seconds, Stage.REACH):
            reachable = await self._reach(plan)
            frequent = await _list_frequent(request.profile)
            planned = plan_ports(request.profile, frequent, request.extra_ports)
            self.ports = tuple(port for port in planned if port not in request.excluded_tcp)
        asked = {
            network: [address for address in addresses if address not in request.known]
            for network, addresses in plan.items()
        }
        with quick_probe_file() as probe_file:
            async with (
                Examiner(context, self.on_host, probe_file, request.excluded_tcp) as examiner,
                Datagrams(context, self._segment(reachable), request) as datagrams,
            ):
                with _timed(self.seconds, Stage.DISCOVER):
                    alive = await self._discover(asked, reachable)
                hosts = await self._look(alive, asked, reachable, examiner, datagrams)
        await context.report(Stage.DONE, 1)
        return ProbeResult(
            hosts=tuple(sorted(hosts, key=lambda host: host.address)),
            limitations=tuple(context.limitations),
            addresses=sum(len(plan[network.network]) for network in reachable),
            ports=len(self.ports),
            privileges=context.privileges,
            seconds=self.seconds,
        )

    async def _reach(self, plan: dict[IPv4Network, list[IPv4Address]]) -> list[ReachableNetwork]:
        request = self.request
        excluded = [as_network(target) for target in request.exclude]
        reachable = [
            replace(
                network,
                may_ask_gateway=not any(network.gateway in one for one in excluded),
                proven=not request.known.isdisjoint(plan[network.network]),
                witnesses=tuple(
                    witness
                    for witness in request.witnesses
                    if witness in network.network and not any(witness in one for one in excluded)
                )[:_WITNESSES],
            )
            for network in await check_reach(list(plan), request.gateway, self.context)
        ]
        self.context.on_link = all(network.on_link for network in reachable)
        return reachable

    def _segment(self, reachable: Sequence[ReachableNetwork]) -> Interface | None:
        """The interface to a segment of our own, where a call to everybody reaches the site."""
        return next((one.interface for one in reachable if one.on_link and not one.loopback), None)

    async def _discover(
        self, plan: dict[IPv4Network, list[IPv4Address]], reachable: Sequence[ReachableNetwork]
    ) -> Hosts:
        """The live hosts of all networks; a silent network is a limitation as long as another one answers."""
        alive: Hosts = {}
        silent: list[SiteOffline] = []
        for done, network in enumerate(reachable, start=1):
            try:
                alive |= await discover(network, plan[network.network], self.context)
            except SiteOffline as offline:
                silent.append(offline)
            await self.context.report(Stage.DISCOVER, done / len(reachable), hosts_total=len(alive))
        if silent and len(silent) == len(reachable):
            raise SiteOffline(" ".join(map(str, silent)))
        for fault in silent:
            self.context.limit(str(fault))
        return self._kept(alive)

    def _kept(self, hosts: Hosts) -> Hosts:
        """The hosts without devices that are to be left alone, with their makers."""
        spared = {address for address, host in hosts.items() if host.mac in self.request.excluded_macs}
        self.spared |= spared
        return {
            address: _with_manufacturer(host) for address, host in hosts.items() if address not in self.spared
        }

    async def _look(
        self,
        alive: Hosts,
        asked: dict[IPv4Network, list[IPv4Address]],
        reachable: Sequence[ReachableNetwork],
        examiner: Examiner,
        datagrams: Datagrams,
    ) -> list[HostObservation]:
        """Sweep and speak, UDP at the same time; what was missed at first is looked for once more meanwhile."""
        await self.context.report(Stage.SWEEP, 0, hosts_total=len(alive))
        loopback = any(address.is_loopback for address in alive)
        with _timed(self.seconds, Stage.SWEEP):
            async with asyncio.TaskGroup() as group:
                group.create_task(datagrams.ask(alive))
                router = group.create_task(read_tables(self.request, self.context))
                again = group.create_task(self._discover_again(alive, asked, reachable))
                swept = await self._sweep(alive, examiner, loopback=loopback)
            if late := again.result():
                swept |= await self._sweep(late, examiner, loopback=loopback)
                await datagrams.ask(late)
        kept, everywhere = set_apart(swept)
        if everywhere:
            self.context.limit(_EVERYWHERE.format(ports=", ".join(map(str, everywhere))))
        tables = router.result()
        kept = [introduce(host, tables) for host in kept]
        kept = list(self._kept({host.address: host for host in kept}).values())
        self._note_missing_macs(kept, reachable)
        for host in kept:
            await self.on_found(host)
        if not any(host.services for host in kept):
            await self._require_site(alive, reachable)
        with _timed(self.seconds, Stage.IDENTIFY):
            hosts = await examiner.finish(kept, datagrams.heard([host.address for host in kept]))
        if len(examiner.gate.stopped()) * 2 >= sum(bool(host.services) for host in kept) > 0:
            await self._require_site(alive, reachable)
        return hosts

    async def _sweep(self, hosts: Hosts, examiner: Examiner, *, loopback: bool) -> Hosts:
        """The hosts with their open ports; each is spoken to, and recorded, as soon as it is found.

        On loopback only the finished sweep tells devices from this machine, which is not to be spoken to.
        """
        if loopback:
            now = datetime.now(UTC)
            return await sweep(
                {**hosts, CONTROL_ADDRESS: HostObservation(CONTROL_ADDRESS, now, "loopback")},
                self.ports,
                self.context,
            )
        notebook = _Notebook(hosts, self.on_found)

        def opened(address: IPv4Address, port: int) -> None:
            if address in hosts:
                notebook.add(address, port)
                examiner.port_opened(address, port)

        async with notebook:
            return await sweep(hosts, self.ports, self.context, opened)

    async def _discover_again(
        self,
        alive: Hosts,
        asked: dict[IPv4Network, list[IPv4Address]],
        reachable: Sequence[ReachableNetwork],
    ) -> Hosts:
        """Hosts that lost the first question, as those with a weak radio link do."""
        if self.context.privileges is Privileges.NONE:
            return {}
        found: Hosts = {}
        for network in reachable:
            silent = [
                address
                for address in asked[network.network]
                if address not in alive and address not in self.spared
            ]
            if network.loopback or not 0 < len(silent) <= _ASKED_AGAIN:
                continue
            found |= await ask_alive(network, silent, self.context, beside=True)
        return self._kept(found)

    async def _require_site(self, alive: Hosts, reachable: Sequence[ReachableNetwork]) -> None:
        """Raise SiteOffline when none of the hosts that lived a moment ago answers any more."""
        gone = 0
        for network in reachable:
            own = network.interface.address.ip if network.interface is not None else None
            some = [address for address in alive if address in network.network and address != own]
            if network.loopback or (
                some and await ask_alive(network, some[:_ASKED_AGAIN], self.context, beside=True)
            ):
                return
            gone += len(some)
        if gone:
            raise SiteOffline(
                f"The site went away while it was scanned: {gone} host(s) were alive, and none answers any more. "
                "What was seen until then is kept."
            )

    def _note_missing_macs(
        self, hosts: Sequence[HostObservation], reachable: Sequence[ReachableNetwork]
    ) -> None:
        for network in reachable:
            there = [host for host in hosts if host.address in network.network]
            if network.on_link or network.loopback or not any(host.mac is None for host in there):
                continue
            remedy = "Read-only credentials of the site's router would tell them."
            self.context.limit(
                f"{network.network} lies beyond a router: MAC addresses cannot be seen from here. "
                f"{remedy if self.request.router is None else ''}".strip()
            )


@dataclass(slots=True)
class _Notebook:
    """Hands on what a sweep finds while it runs, so that a scan that is stopped keeps it."""

    hosts: Hosts
    on_found: HostReceiver
    _ports: dict[IPv4Address, set[int]] = field(default_factory=lambda: defaultdict(set))
    _changed: set[IPv4Address] = field(default_factory=set)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._changed.update(self.hosts)
        self._writer = asyncio.create_task(self._write())

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._writer is not None  # noqa: S101 - made on entering
        self._closing.set()
        if kind is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})
        else:
            await self._writer

    def add(self, address: IPv4Address, port: int) -> None:
        """Note an open port."""
        self._ports[address].add(port)
        self._changed.add(address)

    async def _write(self) -> None:
        while not self._closing.is_set():
            changed, self._changed = self._changed, set()
            for address in sorted(changed):
                services = tuple(map(swept_service, sorted(self._ports[address])))
                await self.on_found(replace(self.hosts[address], services=services))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _FLUSH_SECONDS)


async def _list_frequent(profile: Profile) -> tuple[int, ...]:
    return await list_frequent_ports(profile.top_ports) if profile.top_ports else ()


def _with_manufacturer(host: HostObservation) -> HostObservation:
    if host.mac is None:
        return host
    return replace(host, manufacturer=find_manufacturer(host.mac) or host.manufacturer)


def _first_of(several: BaseExceptionGroup[BaseException]) -> BaseException:
    first = several.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


@contextmanager
def _timed(seconds: dict[Stage, float], stage: Stage) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[stage] = time.monotonic() - began
