"""From what happened to the outbox: whom a scan or a data update is told, and what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.access.keys import load_keys
from netvigil.access.links import signed_url
from netvigil.findings.rematch import is_due
from netvigil.notify.models import NotificationGroup, NotifiedUpdate
from netvigil.notify.news import Ended, Rules, Severity, SitePart, pick
from netvigil.notify.outbox import put_message
from netvigil.notify.payload import freeze
from netvigil.notify.queries import changes_of_scan, changes_of_updates, details_of, newest_update
from netvigil.notify.service import find_group
from netvigil.notify.wording import Occasion, word
from netvigil.scans.models import Scan
from netvigil.scans.states import ACTIVE, FailureKind, ScanState, SiteScanState
from netvigil.schedules.models import ScanSchedule

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.notify.news import ChangeSeen
    from netvigil.settings import Settings


async def tell_of_scan(session: AsyncSession, settings: Settings, scan_id: UUID) -> int:
    """Put the news of an ended scan in the outbox; returns for how many receivers. Doing it twice changes nothing."""
    scan = await session.get(Scan, scan_id)
    if scan is None or scan.state in ACTIVE or scan.schedule_id is None:
        return 0
    schedule = await session.get(ScanSchedule, scan.schedule_id)
    group = schedule and await find_group(session, scan.organisation_id, schedule.notification_group)
    if not group or group.is_muted(datetime.now(UTC)):
        return 0
    occasion = Occasion(
        title=scan.description, link=_report_link(settings, scan), state=scan.state, error=scan.error
    )
    changes = await changes_of_scan(session, scan)
    return await _tell(session, group, f"scan:{scan.id}", changes, occasion, scan)


async def is_update_untold(session: AsyncSession) -> bool:
    """Whether a finished data update has changes that nobody has been told of."""
    return await newest_update(session) > await _told_upto(session) and not await is_due(session)


async def tell_of_update(session: AsyncSession) -> int:
    """Put the news of data updates since the last time in the outbox; returns for how many receivers."""
    await session.execute(
        insert(NotifiedUpdate)
        .values(id=1, event_id=0)
        .on_conflict_do_nothing(index_elements=[NotifiedUpdate.id])
    )
    mark = (
        await session.scalars(select(NotifiedUpdate).where(NotifiedUpdate.id == 1).with_for_update())
    ).one()
    upto = await newest_update(session)
    # asked after the newest change is known: an update that is still under way would have more, and one message is enough
    if upto <= mark.event_id or await is_due(session):
        return 0
    number = 0
    for addressed, changes in (await changes_of_updates(session, mark.event_id, upto)).items():
        group = await find_group(session, addressed.organisation_id, addressed.group_name)
        if group is None or group.is_muted(datetime.now(UTC)):
            continue
        occasion = Occasion(title=None)
        number += await _tell(session, group, f"update:{upto}", changes, occasion, None)
    mark.event_id = upto
    return number


async def _tell(
    session: AsyncSession,
    group: NotificationGroup,
    about: str,
    changes: list[ChangeSeen],
    occasion: Occasion,
    scan: Scan | None,
) -> int:
    news = pick(changes, _rules(group), _ended(scan) if scan else None)
    if news is None:
        return 0
    details = await details_of(session, {one.vulnerability_id for one in (*news.top, *news.better)})
    content = freeze(
        group,
        word(news, occasion, details),
        event="scan.ended" if scan else "data.updated",
        news=news,
        details=details,
        scan=scan,
    )
    return await put_message(session, group, about, content)


def _rules(group: NotificationGroup) -> Rules:
    return Rules(
        min_severity=Severity(group.min_severity),
        kev_always=group.kev_always,
        only_news=group.only_news,
        sites=frozenset(UUID(site) for site in group.sites),
    )


def _ended(scan: Scan) -> Ended:
    parts = tuple(
        SitePart(
            site_id=site.site_id,
            name=site.site_name,
            failed=site.state == SiteScanState.FAILED,
            offline=site.failure == FailureKind.OFFLINE,
            reason=site.error,
        )
        for site in scan.sites
    )
    return Ended(
        failed=scan.state == ScanState.FAILED, sites=parts, offline_is_usual=scan.ignore_offline_sites
    )


async def _told_upto(session: AsyncSession) -> int:
    return await session.scalar(select(NotifiedUpdate.event_id)) or 0


def _report_link(settings: Settings, scan: Scan) -> str | None:
    """The report as PDF, signed: whoever reads mail on a phone has no token. It is made in the seconds after the scan.

    None without a public URL, for a job knows of no request whose address it could take.
    """
    if settings.public_url is None:
        return None
    path = f"/downloads/scans/{scan.id}/report.pdf"
    key = load_keys(settings.keys_dir).link
    return signed_url(settings.public_url.rstrip("/"), path, key=key, ttl=settings.link_ttl)
