"""Reads what two scans saw, in the form that `diff` compares."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from netvigil.access.wire import utc_text
from netvigil.errors import NotFound
from netvigil.findings.models import Finding
from netvigil.inventory.models import Host, Service
from netvigil.reports.diff import SeenFinding, SeenHost, SeenService, SiteLook, Snapshot, compare
from netvigil.scans.models import Scan
from netvigil.scans.states import ACTIVE, WHOLE, ScanState, SiteScanState
from netvigil.sites.exclusions import Exclusions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.models import SiteScan


async def get_previous_scan(session: AsyncSession, scan: Scan) -> Scan:
    """The schedule's completed whole run before this scan; raises NotFound when there is none."""
    previous = None
    if scan.schedule_id is not None:
        previous = await session.scalar(
            select(Scan)
            .where(
                Scan.organisation_id == scan.organisation_id,
                Scan.schedule_id == scan.schedule_id,
                Scan.state == ScanState.COMPLETED,
                Scan.trigger.in_(WHOLE),
                Scan.created_at < scan.created_at,
            )
            .order_by(Scan.created_at.desc())
            .limit(1)
        )
    if previous is None:
        raise NotFound("No completed scan of the same schedule is earlier; name one in the 'with' parameter.")
    return previous


async def describe_diff(session: AsyncSession, scan: Scan, other: Scan) -> dict[str, Any]:
    """What changed from `other` to `scan`, at the `min_cvss` of `scan` on both sides, by the data of now."""
    before = await _read_snapshot(session, other, scan.min_cvss)
    after = await _read_snapshot(session, scan, scan.min_cvss)
    changes = await asyncio.to_thread(compare, before, after)
    return {
        "scan": _identity(scan),
        "with": _identity(other),
        "min_cvss": scan.min_cvss,
        "notes": [
            f"The scan {one.human_id} still runs; what it has not seen yet is left out."
            for one in (other, scan)
            if one.state in ACTIVE
        ],
        **changes,
    }


def _identity(scan: Scan) -> dict[str, Any]:
    return {
        "id": str(scan.id),
        "scan_id": scan.human_id,
        "scan_schedule_id": str(scan.schedule_id) if scan.schedule_id else None,
        "state": scan.state,
        "started_at": utc_text(scan.started_at),
        "finished_at": utc_text(scan.finished_at) if scan.finished_at else None,
    }


async def _read_snapshot(session: AsyncSession, scan: Scan, min_cvss: float) -> Snapshot:
    services = await _services(session, scan.id)
    findings = await _findings(session, scan.id, min_cvss)
    columns = (Host.id, Host.site_id, Host.address, Host.mac, Host.hostname, Host.os_name, Host.model)
    hosts: dict[UUID, list[SeenHost]] = {}
    rows = await session.execute(select(*columns, Host.identified).where(Host.scan_id == scan.id))
    for host_id, site_id, address, mac, hostname, os_name, model, identified in rows.all():
        seen = SeenHost(
            id=str(host_id),
            address=address,
            mac=mac,
            hostname=hostname,
            os=os_name,
            model=model,
            identified=identified,
            services=tuple(services.get(host_id, ())),
            findings=tuple(findings.get(host_id, ())),
        )
        hosts.setdefault(site_id, []).append(seen)
    return {
        str(site.site_id): _look(site, sorted(hosts.get(site.site_id, ()), key=lambda one: one.address))
        for site in scan.sites
    }


def _look(site: SiteScan, hosts: Sequence[SeenHost]) -> SiteLook:
    excluded = Exclusions.from_json(site.exclusions)
    ports = [("tcp", port) for port in excluded.tcp_ports] + [("udp", port) for port in excluded.udp_ports]
    return SiteLook(
        name=site.site_name,
        targets=tuple(site.targets),
        excluded=excluded.networks,
        excluded_macs=excluded.macs,
        excluded_ports=frozenset(ports),
        whole=site.state == SiteScanState.SCANNED,
        profile=site.profile,
        hosts=tuple(hosts),
    )


async def _services(session: AsyncSession, scan_id: UUID) -> dict[UUID, list[SeenService]]:
    columns = (
        Service.host_id,
        Service.port,
        Service.protocol,
        Service.name,
        Service.product,
        Service.version,
    )
    rows = await session.execute(
        select(*columns).join(Host, Host.id == Service.host_id).where(Host.scan_id == scan_id)
    )
    found: dict[UUID, list[SeenService]] = {}
    for host_id, port, protocol, name, product, version in rows.all():
        found.setdefault(host_id, []).append(SeenService(port, protocol, name, product, version))
    return found


async def _findings(session: AsyncSession, scan_id: UUID, min_cvss: float) -> dict[UUID, list[SeenFinding]]:
    columns = (Finding.host_id, Finding.cve_id, Finding.score, Finding.severity, Finding.kev)
    shown = Finding.scan_id == scan_id, Finding.score >= min_cvss, Finding.withdrawn_at.is_(None)
    rows = await session.execute(
        select(*columns).where(*shown).order_by(Finding.score.desc(), Finding.cve_id)
    )
    found: dict[UUID, list[SeenFinding]] = {}
    for host_id, cve_id, score, severity, kev in rows.all():
        found.setdefault(host_id, []).append(SeenFinding(cve_id, score, severity, kev))
    return found
