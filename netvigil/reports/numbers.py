"""The numbers of an ended scan: counted from its findings, hosts and services, against the scan before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from netvigil.findings.life_models import Vulnerability
from netvigil.findings.models import Finding
from netvigil.findings.states import LifeState
from netvigil.inventory.models import Host
from netvigil.reports.schemas import Numbers
from netvigil.scans.models import Scan
from netvigil.scans.states import WHOLE, ScanState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

Instance = tuple["UUID", str]
"""A device (a host that was not identified stands for itself) and a CVE that it has."""


async def count(
    session: AsyncSession, scan: Scan, hosts: Sequence[Host], findings: Sequence[Finding]
) -> Numbers:
    """Count an ended scan; `findings` are all of its findings, whatever their score."""
    shown = [finding for finding in findings if finding.score >= scan.min_cvss]
    by_id = {host.id: host for host in hosts}
    devices = {host.id: host.device_id or host.id for host in hosts}
    seen = set(devices.values())
    instances = {(devices[finding.host_id], finding.cve_id) for finding in shown}
    before = await _instances_before(session, scan)
    cves = {finding.cve_id for finding in shown}
    ports = [(service.port, service.protocol) for host in hosts for service in host.services]
    return Numbers(
        average_score=round(sum(f.score for f in shown) / len(shown), 2) if shown else 0,
        highest_score=max((f.score for f in shown), default=0),
        cve_count=len(shown),
        unique_cves=len(cves),
        cve_repeat_ratio=round(len(shown) / len(cves), 2) if cves else 0,
        open_ports=len(ports),
        unique_ports=len(set(ports)),
        hosts_scanned=len(hosts),
        hosts_with_cves=len({finding.host_id for finding in shown}),
        sites_with_cves=len({by_id[finding.host_id].site_id for finding in shown}),
        warning_count=sum(finding.score >= scan.warning_threshold for finding in shown),
        kev_count=sum(finding.kev for finding in shown),
        new_count=len(instances - before.keys()),
        # whether what was not found is gone, or was not looked at, is known since the findings were reconciled
        resolved_count=sum(
            state == LifeState.RESOLVED and device in seen and (device, cve_id) not in instances
            for (device, cve_id), state in before.items()
        ),
    )


async def _instances_before(session: AsyncSession, scan: Scan) -> dict[Instance, str | None]:
    """The instances of the schedule's previous completed run at this scan's threshold, and how each stands now.

    Runs of the whole schedule only are held against, by whole runs and by scans on demand.
    """
    if scan.schedule_id is None:
        return {}
    previous = await session.scalar(
        select(Scan.id)
        .where(
            Scan.schedule_id == scan.schedule_id,
            Scan.state == ScanState.COMPLETED,
            Scan.trigger.in_(WHOLE),
            Scan.created_at < scan.created_at,
        )
        .order_by(Scan.created_at.desc())
        .limit(1)
    )
    life = (Vulnerability.device_id == Host.device_id) & (Vulnerability.cve_id == Finding.cve_id)
    rows = await session.execute(
        select(func.coalesce(Host.device_id, Host.id), Finding.cve_id, Vulnerability.state)
        .join(Finding, Finding.host_id == Host.id)
        .outerjoin(Vulnerability, life)
        .where(Host.scan_id == previous, Finding.score >= scan.min_cvss, Finding.withdrawn_at.is_(None))
    )
    return {(device, cve_id): state for device, cve_id, state in rows.all()}
