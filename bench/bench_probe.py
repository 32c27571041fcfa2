"""Probing side by side with nmap, and against the limits: bench_probe.py [--full] [--only PART] [--vantage V --network N [--truth FILE]]

Three parts, each on a LAN of emulated devices in namespaces of its own (needs root, nmap and iproute2; see lan.py):
`small`: a /24 from nothing to stored observations against `nmap -sS -sV -T4` of its live hosts and the same ports;
`large`: a /22 with 100 live hosts, its memory, and two such sites at once; `full` (only with --full): all 65,535 ports
against nmap's fastest lossless setting. With a vantage the small and the full part measure the LAN that is there;
the truth is JSON with `hosts`, each with `ip` and `tcp`, a list of objects with `port`. Exits with 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4
from xml.etree import ElementTree as ET

from lan import Lan, Truth

from netvigil.access.models import Organisation
from netvigil.app.service import open_database
from netvigil.log import set_up_logging
from netvigil.probing.limits import DEFAULT_LIMITS, ScanLimits
from netvigil.probing.nmap import list_frequent_ports
from netvigil.probing.observations import HostObservation, Protocol
from netvigil.probing.pipeline import ProbeRequest, ProbeResult, probe
from netvigil.probing.ports import Profile, format_ports, plan_ports
from netvigil.probing.vantage import Vantage
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.run import Run, record_host
from netvigil.scans.states import ScanState, SiteScanState
from netvigil.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from netvigil.db.session import Database

TIMES_FASTER, LARGE_SECONDS, LARGE_MB, TWO_SITES = 15.0, 90.0, 300.0, 1.3
SMALL, LARGE = IPv4Network("10.97.0.0/24"), IPv4Network("10.97.0.0/22")
BEST_RATE = 15_000  # packets a second; nmap's fastest setting that loses nothing on a LAN
NMAP_FULL = (
    "-sS",
    "-T4",
    "--defeat-rst-ratelimit",
    "--min-rate",
    str(BEST_RATE),
    "--max-retries",
    "2",
    "-p-",
)
_NUMBER = re.compile(r"\d+(?:\.\d+)+\w*")

Versions = dict[tuple[str, int], str]


@dataclass
class Site:
    """What is scanned, and what has to be found there as far as that is known."""

    vantage: Vantage
    network: IPv4Network
    truth: Truth = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)


@dataclass
class Seen:
    """What one way of scanning found, and in how many seconds."""

    seconds: float
    ports: Truth
    versions: Versions
    """What was told of a port's product and version."""


class Verdict:
    """Prints measurements against their limits and remembers a miss."""

    missed = False

    def tell(self, what: str, value: float, limit: float, unit: str = "", *, at_least: bool = False) -> None:
        """One measurement; `at_least` where more is better."""
        good = value >= limit if at_least else value <= limit
        self.missed |= not good
        word = "at least" if at_least else "at most"
        print(
            f"  {'ok  ' if good else 'MISS'} {what}: {value:.2f}{unit} ({word} {limit:g}{unit}: {value / limit:.2f} of it)"
        )

    def tell_loss(self, what: str, lost: list[str]) -> None:
        """Nothing may be lost."""
        self.missed |= bool(lost)
        print(f"  {'MISS' if lost else 'ok  '} {what}: {len(lost)}")
        for one in lost:
            print(f"         {one}")


class Memory(threading.Thread):
    """Peak proportional memory (PSS) of this process and all that it started, but for the emulated devices."""

    def __init__(self, devices: set[int]) -> None:
        super().__init__(daemon=True)
        self.devices = devices
        self.peak = self.database = 0.0
        self._ending = threading.Event()

    def run(self) -> None:
        """Look a few times a second."""
        while not self._ending.wait(0.3):
            ours, postgres = self._measure()
            self.peak, self.database = max(self.peak, ours), max(self.database, postgres)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()

    def _measure(self) -> tuple[float, float]:
        """Megabytes: of Python and nmap, and of the embedded database."""
        children: dict[int, list[int]] = {}
        names: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    head, _, rest = (entry / "stat").read_text().rpartition(")")
                except OSError:
                    continue
                children.setdefault(int(rest.split()[1]), []).append(int(entry.name))
                names[int(entry.name)] = head.partition("(")[2]
        waiting, ours, postgres = [os.getpid()], 0.0, 0.0
        while waiting:
            process = waiting.pop()
            waiting += [child for child in children.get(process, ()) if child not in self.devices]
            if names.get(process) == "postgres":
                postgres += pss(process)
            else:
                ours += pss(process)
        return ours, postgres


def pss(process: int) -> float:
    """A process's proportional share of memory in megabytes (proc_pid_smaps(5)), 0 when it is gone."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


@asynccontextmanager
async def open_store() -> AsyncIterator[Database]:
    """An embedded database of our own."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_database(Settings(data_dir=Path(folder) / "data"), "bench", share=False) as database:
            yield database


