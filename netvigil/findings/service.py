"""Findings of a scan: identify what was observed, match it with the catalogue, store the proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from netvigil.catalogue.enrichment import get_enrichment
from netvigil.catalogue.queries import catalogue_state, get_cves
from netvigil.catalogue.service import match_hosts
from netvigil.findings.evidence import evidence_of
from netvigil.findings.life import live_on
from netvigil.findings.models import Finding, Source, Unaffected
from netvigil.inventory.models import Host
from netvigil.matching.identify import identify
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.matcher import CveMatch
    from netvigil.matching.products import NotAffected, Product
    from netvigil.scans.models import Scan

HOSTS_AT_ONCE = 256  # bounds the memory of a large scan


async def reconcile(session: AsyncSession, scan: Scan) -> int:
    """Compute the findings of a scan anew from its observations, and what they mean for its devices; returns how many.

    Done twice it gives the same: what an interrupted turn left behind is replaced in this transaction.
    """
    await session.execute(delete(Finding).where(Finding.scan_id == scan.id))
    await session.execute(delete(Unaffected).where(Unaffected.scan_id == scan.id))
    hosts = list(await session.scalars(select(Host).where(Host.scan_id == scan.id).order_by(Host.address)))
    number = 0
    for start in range(0, len(hosts), HOSTS_AT_ONCE):
        for one in await match_stored(session, hosts[start : start + HOSTS_AT_ONCE]):
            session.add_all(one.findings)
            session.add_all(one.unaffected)
            number += len(one.findings)
        await session.flush()
    await live_on(session, scan, hosts)
    scan.catalogue_version = (await catalogue_state(session)).version
    return number


@dataclass(frozen=True, slots=True)
class HostFindings:
    """What one stored host has and what it has not, as rows that are not yet in the session."""

    host: Host
    findings: list[Finding]
    unaffected: list[Unaffected]


async def match_stored(
    session: AsyncSession, hosts: Sequence[Host], *, changed_since: int | None = None
) -> list[HostFindings]:
    """Identify and match stored hosts, an answer for each; with `changed_since` by the newer CVEs only."""
    inventories = [identify(observation_of(host)) for host in hosts]
    answers = await match_hosts(session, inventories, changed_since=changed_since)
    found = {one.cve.cve_id for answer in answers for one in answer.matches}
    records = await get_cves(session, found)
    enrichment = await get_enrichment(session, found)
    exploited = {
        cve_id
        for cve_id in found
        if enrichment[cve_id].kev is not None
        or ((record := records.get(cve_id)) is not None and record.known_exploited is not None)
    }
    return [
        HostFindings(
            host=host,
            findings=[
                _finding(host, one, products, kev=one.cve.cve_id in exploited) for one in answer.matches
            ],
            unaffected=[_unaffected(host, one) for one in answer.not_affected],
        )
        for host, products, answer in zip(hosts, inventories, answers, strict=True)
    ]


def observation_of(host: Host) -> HostObservation:
    """The stored host as the value that was observed."""
    return HostObservation(
        address=host.address,
        observed_at=host.observed_at,
        reason=host.reason,
        mac=host.mac,
        manufacturer=host.manufacturer,
        hostname=host.hostname,
        os_name=host.os_name,
        model=host.model,
        mac_source=host.mac_source,
        notes=tuple(host.notes),
        services=tuple(
            ServiceObservation(
                port=service.port,
                protocol=Protocol(service.protocol),
                method=Method(service.method),
                name=service.name,
                product=service.product,
                version=service.version,
                extra_info=service.extra_info,
                os_type=service.os_type,
                device_type=service.device_type,
                hostname=service.hostname,
                tunnel=service.tunnel,
                cpes=tuple(service.cpes),
                banner=service.banner,
                spared=service.spared,
                facts=service.facts,
            )
            for service in host.services
        ),
    )


def _finding(host: Host, found: CveMatch, products: Sequence[Product], *, kev: bool) -> Finding:
    product = found.match.product
    return Finding(
        organisation_id=host.organisation_id,
        scan_id=host.scan_id,
        host_id=host.id,
        service_id=_service_id(host, product),
        cve_id=found.cve.cve_id,
        score=found.cve.score or 0.0,
        severity=found.cve.severity or "NONE",
        vector=found.cve.vector,
        cvss_version=found.cve.cvss_version,
        confidence=found.match.confidence,
        kev=kev,
        cpe=str(product.cpe),
        evidence=evidence_of(found, products),
        source=Source.SCAN,
    )


def _unaffected(host: Host, one: NotAffected) -> Unaffected:
    return Unaffected(
        organisation_id=host.organisation_id,
        scan_id=host.scan_id,
        host_id=host.id,
        cve_id=one.cve_id,
        cpe=str(one.product.cpe),
        port=one.product.port,
        seen=one.product.evidence,
        reason=one.reason,
        fixed_in=one.fixed_in,
        advisory=one.advisory,
    )


def _service_id(host: Host, product: Product) -> UUID | None:
    services: Sequence[Any] = host.services
    for service in services:
        if service.port == product.port and service.protocol == (product.protocol or "tcp"):
            found: UUID = service.id
            return found
    return None
