"""Site scans that wait: for a worker that reaches their vantage, or for others of a limited number to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select, text

from netvigil.jobs import cancel, list_unreached
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.service import (
    RELEASED_PRIORITY,
    end_if_done,
    end_site_scan,
    enqueue_site_scan,
    lock_scan,
    record_event,
)
from netvigil.scans.states import SITE_ACTIVE, FailureKind, SiteScanState

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.settings import Settings

log = structlog.get_logger(__name__)
RELEASED_A_TURN = 200
_LIMITS_LOCK = 7226002

_ROOM = text("""
WITH running AS (SELECT organisation_id, count(*) AS n FROM site_scan
                 WHERE state = 'running' AND id <> :id GROUP BY 1)
SELECT coalesce((SELECT n FROM running WHERE organisation_id = :organisation_id), 0),
       coalesce((SELECT sum(n) FROM running), 0),
       EXISTS (SELECT FROM site_scan p LEFT JOIN running r USING (organisation_id)
               WHERE p.held_back_at IS NOT NULL AND p.job_id IS NULL
                 AND (:per_organisation = 0 OR coalesce(r.n, 0) < :per_organisation)
                 AND (:overall > 0 OR p.organisation_id = :organisation_id))""")
# Who was let go and has not begun counts too, or each turn would let go as many again.
_NEXT = text("""
WITH used AS (
  SELECT organisation_id, count(*) AS n FROM site_scan
  WHERE state = 'running'
     OR (state = 'pending' AND held_back_at IS NOT NULL AND job_id IS NOT NULL AND unreached_since IS NULL)
  GROUP BY 1)
SELECT p.id FROM site_scan p LEFT JOIN used u USING (organisation_id)
WHERE p.held_back_at IS NOT NULL AND p.job_id IS NULL AND p.state = 'pending'
  AND (:per_organisation = 0 OR coalesce(u.n, 0) < :per_organisation)
  AND (:overall = 0 OR coalesce((SELECT sum(n) FROM used), 0) < :overall)
ORDER BY p.held_back_at, p.id LIMIT 1 FOR NO KEY UPDATE OF p SKIP LOCKED""")
_HELD_BACK = text("SELECT EXISTS (SELECT FROM site_scan WHERE held_back_at IS NOT NULL AND job_id IS NULL)")
_LONG_UNREACHED = text("""
SELECT id FROM site_scan WHERE state IN ('pending', 'running')
  AND unreached_since < clock_timestamp() - make_interval(secs => :patience)""")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many site scans may run at a time, on all workers together; 0 is no limit."""

    per_organisation: int = 0
    overall: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits in the settings."""
        return cls(settings.site_scans_per_organisation, settings.site_scans_overall)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self.per_organisation > 0 or self.overall > 0


async def find_obstacle(
    session: AsyncSession, limits: Limits, site_scan: SiteScan, *, released: bool
) -> str | None:
    """What keeps a site scan from running, in words; None when it may run.

    Until the transaction ends nobody else decides, so that two cannot both be the last that fits. One that was
    not held back yet lets those go first that were.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LIMITS_LOCK})
    values = {
        "id": site_scan.id,
        "organisation_id": site_scan.organisation_id,
        "per_organisation": limits.per_organisation,
        "overall": limits.overall,
    }
    own, all_together, others_first = (await session.execute(_ROOM, values)).one()
    if 0 < limits.per_organisation <= own:
        return f"{own} site scans of this organisation run already, as many as may"
    if 0 < limits.overall <= all_together:
        return f"{all_together} site scans run already, as many as may"
    if others_first and not released:
        return "other site scans have waited for longer"
    return None


async def hold_back(session: AsyncSession, site_scan: SiteScan, obstacle: str) -> None:
    """Let a locked site scan wait without a job until `release` gives it one; its turn is that of its first wait."""
    if site_scan.held_back_at is None:
        site_scan.held_back_at = (await session.scalars(select(func.clock_timestamp()))).one()
        words = f"{site_scan.site_name}: waits, for {obstacle}."
        record_event(session, site_scan.scan_id, "site_waiting", words, site_id=site_scan.site_id)
    site_scan.state = SiteScanState.PENDING
    site_scan.stage = None
    site_scan.job_id = None
    await session.flush()


async def release(session: AsyncSession, limits: Limits) -> bool:
    """Give the site scan that was held back for longest a job, if the limits allow one more; returns whether.

    Its row may be locked by others: then it is not its turn, for nobody here may wait who has locked a scan.
    """
    values = {"per_organisation": limits.per_organisation, "overall": limits.overall}
    found = await session.scalar(_NEXT, values)
    if found is None:
        return False
    site_scan = await session.get_one(SiteScan, found, populate_existing=True)
    await enqueue_site_scan(session, site_scan, priority=RELEASED_PRIORITY)
    await session.flush()
    return True


