"""A device with everything that is known of it, and vulnerabilities by what to do first: for pages and documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, tuple_

from netvigil.errors import NotFound
from netvigil.findings.decisions import OPEN, DecisionFilter, Standing, find_standings, list_decisions
from netvigil.findings.life_models import CveDecision, Vulnerability, VulnerabilityEvent
from netvigil.findings.states import LifeState
from netvigil.inventory.models import Device, DeviceAddress, Host

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

EVENTS_SHOWN = 500
VULNERABILITIES_SHOWN = 500
DECISIONS_SHOWN = 500
ADDRESSES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class VulnerabilityDetail:
    """One CVE of a device: its life, its changes (the newest first), and what people decided."""

    life: Vulnerability
    standing: Standing
    events: Sequence[VulnerabilityEvent]


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """A device: where it was when, its newest host with its services, its CVEs, and every decision.

    The lists are bounded (`…_SHOWN`), the newest or most urgent first; what is open comes before what is gone.
    """

    device: Device
    addresses: Sequence[DeviceAddress]
    host: Host | None
    vulnerabilities: Sequence[VulnerabilityDetail]
    decisions: Sequence[CveDecision]


async def get_device(session: AsyncSession, organisation_id: UUID, device_id: UUID) -> DeviceDetail:
    """Everything about one device of the organisation; raises NotFound."""
    query = select(Device).where(Device.organisation_id == organisation_id, Device.id == device_id)
    device = (await session.scalars(query)).one_or_none()
    if device is None:
        raise NotFound(f"No such device: '{device_id}'.")
    addresses = await session.scalars(
        select(DeviceAddress)
        .where(DeviceAddress.device_id == device_id)
        .order_by(DeviceAddress.last_seen_at.desc(), DeviceAddress.address)
        .limit(ADDRESSES_SHOWN)
    )
    newest = select(Host).where(Host.device_id == device_id).order_by(Host.observed_at.desc()).limit(1)
    only = DecisionFilter(mac=device.mac) if device.mac else DecisionFilter(device_id=device_id)
    decisions = await list_decisions(session, organisation_id, only, limit=DECISIONS_SHOWN, before=None)
    return DeviceDetail(
        device=device,
        addresses=list(addresses),
        host=(await session.scalars(newest)).one_or_none(),
        vulnerabilities=await _vulnerabilities_of(session, device),
        decisions=decisions[:DECISIONS_SHOWN],
    )


async def list_by_priority(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    state: LifeState = LifeState.OPEN,
    site_id: UUID | None = None,
    limit: int,
    after: tuple[float, UUID] | None = None,
) -> list[Vulnerability]:
    """What to do first, one more than `limit` when there are more; `after` is the priority and id of the last one shown."""
    query = select(Vulnerability).where(
        Vulnerability.organisation_id == organisation_id, Vulnerability.state == state
    )
    if site_id is not None:
        query = query.where(Vulnerability.site_id == site_id)
    if after is not None:
        query = query.where(tuple_(-Vulnerability.priority, Vulnerability.id) > (-after[0], after[1]))
        query = query.where(Vulnerability.priority <= after[0])  # what the index can be entered with
    query = query.order_by(Vulnerability.priority.desc(), Vulnerability.id).limit(limit + 1)
    return list(await session.scalars(query))


async def _vulnerabilities_of(session: AsyncSession, device: Device) -> list[VulnerabilityDetail]:
    lives = list(
        await session.scalars(
            select(Vulnerability)
            .where(Vulnerability.device_id == device.id)
            .order_by(
                (Vulnerability.state == LifeState.OPEN).desc(),
                Vulnerability.priority.desc(),
                Vulnerability.id,
            )
            .limit(VULNERABILITIES_SHOWN)
        )
    )
    events: dict[UUID, list[VulnerabilityEvent]] = {life.id: [] for life in lives}
    happened = await session.scalars(
        select(VulnerabilityEvent)
        .where(VulnerabilityEvent.vulnerability_id.in_(events))
        .order_by(VulnerabilityEvent.id.desc())
        .limit(EVENTS_SHOWN)
    )
    for event in happened:
        events[event.vulnerability_id].append(event)
    standings = await find_standings(session, device.organisation_id, [device.id])
    return [
        VulnerabilityDetail(life, standings.get((device.id, life.cve_id), OPEN), events[life.id])
        for life in lives
    ]
