"""`netvigil scan`: one-off, without a schedule."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import select

from netvigil.app.service import open_service
from netvigil.catalogue.queries import catalogue_state
from netvigil.catalogue.service import match_inventory
from netvigil.cli.common import err, fail, out, print_json, run, settings_from
from netvigil.cli.match import found_cve
from netvigil.cli.tables import FindingRow, findings_table, hosts_table
from netvigil.errors import Invalid, ProbeFault, SiteOffline, UsageError
from netvigil.matching.identify import identify
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.targets import as_network
from netvigil.probing.vantage import Vantage
from netvigil.scans.asking import limits_of
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.models import Registration, Site
from netvigil.sites.scope import covers, is_private, parse_address, parse_subnet

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.app.service import Service
    from netvigil.matching.products import Product
    from netvigil.probing.observations import HostObservation
    from netvigil.probing.ports import Profile
    from netvigil.probing.progress import ProbeProgress
    from netvigil.settings import Settings

INTERRUPTED = "The scan was interrupted; what was seen until then is shown."


def run_scan(
    cidrs: list[str],
    vantage: str,
    data_dir: Path | None,
    *,
    profile: Profile,
    exclusions: Exclusions,
    as_json: bool,
) -> None:
    """Probe, match, print; exit 1 when the network is offline, 130 after Ctrl-C with what was seen until then."""

    async def work() -> dict[str, Any]:
        settings = settings_from(data_dir, quiet=True)
        request = ProbeRequest(
            targets=[_network(text) for text in cidrs],
            vantage=Vantage.parse(vantage),
            limits=limits_of(settings, {}),
            profile=profile,
            exclude=exclusions.networks,
            excluded_tcp=exclusions.tcp_ports,
            excluded_udp=exclusions.udp_ports,
            excluded_macs=exclusions.macs,
        )
        return await _scan(settings, request)

    result = run(work)
    if as_json:
        print_json(result)
    else:
        _print_tables(result)
    if result["sites_failed"]:
        reason = result["sites_failed"][0]["reason"]
        if reason == INTERRUPTED:
            err.print(INTERRUPTED)
            raise typer.Exit(130)
        fail(SiteOffline(reason))


async def _scan(settings: Settings, request: ProbeRequest) -> dict[str, Any]:
    """Everything that the command prints; a site that goes away in the middle shows what was seen until then."""
    started = time.monotonic()
    async with open_service(settings, "netvigil scan", share=True) as service:
        await _check_scope(service, [as_network(target) for target in request.targets])
        failed: list[dict[str, str]] = []
        hosts: dict[IPv4Address, HostObservation] = {}
        limitations: tuple[str, ...] = ()
        try:
            limitations = await _probe(request, hosts)
        except (SiteOffline, ProbeFault) as error:
            failed = [{"site": " ".join(map(str, request.targets)), "reason": str(error)}]
        except asyncio.CancelledError:  # Ctrl-C; a second one ends the command at once
            failed = [{"site": " ".join(map(str, request.targets)), "reason": INTERRUPTED}]
            _go_on()
        async with service.database.session() as session:
            shown = [await _host(session, hosts[address]) for address in sorted(hosts)]
            state = await catalogue_state(session)
    if state.starter_only and (shown or not failed):
        err.print(
            f"Only the starter catalogue of {state.cves} CVEs is loaded, with which most vulnerabilities cannot be "
            "found: 'netvigil feeds sync' fetches the others."
        )
    for limitation in limitations:
        err.print(limitation)
    return {"hosts": shown, "sites_failed": failed, "seconds": round(time.monotonic() - started, 2)}


def _go_on() -> None:
    """Let the task that was cancelled wait again."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def read_exclusions(addresses: list[str], ports: list[str], macs: list[str]) -> Exclusions:
    """What the options leave alone; ends the command on an entry that means nothing."""
    try:
        return Exclusions.from_json({"addresses": addresses, "ports": ports, "macs": macs})
    except Invalid as error:
        fail(UsageError(error.message))


