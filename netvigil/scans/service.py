"""Scans: start, stop, and the step to processing once every site has ended."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from netvigil.errors import Conflict
from netvigil.jobs import cancel, enqueue
from netvigil.scans.models import Scan, ScanEvent, SiteScan
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, FailureKind, ScanState, SiteScanState, Trigger
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.schemas import Vantage
from netvigil.sites.scope import covers
from netvigil.sites.service import get_site

if TYPE_CHECKING:
    from ipaddress import IPv4Network
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.schedules.models import ScanSchedule

SITE_SCAN_JOB = "scans.run_site_scan"
RECONCILE_JOB = "findings.reconcile_scan"
FREEZE_JOB = "reports.freeze_report"
# no vowels: a random identifier that people read aloud must not spell a word
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


async def find_active_scan(session: AsyncSession, schedule_id: UUID, *, lock: bool = False) -> Scan | None:
    """The schedule's scan in progress, if any."""
    query = select(Scan).where(Scan.schedule_id == schedule_id, Scan.state.in_(ACTIVE))
    return (await session.scalars(query.with_for_update(key_share=True) if lock else query)).one_or_none()


async def start_scan(
    session: AsyncSession, schedule: ScanSchedule, trigger: Trigger, *, now: datetime
) -> Scan:
    """Create a scan of a locked schedule and enqueue its sites; raises Conflict while one is in progress."""
    if await find_active_scan(session, schedule.id) is not None:
        raise Conflict("scan_already_running", "A scan of this schedule is already running.")
    scan = Scan(
        organisation_id=schedule.organisation_id,
        schedule_id=schedule.id,
        human_id=await _new_human_id(session, schedule.organisation_id),
        trigger=trigger,
        state=ScanState.PENDING,
        description=schedule.description,
        min_cvss=schedule.min_cvss,
        warning_threshold=schedule.warning_threshold,
        ignore_offline_sites=schedule.ignore_offline_sites,
        started_at=now,
    )
    session.add(scan)
    await session.flush()
    subnets: dict[UUID, list[IPv4Network]] = {}
    for target in schedule.sites:
        subnets.setdefault(target.site_id, []).append(target.subnet)
    for position, (site_id, networks) in enumerate(subnets.items()):
        await _add_site_scan(session, scan, schedule, position, site_id, networks)
    schedule.last_run_at = now
    record_event(
        session, scan.id, "scan_started", f"Scan {scan.human_id} of {len(subnets)} site(s): {trigger}."
    )
    await end_if_done(session, scan)  # when no site may be scanned any more
    await session.flush()
    return scan


async def enqueue_site_scan(session: AsyncSession, site_scan: SiteScan) -> None:
    """Put a site scan into the queue of its vantage, behind any other scan of the same site."""
    site_scan.job_id = await enqueue(
        session,
        SITE_SCAN_JOB,
        queue=f"vantage:{site_scan.vantage}",
        lock=f"site:{site_scan.organisation_id}:{site_scan.site_id}",
        site_scan_id=str(site_scan.id),
    )


async def request_stop(session: AsyncSession, schedule_id: UUID, *, now: datetime) -> Scan:
    """Ask the schedule's running scan to stop; raises Conflict when none runs.

    Sites that wait end at once; those that are probed end when their worker has killed its processes.
    """
    scan = await find_active_scan(session, schedule_id, lock=True)
    if scan is None:
        raise Conflict("no_scan_running", "No scan of this schedule is running.")
    if scan.stop_requested_at is None:
        scan.stop_requested_at = now
        record_event(session, scan.id, "stop_requested", "Someone asked to stop the scan.")
    for site_scan in await lock_site_scans(session, scan.id):
        if site_scan.state not in SITE_ACTIVE:
            continue
        if site_scan.job_id is not None:
            await cancel(session, site_scan.job_id)
        if site_scan.state == SiteScanState.PENDING:
            end_site_scan(session, site_scan, SiteScanState.STOPPED)
    await end_if_done(session, scan)
    return scan


