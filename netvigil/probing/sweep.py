"""Which ports are open on the live hosts: nmap's SYN sweep, or our own connections where we may not send raw packets."""

from __future__ import annotations

import random
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from netvigil.probing.connect import Connector, Outcome
from netvigil.probing.nmap_xml import HostSeen, TaskProgress
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.ports import LAN_PORTS, format_ports, parse_ports
from netvigil.probing.privileges import Privileges
from netvigil.probing.progress import Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.nmap import OpenReceiver
    from netvigil.probing.nmap_xml import NmapEvent

# Hosts that limit their resets cost a plain sweep a minute; told to read silence as closed, it took 4.7 s instead
# of 61 on 24 hosts, with no port lost. All hosts in one group, since a group waits for its slowest.
# Six retries cost nothing where none helps: nmap goes beyond one only at a host where a repetition was answered.
# Between floor and ceiling nmap goes by the answers; its window of 300 questions would hold 24 hosts at 9,500 a second.
_SWEEP = (
    "-sS", "-Pn", "-T4", "--defeat-rst-ratelimit", "--min-hostgroup", "64", "--max-retries", "6",
    "--max-parallelism", "900",
)  # fmt: skip
_MORE_PASSES = 2
_ANSWERS_EXPECTED = 20  # of a host that is reached at all; fewer come from a few open ports behind a firewall
_CHEAP = 100
_LOOPBACK_RATE = 10_000
_LOOPBACK_CONNECTS = 4_000


async def sweep(
    hosts: Mapping[IPv4Address, HostObservation],
    ports: Sequence[int],
    context: ProbeContext,
    on_open: OpenReceiver | None = None,
) -> dict[IPv4Address, HostObservation]:
    """The same hosts with their open TCP ports, each by SWEEP and with the name that its number suggests.

    `on_open` gets each open port in the moment it is found.
    """
    if not hosts or not ports:
        return dict(hosts)
    if context.privileges is Privileges.RAW:
        found = await _sweep_with_nmap(hosts, ports, context, on_open)
    else:
        found = await _sweep_by_connecting(hosts, ports, context, on_open)
    return {address: _settle(host, found.get(address, ())) for address, host in hosts.items()}


def swept_service(port: int) -> ServiceObservation:
    """An open TCP port of which nothing but its number is known yet."""
    return ServiceObservation(port, Protocol.TCP, Method.SWEEP, name=name_port(port))


def name_port(port: int) -> str | None:
    """What usually listens on a TCP port: by our own table, else the system's."""
    if port in LAN_PORTS:
        return LAN_PORTS[port]
    try:
        return socket.getservbyport(port, "tcp")
    except OSError:
        return None


def _rename(service: ServiceObservation) -> ServiceObservation:
    # Our table knows LAN devices that nmap's calls unknown, or something else of old.
    return replace(service, name=LAN_PORTS.get(service.port) or service.name)


def _settle(host: HostObservation, services: Sequence[ServiceObservation]) -> HostObservation:
    ordered = tuple(sorted(services, key=lambda service: (service.port, service.protocol)))
    reason = "syn-ack" if host.reason == "loopback" and ordered else host.reason
    return replace(host, services=ordered, reason=reason)


def _all_loopback(hosts: Iterable[IPv4Address]) -> bool:
    return all(address.is_loopback for address in hosts)


async def _sweep_with_nmap(
    hosts: Mapping[IPv4Address, HostObservation],
    ports: Sequence[int],
    context: ProbeContext,
    on_open: OpenReceiver | None,
) -> dict[IPv4Address, Sequence[ServiceObservation]]:
    found: dict[IPv4Address, dict[int, ServiceObservation]] = {address: {} for address in hosts}
    doubtful = await _run_nmap(hosts, ports, context, on_open, found)
    for _ in range(_MORE_PASSES):
        if not doubtful:
            break
        asked = sorted(set().union(*doubtful.values()))
        doubtful = await _run_nmap(doubtful, asked, context, on_open, found)
    return {address: list(services.values()) for address, services in found.items()}


