"""What speaks on the open ports: our own first look, then nmap on those ports only, each host on its own and on a budget."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netvigil.errors import ProbeFault
from netvigil.probing.first_look import FirstLook, Look, look_at_host
from netvigil.probing.nmap_xml import HostSeen
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.ports import BINARY_PORTS, FRAGILE_PORTS, LAN_PORTS, format_ports
from netvigil.probing.progress import Stage
from netvigil.probing.text import clean_banner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from ipaddress import IPv4Address
    from pathlib import Path

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.nmap_xml import NmapEvent

    HostReceiver = Callable[[HostObservation], Awaitable[None]]

_Named = dict[int, ServiceObservation]

# What answered is named by the common probes; nmap adds those meant for the port's number at any intensity.
_ANSWERING_INTENSITY = 2
_SILENT_INTENSITY = 0
# A silent port costs a small budget of its own, so a host that is all silence gets so many and no more.
_MAX_ALONE = 12
# A telnet greeting that nmap has no pattern for makes it try everything for half a minute: never with others.
_TELNET_COMMAND = b"\xff"
_TELNET_PORTS = {23, 2323}


@dataclass(slots=True)
class Identifier:
    """Identifies the services of many hosts at once; hands each host on as soon as it is finished."""

    context: ProbeContext
    on_host: HostReceiver
    probe_file: Path | None
    _nmaps: asyncio.Semaphore = field(init=False)
    _looks: asyncio.Semaphore = field(init=False)
    _reporting: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._nmaps = asyncio.Semaphore(self.context.limits.nmap_at_once)
        self._looks = asyncio.Semaphore(self.context.limits.looks_at_once)

    async def run(self, hosts: Iterable[HostObservation]) -> list[HostObservation]:
        """All hosts, finished; raises what `on_host` raises, and then stops everything."""
        waiting = list(hosts)
        total = sum(len(host.services) for host in waiting)
        await self.context.report(Stage.IDENTIFY, 0, hosts_total=len(waiting), ports_total=total)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._finish(host)) for host in waiting]
        except ExceptionGroup as several:
            raise _first_of(several) from several
        return [task.result() for task in tasks]

    async def _finish(self, host: HostObservation) -> HostObservation:
        finished = await self._identify(host)
        # One at a time: the receiver writes to a database session.
        async with self._reporting:
            await self.on_host(finished)
            progress = self.context.progress
            done = progress.hosts_done + 1
            ports = progress.ports_done + len(host.services)
            share = (done + ports) / max(1, progress.hosts_total + progress.ports_total)
            await self.context.report(Stage.IDENTIFY, share, hosts_done=done, ports_done=ports)
        return finished

    async def _identify(self, host: HostObservation) -> HostObservation:
        ports = self._choose_ports(host)
        if not ports:
            return _merge(host, {}, {})
        looks = await look_at_host(host.address, ports, self.context, self._looks)
        answering, alone, binary = _sort_ports(looks)
        limits = self.context.limits
        runs = [
            self._name(host.address, answering, _ANSWERING_INTENSITY, limits.answering_budget),
            self._name(host.address, binary, _SILENT_INTENSITY, limits.silent_budget),
            *(self._name(host.address, [port], _SILENT_INTENSITY, limits.single_budget) for port in alone),
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run) for run in runs]
        named: _Named = {}
        for task in tasks:
            named |= task.result()
        return _merge(host, looks, named)

    def _choose_ports(self, host: HostObservation) -> list[int]:
        """The ports to speak to: all but the fragile, unless there are so many that the host must be a trap."""
        ports = [service.port for service in host.services if service.protocol is Protocol.TCP]
        spoken = [port for port in ports if port not in FRAGILE_PORTS]
        bound = self.context.limits.ports_per_host
        if len(spoken) > bound:
            self.context.limit(
                f"{host.address} has {len(spoken)} open ports, as a tarpit or a proxy has; only {bound} were spoken to."
            )
            spoken = sorted(sorted(spoken, key=lambda port: port not in LAN_PORTS)[:bound])
        return spoken

    async def _name(
        self, address: IPv4Address, ports: Sequence[int], intensity: int, budget: float
    ) -> _Named:
        """What nmap calls these ports of one host.

        A run that is cut off tells nothing of any of its ports: then each is tried on its own with the small
        budget, so that only the one that kept the others waiting stays unnamed.
        """
        if not ports:
            return {}
        named, complete = await self._run(address, ports, intensity, budget)
        if complete or len(ports) == 1:
            return named
        single = self.context.limits.single_budget
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._run(address, [port], intensity, single)) for port in ports]
        for task in tasks:
            named |= task.result()[0]
        return named

    async def _run(
        self, address: IPv4Address, ports: Sequence[int], intensity: int, budget: float
    ) -> tuple[_Named, bool]:
        named: _Named = {}

        async def note(event: NmapEvent) -> None:
            if isinstance(event, HostSeen) and event.host.address == address:
                named.update({service.port: service for service in event.host.services})

        arguments = ["-sV", "-Pn", "--version-intensity", str(intensity), "-p", format_ports(sorted(ports))]
        if self.probe_file is not None:
            arguments += ["--versiondb", str(self.probe_file)]
        async with self._nmaps:
            try:
                outcome = await self.context.nmap(arguments, [address], note, budget)
            except ProbeFault as fault:
                # What one device makes nmap stumble over must not cost the site its scan.
                self.context.limit(f"{address} could not be examined fully: {fault}")
                return named, False
        return named, not outcome.timed_out


def _sort_ports(looks: dict[int, FirstLook]) -> tuple[list[int], list[int], list[int]]:
    """Ports that answer, ports that nmap is given one by one, and ports with a binary protocol of their own.

    A port that neither greets nor answers HTTP, and is none that is known to be binary, will most likely stay
    silent: alone it keeps nobody waiting.
    """
    answering: list[int] = []
    alone: list[int] = []
    binary: list[int] = []
    for port, seen in sorted(looks.items()):
        if seen.look is Look.SILENT:
            (binary if port in BINARY_PORTS else alone).append(port)
        elif seen.look in {Look.GREETED, Look.ANSWERED}:
            telnet = port in _TELNET_PORTS or seen.data.startswith(_TELNET_COMMAND)
            (alone if telnet else answering).append(port)
    return answering, alone[:_MAX_ALONE], binary


def _merge(host: HostObservation, looks: dict[int, FirstLook], named: _Named) -> HostObservation:
    """The host with what was learnt of each port; a port that was open stays, whatever became of it since."""
    services = tuple(
        _merge_service(service, looks.get(service.port), named.get(service.port)) for service in host.services
    )
    hostname = host.hostname or next((service.hostname for service in services if service.hostname), None)
    systems = Counter(service.os_type for service in services if service.os_type)
    os_name = host.os_name or (systems.most_common(1)[0][0] if systems else None)
    return replace(host, services=services, hostname=hostname, os_name=os_name)


def _merge_service(
    service: ServiceObservation, seen: FirstLook | None, named: ServiceObservation | None
) -> ServiceObservation:
    if service.protocol is Protocol.TCP and service.port in FRAGILE_PORTS:
        return replace(service, spared=True)
    banner = clean_banner(seen.data) if seen is not None else None
    if named is None or named.method is not Method.NMAP:
        return replace(service, banner=banner, name=_correct_name(service.name, seen))
    # `tcpwrapped` means that nmap was hung up on; if we heard something, the port's usual name says more.
    wrapped = named.name == "tcpwrapped" and banner is not None
    return replace(named, banner=banner, name=service.name if wrapped else named.name)


def _correct_name(name: str | None, seen: FirstLook | None) -> str | None:
    """The name that a port's number suggests, unless what it said or did not say tells otherwise."""
    if seen is None:
        return name
    if seen.data.startswith(b"HTTP/"):
        return "http"
    wordless = seen.look is Look.SILENT and name is not None and name.startswith("http")
    return None if wordless else name


def _first_of(several: ExceptionGroup[Exception]) -> Exception:
    first = several.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
