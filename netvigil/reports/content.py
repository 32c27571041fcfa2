"""The full report of an ended scan: built once from what was stored, then frozen."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import zstandard
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.access.wire import utc_text
from netvigil.catalogue.queries import catalogue_state
from netvigil.findings.instances import host_identity
from netvigil.findings.models import Finding, Unaffected
from netvigil.inventory.models import Host
from netvigil.reports.history import describe_previous, describe_run, look_back, not_scanned
from netvigil.reports.listing import build_instances
from netvigil.reports.models import Report
from netvigil.reports.numbers import count
from netvigil.reports.schemas import Numbers
from netvigil.scans.models import Scan, ScanEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.queries import CatalogueState
    from netvigil.scans.models import SiteScan

SCHEMA = "netvigil.report/1"
STALE_AFTER_DAYS = 7
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE")


class FrozenNumbers(Numbers):
    """A scan's numbers as its summary keeps them: with how many findings of each severity, for later trends."""

    severities: dict[str, int]


async def freeze(session: AsyncSession, scan: Scan) -> FrozenNumbers:
    """Build the report of a scan that is being processed and store it; returns its numbers."""
    hosts = list(
        await session.scalars(
            select(Host).where(Host.scan_id == scan.id).order_by(Host.site_id, Host.address)
        )
    )
    findings, unaffected = await _load_judged(session, scan.id) if hosts else ([], [])
    addresses = {host.id: str(host.address) for host in hosts}
    catalogue = await catalogue_state(session)
    numbers = await count(session, scan, hosts, findings)
    history = await look_back(session, scan)
    shown = [finding for finding in findings if finding.score >= scan.min_cvss]
    by_host: dict[UUID, list[Finding]] = defaultdict(list)
    for finding in shown:
        by_host[finding.host_id].append(finding)
    severities = count_severities(shown)
    document = {
        "schema": SCHEMA,
        "generated_at": utc_text(datetime.now(UTC)),
        "scan": _scan(scan, numbers),
        "catalogue": _catalogue(catalogue),
        "warnings": _warnings(scan, catalogue),
        "sites": [
            {**_site(site_scan), "missing": history.missing(site_scan, hosts)} for site_scan in scan.sites
        ],
        "hosts": [
            {**describe_host(host, by_host[host.id], scan.min_cvss), "new": history.is_new(host)}
            for host in hosts
        ],
        "findings": await build_instances(session, shown),
        "not_affected": [_unaffected(one, addresses[one.host_id]) for one in unaffected],
        "severities": severities,
        "previous": describe_previous(history.previous),
        "trend": [describe_run(run) for run in history.runs] + [_this_run(scan, numbers, severities)],
        "not_scanned": not_scanned(scan, hosts),
    }
    content = zstandard.compress(orjson.dumps(document), 9)
    statement = insert(Report).values(scan_id=scan.id, content=content)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[Report.scan_id], set_={"content": content})
    )
    return FrozenNumbers(**numbers.model_dump(), severities=severities)


async def _load_judged(session: AsyncSession, scan_id: UUID) -> tuple[list[Finding], list[Unaffected]]:
    found = select(Finding).where(Finding.scan_id == scan_id).order_by(Finding.score.desc(), Finding.cve_id)
    not_found = select(Unaffected).where(Unaffected.scan_id == scan_id).order_by(Unaffected.cve_id)
    return list(await session.scalars(found)), list(await session.scalars(not_found))


async def find_report(session: AsyncSession, scan_id: UUID) -> bytes | None:
    """The frozen report as JSON text, None when the scan has none."""
    content = await session.scalar(select(Report.content).where(Report.scan_id == scan_id))
    return zstandard.decompress(content) if content is not None else None


async def list_events(session: AsyncSession, scan_id: UUID) -> Sequence[ScanEvent]:
    """The scan's log, oldest first."""
    query = select(ScanEvent).where(ScanEvent.scan_id == scan_id).order_by(ScanEvent.id)
    return (await session.scalars(query)).all()


def _scan(scan: Scan, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": str(scan.id),
        "scan_id": scan.human_id,
        "scan_schedule_id": str(scan.schedule_id) if scan.schedule_id else None,
        "description": scan.description,
        "trigger": scan.trigger,
        "started_at": utc_text(scan.started_at),
        "stopped": scan.stop_requested_at is not None,
        "min_cvss": scan.min_cvss,
        "warning_threshold": scan.warning_threshold,
        **numbers.model_dump(),
    }