async def begin_run(database: Database, site: Site) -> Run:
    """The rows that a service would have made before it probes."""
    organisation = Organisation(key=uuid4().hex)
    async with database.transaction() as session:
        session.add(organisation)
        await session.flush()
        scan = Scan(
            organisation_id=organisation.id, human_id="bench", trigger="manual", state=ScanState.RUNNING,
            description="bench", min_cvss=0, warning_threshold=7, ignore_offline_sites=False,
            started_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(scan)
        await session.flush()
        site_scan = SiteScan(
            scan_id=scan.id, organisation_id=organisation.id, site_id=uuid4(), site_name="bench", position=0,
            targets=[site.network], vantage=str(site.vantage), state=SiteScanState.RUNNING, attempt=1,
        )  # fmt: skip
        session.add(site_scan)
        await session.flush()
        return Run(
            site_scan_id=site_scan.id, scan_id=scan.id, organisation_id=organisation.id,
            site_id=site_scan.site_id, site_name="bench", attempt=1, targets=(site.network,),
            vantage=str(site.vantage), recorded=frozenset(),
        )  # fmt: skip


async def scan(
    database: Database,
    site: Site,
    profile: Profile = Profile.STANDARD,
    limits: ScanLimits = DEFAULT_LIMITS,
) -> tuple[Seen, ProbeResult]:
    """Probe the site as a scan does, every observation stored."""
    run = await begin_run(database, site)

    async def on_found(host: HostObservation) -> None:
        await record_host(database, run, host, identified=False)

    async def on_host(host: HostObservation) -> None:
        await record_host(database, run, host, identified=True)

    request = ProbeRequest([site.network], vantage=site.vantage, limits=limits, profile=profile)
    started = time.monotonic()
    result = await probe(request, on_host=on_host, on_found=on_found)
    seconds = time.monotonic() - started
    versions = {
        (
            str(host.address),
            one.port,
        ): f"{one.product or one.name or ''} {one.version or ''} {one.extra_info or ''}"
        for host in result.hosts
        for one in host.services
        if one.protocol is Protocol.TCP
    }
    return Seen(seconds, set(versions), {key: text for key, text in versions.items() if text.strip()}), result


async def nmap(vantage: Vantage, arguments: tuple[str, ...], hosts: set[str]) -> Seen:
    """Nmap's own scan of these hosts."""
    command = (*vantage.prefix, "nmap", "-n", *arguments, "-oX", "-", *sorted(hosts))
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    text, _ = await process.communicate()
    seconds = time.monotonic() - started
    seen = Seen(seconds, set(), {})
    for host in ET.fromstring(text).iter("host"):  # noqa: S314 - nmap's own document
        address = host.findall("address[@addrtype='ipv4']")[0].attrib["addr"]
        for port in host.iterfind("ports/port/state[@state='open']/.."):
            key = (address, int(port.attrib["portid"]))
            seen.ports.add(key)
            for service in port.iterfind("service[@version]"):
                told = service.attrib
                seen.versions[key] = f"{told.get('product', told['name'])} {told['version']}"
    return seen


def lost_versions(ours: Seen, theirs: Seen) -> list[str]:
    """Versions that nmap tells and we do not; a range (`9.6.0 or later`) is none."""
    lost = []
    for (address, port), text in sorted(theirs.versions.items()):
        said = " ".join(_NUMBER.findall(ours.versions.get((address, port), "")))
        # `2.4` is told where `2.4.2` is.
        told = any(
            re.search(rf"(?<![\w.]){re.escape(number)}(?!\w)", said) for number in _NUMBER.findall(text)
        )
        if _NUMBER.search(text) and " or later" not in text and not told:
            lost.append(
                f"{address}:{port} nmap: {text}; netvigil: {ours.versions.get((address, port)) or 'nothing'}"
            )
    return lost


def tell_ports(verdict: Verdict, site: Site, ours: Seen, theirs: Seen) -> None:
    """Who found which ports."""
    named = sum(bool(_NUMBER.search(text)) for text in ours.versions.values())
    for name, seen, count in (("netvigil", ours, named), ("nmap", theirs, len(theirs.versions))):
        known = (
            f" ({len(seen.ports & site.truth)} of the {len(site.truth)} of the truth)" if site.truth else ""
        )
        print(f"  {name:8}: {seen.seconds:6.1f} s, {len(seen.ports)} open ports{known}, {count} versions")
    verdict.tell_loss(
        "ports that nmap found and we did not", [f"{a}:{p}" for a, p in sorted(theirs.ports - ours.ports)]
    )


async def bench_small(verdict: Verdict, database: Database, site: Site) -> None:
    """Part one: the /24."""
    ours, result = await scan(database, site)
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.seconds.items())
    print(f"small: {site.network}, {len(result.hosts)} live hosts, {result.ports} ports a host; {stages}")
    ports = format_ports(plan_ports(Profile.STANDARD, await list_frequent_ports(1000)))
    hosts = site.hosts or {str(host.address) for host in result.hosts}
    theirs = await nmap(site.vantage, ("-sS", "-sV", "-T4", "-p", ports), hosts)
    tell_ports(verdict, site, ours, theirs)
    verdict.tell_loss("versions that nmap found and we did not", lost_versions(ours, theirs))
    verdict.tell("times faster than nmap", theirs.seconds / ours.seconds, TIMES_FASTER, at_least=True)


