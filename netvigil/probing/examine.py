"""Speak to every open port from the moment it is found, and finish each host as soon as nothing more can be learnt of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import structlog

from netvigil.probing.assemble import Learnt, build_host, build_service, service_of
from netvigil.probing.gate import Gate
from netvigil.probing.leftovers import REFUSING, SILENT, SPEAKING, Leftovers
from netvigil.probing.namer import Namer
from netvigil.probing.observations import HostObservation, Protocol, ServiceObservation
from netvigil.probing.ports import FRAGILE_PORTS, LAN_PORTS
from netvigil.probing.progress import Stage
from netvigil.probing.replay import Words
from netvigil.probing.speak.certificate import describe_certificate
from netvigil.probing.speak.talk import Ended, Talk, is_expected, talk_to
from netvigil.probing.speak.udp.upnp_description import port_of, read_description

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from ipaddress import IPv4Address
    from pathlib import Path

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.datagrams import Heard

    HostReceiver = Callable[[HostObservation], Awaitable[None]]

log = structlog.get_logger(__name__)

_TARPIT = "{address} has {count} open ports, as a tarpit or a proxy has; only {spoken} were spoken to."


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of one port: our talk, and what nmap made of it where our own module left something open."""

    talk: Talk
    named: ServiceObservation | None = None


@dataclass(slots=True)
class Examiner:
    """Examines the ports of many hosts at once; hands each host on as soon as it is finished.

    Use as an async context manager: leaving it ends every conversation that still runs.
    """

    context: ProbeContext
    on_host: HostReceiver
    probe_file: Path | None
    excluded: frozenset[int] = frozenset()
    """TCP ports that nothing is sent to, though a device may point to them."""
    gate: Gate = field(init=False)
    _namer: Namer = field(init=False)
    _leftovers: Leftovers = field(init=False)
    _talks: dict[IPv4Address, dict[int, asyncio.Task[Examined]]] = field(
        init=False, default_factory=lambda: defaultdict(dict)
    )
    _reporting: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.gate = Gate(self.context.sockets, self.context.limits)
        self._namer = Namer(self.context)
        self._leftovers = Leftovers(self.context, self.probe_file)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        running = [task for talks in self._talks.values() for task in talks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await self._namer.close()
        await self._leftovers.close()

    def port_opened(self, address: IPv4Address, port: int) -> None:
        """Begin to speak to a port, unless it is fragile, known already, or one of far too many."""
        talks = self._talks[address]
        if port in talks or port in FRAGILE_PORTS:
            return
        # A tarpit has a thousand open ports: beyond the bound only those count that devices on a LAN have.
        if len(talks) >= self.context.limits.ports_per_host and (
            port not in LAN_PORTS or len(talks) >= 2 * self.context.limits.ports_per_host
        ):
            return
        talks[port] = asyncio.create_task(self._examine_port(address, port))

    async def finish(
        self, hosts: Iterable[HostObservation], datagrams: Mapping[IPv4Address, Sequence[Heard]]
    ) -> list[HostObservation]:
        """All hosts, finished; raises what `on_host` raises, and then stops everything."""
        waiting = list(hosts)
        total = sum(len(host.services) for host in waiting) + sum(map(len, datagrams.values()))
        hosts_known = self.context.progress.hosts_done + len(waiting)
        ports_known = self.context.progress.ports_done + total
        await self.context.report(Stage.IDENTIFY, 0, hosts_total=hosts_known, ports_total=ports_known)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._finish(host, datagrams.get(host.address, ()))) for host in waiting
                ]
        except ExceptionGroup as several:
            raise _first_of(several) from several
        return [task.result() for task in tasks]

    async def _examine_port(self, address: IPv4Address, port: int) -> Examined:
        way = self.gate.to(address)
        async with way.place():
            try:
                talk = await talk_to(way, port, self.context.limits)
            except Exception:  # what one device says must not cost the site its scan, and the log has it
                log.exception("a conversation failed", address=str(address), port=port)
                self.context.limit(
                    f"Port {port} of {address} could not be examined: the service's log says why."
                )
                return Examined(Talk(port))
        if talk.answer is not None and talk.answer.complete:
            return Examined(talk)
        named = await self._namer.name(address, port, _words(talk))
        intensity = _choose_intensity(talk)
        if intensity is not None and not _tells(named) and not way.stopped:
            named = await self._leftovers.name(address, port, intensity) or named
        return Examined(talk, named)

    async def _finish(self, host: HostObservation, heard: Sequence[Heard]) -> HostObservation:
        finished = await self._examine(host, heard)
        # One at a time: the receiver writes to a database session.
        async with self._reporting:
            await self.on_host(finished)
            progress = self.context.progress
            done = progress.hosts_done + 1
            ports = progress.ports_done + len(finished.services)
            share = (done + ports) / max(1, progress.hosts_total + progress.ports_total)
            await self.context.report(Stage.IDENTIFY, share, hosts_done=done, ports_done=ports)
        return finished

    async def _examine(self, host: HostObservation, heard: Sequence[Heard]) -> HostObservation:
        address = host.address
        swept = {service.port: service for service in host.services if service.protocol is Protocol.TCP}
        for port in swept:
            self.port_opened(address, port)
        examined = {port: await task for port, task in self._talks[address].items() if port in swept}
        spoken = sum(port not in FRAGILE_PORTS for port in swept)
        if len(examined) < spoken:
            self.context.limit(_TARPIT.format(address=address, count=spoken, spoken=len(examined)))
        learnt = [_learn(service, examined.get(port)) for port, service in swept.items()]
        for one in heard:
            answer = await self._describe(address, one.answer)
            learnt.append(Learnt(service_of(answer, one.port, Protocol.UDP), answer))
        return build_host(host, learnt, [self.gate.to(address).note() or ""])

    async def _describe(self, address: IPv4Address, answer: Answer) -> Answer:
        """A UPnP device's answer with its description, which stands on a port that it names itself."""
        location = answer.facts.get("location", "")
        port = port_of(location)
        if port is None or port in FRAGILE_PORTS or port in self.excluded:
            return answer
        way = self.gate.to(address)
        async with way.place():
            if way.stopped:
                return answer
            told = await read_description(way, address, location)
        return replace(answer, model=answer.model or told.get("model_name"), facts={**answer.facts, **told})


def _learn(service: ServiceObservation, examined: Examined | None) -> Learnt:
    if examined is None:
        return build_service(service, None, None, {})
    return build_service(service, examined.talk, examined.named, _tls_facts(examined.talk))


def _choose_intensity(talk: Talk) -> int | None:
    """How much nmap is to ask: nothing where a module understood, or where silence met the very question that belongs there."""
    if talk.answer is not None or talk.ended is Ended.GONE:
        return None
    if talk.ended is Ended.CLOSED:
        return None if is_expected(talk.port) else REFUSING
    if talk.ended is Ended.SILENT:
        return None if is_expected(talk.port) else SILENT
    return SPEAKING


def _words(talk: Talk) -> Words:
    return Words(talk.greeting or (b"" if talk.web else b"".join(talk.heard[:1])), talk.web)


def _tells(named: ServiceObservation | None) -> bool:
    return named is not None and (named.product is not None or named.version is not None)


def _tls_facts(talk: Talk) -> dict[str, str]:
    if not talk.tls:
        return {}
    facts = {"tls_version": talk.tls_version} if talk.tls_version else {}
    return facts | (describe_certificate(talk.certificate) if talk.certificate else {})


def _first_of(several: ExceptionGroup[Exception]) -> Exception:
    first = several.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
