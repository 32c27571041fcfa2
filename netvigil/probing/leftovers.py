"""The last resort: nmap on the ports that nobody understood, together for hosts that have the same ones left."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netvigil.errors import NetvigilError
from netvigil.probing.nmap_xml import HostSeen
from netvigil.probing.ports import format_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv4Address
    from pathlib import Path

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.nmap_xml import NmapEvent
    from netvigil.probing.observations import ServiceObservation

    Named = dict[IPv4Address, dict[int, ServiceObservation]]
    _Waiting = dict[tuple[IPv4Address, int], asyncio.Future[ServiceObservation | None]]

SILENT: Final = 0  # nmap's intensity for a port that says nothing: only what belongs to its number
SPEAKING: Final = 2  # and for one that speaks: the common questions
REFUSING: Final = (
    7  # and for one that hangs up on every question: nmap's usual ones, which then cost no waiting
)
_GATHERING: Final = 0.4  # seconds; a process costs more than the questions that it asks
_HOSTS_AT_ONCE: Final = 16


@dataclass(slots=True)
class Leftovers:
    """One for a probe. `probe_file` is nmap's with short waits: each port has been waited for already."""

    context: ProbeContext
    probe_file: Path | None
    _waiting: dict[int, _Waiting] = field(default_factory=lambda: defaultdict(dict))
    _nmaps: asyncio.Semaphore = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _gathering: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._nmaps = asyncio.Semaphore(self.context.limits.nmap_at_once)

    async def name(self, address: IPv4Address, port: int, intensity: int) -> ServiceObservation | None:
        """What nmap calls the port, asking it; None when that is not known within the budget."""
        answer: asyncio.Future[ServiceObservation | None] = asyncio.get_running_loop().create_future()
        self._waiting[intensity][address, port] = answer
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())
        return await answer

    async def close(self) -> None:
        """End what still runs."""
        running = [task for task in (*self._tasks, self._gathering) if task is not None and not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _gather(self) -> None:
        await asyncio.sleep(_GATHERING)
        waiting, self._waiting, self._gathering = self._waiting, defaultdict(dict), None
        for intensity, some in waiting.items():
            for hosts, ports in _group(some):
                task = asyncio.create_task(self._run(hosts, ports, intensity, some))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _run(
        self, hosts: Sequence[IPv4Address], ports: Sequence[int], intensity: int, waiting: _Waiting
    ) -> None:
        named: Named = {}

        async def note(event: NmapEvent) -> None:
            if isinstance(event, HostSeen):
                named[event.host.address] = {service.port: service for service in event.host.services}

        arguments = ["-sV", "-Pn", "--version-intensity", str(intensity), "-p", format_ports(ports)]
        arguments += ["--max-rate", str(self.context.limits.connections_per_second)]
        if self.probe_file is not None:
            arguments += ["--versiondb", str(self.probe_file)]
        try:
            async with self._nmaps:
                await self.context.nmap(arguments, hosts, note, self.context.limits.nmap_budget)
        except NetvigilError as fault:
            # What one device makes nmap stumble over must not cost the site its scan.
            self.context.limit(f"{', '.join(map(str, hosts))} could not be examined fully: {fault}")
        finally:
            _settle(named, hosts, ports, waiting)


def _settle(
    named: Mapping[IPv4Address, Mapping[int, ServiceObservation]],
    hosts: Iterable[IPv4Address],
    ports: Sequence[int],
    waiting: _Waiting,
) -> None:
    for address in hosts:
        for port in ports:
            answer = waiting[address, port]
            if not answer.done():
                answer.set_result(named.get(address, {}).get(port))


def _group(waiting: Iterable[tuple[IPv4Address, int]]) -> list[tuple[list[IPv4Address], list[int]]]:
    """Hosts that have the same ports left, so that nobody is asked on a port that is not."""
    left: dict[IPv4Address, list[int]] = defaultdict(list)
    for address, port in sorted(waiting):
        left[address].append(port)
    alike: dict[tuple[int, ...], list[IPv4Address]] = defaultdict(list)
    for address, ports in left.items():
        alike[tuple(ports)].append(address)
    return [
        (hosts[start : start + _HOSTS_AT_ONCE], list(ports))
        for ports, hosts in alike.items()
        for start in range(0, len(hosts), _HOSTS_AT_ONCE)
    ]