async def bench_large(verdict: Verdict, database: Database) -> None:
    """Part two: the /22, once and twice at once."""
    async with Lan("a", LARGE, 7) as one, Lan("b", LARGE, 7) as two:
        sites = [Site(lan.vantage, lan.network, lan.open_ports, lan.hosts) for lan in (one, two)]
        devices = one.servers | two.servers
        with Memory(devices) as memory:
            alone, result = await scan(database, sites[0])
        print(
            f"large: {LARGE}, {len(one.hosts)} devices, {len(one.open_ports)} open ports; {len(result.hosts)} hosts found"
        )
        verdict.tell_loss("ports lost", [f"{a}:{p}" for a, p in sorted(one.open_ports - alone.ports)])
        verdict.tell("one site", alone.seconds, LARGE_SECONDS, " s")
        verdict.tell("peak memory, Python and nmap", memory.peak, LARGE_MB, " MB")
        print(f"       the embedded database beside it: {memory.database:.0f} MB")
        started = time.monotonic()
        with Memory(devices) as memory:
            both = await asyncio.gather(*(scan(database, site) for site in sites))
        verdict.tell("two sites at once, of one", (time.monotonic() - started) / alone.seconds, TWO_SITES)
        print(
            f"       peak memory then: {memory.peak:.0f} MB, the embedded database {memory.database:.0f} MB"
        )
        lost = [
            f"{site.vantage} {a}:{p}"
            for site, (seen, _) in zip(sites, both, strict=True)
            for a, p in sorted(site.truth - seen.ports)
        ]
        verdict.tell_loss("ports lost", lost)


async def bench_full(verdict: Verdict, database: Database, site: Site, rate: int) -> None:
    """Part three: every port, with the rate that nmap is given."""
    limits = DEFAULT_LIMITS
    if rate:
        limits = ScanLimits(packets_per_second_on_link=rate, packets_per_second_per_host_on_link=rate)
    ours, result = await scan(database, site, Profile.FULL, limits)
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.seconds.items())
    print(f"full: {site.network}, {len(result.hosts)} live hosts, {result.ports} ports a host; {stages}")
    hosts = site.hosts or {str(host.address) for host in result.hosts}
    theirs = await nmap(site.vantage, NMAP_FULL, hosts)
    tell_ports(verdict, site, ours, theirs)
    lost = sorted((site.truth or theirs.ports) - ours.ports)
    verdict.tell_loss("open ports lost", [f"{a}:{p}" for a, p in lost])
    verdict.tell("seconds of nmap's", ours.seconds / theirs.seconds, 1.0)


@asynccontextmanager
async def open_site(options: argparse.Namespace) -> AsyncIterator[Site]:
    """The LAN that is there, or one of our own."""
    if options.vantage is None:
        async with Lan("s", SMALL, 2) as lan:
            yield Site(lan.vantage, lan.network, lan.open_ports, lan.hosts)
        return
    site = Site(Vantage.parse(options.vantage), IPv4Network(options.network))
    if options.truth is not None:
        hosts = json.loads(options.truth.read_text())["hosts"]
        site.hosts = {host["ip"] for host in hosts}
        site.truth = {(host["ip"], one["port"]) for host in hosts for one in host["tcp"]}
    yield site


async def main(options: argparse.Namespace) -> bool:
    """Whether every limit was kept."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    set_up_logging(json=False, level=40)
    verdict = Verdict()
    parts = {options.only} if options.only else {"small", "large"} | ({"full"} if options.full else set())
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_store())
        if parts & {"small", "full"}:
            async with open_site(options) as site:
                if "small" in parts:
                    await bench_small(verdict, database, site)
                if "full" in parts:
                    await bench_full(verdict, database, site, options.rate)
        if "large" in parts and options.vantage is None:
            await bench_large(verdict, database)
    return not verdict.missed


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Probing side by side with nmap.")
    parser.add_argument(
        "--full", action="store_true", help="also sweep all 65,535 ports, which takes minutes"
    )
    parser.add_argument("--only", choices=("small", "large", "full"), help="just one part")
    parser.add_argument(
        "--rate", type=int, default=0, help="packets a second for the full part; 0: our defaults"
    )
    parser.add_argument("--vantage", help="measure the LAN that is there, from here (netns:<name>)")
    parser.add_argument("--network", help="its network")
    parser.add_argument("--truth", type=Path, help="its open ports")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = read_options()
    if os.geteuid() != 0 or not all(map(shutil.which, ("nmap", "ip"))):
        print("Skipped: this benchmark makes network namespaces and needs root, nmap and iproute2.")
        sys.exit(0)
    sys.exit(not asyncio.run(main(chosen)))
