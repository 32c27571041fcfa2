"""What is known of devices: their CVEs by MAC, and each in numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, Uuid, any_, bindparam, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from netvigil.access.wire import utc_text
from netvigil.findings.decisions import find_standings
from netvigil.findings.life_models import Vulnerability
from netvigil.findings.models import Finding
from netvigil.findings.schemas import DeviceSummary
from netvigil.findings.states import Decision, LifeState
from netvigil.inventory.models import Device, DeviceAddress, Host

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.findings.decisions import Standing
    from netvigil.findings.looks import Key


ADDRESSES_SHOWN = 16  # of a device, the latest first


@dataclass(slots=True)
class Tally:
    """The CVEs that a device has now: how many, their scores, what people decided about them; and how many are gone."""

    present: int = 0
    highest: float = 0
    total: float = 0
    exploited: int = 0
    gone: int = 0
    decided: dict[Decision, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def open(self) -> int:
        """Those about which nobody has decided otherwise."""
        return self.present - sum(self.decided.values())

    @property
    def average(self) -> float:
        """Mean score; 0 without any."""
        return round(self.total / self.present, 2) if self.present else 0


async def find_devices(
    session: AsyncSession, organisation_id: UUID, macs: Sequence[str]
) -> dict[str, Device]:
    """The organisation's devices with these MACs, by MAC; unknown ones are left out."""
    wanted = bindparam("macs", list(macs), ARRAY(Text))
    query = select(Device).where(Device.organisation_id == organisation_id, Device.mac == any_(wanted))
    return {device.mac or "": device for device in await session.scalars(query)}


async def tally_devices(
    session: AsyncSession, device_ids: Collection[UUID], standings: Mapping[Key, Standing]
) -> dict[UUID, Tally]:
    """Each device's CVEs of now, counted by what people have decided about them, and how many are gone."""
    v = Vulnerability
    is_open, is_gone = v.state == LifeState.OPEN, v.state == LifeState.RESOLVED
    rows = await session.execute(
        select(
            v.device_id,
            func.count().filter(is_open),
            func.coalesce(func.max(v.score).filter(is_open), 0),
            func.coalesce(func.sum(v.score).filter(is_open), 0),
            func.count().filter(is_open & v.kev),
            func.count().filter(is_gone),
        )
        .where(v.device_id == any_(_ids(device_ids)))
        .group_by(v.device_id)
    )
    tallies = {device_id: Tally() for device_id in device_ids}
    tallies |= {row[0]: Tally(*row[1:]) for row in rows.all()}
    decided = {key: one.status for key, one in standings.items() if one.status is not Decision.OPEN}
    for key in await _present(session, decided):
        tallies[key[0]].decided[decided[key]] += 1
    return tallies


async def count_unique(session: AsyncSession, device_ids: Collection[UUID]) -> int:
    """How many distinct CVEs these devices have now."""
    v = Vulnerability
    query = select(func.count(v.cve_id.distinct())).where(
        v.device_id == any_(_ids(device_ids)), v.state == LifeState.OPEN
    )
    return await session.scalar(query) or 0


async def _present(session: AsyncSession, keys: Collection[Key]) -> list[Key]:
    """Those of the devices and CVEs that are there now."""
    if not keys:
        return []
    devices, cves = zip(*keys, strict=True)
    query = text("""
        SELECT v.device_id, v.cve_id FROM unnest(CAST(:devices AS uuid[]), CAST(:cves AS text[])) AS k (device_id, cve_id)
        JOIN vulnerability v USING (device_id, cve_id) WHERE v.state = 'open'""")
    rows = await session.execute(query, {"devices": list(devices), "cves": list(cves)})
    return [(row.device_id, row.cve_id) for row in rows]


async def count_history(
    session: AsyncSession, device_ids: Collection[UUID]
) -> tuple[dict[UUID, tuple[int, int]], int]:
    """For each device in how many scans it was seen and how many findings they made; and in how many scans any was."""
    of_these = Host.device_id == any_(_ids(device_ids))
    seen = await session.execute(
        select(Host.device_id, func.count(Host.scan_id.distinct())).where(of_these).group_by(Host.device_id)
    )
    found = await session.execute(
        select(Host.device_id, func.count())
        .join(Finding, Finding.host_id == Host.id)
        .where(of_these, Finding.withdrawn_at.is_(None))
        .group_by(Host.device_id)
    )
    scans = {row[0]: row[1] for row in seen.all()}
    instances = {row[0]: row[1] for row in found.all()}
    every = await session.scalar(select(func.count(Host.scan_id.distinct())).where(of_these))
    return {one: (scans.get(one, 0), instances.get(one, 0)) for one in device_ids}, every or 0