async def is_anyone_held_back(database: Database) -> bool:
    """Whether a site scan waits for `release`; without limits only one that a former setting held back."""
    async with database.reading() as session:
        return bool(await session.scalar(_HELD_BACK))


async def release_all(database: Database, limits: Limits) -> None:
    """Release whatever the limits allow: a run may have ended without saying so, or a limit have changed."""
    for _ in range(RELEASED_A_TURN):
        async with database.transaction() as session:
            if not await release(session, limits):
                return


async def list_active_vantages(session: AsyncSession) -> list[str]:
    """The vantages of all site scans that wait or run."""
    query = select(SiteScan.vantage).where(SiteScan.state.in_(SITE_ACTIVE)).distinct()
    return list(await session.scalars(query))


async def watch_vantages(database: Database, settings: Settings) -> None:
    """Note which site scans no living worker can take, and fail those that wait for one for too long."""
    async with database.transaction() as session:
        words = await list_active_vantages(session)
        if not words:
            return
        unreached = await list_unreached(session, words, settings.worker_dead_after)
        await _note_unreached(session, unreached)
        values = {"patience": settings.vantage_patience}
        overdue = list(await session.scalars(_LONG_UNREACHED, values))
    for site_scan_id in overdue:
        async with database.transaction() as session:
            await _give_up(session, site_scan_id, settings)


async def _note_unreached(session: AsyncSession, unreached: set[str]) -> None:
    """Who waits without need is noted as such, and no longer when a worker is back; rows in use are left for later."""
    waiting = SiteScan.paused_until.is_(None) | (SiteScan.paused_until <= func.clock_timestamp())
    note = SiteScan.vantage.in_(unreached) & SiteScan.unreached_since.is_(None) & waiting
    wrong = SiteScan.unreached_since.is_not(None) & SiteScan.vantage.not_in(unreached)
    query = select(SiteScan).where(SiteScan.state.in_(SITE_ACTIVE), note | wrong)
    for site_scan in await session.scalars(query.with_for_update(key_share=True, skip_locked=True)):
        if site_scan.unreached_since is not None:
            site_scan.unreached_since = None
            continue
        site_scan.unreached_since = (await session.scalars(select(func.clock_timestamp()))).one()
        words = f"{site_scan.site_name}: waits; {_wanted(site_scan.vantage)}"
        record_event(session, site_scan.scan_id, "site_waiting", words, site_id=site_scan.site_id)


async def _give_up(session: AsyncSession, site_scan_id: UUID, settings: Settings) -> None:
    scan_id = await session.scalar(select(SiteScan.scan_id).where(SiteScan.id == site_scan_id))
    if scan_id is None:
        return
    scan = await lock_scan(session, scan_id)
    site_scan = await session.get_one(
        SiteScan, site_scan_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if site_scan.state not in SITE_ACTIVE or site_scan.unreached_since is None:
        return
    minutes = settings.vantage_patience / 60
    error = f"After {minutes:.0f} minutes of waiting {_wanted(site_scan.vantage)}"
    if minutes < 1:
        error = f"After {settings.vantage_patience:.0f} seconds of waiting {_wanted(site_scan.vantage)}"
    log.warning("no worker reaches the vantage", scan_id=str(scan_id), vantage=site_scan.vantage)
    if site_scan.job_id is not None:
        await cancel(session, site_scan.job_id)
    end_site_scan(session, site_scan, SiteScanState.FAILED, failure=FailureKind.NO_WORKER, error=error)
    await end_if_done(session, scan)


def describe_obstacles(scan: Scan) -> str | None:
    """Why sites of the scan wait that no window keeps, in a sentence; None when none does."""
    waiting = [site for site in scan.sites if site.state in SITE_ACTIVE]
    unreached = sorted({site.vantage for site in waiting if site.unreached_since is not None})
    if unreached:
        return _first_upper(" ".join(_wanted(word) for word in unreached[:3]))
    held = sum(site.state == SiteScanState.PENDING and site.held_back_at is not None for site in waiting)
    if held:
        return f"{held} of {len(scan.sites)} site(s) wait, for as many site scans run as may."
    return None


def _wanted(vantage: str) -> str:
    return (
        f"no running worker reaches the vantage {vantage}: start one where it is, with "
        f"'netvigil worker --vantage {vantage}'."
    )


def _first_upper(words: str) -> str:
    return words[:1].upper() + words[1:]
