"""Continuous matching: what the last scans saw, held against the CVEs that a feed update changed.

No packet is sent. A finding that comes out this way says so, one that a corrected record no longer supports
is withdrawn but kept, and the scan's log has a line for both. Frozen reports stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from netvigil.catalogue.queries import changed_cves, latest_version
from netvigil.findings.life import live_on_update, lock_lives
from netvigil.findings.models import Finding, MatchedCatalogue, Source, Unaffected
from netvigil.findings.service import HOSTS_AT_ONCE, match_stored
from netvigil.inventory.models import Device, Host
from netvigil.scans.models import Scan
from netvigil.scans.service import record_event
from netvigil.scans.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
CARRIED = (
    "service_id",
    "score",
    "severity",
    "vector",
    "cvss_version",
    "confidence",
    "kev",
    "cpe",
    "evidence",
)
"""What a finding takes over from a newer match; its id and its first time stay."""


@dataclass(frozen=True, slots=True)
class Rematched:
    """What an update changed: findings new and withdrawn, over how many hosts."""

    hosts: int
    new: int
    withdrawn: int


async def is_due(session: AsyncSession) -> bool:
    """Whether the catalogue has changed since what was seen was last matched with it."""
    return await latest_version(session) > await _matched_version(session)


async def rematch(database: Database) -> Rematched:
    """Match the newest observation of every host with the CVEs changed since the last time.

    Each chunk of hosts is its own transaction and repeating one changes nothing, so an interrupted turn is
    simply run again.
    """
    async with database.session() as session:
        since, version = await _matched_version(session), await latest_version(session)
        if version <= since:
            return Rematched(0, 0, 0)
        changed = await changed_cves(session, since)
        hosts = await _newest_hosts(session) if changed else []
    new = withdrawn = 0
    for start in range(0, len(hosts), HOSTS_AT_ONCE):
        async with database.transaction() as session:
            added, gone = await _rematch_some(session, hosts[start : start + HOSTS_AT_ONCE], since, changed)
            new, withdrawn = new + added, withdrawn + gone
    async with database.transaction() as session:
        await session.execute(
            insert(MatchedCatalogue)
            .values(id=1, version=version)
            .on_conflict_do_update(
                index_elements=[MatchedCatalogue.id],
                set_={"version": func.greatest(MatchedCatalogue.version, version)},
            )
        )
    log.info("matched again", since=since, version=version, hosts=len(hosts), new=new, withdrawn=withdrawn)
    return Rematched(len(hosts), new, withdrawn)


async def _matched_version(session: AsyncSession) -> int:
    return await session.scalar(select(MatchedCatalogue.version)) or 0


async def _newest_hosts(session: AsyncSession) -> list[UUID]:
    """Each device's newest observation, at all the addresses where that scan saw it, organisation by organisation."""
    query = (
        select(Host.id)
        .join(Device, (Device.id == Host.device_id) & (Device.scan_id == Host.scan_id))
        .join(Scan, Scan.id == Host.scan_id)
        .where(Scan.state.not_in(ACTIVE), Host.identified)
        .order_by(Host.organisation_id, Host.device_id, Host.id)
    )
    return list(await session.scalars(query))


async def _rematch_some(
    session: AsyncSession, host_ids: Sequence[UUID], since: int, changed: Collection[str]
) -> tuple[int, int]:
    hosts = list(await session.scalars(select(Host).where(Host.id.in_(host_ids)).order_by(Host.id)))
    for organisation_id in sorted({host.organisation_id for host in hosts}):
        await lock_lives(session, organisation_id)
    answers = await match_stored(session, hosts, changed_since=since)
    stored: dict[UUID, dict[str, Finding]] = {host.id: {} for host in hosts}
    known = (
        select(Finding).where(Finding.host_id.in_(host_ids), Finding.cve_id.in_(changed)).with_for_update()
    )
    for finding in await session.scalars(known):
        stored[finding.host_id][finding.cve_id] = finding
    await session.execute(
        delete(Unaffected).where(Unaffected.host_id.in_(host_ids), Unaffected.cve_id.in_(changed))
    )
    now = (await session.scalars(select(func.now()))).one()
    new = withdrawn = 0
    for answer in answers:
        host = answer.host
        session.add_all(answer.unaffected)
        added, gone = _settle(session, answer.findings, stored[host.id], now)
        if added or gone:
            words = f"Data update: {host.address} has {added} new finding(s), {gone} withdrawn."
            record_event(session, host.scan_id, "data_update", words, site_id=host.site_id)
        new, withdrawn = new + added, withdrawn + gone
    await session.flush()
    await live_on_update(session, host_ids, changed)
    return new, withdrawn


def _settle(
    session: AsyncSession, found: Sequence[Finding], stored: dict[str, Finding], now: datetime
) -> tuple[int, int]:
    """Bring the stored findings of the changed CVEs in line with what matches now; returns new and withdrawn."""
    added = gone = 0
    for built in found:
        before = stored.pop(built.cve_id, None)
        if before is None:
            built.source = Source.CATALOGUE
            session.add(built)
            added += 1
            continue
        added += before.withdrawn_at is not None
        for name in CARRIED:
            setattr(before, name, getattr(built, name))
        before.withdrawn_at = None
    for left in stored.values():
        if left.withdrawn_at is None:
            left.withdrawn_at = now
            gone += 1
    return added, gone
