"""The life of each CVE on each device, brought up to date by a scan or by a data update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Text, Uuid, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from netvigil.catalogue.enrichment import get_enrichment
from netvigil.findings import life_writes
from netvigil.findings.decisions import find_mitigated, follow_upgraded
from netvigil.findings.evidence import facts_of
from netvigil.findings.life_models import Vulnerability
from netvigil.findings.looks import Known, Look, Scope, judge
from netvigil.findings.models import Finding
from netvigil.findings.priority import prioritise
from netvigil.findings.states import Change, LifeState
from netvigil.inventory.devices import record_devices
from netvigil.inventory.models import Host
from netvigil.probing.observations import Method
from netvigil.probing.ports import Profile
from netvigil.probing.speak.catalogue import UDP
from netvigil.scans.states import SiteScanState
from netvigil.sites.exclusions import Exclusions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from ipaddress import IPv4Address
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.enrichment import Enrichment
    from netvigil.findings.looks import Key, Verdict
    from netvigil.inventory.models import Service
    from netvigil.scans.models import Scan

UDP_PORTS = frozenset(protocol.port for protocol in UDP)


@dataclass(frozen=True, slots=True)
class Lives:
    """How many vulnerabilities a scan or a data update changed, and how."""

    new: int = 0
    regressed: int = 0
    resolved: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A CVE on a device as its newest finding shows it."""

    finding_id: UUID
    organisation_id: UUID
    device_id: UUID
    site_id: UUID
    address: IPv4Address
    cve_id: str
    score: float
    severity: str
    cvss_version: str | None
    confidence: str
    kev: bool
    ports: tuple[str, ...]
    observed_at: datetime

    @property
    def key(self) -> Key:
        """The device and the CVE."""
        return self.device_id, self.cve_id


async def lock_lives(session: AsyncSession, organisation_id: UUID) -> None:
    """One writer of an organisation's devices and lives at a time, until the transaction ends."""
    statement = select(func.pg_advisory_xact_lock(func.hashtextextended(f"lives:{organisation_id}", 0)))
    await session.execute(statement)


async def live_on(session: AsyncSession, scan: Scan, hosts: Sequence[Host]) -> Lives:
    """Bring devices and lives up to date with a scan whose findings are in the database; `hosts` are all of its hosts.

    Done twice it gives the same.
    """
    await lock_lives(session, scan.organisation_id)
    await follow_upgraded(session, await record_devices(session, hosts))
    identified = [host for host in hosts if host.identified]
    seen = await _read_seen(session, Finding.scan_id == scan.id)
    found = {key: one.observed_at for key, one in seen.items()}
    verdict = judge(
        found,
        await _read_known(session, {host.device_id for host in identified if host.device_id is not None}),
        _looks(scan, identified),
        await find_mitigated(session, scan.organisation_id, found),
        UDP_PORTS,
    )
    return await _write(session, seen, verdict, scan_id=scan.id)


async def live_on_update(session: AsyncSession, host_ids: Sequence[UUID], changed: Collection[str]) -> Lives:
    """Bring lives up to date with what a data update changed on these hosts, whose organisations the caller has locked.

    `changed` are the CVEs that were matched again. What their new data supports is there, what it does not is withdrawn.
    """
    hosts = bindparam("hosts", list(host_ids), ARRAY(Uuid))
    cves = bindparam("cves", sorted(changed), ARRAY(Text))
    seen = await _read_seen(
        session, Finding.host_id == any_(hosts), Finding.cve_id == any_(cves), Finding.withdrawn_at.is_(None)
    )
    gone = await life_writes.withdraw(session, host_ids)
    devices = {one.device_id for one in seen.values()}
    known = await _read_known(session, devices)
    verdict = judge({key: one.observed_at for key, one in seen.items()}, known, ())
    lives = await _write(session, seen, verdict, scan_id=None)
    return Lives(lives.new, lives.regressed, lives.resolved, lives.withdrawn + gone)


