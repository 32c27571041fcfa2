"""Findings brought together with all that is known about them, for answers and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import lazyload

from netvigil.catalogue.enrichment import get_enrichment
from netvigil.catalogue.queries import get_cves
from netvigil.findings.decisions import OPEN, find_standings
from netvigil.findings.instances import Background, Occurrence, build_instance
from netvigil.findings.life_models import Vulnerability
from netvigil.inventory.models import Host, Service

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.findings.decisions import Standing
    from netvigil.findings.looks import Key
    from netvigil.findings.models import Finding

OTHERS_MAX = 20
"""So many scans of a device are looked through for older occurrences of a CVE, the newest first."""

_OTHERS = text("""
SELECT p.device_id, p.cve_id, f.id, f.scan_id, f.host_id, f.created_at
FROM unnest(CAST(:devices AS uuid[]), CAST(:cves AS text[]), CAST(:newest AS uuid[])) AS p (device_id, cve_id, newest)
CROSS JOIN LATERAL (SELECT h.id, h.observed_at FROM host h WHERE h.device_id = p.device_id
                    ORDER BY h.observed_at DESC LIMIT :many) h
JOIN finding f ON f.host_id = h.id AND f.cve_id = p.cve_id
WHERE f.id <> p.newest AND f.withdrawn_at IS NULL
ORDER BY h.observed_at DESC""")


async def describe_findings(
    session: AsyncSession,
    findings: Sequence[Finding],
    *,
    with_others: bool = False,
    lives: Mapping[Key, Vulnerability] | None = None,
    standings: Mapping[Key, Standing] | None = None,
) -> list[dict[str, Any]]:
    """The findings as CveInstances, in their order; all of one organisation.

    `with_others` names the same CVE's older occurrences on the device; without, `other_occurrences` is empty. `lives` and
    `standings` of a caller that has read them already are not read again.
    """
    if not findings:
        return []
    hosts = await _hosts_of(session, {one.host_id for one in findings})
    services = await _services_of(session, {one.service_id for one in findings if one.service_id})
    cve_ids = {one.cve_id for one in findings}
    records = await get_cves(session, cve_ids)
    enrichment = await get_enrichment(session, cve_ids)
    keys = {one.id: (hosts[one.host_id].device_id, one.cve_id) for one in findings}
    devices = {device_id for device_id, _ in keys.values() if device_id is not None}
    if lives is None:
        lives = await _lives_of(session, devices, cve_ids)
    if standings is None:
        standings = await find_standings(session, findings[0].organisation_id, devices)
    others = await _others_of(session, keys) if with_others else {}

    instances = []
    for one in findings:
        device_id, cve_id = keys[one.id]
        key = (device_id, cve_id) if device_id is not None else None
        known = Background(
            host=hosts[one.host_id],
            service=services.get(one.service_id) if one.service_id else None,
            record=records.get(cve_id),
            enrichment=enrichment[cve_id],
            life=lives.get(key) if key else None,
            standing=standings.get(key, OPEN) if key else OPEN,
            others=others.get(key, ()) if key else (),
        )
        instances.append(build_instance(one, known))
    return instances


async def _hosts_of(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Host]:
    wanted = bindparam("hosts", list(ids), ARRAY(Uuid))
    query = select(Host).where(Host.id == any_(wanted)).options(lazyload(Host.services))
    return {host.id: host for host in await session.scalars(query)}


async def _services_of(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Service]:
    wanted = bindparam("services", list(ids), ARRAY(Uuid))
    return {one.id: one for one in await session.scalars(select(Service).where(Service.id == any_(wanted)))}


async def _lives_of(
    session: AsyncSession, devices: Collection[UUID], cve_ids: Collection[str]
) -> dict[Key, Vulnerability]:
    query = select(Vulnerability).where(
        Vulnerability.device_id == any_(bindparam("devices", list(devices), ARRAY(Uuid))),
        Vulnerability.cve_id == any_(bindparam("cves", sorted(cve_ids), ARRAY(Text))),
    )
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {(one.device_id, one.cve_id): one for one in rows}


async def _others_of(
    session: AsyncSession, keys: dict[UUID, tuple[UUID | None, str]]
) -> dict[Key, list[Occurrence]]:
    named = [
        (device_id, cve_id, newest) for newest, (device_id, cve_id) in keys.items() if device_id is not None
    ]
    if not named:
        return {}
    devices, cves, newest = zip(*named, strict=True)
    values = {"devices": list(devices), "cves": list(cves), "newest": list(newest), "many": OTHERS_MAX + 1}
    found: dict[Key, list[Occurrence]] = {}
    for row in await session.execute(_OTHERS, values):
        one = Occurrence(row.id, row.scan_id, row.host_id, row.created_at)
        found.setdefault((row.device_id, row.cve_id), []).append(one)
    return {key: some[:OTHERS_MAX] for key, some in found.items()}
