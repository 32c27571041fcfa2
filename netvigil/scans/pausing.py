"""Site scans that wait for the end of a maintenance window: put off before they begin, or paused between stages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from netvigil.access.wire import utc_text
from netvigil.errors import Superseded
from netvigil.jobs import cancel
from netvigil.probing.progress import Stage
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.patience import FAULTS, passes
from netvigil.scans.service import enqueue_site_scan, lock_scan, record_event
from netvigil.scans.states import SITE_ACTIVE, SiteScanState
from netvigil.scans.windows import InWindow, find_window_end

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.scans.run import Run

STAGE_PATIENCE = 60.0
"""Seconds that a stage may go on in a window to come to its end; longer ones are broken off and done again."""


@dataclass(slots=True)
class WindowWatch:
    """Looks, while a site is probed, whether a window has opened."""

    database: Database
    run: Run
    patience: float = STAGE_PATIENCE
    _stage: str = ""
    _since: float | None = None

    async def look(self, stage: str) -> None:
        """Raise InWindow at the end of a stage, after a finished host, or when a stage takes too long to end."""
        between = stage != self._stage or stage == Stage.IDENTIFY
        self._stage = stage
        if stage == Stage.DONE:
            return
        try:
            async with self.database.reading() as session:
                until = await find_window_end(session, self.run.site_scan_id)
        except FAULTS as error:
            if not passes(error):
                raise
            return  # while the database is away nobody can open a window
        if until is None:
            self._since = None
            return
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if between or now - self._since > self.patience:
            raise InWindow(until)


async def put_off(database: Database, site_scan_id: UUID, job_id: int | None) -> bool:
    """Before a site scan's job begins: put it off when a window is open; returns whether the job has to leave."""
    async with database.reading() as session:
        if await find_window_end(session, site_scan_id) is None:
            return False
    async with database.transaction() as session:
        scan, site_scan = await _lock(session, site_scan_id)
        until = await find_window_end(session, site_scan_id)
        if until is None or scan.stop_requested_at is not None or site_scan.state not in SITE_ACTIVE:
            return False  # the run itself knows what to do then
        # a dead worker's job that came back although its site scan waits already must not wait beside it
        if site_scan.job_id == job_id:
            await _wait(session, site_scan, until)
        return True


async def pause(session: AsyncSession, run: Run, until: datetime) -> None:
    """Let a running attempt leave until the window ends; raises Superseded when it is not the newest any more.

    What it recorded is kept, and the next attempt probes only what is missing. A stop that was requested meanwhile
    wins: then nothing is planned, and the site scan ends here.
    """
    scan, site_scan = await _lock(session, run.site_scan_id)
    if site_scan.attempt != run.attempt or site_scan.state != SiteScanState.RUNNING:
        raise Superseded(f"attempt {run.attempt} of site scan {run.site_scan_id} is over")
    if scan.stop_requested_at is not None:
        raise StopWins
    await _wait(session, site_scan, until)


class StopWins(Exception):
    """Someone asked to stop the scan that was about to pause."""


async def reconsider(session: AsyncSession, *, site_id: UUID | None, schedule_id: UUID | None) -> None:
    """After windows were edited: let the site scans that wait for one of this site or schedule wait as it says now."""
    waiting = select(SiteScan.id).join(Scan, Scan.id == SiteScan.scan_id)
    waiting = waiting.where(SiteScan.state == SiteScanState.PENDING, SiteScan.paused_until.is_not(None))
    if site_id is not None:
        waiting = waiting.where(SiteScan.site_id == site_id)
    if schedule_id is not None:
        waiting = waiting.where(Scan.schedule_id == schedule_id)
    for site_scan_id in list(await session.scalars(waiting)):
        scan, site_scan = await _lock(session, site_scan_id)
        until = await find_window_end(session, site_scan_id)
        still = site_scan.state == SiteScanState.PENDING and scan.stop_requested_at is None
        if not still or site_scan.paused_until in {None, until}:
            continue
        if site_scan.job_id is not None:
            await cancel(session, site_scan.job_id)
        if until is not None:
            await _wait(session, site_scan, until)
        else:
            site_scan.paused_until = None
            await enqueue_site_scan(session, site_scan)


def describe_waiting(scan: Scan, now: datetime) -> str | None:
    """Until when sites of the scan wait for their windows to end, in a sentence; None when none does."""
    waiting = [
        site.paused_until
        for site in scan.sites
        if site.state == SiteScanState.PENDING and site.paused_until is not None and site.paused_until > now
    ]
    if not waiting:
        return None
    if len(waiting) == len(scan.sites):
        return f"The scan waits for a maintenance window to end, until {utc_text(min(waiting))}."
    return (
        f"{len(waiting)} of {len(scan.sites)} site(s) wait for a maintenance window to end, "
        f"the first until {utc_text(min(waiting))}."
    )


async def _lock(session: AsyncSession, site_scan_id: UUID) -> tuple[Scan, SiteScan]:
    """The rows of the scan and of the site scan, locked in the order that everybody keeps."""
    scan_id = (await session.scalars(select(SiteScan.scan_id).where(SiteScan.id == site_scan_id))).one()
    scan = await lock_scan(session, scan_id)
    site_scan = await session.get_one(
        SiteScan, site_scan_id, with_for_update={"key_share": True}, populate_existing=True
    )
    return scan, site_scan


async def _wait(session: AsyncSession, site_scan: SiteScan, until: datetime) -> None:
    site_scan.state = SiteScanState.PENDING
    site_scan.stage = None
    site_scan.paused_until = until
    site_scan.held_back_at = None  # whoever was let go by a limit and has not begun counts against it
    await enqueue_site_scan(session, site_scan, not_before=until)
    record_event(
        session,
        site_scan.scan_id,
        "site_paused",
        f"{site_scan.site_name}: a maintenance window is open; waits until {utc_text(until)}.",
        site_id=site_scan.site_id,
    )