async def _run_nmap(
    hosts: Collection[IPv4Address],
    ports: Sequence[int],
    context: ProbeContext,
    on_open: OpenReceiver | None,
    found: dict[IPv4Address, dict[int, ServiceObservation]],
) -> dict[IPv4Address, set[int]]:
    """One pass; adds to `found` and returns the hosts that lose packets, with the ports that stayed silent there."""
    doubtful: dict[IPv4Address, set[int]] = {}
    done = 0

    async def note(event: NmapEvent) -> None:
        nonlocal done
        if isinstance(event, HostSeen) and event.host.address in found:
            done += 1
            found[event.host.address] |= {one.port: _rename(one) for one in event.host.services}
            if missed := _find_missed(event):
                doubtful[event.host.address] = missed
            opened = sum(map(len, found.values()))
            await context.report(Stage.SWEEP, done / len(hosts), ports_total=opened)
        elif isinstance(event, TaskProgress):
            await context.report(Stage.SWEEP, event.percent / 100)

    rate = (
        _LOOPBACK_RATE
        if _all_loopback(hosts)
        else context.limits.sweep_rate(len(hosts), on_link=context.on_link)
    )
    # Without a floor one host that falls silent in the middle makes nmap crawl, for all hosts, at ten packets a second.
    pace = ["--max-rate", str(rate), "--min-rate", str(max(1, rate * 2 // 3))]
    arguments = [*_SWEEP, *pace, "-p", format_ports(ports), "-v", "--stats-every", "1s"]
    outcome = await context.nmap(arguments, hosts, note, context.limits.sweep_budget, on_open)
    if outcome.timed_out:
        context.limit("The port sweep was cut off after its time budget; ports may be missing.")
    return doubtful


def _find_missed(seen: HostSeen) -> set[int]:
    """The ports to ask once more: silent ones of a host that answers for others, as one does that loses packets.

    A host that answers for hardly any is behind a firewall or limits its resets; asking it again is only worth it
    while that is cheap.
    """
    silent = set(parse_ports(seen.silent))
    if not silent or seen.answered < _ANSWERS_EXPECTED:
        return set()
    mostly_silent = len(silent) > seen.answered
    return set() if mostly_silent and len(silent) > _CHEAP else silent


async def _sweep_by_connecting(
    hosts: Mapping[IPv4Address, HostObservation],
    ports: Sequence[int],
    context: ProbeContext,
    on_open: OpenReceiver | None,
) -> dict[IPv4Address, Sequence[ServiceObservation]]:
    found: dict[IPv4Address, list[ServiceObservation]] = {address: [] for address in hosts}
    lost: set[IPv4Address] = set()

    def note(address: IPv4Address, port: int, outcome: Outcome) -> None:
        if outcome is Outcome.OPEN:
            found[address].append(swept_service(port))
            if on_open is not None:
                on_open(address, port)
        elif outcome is Outcome.SKIPPED:
            lost.add(address)

    rate = (
        _LOOPBACK_CONNECTS
        if _all_loopback(hosts)
        else context.limits.sweep_rate(len(hosts), on_link=context.on_link)
    )
    limits = context.limits
    connector = Connector(context.sockets, note, limits.connect_timeout, limits.connects_at_once, rate)
    chunks = list(_chunk(ports))
    for done, chunk in enumerate(chunks, start=1):
        # Port by port over all hosts, so that each host meets its packets spread out.
        await connector.run((address, port) for port in chunk for address in hosts)
        opened = sum(map(len, found.values()))
        await context.report(Stage.SWEEP, done / len(chunks), ports_total=opened)
    for address in sorted(lost):
        context.limit(f"{address} stopped answering during the sweep; ports of it may be missing.")
    return {address: tuple(services) for address, services in found.items()}


def _chunk(ports: Sequence[int], size: int = 128) -> Iterator[Sequence[int]]:
    """The ports in random order, in pieces: some firewalls take ascending ones for an attack."""
    mixed = random.sample(ports, len(ports))
    for start in range(0, len(mixed), size):
        yield mixed[start : start + size]