def end_site_scan(
    session: AsyncSession,
    site_scan: SiteScan,
    state: SiteScanState,
    *,
    failure: str | None = None,
    error: str | None = None,
) -> None:
    """Give a locked site scan its final state and say so in the scan's log."""
    site_scan.state = state
    site_scan.failure = failure
    site_scan.error = error
    site_scan.finished_at = datetime.now(UTC)
    if state is SiteScanState.SCANNED:
        site_scan.percent = 100.0
    words = {
        SiteScanState.SCANNED: f"{site_scan.site_name}: scanned, {site_scan.hosts_done} host(s).",
        SiteScanState.STOPPED: f"{site_scan.site_name}: stopped, {site_scan.hosts_done} host(s) seen so far.",
        SiteScanState.FAILED: f"{site_scan.site_name}: failed. {error}",
    }
    record_event(session, site_scan.scan_id, f"site_{state}", words[state], site_id=site_scan.site_id)


async def lock_scan(session: AsyncSession, scan_id: UUID) -> Scan:
    """The scan, its row locked; always locked before its site scans, so nobody waits in a circle.

    FOR NO KEY UPDATE: a run that stores a host refers to the scan, and must not wait for us while it holds
    its site scan, which we are about to lock.
    """
    query = select(Scan).where(Scan.id == scan_id).with_for_update(key_share=True)
    query = query.execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


async def lock_site_scans(session: AsyncSession, scan_id: UUID) -> list[SiteScan]:
    """The scan's site scans in the client's order, their rows locked."""
    query = select(SiteScan).where(SiteScan.scan_id == scan_id).order_by(SiteScan.position)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return list(await session.scalars(query))


async def end_if_done(session: AsyncSession, scan: Scan) -> bool:
    """Move a locked scan on to processing when all its sites have ended; returns whether it did."""
    if scan.state not in (ScanState.PENDING, ScanState.RUNNING):
        return False
    await session.flush()
    left = select(SiteScan.id).where(SiteScan.scan_id == scan.id, SiteScan.state.in_(SITE_ACTIVE)).limit(1)
    if await session.scalar(left) is not None:
        return False
    scan.state = ScanState.PROCESSING
    scan.job_id = await enqueue(session, RECONCILE_JOB, scan_id=str(scan.id))
    record_event(session, scan.id, "processing", "All sites have ended; matching what was seen.")
    return True


async def fail_scan(session: AsyncSession, scan_id: UUID, reason: str) -> None:
    """End a scan whose results could not be worked out, so that it never hangs."""
    scan = await lock_scan(session, scan_id)
    if scan.state != ScanState.PROCESSING:
        return
    scan.state = ScanState.FAILED
    scan.error = reason
    scan.finished_at = datetime.now(UTC)
    record_event(session, scan.id, "scan_failed", reason)


def record_event(
    session: AsyncSession, scan_id: UUID, kind: str, message: str, *, site_id: UUID | None = None
) -> None:
    """One line in the scan's log."""
    session.add(ScanEvent(scan_id=scan_id, site_id=site_id, kind=kind, message=message[:2000]))


async def _add_site_scan(
    session: AsyncSession,
    scan: Scan,
    schedule: ScanSchedule,
    position: int,
    site_id: UUID,
    networks: list[IPv4Network],
) -> None:
    site = await get_site(session, scan.organisation_id, site_id)
    exclusions = Exclusions.from_json(site.exclusions).merge(Exclusions.from_json(schedule.exclusions))
    site_scan = SiteScan(
        scan_id=scan.id,
        organisation_id=scan.organisation_id,
        site_id=site_id,
        site_name=site.name,
        position=position,
        targets=networks,
        vantage=Vantage.model_validate(site.vantage).word(),
        profile=schedule.profile,
        exclusions=exclusions.to_json(),
        state=SiteScanState.PENDING,
    )
    session.add(site_scan)
    await session.flush()
    # a person may have taken a network away since the schedule was written
    if gone := [str(network) for network in networks if not covers(site.networks, network)]:
        error = (
            f"{', '.join(gone)} is no longer among the site's networks; someone with sites:manage can add it."
        )
        end_site_scan(session, site_scan, SiteScanState.FAILED, failure=FailureKind.FAULT, error=error)
        return
    await enqueue_site_scan(session, site_scan)


async def _new_human_id(session: AsyncSession, organisation_id: UUID) -> str:
    while True:
        human_id = "-".join("".join(secrets.choice(LETTERS) for _ in range(3)) for _ in range(3))
        taken = select(Scan.id).where(Scan.organisation_id == organisation_id, Scan.human_id == human_id)
        if await session.scalar(taken) is None:
            return human_id
