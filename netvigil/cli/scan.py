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
from netvigil.probing.limits import ScanLimits
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.vantage import Vantage
from netvigil.sites.models import Registration, Site
from netvigil.sites.scope import covers, is_private, parse_subnet

if TYPE_CHECKING:
    from ipaddress import IPv4Network
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.app.service import Service
    from netvigil.matching.products import Product
    from netvigil.probing.observations import HostObservation
    from netvigil.probing.progress import ProbeProgress


def run_scan(cidrs: list[str], vantage: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Probe, match, print; exit 1 when the network is offline."""

    async def work() -> dict[str, Any]:
        networks = [_network(text) for text in cidrs]
        place = Vantage.parse(vantage)
        settings = settings_from(data_dir, quiet=True)
        started = time.monotonic()
        async with open_service(settings, "netvigil scan", share=True) as service:
            await _check_scope(service, networks)
            limits = ScanLimits(packets_per_second=settings.max_rate)
            request = ProbeRequest(targets=networks, vantage=place, limits=limits)
            failed: list[dict[str, str]] = []
            hosts: tuple[HostObservation, ...] = ()
            try:
                hosts, limitations = await _probe(request)
            except (SiteOffline, ProbeFault) as error:
                failed, limitations = [{"site": " ".join(map(str, networks)), "reason": str(error)}], ()
            async with service.database.session() as session:
                shown = [await _host(session, host) for host in hosts]
                state = await catalogue_state(session)
        if state.starter_only:
            err.print(
                f"Only the starter catalogue of {state.cves} CVEs is loaded: see 'netvigil feeds import'."
            )
        for limitation in limitations:
            err.print(limitation)
        return {"hosts": shown, "sites_failed": failed, "seconds": round(time.monotonic() - started, 2)}

    result = run(work)
    if as_json:
        print_json(result)
    else:
        for table in tables(result):
            out.print(table)
    if result["sites_failed"]:
        fail(SiteOffline(result["sites_failed"][0]["reason"]))


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


async def _probe(request: ProbeRequest) -> tuple[tuple[HostObservation, ...], tuple[str, ...]]:
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

        result = await probe(request, on_progress=on_progress)
    return result.hosts, result.limitations


async def _host(session: AsyncSession, host: HostObservation) -> dict[str, Any]:
    products = list(identify(host))
    return {
        "ip": str(host.address),
        "mac": host.mac,
        "hostname": host.hostname,
        "manufacturer": host.manufacturer,
        "os": host.os_name,
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