async def list_vulnerabilities(
    session: AsyncSession,
    device_ids: Collection[UUID],
    *,
    with_resolved: bool,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> list[Vulnerability]:
    """Each CVE and device once, the newest occurrence first, one more than `limit` when there are more."""
    states = [LifeState.OPEN, LifeState.RESOLVED] if with_resolved else [LifeState.OPEN]
    query = select(Vulnerability).where(
        Vulnerability.device_id == any_(_ids(device_ids)), Vulnerability.state.in_(states)
    )
    if before is not None:
        query = query.where(tuple_(Vulnerability.last_seen_at, Vulnerability.id) < before)
    query = query.order_by(Vulnerability.last_seen_at.desc(), Vulnerability.id.desc()).limit(limit + 1)
    return list(await session.scalars(query))


async def newest_findings(session: AsyncSession, rows: Iterable[Vulnerability]) -> list[Finding]:
    """The newest finding of each, in their order."""
    wanted = [row.finding_id for row in rows if row.finding_id is not None]
    found = await session.scalars(select(Finding).where(Finding.id == any_(_ids(wanted))))
    by_id = {one.id: one for one in found}
    return [by_id[one] for one in wanted if one in by_id]


async def list_devices(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    site_id: UUID | None,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> list[Device]:
    """The devices, the last seen first, one more than `limit` when there are more."""
    query = select(Device).where(Device.organisation_id == organisation_id)
    if site_id is not None:
        query = query.where(Device.site_id == site_id)
    if before is not None:
        query = query.where(tuple_(Device.last_seen_at, Device.id) < before)
    query = query.order_by(Device.last_seen_at.desc(), Device.id.desc()).limit(limit + 1)
    return list(await session.scalars(query))


async def summarise_devices(
    session: AsyncSession, organisation_id: UUID, devices: Sequence[Device]
) -> list[DeviceSummary]:
    """Each device in numbers, in their order."""
    ids = [device.id for device in devices]
    standings = await find_standings(session, organisation_id, ids)
    tallies = await tally_devices(session, ids, standings)
    addresses = await _addresses_of(session, ids)
    return [_summary(device, tallies[device.id], addresses[device.id]) for device in devices]


def mac_stats(device: Device | None, tally: Tally | None, history: tuple[int, int]) -> dict[str, Any]:
    """One MAC in numbers (`schemas.MacStats`); a MAC that no scan has seen has zeros."""
    tally = tally or Tally()
    return {
        "total_scans": history[0],
        "total_cve_instances": history[1],
        "unique_cve_count": tally.present,
        "highest_score": tally.highest,
        "average_score": tally.average,
        "open": tally.open,
        "accepted": tally.decided[Decision.ACCEPTED],
        "mitigated": tally.decided[Decision.MITIGATED],
        "resolved": tally.gone,
        "last_seen_at": utc_text(device.last_seen_at) if device else None,
    }


def overall_stats(tallies: Collection[Tally], unique: int) -> dict[str, Any]:
    """All of them together (`schemas.Stats`)."""
    together = Tally(
        present=sum(one.present for one in tallies),
        highest=max((one.highest for one in tallies), default=0),
        total=sum(one.total for one in tallies),
    )
    return {
        "unique_cve_count": unique,
        "highest_score": together.highest,
        "average_score": together.average,
    }


async def _addresses_of(session: AsyncSession, device_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    rows = await session.execute(
        select(DeviceAddress.device_id, DeviceAddress.address)
        .where(DeviceAddress.device_id == any_(_ids(device_ids)))
        .order_by(DeviceAddress.last_seen_at.desc(), DeviceAddress.address)
    )
    addresses: dict[UUID, list[str]] = {device_id: [] for device_id in device_ids}
    for device_id, address in rows.all():
        shown = addresses[device_id]
        if len(shown) < ADDRESSES_SHOWN and str(address) not in shown:
            shown.append(str(address))
    return addresses


def _summary(device: Device, tally: Tally, addresses: list[str]) -> DeviceSummary:
    return DeviceSummary(
        id=device.id,
        identified_by="mac" if device.mac else "address",
        mac_address=device.mac,
        manufacturer=device.manufacturer,
        hostname=device.hostname,
        model=device.model,
        os=device.os_name,
        ip_addresses=addresses,
        site_id=device.site_id,
        first_seen_at=device.first_seen_at,
        last_seen_at=device.last_seen_at,
        highest_score=tally.highest,
        open_cves=tally.open,
        accepted_cves=tally.decided[Decision.ACCEPTED],
        mitigated_cves=tally.decided[Decision.MITIGATED],
        kev_cves=tally.exploited,
    )


def _ids(values: Iterable[UUID]) -> Any:
    return bindparam(None, list(values), ARRAY(Uuid))
