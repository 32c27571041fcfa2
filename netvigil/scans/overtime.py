"""Ending scans that last longer than their schedule allows, and those whose worker does not obey a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, or_, select

from netvigil.jobs import cancel
from netvigil.scans.models import Scan
from netvigil.scans.service import end_if_done, end_site_scan, lock_scan, lock_site_scans, record_event
from netvigil.scans.states import SITE_ACTIVE, ScanState, SiteScanState

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
OBEYING_SECONDS = 10.0
"""How long a worker may take to obey a stop; then its site ends without it, and what it writes later is refused."""
OVERTIME = "The scan was ended after its longest duration of {minutes} minutes."


async def end_overtime(database: Database) -> None:
    """Stop every scan that is over its longest duration, and end what should have stopped long ago.

    A scan's time runs from `started_at`, pauses and waiting included, by the database's clock. What was seen is kept
    and reported. Safe to be called from any number of processes at once.
    """
    async with database.session() as session:
        query = select(Scan.id).where(
            Scan.state.in_((ScanState.PENDING, ScanState.RUNNING)), or_(_too_long(), _disobeyed())
        )
        found = list(await session.scalars(query))
    for scan_id in found:
        async with database.transaction() as session:
            await _end(session, scan_id)


async def _end(session: AsyncSession, scan_id: UUID) -> None:
    scan = await lock_scan(session, scan_id)
    too_long, disobeyed = (
        await session.execute(select(_too_long(), _disobeyed()).where(Scan.id == scan_id))
    ).one()
    if scan.state not in {ScanState.PENDING, ScanState.RUNNING} or not (too_long or disobeyed):
        return
    if too_long:
        scan.stop_requested_at = (await session.scalars(select(func.clock_timestamp()))).one()
        scan.error = OVERTIME.format(minutes=scan.max_duration_minutes)
        record_event(session, scan_id, "overtime", scan.error)
        log.warning("scan ended after its longest duration", scan_id=str(scan_id))
    for site_scan in await lock_site_scans(session, scan_id):
        if site_scan.state not in SITE_ACTIVE:
            continue
        if site_scan.job_id is not None:
            await cancel(session, site_scan.job_id)
        if site_scan.state == SiteScanState.PENDING or disobeyed:
            end_site_scan(session, site_scan, SiteScanState.STOPPED)
            if disobeyed:
                log.warning("a worker did not obey a stop", scan_id=str(scan_id), site=site_scan.site_name)
    await end_if_done(session, scan)


def _too_long() -> ColumnElement[bool]:
    length = func.make_interval(0, 0, 0, 0, 0, Scan.max_duration_minutes)
    too_long: ColumnElement[bool] = Scan.started_at + length <= func.clock_timestamp()
    return Scan.stop_requested_at.is_(None) & Scan.max_duration_minutes.is_not(None) & too_long


def _disobeyed() -> ColumnElement[bool]:
    patience = func.make_interval(0, 0, 0, 0, 0, 0, OBEYING_SECONDS)
    long_ago: ColumnElement[bool] = Scan.stop_requested_at + patience <= func.clock_timestamp()
    return Scan.stop_requested_at.is_not(None) & long_ago
