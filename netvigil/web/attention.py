"""What needs somebody's attention today: data that cannot be trusted, scans that failed, CVEs by what to do first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from netvigil.findings.decisions import find_standings
from netvigil.findings.life_models import Vulnerability
from netvigil.findings.queries import list_by_priority
from netvigil.findings.states import Decision, LifeState
from netvigil.scans.models import Scan
from netvigil.scans.states import ACTIVE, WHOLE, ScanState
from netvigil.schedules.models import ScanSchedule
from netvigil.web.words import count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.feed_states import FeedsState

SHOWN: Final = 10
LOOKED_AT: Final = 400
"""Findings, the most urgent first, that are brought together by CVE."""
_STARTER_URGENCY: Final = 101.0  # before every finding: with such data the list itself is not to be trusted
_STALE_URGENCY: Final = 72.0
_FAILED_URGENCY: Final = 71.0  # behind what is known to be exploited and bad, before what might be


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to look at; `kind` is data, scan or cve, `urgency` orders, the highest first."""

    kind: str
    urgency: float
    title: str
    where: str
    reason: str
    path: str
    severity: str | None = None
    score: float | None = None
    kev: bool = False
    regressed: bool = False


async def list_concerns(session: AsyncSession, organisation_id: UUID, feeds: FeedsState) -> list[Concern]:
    """The first `SHOWN` in order."""
    found = [
        *_data_concerns(feeds),
        *await _failed_scans(session, organisation_id),
        *await _cves(session, organisation_id),
    ]
    return sorted(found, key=lambda one: -one.urgency)[:SHOWN]


def _data_concerns(feeds: FeedsState) -> list[Concern]:
    if feeds.starter_only:
        reason = (
            f"Only the starter catalogue of {count(feeds.cves, 'CVE')} is loaded: most vulnerabilities cannot be "
            "found with it. Run 'netvigil feeds sync', or import the NVD feeds from files."
        )
        return [Concern("data", _STARTER_URGENCY, "Load the vulnerability data", "", reason, "")]
    if feeds.stale:
        age = f"{(feeds.age_seconds or 0) // 86400} days old" if feeds.data_date else "not there"
        reason = f"It is {age}; newer CVEs are not in it. Run 'netvigil feeds sync'."
        return [Concern("data", _STALE_URGENCY, "Refresh the vulnerability data", "", reason, "")]
    return []


async def _failed_scans(session: AsyncSession, organisation_id: UUID) -> list[Concern]:
    """Schedules whose newest ended run failed."""
    newest = (
        select(Scan.id)
        .join(ScanSchedule, ScanSchedule.id == Scan.schedule_id)
        .where(Scan.organisation_id == organisation_id, Scan.trigger.in_(WHOLE), Scan.state.not_in(ACTIVE))
        .ext(distinct_on(Scan.schedule_id))
        .order_by(Scan.schedule_id, Scan.created_at.desc())
    )
    failed = select(Scan).where(Scan.id.in_(newest), Scan.state == ScanState.FAILED)
    rows = await session.scalars(failed.order_by(Scan.created_at.desc()).limit(SHOWN))
    return [
        Concern(
            "scan",
            _FAILED_URGENCY,
            f"The scan of {scan.description} failed",
            scan.human_id,
            scan.error or "The scan's page says which site could not be scanned.",
            f"/scans/{scan.human_id}",
        )
        for scan in rows
    ]


async def _cves(session: AsyncSession, organisation_id: UUID) -> list[Concern]:
    urgent = (await list_by_priority(session, organisation_id, limit=LOOKED_AT))[:LOOKED_AT]
    standings = await find_standings(session, organisation_id, {one.device_id for one in urgent})
    first: dict[str, Vulnerability] = {}
    for one in urgent:
        standing = standings.get((one.device_id, one.cve_id))
        if standing is None or standing.status is Decision.OPEN:
            first.setdefault(one.cve_id, one)
        if len(first) == SHOWN:
            break
    spread = await _spread(session, organisation_id, first)
    return [_cve(one, *spread[one.cve_id]) for one in first.values()]


async def _spread(
    session: AsyncSession, organisation_id: UUID, cve_ids: Collection[str]
) -> Mapping[str, Sequence[int]]:
    """On how many devices at how many sites each CVE is open."""
    v = Vulnerability
    rows = await session.execute(
        select(v.cve_id, func.count(), func.count(v.site_id.distinct()))
        .where(v.organisation_id == organisation_id, v.cve_id.in_(cve_ids), v.state == LifeState.OPEN)
        .group_by(v.cve_id)
    )
    return {cve_id: numbers for cve_id, *numbers in rows.all()}


def _cve(one: Vulnerability, devices: int, sites: int) -> Concern:
    where = count(devices, "device") + (f" at {count(sites, 'site')}" if sites > 1 else "")
    return Concern(
        "cve",
        one.priority,
        one.cve_id,
        str(one.address) if devices == 1 else where,
        one.reason,
        f"/cves/{one.cve_id}",
        severity=one.severity,
        score=one.score,
        kev=one.kev,
        regressed=one.regressed,
    )
