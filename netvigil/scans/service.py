"""Scans: start, stop, and the step to processing once every site has ended."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import func, select

from netvigil.errors import Conflict
from netvigil.jobs import NEWS_QUEUE, cancel, enqueue, services_of, tasks, vantage_queue
from netvigil.scans.models import Scan, ScanEvent, SiteScan
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, WHOLE, FailureKind, ScanState, SiteScanState, Trigger
from netvigil.scans.windows import end_of_windows
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.schemas import Vantage
from netvigil.sites.scope import covers
from netvigil.sites.service import get_sites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Network

    from procrastinate import JobContext
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.schedules.models import ScanSchedule
    from netvigil.sites.models import Site

SITE_SCAN_JOB = "scans.run_site_scan"
READY_JOB = "scans.make_site_scan_ready"
RECONCILE_JOB = "findings.reconcile_scan"
FREEZE_JOB = "reports.freeze_report"
NEWS_JOB = "notify.tell_of_scan"
RELEASED_PRIORITY = 1  # a site scan that a limit held back goes before those that come later
# no vowels: a random identifier that people read aloud must not spell a word
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


async def find_active_scan(session: AsyncSession, schedule_id: UUID, *, lock: bool = False) -> Scan | None:
    """The schedule's own run in progress, if any; scans on demand run beside it and do not count."""
    query = select(Scan).where(
        Scan.schedule_id == schedule_id, Scan.state.in_(ACTIVE), Scan.trigger.in_(WHOLE)
    )
    return (await session.scalars(query.with_for_update(key_share=True) if lock else query)).one_or_none()


async def start_scan(
    session: AsyncSession, schedule: ScanSchedule, trigger: Trigger, *, now: datetime
) -> Scan:
    """Create a scan of a locked schedule and enqueue its sites; raises Conflict while one is in progress."""
    if await find_active_scan(session, schedule.id) is not None:
        raise Conflict("scan_already_running", "A scan of this schedule is already running.")
    subnets: dict[UUID, list[IPv4Network]] = {}
    for target in schedule.sites:
        subnets.setdefault(target.site_id, []).append(target.subnet)
    scan = await create_scan(session, schedule, trigger, subnets, now=now)
    schedule.last_run_at = now
    await session.flush()
    return scan


async def create_scan(
    session: AsyncSession,
    schedule: ScanSchedule,
    trigger: Trigger,
    targets: Mapping[UUID, Sequence[IPv4Network]],
    *,
    now: datetime,
    around: Sequence[IPv4Network] = (),
) -> Scan:
    """A scan of these networks by site, under the schedule's thresholds, with a job for each site.

    `around`: the subnets that single addresses lie in (`SiteScan.around`).
    """
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
        max_duration_minutes=schedule.max_duration_minutes,
        started_at=now,
    )
    session.add(scan)
    await session.flush()
    sites = await get_sites(session, scan.organisation_id, targets)
    site_scans = [
        _site_scan(scan, schedule, position, sites[site_id], networks, around)
        for position, (site_id, networks) in enumerate(targets.items())
    ]
    for site_scan in site_scans:
        await _place(session, site_scan, sites[site_scan.site_id], schedule)
    session.add_all(site_scans)
    record_event(
        session, scan.id, "scan_started", f"Scan {scan.human_id} of {len(targets)} site(s): {trigger}."
    )
    await end_if_done(session, scan)  # when no site may be scanned any more
    await session.flush()
    return scan


async def enqueue_site_scan(
    session: AsyncSession, site_scan: SiteScan, *, not_before: datetime | None = None, priority: int = 0
) -> None:
    """Put a site scan into the queue of its vantage, behind any other scan of the same site.

    With `not_before` that happens then: until it, a job without the site's lock waits in its place, which any worker
    turns into the real one. The queue serves a lock in order of jobs, future ones too, so a job that waited for its
    time with the site's lock would keep back every scan of that site that is ready. A site scan that is put off
    should be `pending`: then a stop ends it at once (of a `running` one, recovery does within seconds).
    """
    if not_before is not None:
        site_scan.job_id = await enqueue(
            session, READY_JOB, schedule_at=not_before, site_scan_id=str(site_scan.id)
        )
        return
    site_scan.job_id = await enqueue(
        session,
        SITE_SCAN_JOB,
        queue=vantage_queue(site_scan.vantage),
        lock=f"site:{site_scan.organisation_id}:{site_scan.site_id}",
        priority=priority,
        site_scan_id=str(site_scan.id),
    )


