"""The numbers of an ended scan: counted from its findings, hosts and services, against the scan before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from netvigil.findings.models import Finding
from netvigil.inventory.models import Host
from netvigil.reports.schemas import Numbers
from netvigil.scans.models import Scan
from netvigil.scans.states import WHOLE, ScanState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

Device = tuple["UUID", str]
"""A site and, within it, a MAC or else an address: what is recognised from one scan to the next."""
Instance = tuple[Device, str]
"""A device and a CVE that it has."""


async def count(
    session: AsyncSession, scan: Scan, hosts: Sequence[Host], findings: Sequence[Finding]
) -> Numbers:
    """Count an ended scan; `findings` are all of its findings, whatever their score."""
    shown = [finding for finding in findings if finding.score >= scan.min_cvss]
    by_id = {host.id: host for host in hosts}
    devices = {host.id: _device(host.site_id, host.mac, str(host.address)) for host in hosts}
    seen = set(devices.values())
    instances = {(devices[finding.host_id], finding.cve_id) for finding in shown}
    before, looked_at = await _instances_before(session, scan)
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
        new_count=len(instances - before),
        # a device that this scan did not see says nothing about its findings
        resolved_count=sum(device in seen for device, _ in looked_at - instances),
    )


async def _instances_before(session: AsyncSession, scan: Scan) -> tuple[set[Instance], set[Instance]]:
    """The instances of the schedule's previous completed run, at this scan's threshold: all, and those looked at again.

    Runs of the whole schedule only are held against, by whole runs and by scans on demand. A scan on demand looks again
    at its own addresses: what a device has at another one of its addresses is not resolved because it was not looked at.
    """
    if scan.schedule_id is None:
        return set(), set()
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
    rows = await session.execute(
        select(Host.site_id, Host.mac, func.host(Host.address), Finding.cve_id)
        .join(Finding, Finding.host_id == Host.id)
        .where(Host.scan_id == previous, Finding.score >= scan.min_cvss, Finding.withdrawn_at.is_(None))
    )
    found = [
        ((_device(site_id, mac, address), cve_id), (site_id, address))
        for site_id, mac, address, cve_id in rows
    ]
    before = {instance for instance, _ in found}
    if scan.trigger in WHOLE:
        return before, before
    asked = {(site.site_id, str(network.network_address)) for site in scan.sites for network in site.targets}
    return before, {instance for instance, place in found if place in asked}


def _device(site_id: UUID, mac: str | None, address: str) -> Device:
    return site_id, mac or address
