"""What news are made of: changes of a scan or of data updates, and the names that people know things by."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Select, func, select

from netvigil.findings.decisions import Standing, find_standings
from netvigil.findings.life_models import Vulnerability, VulnerabilityEvent
from netvigil.findings.models import Finding
from netvigil.findings.states import Change, Decision
from netvigil.inventory.models import Device
from netvigil.notify.news import ChangeSeen, Severity
from netvigil.notify.wording import Detail
from netvigil.scans.models import Scan
from netvigil.schedules.models import ScanSchedule
from netvigil.sites.models import Site

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

_CHANGE = (
    VulnerabilityEvent.vulnerability_id,
    VulnerabilityEvent.device_id,
    VulnerabilityEvent.site_id,
    VulnerabilityEvent.change,
    VulnerabilityEvent.cve_id,
    VulnerabilityEvent.severity,
    VulnerabilityEvent.score,
    VulnerabilityEvent.kev,
    Vulnerability.priority,
)


@dataclass(frozen=True, slots=True)
class Addressed:
    """Whom changes are told: an organisation and what its schedules call the group."""

    organisation_id: UUID
    group_name: str


async def changes_of_scan(session: AsyncSession, scan: Scan) -> list[ChangeSeen]:
    """What the scan changed, by its own warning threshold; not what people have decided to accept."""
    query = _changes().where(VulnerabilityEvent.scan_id == scan.id)
    rows = list(await session.execute(query))
    standings = await find_standings(session, scan.organisation_id, {row.device_id for row in rows})
    return [_seen(row, scan.warning_threshold) for row in rows if not _is_accepted(row, standings)]


async def newest_update(session: AsyncSession) -> int:
    """The id of the newest change by a data update, 0 when there was none."""
    query = select(func.max(VulnerabilityEvent.id)).where(VulnerabilityEvent.scan_id.is_(None))
    return await session.scalar(query) or 0


async def changes_of_updates(
    session: AsyncSession, after: int, upto: int
) -> dict[Addressed, list[ChangeSeen]]:
    """What data updates changed, for whom: whoever is told of the scan that last saw the device."""
    query = (
        _changes()
        .add_columns(ScanSchedule.warning_threshold, Scan.organisation_id, ScanSchedule.notification_group)
        .join(Finding, Finding.id == Vulnerability.finding_id)
        .join(Scan, Scan.id == Finding.scan_id)
        .join(ScanSchedule, ScanSchedule.id == Scan.schedule_id)
        .where(
            VulnerabilityEvent.scan_id.is_(None), VulnerabilityEvent.id > after, VulnerabilityEvent.id <= upto
        )
    )
    rows: dict[UUID, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in await session.execute(query):
        rows[row.organisation_id].append(row)
    found: dict[Addressed, list[ChangeSeen]] = defaultdict(list)
    for organisation_id, some in rows.items():
        standings = await find_standings(session, organisation_id, {row.device_id for row in some})
        for row in some:
            if not _is_accepted(row, standings):
                addressed = Addressed(organisation_id, row.notification_group)
                found[addressed].append(_seen(row, row.warning_threshold))
    return dict(found)


async def details_of(session: AsyncSession, vulnerability_ids: Collection[UUID]) -> dict[UUID, Detail]:
    """Device, site and reason of these vulnerabilities, as strings from outside."""
    query = (
        select(Vulnerability, Device, Site.name)
        .join(Device, Device.id == Vulnerability.device_id)
        .outerjoin(
            Site,
            (Site.organisation_id == Vulnerability.organisation_id) & (Site.id == Vulnerability.site_id),
        )
        .where(Vulnerability.id.in_(vulnerability_ids))
    )
    return {one.id: _detail(one, device, site) for one, device, site in await session.execute(query)}


def _changes() -> Select[*tuple[Any, ...]]:
    return (
        select(*_CHANGE)
        .join(Vulnerability, Vulnerability.id == VulnerabilityEvent.vulnerability_id)
        .order_by(VulnerabilityEvent.id)
    )


def _is_accepted(row: Row[*tuple[Any, ...]], standings: Mapping[tuple[UUID, str], Standing]) -> bool:
    standing = standings.get((row.device_id, row.cve_id))
    return standing is not None and standing.status is Decision.ACCEPTED


def _seen(row: Row[*tuple[Any, ...]], threshold: float) -> ChangeSeen:
    return ChangeSeen(
        vulnerability_id=row.vulnerability_id,
        site_id=row.site_id,
        change=Change(row.change),
        cve_id=row.cve_id,
        severity=Severity(row.severity),
        score=row.score,
        kev=row.kev,
        priority=row.priority,
        threshold=threshold,
    )


def _detail(one: Vulnerability, device: Device, site: str | None) -> Detail:
    address = str(one.address)
    name = f"{device.hostname} ({address})" if device.hostname else address
    return Detail(
        device=name, site=site or str(one.site_id), reason=one.reason, address=address, mac=device.mac
    )