async def _read_seen(session: AsyncSession, *which: Any) -> dict[Key, Seen]:
    """The findings by device and CVE; of a device that was seen at several addresses the newest, then the surest."""
    ports = select(
        func.array_agg(text("(e->>'protocol') || '/' || (e->>'port') ORDER BY (e->>'port')::int"))
    ).select_from(text("jsonb_array_elements(finding.evidence->'services') e"))
    found = await session.execute(
        select(
            Finding.id,
            Finding.organisation_id,
            Host.device_id,
            Host.site_id,
            Host.address,
            Finding.cve_id,
            Finding.score,
            Finding.severity,
            Finding.cvss_version,
            Finding.confidence,
            Finding.kev,
            ports.scalar_subquery().correlate(Finding),
            Host.observed_at,
        )
        .join(Host, Host.id == Finding.host_id)
        .where(Host.device_id.is_not(None), Host.identified, *which)
        .order_by(Host.observed_at, Finding.confidence.desc(), Finding.id)
    )
    rows: Sequence[Any] = found.all()
    values = ((*row[:11], tuple(dict.fromkeys(row[11] or ())), row[12]) for row in rows)
    seen = [Seen(*one) for one in values]
    return {one.key: one for one in seen}


async def _read_known(session: AsyncSession, device_ids: Collection[UUID]) -> list[Known]:
    v = Vulnerability
    wanted = bindparam("devices", list(device_ids), ARRAY(Uuid))
    found = await session.execute(
        select(
            v.id, v.device_id, v.cve_id, v.state, v.site_id, v.address, v.ports, v.last_seen_at, v.resolved_at
        ).where(v.device_id == any_(wanted))
    )
    rows: Sequence[Any] = found.all()
    values = ((*row[:6], tuple(row[6]), *row[7:]) for row in rows)
    return [Known(*one) for one in values]


def _looks(scan: Scan, hosts: Iterable[Host]) -> list[Look]:
    scopes = {
        part.id: Scope(
            targets=tuple(part.targets),
            profile=Profile(part.profile),
            exclusions=Exclusions.from_json(part.exclusions),
            whole=part.state != SiteScanState.FAILED,
        )
        for part in scan.sites
    }
    return [
        Look(
            device_id=host.device_id,
            site_id=host.site_id,
            address=host.address,
            observed_at=host.observed_at,
            scope=scopes[host.site_scan_id],
            untold=frozenset(f"{one.protocol}/{one.port}" for one in host.services if _told_nothing(one)),
        )
        for host in hosts
        if host.device_id is not None
    ]


def _told_nothing(service: Service) -> bool:
    """Open, but silent this time: what listens there may well be what it was."""
    return service.method == Method.SWEEP or not (
        service.product or service.version or service.banner or service.cpes or service.facts
    )


async def _write(
    session: AsyncSession, seen: Mapping[Key, Seen], verdict: Verdict, *, scan_id: UUID | None
) -> Lives:
    enrichment = await get_enrichment(session, {cve_id for _, cve_id in verdict.found})
    rows = []
    for key, change in verdict.found.items():
        rows.append(_row(seen[key], enrichment[key[1]], change))
    await life_writes.write_found(session, rows, scan_id=scan_id)
    await life_writes.write_older(
        session,
        [{"device_id": d, "cve_id": c, "at": seen[d, c].observed_at} for d, c in verdict.older],
    )
    await life_writes.write_gone(session, verdict.gone, scan_id=scan_id)
    changes = list(verdict.found.values())
    return Lives(
        new=changes.count(Change.NEW),
        regressed=changes.count(Change.REGRESSED),
        resolved=sum(one.state is LifeState.RESOLVED for one in verdict.gone),
        withdrawn=sum(one.state is LifeState.WITHDRAWN for one in verdict.gone),
    )


def _row(seen: Seen, enrichment: Enrichment, change: Change | None) -> dict[str, Any]:
    priority = prioritise(facts_of(seen, seen.ports, enrichment))
    return {
        "id": uuid4(),
        "organisation_id": seen.organisation_id,
        "device_id": seen.device_id,
        "site_id": seen.site_id,
        "cve_id": seen.cve_id,
        "finding_id": seen.finding_id,
        "address": str(seen.address),
        "ports": seen.ports,
        "score": seen.score,
        "severity": seen.severity,
        "confidence": seen.confidence,
        "kev": seen.kev,
        "epss": enrichment.epss.score if enrichment.epss else None,
        "priority": priority.number,
        "reason": priority.reason,
        "at": seen.observed_at,
        "change": change,
    }