def _print_tables(result: dict[str, Any]) -> None:
    """The result for people: hosts with their services, then findings, worst first, then what deserves a look."""
    hosts = result["hosts"]
    found = [(host["ip"], finding) for host in hosts for finding in host["findings"]]
    found.sort(key=lambda row: (-(row[1]["score"] or 0), row[1]["cve_id"], row[0]))
    if hosts:
        out.print(hosts_table(hosts))
    if found:
        out.print(findings_table((_row(address, one) for address, one in found), out.width))
    for host in hosts:
        for note in host["notes"]:
            out.print(f"{host['ip']}: {note}")
    ports = sum(len(host["services"]) for host in hosts)
    if hosts or not result["sites_failed"]:
        out.print(
            f"{len(hosts)} host(s), {ports} open port(s), {len(found)} finding(s) in {result['seconds']:.1f} seconds."
        )


def _row(address: str, one: dict[str, Any]) -> FindingRow:
    evidence = one["evidence"]
    return FindingRow(
        one["cve_id"],
        one["score"],
        one["severity"],
        address,
        one["port"],
        one["confidence"],
        evidence["seen"],
        evidence["range"],
    )


async def _probe(request: ProbeRequest, hosts: dict[IPv4Address, HostObservation]) -> tuple[str, ...]:
    """Probe with a bar, noting each host in `hosts` as soon as it is known; returns what could not be seen."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    # a bar that nobody sees would leave an empty line in a log
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("reach", total=100)

        async def on_progress(progress: ProbeProgress) -> None:
            text = (
                f"{progress.stage}: {progress.hosts_done} of {progress.hosts_total} hosts, "
                f"{progress.ports_done} of {progress.ports_total} ports"
            )
            bar.update(task, description=text, completed=progress.percent)

        async def note(host: HostObservation) -> None:
            hosts[host.address] = host

        result = await probe(request, on_progress=on_progress, on_found=note, on_host=note)
    hosts.clear()  # the result has all of them, and loopback's candidates no more
    hosts.update({host.address: host for host in result.hosts})
    return result.limitations


async def _host(session: AsyncSession, host: HostObservation) -> dict[str, Any]:
    products = list(identify(host))
    return {
        "ip": str(host.address),
        "mac": host.mac,
        "hostname": host.hostname,
        "manufacturer": host.manufacturer,
        "os": host.os_name,
        "model": host.model,
        "mac_source": host.mac_source,
        "notes": list(host.notes),
        "services": [
            {
                "port": service.port,
                "protocol": str(service.protocol),
                "service": service.name,
                "product": service.product,
                "version": service.version,
                "cpe": _cpe_of(products, service.port, service.protocol),
                "extra_info": service.extra_info,
                "tunnel": service.tunnel,
                "banner": service.banner,
                "seen_by": str(service.method),
                "spared": service.spared,
                "facts": dict(service.facts),
            }
            for service in host.services
        ],
        "findings": [
            {
                **found_cve(one, products),
                "port": one.match.product.port,
                "protocol": one.match.product.protocol,
            }
            for one in await match_inventory(session, products)
        ],
    }


def _cpe_of(products: list[Product], port: int, protocol: str) -> str | None:
    for product in products:
        if product.port == port and product.protocol == protocol:
            return str(product.cpe)
    return None


def _network(text: str) -> IPv4Network:
    try:
        return parse_subnet(text if "/" in text else f"{parse_address(text)}/32")
    except Invalid as error:
        raise UsageError(error.message) from None


async def _check_scope(service: Service, networks: list[IPv4Network]) -> None:
    """Private networks only, or public ones that a person registered for a site."""
    for network in networks:
        if is_private(network):
            continue
        async with service.database.session() as session:
            registered = await session.scalars(
                select(Site.networks).where(Site.registration == Registration.PERSON)
            )
            if not covers([known for site in registered for known in site], network):
                raise UsageError(
                    f"{network} is public; register a site with this network before scanning it."
                )