@tasks.task(name=READY_JOB, pass_context=True)
async def make_site_scan_ready(context: JobContext, site_scan_id: str) -> None:
    """The time of a site scan that was put off has come: it waits for its site's lock from now on."""
    async with services_of(context).database.transaction() as session:
        wanted = UUID(site_scan_id)
        scan_id = await session.scalar(select(SiteScan.scan_id).where(SiteScan.id == wanted))
        if scan_id is None:
            return
        await lock_scan(session, scan_id)
        site_scan = await session.get_one(
            SiteScan, wanted, with_for_update={"key_share": True}, populate_existing=True
        )
        # another job may have taken this one's place meanwhile, and two would scan the site twice
        if site_scan.state in SITE_ACTIVE and site_scan.job_id == context.job.id:
            await enqueue_site_scan(session, site_scan)


async def request_stop(session: AsyncSession, schedule_id: UUID, *, now: datetime) -> Scan:
    """Ask the schedule's running scan to stop; raises Conflict when none runs.

    Sites that wait end at once; those that are probed end when their worker has killed its processes.
    """
    scan = await find_active_scan(session, schedule_id, lock=True)
    if scan is None:
        raise Conflict("no_scan_running", "No scan of this schedule is running.")
    await stop_locked(session, scan, now=now)
    return scan


async def stop_locked(session: AsyncSession, scan: Scan, *, now: datetime) -> None:
    """Ask a locked scan to stop, whatever started it; raises Conflict when it has ended."""
    if scan.state not in ACTIVE:
        raise Conflict("no_scan_running", "This scan has ended already.")
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
    before, after = ending_words(state, site_scan.site_name, error)
    words = before if after is None else f"{before}{site_scan.hosts_done}{after}"
    record_event(session, site_scan.scan_id, f"site_{state}", words, site_id=site_scan.site_id)


def ending_words(state: SiteScanState, site_name: str, error: str | None) -> tuple[str, str | None]:
    """The log's words about the end of a site scan: what stands before and after its number of hosts, if that does."""
    if state is SiteScanState.SCANNED:
        return f"{site_name}: scanned, ", " host(s)."
    if state is SiteScanState.STOPPED:
        return f"{site_name}: stopped, ", " host(s) seen so far."
    return f"{site_name}: failed. {error}", None


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
    await tell_of_scan(session, scan)


async def tell_of_scan(session: AsyncSession, scan: Scan) -> None:
    """Have the scan's notification group told, in the transaction that ends the scan."""
    await enqueue(session, NEWS_JOB, queue=NEWS_QUEUE, scan_id=str(scan.id))


def record_event(
    session: AsyncSession, scan_id: UUID, kind: str, message: str, *, site_id: UUID | None = None
) -> None:
    """One line in the scan's log."""
    session.add(ScanEvent(scan_id=scan_id, site_id=site_id, kind=kind, message=message[:2000]))


def _site_scan(
    scan: Scan,
    schedule: ScanSchedule,
    position: int,
    site: Site,
    networks: Sequence[IPv4Network],
    around: Sequence[IPv4Network],
) -> SiteScan:
    exclusions = Exclusions.from_json(site.exclusions).merge(Exclusions.from_json(schedule.exclusions))
    return SiteScan(
        id=uuid4(),
        scan_id=scan.id,
        organisation_id=scan.organisation_id,
        site_id=site.id,
        site_name=site.name,
        position=position,
        targets=list(networks),
        around=list(around),
        vantage=Vantage.model_validate(site.vantage).word(),
        profile=schedule.profile,
        exclusions=exclusions.to_json(),
        state=SiteScanState.PENDING,
        hosts_done=0,
    )


async def _place(session: AsyncSession, site_scan: SiteScan, site: Site, schedule: ScanSchedule) -> None:
    """Into the queue, now or when the window closes; or to its end at once."""
    wanted = site_scan.around or site_scan.targets
    # a person may have taken a network away since the schedule was written
    if gone := [str(network) for network in wanted if not covers(site.networks, network)]:
        error = (
            f"{', '.join(gone)} is no longer among the site's networks; someone with sites:manage can add it."
        )
        end_site_scan(session, site_scan, SiteScanState.FAILED, failure=FailureKind.FAULT, error=error)
        return
    if site.maintenance_windows or schedule.maintenance_windows:
        now = (await session.scalars(select(func.clock_timestamp()))).one()
        site_scan.paused_until = end_of_windows(site, schedule, now)
    await enqueue_site_scan(session, site_scan, not_before=site_scan.paused_until)


async def _new_human_id(session: AsyncSession, organisation_id: UUID) -> str:
    while True:
        human_id = "-".join("".join(secrets.choice(LETTERS) for _ in range(3)) for _ in range(3))
        taken = select(Scan.id).where(Scan.organisation_id == organisation_id, Scan.human_id == human_id)
        if await session.scalar(taken) is None:
            return human_id
