"""How the findings of a scan stand now: people's decisions and the lives of the vulnerabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from netvigil.findings.decisions import find_standings
from netvigil.findings.life_models import CveDecision, Vulnerability
from netvigil.findings.models import Finding
from netvigil.inventory.models import Host
from netvigil.reports.exports.base import OPEN, Standing, Statuses

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.findings.decisions import Standing as Decided
    from netvigil.findings.looks import Key
    from netvigil.scans.models import Scan


async def read_statuses(session: AsyncSession, scan: Scan, *, now: datetime | None = None) -> Statuses:
    """The standing of each finding of the scan that somebody or a look at the device has something to say about.

    Decisions of now, on the scans before them too; the rule is `findings.decisions.standing_of`.
    """
    pairs = await session.execute(
        select(Host.id, Host.device_id, Finding.cve_id)
        .join(Finding, Finding.host_id == Host.id)
        .where(Host.scan_id == scan.id, Host.device_id.is_not(None))
    )
    found = pairs.all()
    lives = await _lives(session, scan)
    devices = {device_id for _, device_id, _ in found if device_id is not None}
    decided = await find_standings(session, scan.organisation_id, devices, now=now)
    rows = {}
    for host_id, device_id, cve_id in found:
        if device_id is None:
            continue
        key = device_id, cve_id
        standing = lives.get(key, OPEN)
        if key in decided:
            standing = _decided(standing, decided[key])
        if standing is not OPEN:
            rows[str(host_id), cve_id] = standing
    return Statuses(rows, revision=await _count_decisions(session, scan))


def _decided(standing: Standing, decided: Decided) -> Standing:
    record = decided.record
    if record is None:
        return standing
    still_open = decided.status == "open"
    return replace(
        standing,
        status=str(decided.status),
        regressed=still_open and (standing.regressed or record.overruled_at is not None),
        justification=record.justification,
        decided_by=record.created_by,
        decided_at=record.created_at,
        expires_at=record.expires_at,
    )


async def _lives(session: AsyncSession, scan: Scan) -> dict[Key, Standing]:
    one = Vulnerability
    columns = (
        one.device_id, one.cve_id, one.state, one.regressed, one.first_seen_at, one.last_seen_at, one.resolved_at,
        one.priority, one.reason,
    )  # fmt: skip
    found = await session.execute(
        select(*columns)
        .join(Host, Host.device_id == one.device_id)
        .join(Finding, and_(Finding.host_id == Host.id, Finding.cve_id == one.cve_id))
        .where(Host.scan_id == scan.id)
    )
    return {
        (row.device_id, row.cve_id): Standing(
            state=row.state,
            regressed=row.regressed,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            resolved_at=row.resolved_at,
            # before the first reason is written nobody has computed the priority
            priority=row.priority if row.reason else None,
            reason=row.reason or None,
        )
        for row in found
    }


async def _count_decisions(session: AsyncSession, scan: Scan) -> int:
    """How many decisions there ever were about devices of the scan."""
    here = Host.scan_id == scan.id
    by_mac = CveDecision.mac.in_(select(Host.mac).where(here, Host.mac.is_not(None)))
    by_device = CveDecision.device_id.in_(select(Host.device_id).where(here, Host.device_id.is_not(None)))
    query = select(func.count()).select_from(CveDecision)
    query = query.where(CveDecision.organisation_id == scan.organisation_id, or_(by_mac, by_device))
    return await session.scalar(query) or 0