def _catalogue(catalogue: CatalogueState) -> dict[str, Any]:
    return {
        "version": catalogue.version,
        "cves": catalogue.cves,
        "data_date": utc_text(catalogue.data_date) if catalogue.data_date else None,
        "age_days": _age_days(catalogue),
        "imported_at": utc_text(catalogue.imported_at) if catalogue.imported_at else None,
        "starter_only": catalogue.starter_only,
        "sources": [source.source for source in catalogue.sources],
        "feeds": [
            {
                "source": one.source,
                "records": one.records,
                "imported_at": utc_text(one.imported_at),
                "data_date": utc_text(one.data_date) if one.data_date else None,
            }
            for one in catalogue.sources
        ],
    }


def _age_days(catalogue: CatalogueState) -> int | None:
    """How old the newest record is, in whole days; an old file that was imported today is still old."""
    return (datetime.now(UTC) - catalogue.data_date).days if catalogue.data_date else None


def _warnings(scan: Scan, catalogue: CatalogueState) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said: list[str] = []
    if catalogue.starter_only:
        said.append(
            f"Only the starter catalogue of {catalogue.cves} CVEs is loaded: most vulnerabilities cannot be found "
            "with it. Import the NVD feeds with 'netvigil feeds import'."
        )
    elif (age := _age_days(catalogue)) is not None and age > STALE_AFTER_DAYS:
        said.append(f"The vulnerability data is {age} days old; newer CVEs are not in it. Refresh the feeds.")
    if scan.stop_requested_at is not None:
        said.append("The scan was stopped: hosts and findings are those seen until then.")
    for site_scan in scan.sites:
        if site_scan.error:
            said.append(f"{site_scan.site_name}: {site_scan.error}")
        said.extend(f"{site_scan.site_name}: {limitation}" for limitation in site_scan.limitations)
    return said


def count_severities(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings of each severity, all of them named."""
    counted = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counted[finding.severity if finding.severity in counted else "NONE"] += 1
    return counted


def _this_run(scan: Scan, numbers: Numbers, severities: dict[str, int]) -> dict[str, Any]:
    return {
        "id": str(scan.id),
        "scan_id": scan.human_id,
        "started_at": utc_text(scan.started_at),
        "state": scan.state,
        "cve_count": numbers.cve_count,
        "kev_count": numbers.kev_count,
        "hosts_scanned": numbers.hosts_scanned,
        "severities": severities,
    }


def _site(site_scan: SiteScan) -> dict[str, Any]:
    return {
        "id": str(site_scan.site_id),
        "name": site_scan.site_name,
        "subnets": [str(network) for network in site_scan.targets],
        "vantage": site_scan.vantage,
        "state": site_scan.state,
        "error": site_scan.error,
        "limitations": site_scan.limitations,
        "started_at": utc_text(site_scan.started_at) if site_scan.started_at else None,
        "finished_at": utc_text(site_scan.finished_at) if site_scan.finished_at else None,
        "hosts": site_scan.hosts_done,
        "profile": site_scan.profile,
        "exclusions": site_scan.exclusions,
    }


def _unaffected(one: Unaffected, address: str) -> dict[str, Any]:
    return {
        "cve_id": one.cve_id,
        "host_id": str(one.host_id),
        "ip_address": address,
        "port": one.port,
        "cpe": one.cpe,
        "seen": one.seen,
        "because": one.reason,
        "fixed_in": one.fixed_in,
        "advisory": one.advisory,
    }


def describe_host(host: Host, findings: Sequence[Finding], min_cvss: float) -> dict[str, Any]:
    """A host with its services, and its findings in numbers; `findings` may hold those of other hosts too."""
    here = [finding for finding in findings if finding.host_id == host.id and finding.score >= min_cvss]
    return {
        **host_identity(host),
        "os": host.os_name,
        "model": host.model,
        "mac_source": host.mac_source,
        "notes": host.notes,
        "alive_because": host.reason,
        "observed_at": utc_text(host.observed_at),
        "cve_count": len(here),
        "highest_score": max((finding.score for finding in here), default=0),
        "services": [
            {
                "port": service.port,
                "protocol": service.protocol,
                "name": service.name,
                "product": service.product,
                "version": service.version,
                "extra_info": service.extra_info,
                "tunnel": service.tunnel,
                "cpes": service.cpes,
                "banner": service.banner,
                "seen_by": service.method,
                "spared": service.spared,
                "facts": service.facts,
            }
            for service in host.services
        ],
    }
