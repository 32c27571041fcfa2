"""What the overview shows beside what needs attention: counts, their history, running scans, sites."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Date, cast, func, select, text

from netvigil.findings.life_models import Vulnerability, VulnerabilityEvent
from netvigil.findings.states import LifeState
from netvigil.scans.models import Scan
from netvigil.scans.states import ACTIVE
from netvigil.sites.models import Site
from netvigil.web.chart import Day, Step, open_by_day
from netvigil.web.words import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

DAYS_MOST: Final = 90
DAYS_LEAST: Final = 14
SITES_SHOWN: Final = 12
RUNNING_SHOWN: Final = 10

_LAST_LOOKS = text("""
SELECT w.site_id, l.state, l.error, l.finished_at, l.human_id
FROM unnest(CAST(:sites AS uuid[])) AS w (site_id) CROSS JOIN LATERAL (
  SELECT p.state, p.error, p.finished_at, c.human_id FROM site_scan p JOIN scan c ON c.id = p.scan_id
  WHERE p.organisation_id = :organisation_id AND p.site_id = w.site_id AND p.finished_at IS NOT NULL
  ORDER BY p.finished_at DESC LIMIT 1) l""")

# Of each engine and organisation: the last day that is settled, and the steps until then.
_SETTLED: WeakKeyDictionary[object, dict[UUID, tuple[date, list[Step]]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class OpenNow:
    """Open findings of the organisation or of one site: how many of each severity, and how many known to be exploited."""

    by_severity: Mapping[str, int]
    exploited: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_severity.values())


@dataclass(frozen=True, slots=True)
class SiteNow:
    """A site with what is open there, and its last look (`state`, `error`, `finished_at`, `human_id`), None before the first."""

    site: Site
    open: OpenNow
    last: Any


NOTHING = OpenNow({}, 0)


async def count_open(session: AsyncSession, organisation_id: UUID) -> tuple[OpenNow, dict[UUID, OpenNow]]:
    """What is open now, decided or not: all of it, and by site."""
    v = Vulnerability
    rows = await session.execute(
        select(v.site_id, v.severity, func.count(), func.count().filter(v.kev))
        .where(v.organisation_id == organisation_id, v.state == LifeState.OPEN)
        .group_by(v.site_id, v.severity)
    )
    everywhere: Counter[str] = Counter()
    by_site: dict[UUID, Counter[str]] = defaultdict(Counter)
    exploited: Counter[UUID] = Counter()
    for site_id, severity, number, known in rows.all():
        everywhere[severity] += number
        by_site[site_id][severity] += number
        exploited[site_id] += known
    sites = {site_id: OpenNow(numbers, exploited[site_id]) for site_id, numbers in by_site.items()}
    return OpenNow(everywhere, exploited.total()), sites


async def read_days(
    session: AsyncSession, organisation_id: UUID, now: Mapping[str, int], until: date
) -> list[Day]:
    """The last days, as many as there is history, at least DAYS_LEAST and at most DAYS_MOST.

    Days before yesterday are counted once: what happened then does not change any more.
    """
    settled = until - timedelta(days=2)
    known = _SETTLED.setdefault(session.get_bind(), {})
    if organisation_id not in known or known[organisation_id][0] != settled:
        oldest = until - timedelta(days=DAYS_MOST - 1)
        known[organisation_id] = settled, await _steps(session, organisation_id, oldest, settled)
    recent = await _steps(session, organisation_id, settled + timedelta(days=1), None)
    steps = [*known[organisation_id][1], *recent]
    first = min((one.day for one in steps), default=until)
    days = min(DAYS_MOST, max(DAYS_LEAST, (until - first).days + 2))
    return open_by_day(now, steps, until, days)


async def _steps(session: AsyncSession, organisation_id: UUID, since: date, until: date | None) -> list[Step]:
    """What happened from the start of one day (UTC) to the end of another, or until now."""
    e = VulnerabilityEvent
    day = cast(func.timezone("UTC", e.at), Date)
    query = select(day, e.change, e.severity, func.count()).where(
        e.organisation_id == organisation_id, e.at >= datetime.combine(since, time(), UTC)
    )
    if until is not None:
        query = query.where(e.at < datetime.combine(until + timedelta(days=1), time(), UTC))
    rows = await session.execute(query.group_by(day, e.change, e.severity))
    return [Step(*row) for row in rows.all()]


async def list_running(session: AsyncSession, organisation_id: UUID) -> Sequence[Scan]:
    """Scans in progress, the newest first."""
    query = select(Scan).where(Scan.organisation_id == organisation_id, Scan.state.in_(ACTIVE))
    return (await session.scalars(query.order_by(Scan.created_at.desc()).limit(RUNNING_SHOWN))).all()


async def list_worst_sites(
    session: AsyncSession, organisation_id: UUID, open_there: Mapping[UUID, OpenNow]
) -> tuple[list[SiteNow], int]:
    """The first sites in order of trouble, and how many there are: offline ones, then those with the worst findings."""
    query = select(Site.id, Site.name, Site.online).where(Site.organisation_id == organisation_id)
    rows = (await session.execute(query)).all()

    def trouble(row: Any) -> tuple[Any, ...]:
        here = open_there.get(row.id, NOTHING)
        counts = [-here.by_severity.get(severity, 0) for severity in SEVERITIES]
        return row.online is not False, -here.exploited, *counts, row.name, row.id

    first = [row.id for row in sorted(rows, key=trouble)[:SITES_SHOWN]]
    found = await session.scalars(
        select(Site).where(Site.organisation_id == organisation_id, Site.id.in_(first))
    )
    sites = {site.id: site for site in found}
    looks = await session.execute(_LAST_LOOKS, {"organisation_id": organisation_id, "sites": first})
    last = {row.site_id: row for row in looks}
    shown = [
        SiteNow(sites[one], open_there.get(one, NOTHING), last.get(one)) for one in first if one in sites
    ]
    return shown, len(rows)
