"""`netvigil scan`: one-off, without a schedule."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import select

from netvigil.app.service import open_service
from netvigil.catalogue.queries import catalogue_state
from netvigil.catalogue.service import match_inventory
from netvigil.cli.common import err, fail, out, print_json, run, settings_from
from netvigil.cli.match import found_cve
from netvigil.errors import Invalid, ProbeFault, SiteOffline, UsageError
from netvigil.matching.identify import identify
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.targets import as_network
from netvigil.probing.vantage import Vantage
from netvigil.scans.asking import limits_of
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.models import Registration, Site
from netvigil.sites.scope import covers, is_private, parse_subnet

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


def run_scan(
    cidrs: list[str],
    vantage: str,
    data_dir: Path | None,
    *,
    profile: Profile,
    exclusions: Exclusions,
    as_json: bool,
) -> None:
    """Probe, match, print; exit 1 when the network is offline."""

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
        )
        return await _scan(settings, request)

    result = run(work)
    if as_json:
        print_json(result)
    else:
        for table in tables(result):
            out.print(table)
    if result["sites_failed"]:
        fail(SiteOffline(result["sites_failed"][0]["reason"]))


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
        async with service.database.session() as session:
            shown = [await _host(session, hosts[address]) for address in sorted(hosts)]
            state = await catalogue_state(session)
    if state.starter_only:
        err.print(f"Only the starter catalogue of {state.cves} CVEs is loaded: see 'netvigil feeds import'.")
    for limitation in limitations:
        err.print(limitation)
    return {"hosts": shown, "sites_failed": failed, "seconds": round(time.monotonic() - started, 2)}


def read_exclusions(addresses: list[str], ports: list[str]) -> Exclusions:
    """What the options leave alone; ends the command on an entry that means nothing."""
    try:
        return Exclusions.from_json({"addresses": addresses, "ports": ports})
    except Invalid as error:
        fail(UsageError(error.message))


def tables(result: dict[str, Any]) -> list[Table]:
    """The result for people: hosts with their services, then findings, worst first."""
    hosts = Table(title="Hosts", title_justify="left")
    for name in ("Address", "MAC"):
        hosts.add_column(name, no_wrap=True)
    for name in ("Hostname", "Services"):
        hosts.add_column(name)
    for host in result["hosts"]:
        services = "\n".join(_service_line(service) for service in host["services"]) or "no open port seen"
        hosts.add_row(host["ip"], host["mac"] or "-", host["hostname"] or "-", services)
    findings = Table(title="Findings", title_justify="left")
    for name in ("CVE", "Score", "Severity", "Address", "Port", "Confidence"):
        findings.add_column(name, no_wrap=True)
    findings.add_column("Why")
    rows = [(host["ip"], finding) for host in result["hosts"] for finding in host["findings"]]
    for address, one in sorted(rows, key=lambda row: (-(row[1]["score"] or 0), row[1]["cve_id"], row[0])):
        findings.add_row(
            one["cve_id"],
            "-" if one["score"] is None else f"{one['score']:.1f}",
            one["severity"] or "-",
            address,
            str(one["port"] or "-"),
            one["confidence"],
            f"{one['evidence']['seen']}: affected {one['evidence']['range']}",
        )
    return [hosts, findings]


def _service_line(service: dict[str, Any]) -> str:
    words = [service["product"] or service["service"] or "unknown", service["version"] or ""]
    return f"{service['port']}/{service['protocol']} {' '.join(words)}".rstrip()


async def _probe(request: ProbeRequest, hosts: dict[IPv4Address, HostObservation]) -> tuple[str, ...]:
    """Probe with a bar, noting each host in `hosts` as soon as it is known; returns what could not be seen."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("reach", total=100)

        async def on_progress(progress: ProbeProgress) -> None:
            text = f"{progress.stage} {progress.hosts_done}/{progress.hosts_total} hosts"
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
        return parse_subnet(text if "/" in text else f"{text}/32")
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
