"""Whether a maintenance window keeps a site scan from going on, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from netvigil.scans.models import Scan, SiteScan
from netvigil.schedules.models import ScanSchedule
from netvigil.sites.models import Site
from netvigil.sites.schemas import SITE_ZONE
from netvigil.sites.windows import find_end, read_windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


class InWindow(Exception):
    """A maintenance window is open, until the moment given."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"a maintenance window is open until {until.isoformat()}")
        self.until = until


async def find_window_end(session: AsyncSession, site_scan_id: UUID) -> datetime | None:
    """When the window that keeps a site scan from going on ends, in UTC; None when it may go on.

    The windows of the site and of the schedule count as they are now, not as they were when the scan started, and
    the time is the database's: the one clock that all workers share.
    """
    same_site = and_(Site.organisation_id == SiteScan.organisation_id, Site.id == SiteScan.site_id)
    query = (
        select(
            Site.maintenance_windows,
            ScanSchedule.maintenance_windows,
            ScanSchedule.timezone,
            func.clock_timestamp(),
        )
        .select_from(SiteScan)
        .join(Scan, Scan.id == SiteScan.scan_id)
        .outerjoin(ScanSchedule, ScanSchedule.id == Scan.schedule_id)
        .outerjoin(Site, same_site)
        .where(SiteScan.id == site_scan_id)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    of_site, of_schedule, zone, now = row
    return _end_of(of_site or (), of_schedule or (), zone or SITE_ZONE, now)


def end_of_windows(site: Site, schedule: ScanSchedule, now: datetime) -> datetime | None:
    """The same for a site scan that is about to be written."""
    return _end_of(site.maintenance_windows, schedule.maintenance_windows, schedule.timezone, now)


def _end_of(of_site: Sequence[Any], of_schedule: Sequence[Any], zone: str, now: datetime) -> datetime | None:
    if not (of_site or of_schedule):
        return None
    windows = read_windows(of_site, SITE_ZONE) + read_windows(of_schedule, zone)
    return find_end(windows, now, SITE_ZONE)
