"""What people decide about a CVE on a device: written once, never changed, in force until overtaken or expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Text, Uuid, and_, any_, bindparam, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY

from netvigil.errors import NotFound
from netvigil.findings.life_models import CveDecision, Vulnerability
from netvigil.findings.models import Finding
from netvigil.findings.states import Decision
from netvigil.inventory.models import Device

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.findings.looks import Key


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which records a list shows; None means any."""

    mac: str | None = None
    cve_id: str | None = None
    status: Decision | None = None
    device_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts for a CVE on a device now: the status to show, and the record it rests on, if any."""

    status: Decision = Decision.OPEN
    record: CveDecision | None = None


OPEN = Standing()


def standing_of(records: Iterable[CveDecision], now: datetime) -> Standing:
    """The newest record that has not expired counts; one that a later scan has overruled leaves the CVE open."""
    valid = [one for one in records if one.expires_at is None or one.expires_at > now]
    if not valid:
        return OPEN
    newest = max(valid, key=lambda one: (one.created_at, one.id))
    if newest.overruled_at is not None:
        return Standing(Decision.OPEN, newest)
    return Standing(Decision(newest.status), newest)


async def find_standings(
    session: AsyncSession, organisation_id: UUID, device_ids: Collection[UUID], *, now: datetime | None = None
) -> dict[Key, Standing]:
    """What counts for the CVEs of these devices, for each CVE that somebody has ever decided about."""
    records = await _records_of(session, organisation_id, device_ids)
    when = now or datetime.now(UTC)
    return {key: standing_of(some, when) for key, some in records.items()}


async def find_mitigated(
    session: AsyncSession, organisation_id: UUID, found: Mapping[Key, datetime]
) -> set[Key]:
    """Of what was found, by device and CVE, that which people had decided before to be mitigated."""
    records = await _records_of(session, organisation_id, {device_id for device_id, _ in found})
    mitigated: set[Key] = set()
    for key, some in records.items():
        at = found.get(key)
        if at is None:
            continue
        standing = standing_of([one for one in some if one.created_at < at], at)
        newer = any(one.created_at >= at for one in some)  # whoever decided since then knew
        if standing.status is Decision.MITIGATED and not newer:
            mitigated.add(key)
    return mitigated


async def _records_of(
    session: AsyncSession, organisation_id: UUID, device_ids: Collection[UUID]
) -> dict[Key, list[CveDecision]]:
    if not device_ids:
        return {}
    devices = bindparam("devices", list(device_ids), ARRAY(Uuid))
    named = await session.execute(
        select(Device.mac, Device.id).where(Device.id == any_(devices), Device.mac.is_not(None))
    )
    by_mac: dict[str, UUID] = {row.mac: row.id for row in named if row.mac is not None}
    macs = bindparam("macs", sorted(by_mac), ARRAY(Text))
    rows = await session.scalars(
        select(CveDecision).where(
            CveDecision.organisation_id == organisation_id,
            or_(
                CveDecision.mac == any_(macs),
                and_(CveDecision.mac.is_(None), CveDecision.device_id == any_(devices)),
            ),
        )
    )
    records: dict[Key, list[CveDecision]] = {}
    for row in rows:
        device_id = by_mac[row.mac] if row.mac is not None else row.device_id
        if device_id is not None:
            records.setdefault((device_id, row.cve_id), []).append(row)
    return records


async def decide(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    mac: str | None,
    device_id: UUID | None,
    cve_id: str,
    status: Decision,
    justification: str,
    expires_at: datetime | None,
    author: str,
) -> CveDecision:
    """Record a decision about a CVE on a device, which is named by its MAC or, where it has none, by its id.

    The MAC and the CVE need not have been seen yet: a decision ahead of time counts from the first scan that sees them.
    Raises NotFound for a device id that the organisation does not have.
    """
    query = select(Device).where(Device.organisation_id == organisation_id)
    named = Device.mac == mac if mac is not None else Device.id == device_id
    device = (await session.scalars(query.where(named))).one_or_none()
    if device is None and mac is None:
        raise NotFound(f"No such device: '{device_id}'.")
    seen_in = None
    if device is not None:
        seen_in = await session.scalar(
            select(Finding.scan_id)
            .join(Vulnerability, Vulnerability.finding_id == Finding.id)
            .where(Vulnerability.device_id == device.id, Vulnerability.cve_id == cve_id)
        )
    record = CveDecision(
        organisation_id=organisation_id,
        mac=device.mac if device is not None else mac,
        device_id=device.id if device is not None else None,
        cve_id=cve_id,
        status=status,
        justification=justification,
        scan_id=seen_in,
        expires_at=expires_at,
        created_by=author,
    )
    session.add(record)
    await session.flush()
    return record


async def list_decisions(
    session: AsyncSession,
    organisation_id: UUID,
    only: DecisionFilter,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> list[CveDecision]:
    """Every record, newest first, one more than `limit` when there are more."""
    query = select(CveDecision).where(CveDecision.organisation_id == organisation_id)
    if only.mac is not None:
        query = query.where(CveDecision.mac == only.mac)
    if only.device_id is not None:
        query = query.where(CveDecision.device_id == only.device_id)
    if only.cve_id is not None:
        query = query.where(CveDecision.cve_id == only.cve_id)
    if only.status is not None:
        query = query.where(CveDecision.status == only.status)
    if before is not None:
        query = query.where(tuple_(CveDecision.created_at, CveDecision.id) < before)
    query = query.order_by(CveDecision.created_at.desc(), CveDecision.id.desc()).limit(limit + 1)
    return list(await session.scalars(query))


async def find_in_force(
    session: AsyncSession, organisation_id: UUID, records: Sequence[CveDecision]
) -> set[UUID]:
    """Those of the records that count now: neither expired, overtaken by a newer one, nor overruled."""
    same_mac = tuple_(CveDecision.mac, CveDecision.cve_id).in_([(r.mac, r.cve_id) for r in records if r.mac])
    same_device = tuple_(CveDecision.device_id, CveDecision.cve_id).in_(
        [(r.device_id, r.cve_id) for r in records if r.mac is None]
    )
    rows = await session.scalars(
        select(CveDecision).where(
            CveDecision.organisation_id == organisation_id,
            or_(same_mac, and_(CveDecision.mac.is_(None), same_device)),
        )
    )
    by_thing: dict[tuple[str | UUID | None, str], list[CveDecision]] = {}
    for row in rows:
        by_thing.setdefault((row.mac or row.device_id, row.cve_id), []).append(row)
    now = datetime.now(UTC)
    standings = [standing_of(some, now) for some in by_thing.values()]
    return {one.record.id for one in standings if one.record is not None and one.record.overruled_at is None}


async def follow_upgraded(session: AsyncSession, device_ids: Sequence[UUID]) -> None:
    """What was decided about devices that were known by an address holds for them now that they have a MAC."""
    if not device_ids:
        return
    mac = select(Device.mac).where(Device.id == CveDecision.device_id).scalar_subquery()
    await session.execute(
        update(CveDecision)
        .where(CveDecision.device_id.in_(device_ids), CveDecision.mac.is_(None))
        .values(mac=mac)
        .execution_options(synchronize_session=False)
    )
