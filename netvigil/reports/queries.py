"""Scans as reports and statuses: from rows to the contract's documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, and_, any_, bindparam, distinct, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from netvigil.access.links import signed_url
from netvigil.access.validation import path_id
from netvigil.errors import NotFound
from netvigil.inventory.models import Host, Service
from netvigil.reports.pdf.service import have_pdf
from netvigil.reports.schemas import Numbers, ScanReport, ScanStatus
from netvigil.reports.wording import duration_in_words
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.pausing import describe_waiting
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, WHOLE, ScanState, SiteScanState, Trigger
from netvigil.scans.waiting import describe_obstacles
from netvigil.schedules.activity import Activity, ScheduleStatus

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

HUMAN_ID_LENGTH = len("ABC-DEF-GHI")
SITE_ENDED_SHARE = 95.0  # percent of a scan that its sites are; matching and reporting are the rest


@dataclass(frozen=True, slots=True)
class Links:
    """How links of this answer are made: base URL, HMAC key, seconds they are good for."""

    base: str
    key: bytes
    ttl: float

    def to(self, scan: Scan, name: str) -> str:
        """A signed link to one of the scan's documents."""
        return signed_url(self.base, f"/downloads/scans/{scan.id}/{name}", key=self.key, ttl=self.ttl)


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which reports a list shows; None means any."""

    schedule_id: UUID | None = None
    site_id: UUID | None = None
    state: ScanState | None = None
    since: datetime | None = None
    until: datetime | None = None


async def get_scan(session: AsyncSession, organisation_id: UUID, name: str) -> Scan:
    """The organisation's scan by its UUID or its human id; raises NotFound."""
    query = select(Scan).where(Scan.organisation_id == organisation_id)
    if len(name) == HUMAN_ID_LENGTH and "\0" not in name:
        scan = await session.scalar(query.where(Scan.human_id == name.upper()))
    else:
        scan = await session.scalar(query.where(Scan.id == path_id(name, "scan")))
    if scan is None:
        raise _no_scan(name)
    return scan


async def list_scans(
    session: AsyncSession,
    organisation_id: UUID,
    only: ReportFilter,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> list[Scan]:
    """Newest first, one more than `limit` when there are more."""
    query = select(Scan).where(Scan.organisation_id == organisation_id)
    if only.schedule_id is not None:
        query = query.where(Scan.schedule_id == only.schedule_id)
    if only.site_id is not None:
        query = query.where(Scan.id.in_(select(SiteScan.scan_id).where(SiteScan.site_id == only.site_id)))
    if only.state is not None:
        query = query.where(Scan.state == only.state)
    if only.since is not None:
        query = query.where(Scan.started_at >= only.since)
    if only.until is not None:
        query = query.where(Scan.started_at < only.until)
    if before is not None:
        query = query.where(tuple_(Scan.created_at, Scan.id) < before)
    return list(
        await session.scalars(query.order_by(Scan.created_at.desc(), Scan.id.desc()).limit(limit + 1))
    )


async def build_reports(session: AsyncSession, scans: Collection[Scan], links: Links) -> list[ScanReport]:
    """The scans as ScanReports; running ones count what has been seen so far."""
    unfinished = [scan.id for scan in scans if scan.summary is None]
    seen = await _seen_so_far(session, unfinished) if unfinished else {}
    with_pdf = await have_pdf(session, [scan.id for scan in scans if scan.state not in ACTIVE])
    now = datetime.now(UTC)
    return [
        _report(
            scan, Numbers(**(scan.summary or seen.get(scan.id, {}))), links, now, has_pdf=scan.id in with_pdf
        )
        for scan in scans
    ]


async def find_latest_scan(session: AsyncSession, organisation_id: UUID, schedule_id: UUID) -> Scan | None:
    """The newest run of a schedule, running or not; scans on demand are no runs of it."""
    return await session.scalar(
        select(Scan)
        .where(
            Scan.organisation_id == organisation_id,
            Scan.schedule_id == schedule_id,
            Scan.trigger.in_(WHOLE),
        )
        .order_by(Scan.created_at.desc(), Scan.id.desc())
        .limit(1)
    )


def build_status(scan: Scan) -> ScanStatus:
    """How far the scan is."""
    ended = [site for site in scan.sites if site.state not in SITE_ACTIVE]
    failed = [site for site in ended if site.state == SiteScanState.FAILED]
    return ScanStatus(
        scan_id=scan.human_id,
        id=scan.id,
        status=_status_word(scan),
        targets=[site.site_id for site in scan.sites],
        scanned=[site.site_id for site in ended],
        failed=[site.site_id for site in failed],
        errors={site.site_id: site.error or "" for site in failed},
        percentage_done=percentage_done(scan),
        started_at=scan.started_at,
        finished_at=scan.finished_at,
        message=_message(scan, len(ended)),
    )


async def read_activity(
    session: AsyncSession, schedule_ids: Collection[UUID], links: Links
) -> dict[UUID, Activity]:
    """What schedules show of their scans; at most two scans a schedule are read."""
    if not schedule_ids:
        return {}
    of_these = Scan.schedule_id == any_(bindparam("schedule_ids", list(schedule_ids), ARRAY(Uuid)))
    newest = (
        select(Scan.id)
        .where(of_these, Scan.state.not_in(ACTIVE), Scan.trigger.in_(WHOLE))
        .ext(distinct_on(Scan.schedule_id))
        .order_by(Scan.schedule_id, Scan.created_at.desc())
    )
    running = and_(of_these, Scan.state.in_(ACTIVE), Scan.trigger.in_(WHOLE))
    scans = list(await session.scalars(select(Scan).where(or_(running, Scan.id.in_(newest)))))
    active = [scan for scan in scans if scan.state in ACTIVE]
    finished = [scan for scan in scans if scan.state not in ACTIVE]
    reports = await build_reports(session, finished, links)
    latest = {report.scan_schedule_id: report.model_dump(mode="json") for report in reports}
    status = {scan.schedule_id: _schedule_status(scan) for scan in active}
    return {
        schedule_id: Activity(status.get(schedule_id, ScheduleStatus.READY), latest.get(schedule_id))
        for schedule_id in schedule_ids
    }


def percentage_done(scan: Scan) -> float:
    """0 to 100; a scan whose sites have ended but that is still being reported is short of 100."""
    if scan.state not in ACTIVE:
        return 100.0
    if not scan.sites:
        return 0.0
    shares = [100.0 if site.state not in SITE_ACTIVE else site.percent for site in scan.sites]
    return round(sum(shares) / len(shares) * SITE_ENDED_SHARE / 100, 1)


def _report(scan: Scan, numbers: Numbers, links: Links, now: datetime, *, has_pdf: bool) -> ScanReport:
    ended = scan.state not in ACTIVE
    seconds = ((scan.finished_at or now) - scan.started_at).total_seconds()
    by_site = sum(
        ((site.finished_at or now) - site.started_at).total_seconds()
        for site in scan.sites
        if site.started_at
    )
    failed = sum(site.state == SiteScanState.FAILED for site in scan.sites)
    return ScanReport(
        **numbers.model_dump(),
        id=scan.id,
        scan_schedule_id=scan.schedule_id,
        scan_id=scan.human_id,
        targets=len(scan.sites),
        target_sites=[site.site_id for site in scan.sites],
        started_at=scan.started_at,
        finished_at=scan.finished_at,
        runtime=duration_in_words(seconds),
        running=not ended,
        state=ScanState(scan.state),
        duration_cumulative=round(by_site / 60, 2),
        duration_absolute=round(seconds / 60, 2),
        percentage_done=percentage_done(scan),
        percentage_failed=round(100 * failed / len(scan.sites), 1) if scan.sites else 0.0,
        json_url=links.to(scan, "report.json") if ended else None,
        pdf_url=links.to(scan, "report.pdf") if has_pdf else None,
        log_url=links.to(scan, "log.txt"),
        catalogue_version=scan.catalogue_version,
        trigger=Trigger(scan.trigger),
        error=scan.error,
    )


async def _seen_so_far(session: AsyncSession, scan_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    port = tuple_(Service.port, Service.protocol)
    rows = await session.execute(
        select(
            Host.scan_id,
            func.count(distinct(Host.id)),
            func.count(Service.id),
            func.count(distinct(port)).filter(Service.id.is_not(None)),
        )
        .outerjoin(Service, Service.host_id == Host.id)
        .where(Host.scan_id.in_(scan_ids))
        .group_by(Host.scan_id)
    )
    return {
        scan_id: {"hosts_scanned": hosts, "open_ports": ports, "unique_ports": unique}
        for scan_id, hosts, ports, unique in rows
    }


def _status_word(scan: Scan) -> str:
    return "stopping" if scan.state in ACTIVE and scan.stop_requested_at else scan.state


def _schedule_status(scan: Scan) -> ScheduleStatus:
    if scan.stop_requested_at:
        return ScheduleStatus.STOPPING
    return {
        ScanState.PENDING: ScheduleStatus.STARTING,
        ScanState.RUNNING: ScheduleStatus.RUNNING,
        ScanState.PROCESSING: ScheduleStatus.PROCESSING,
    }[ScanState(scan.state)]


def _message(scan: Scan, ended: int) -> str:
    if scan.error:
        return scan.error
    waiting = describe_waiting(scan, datetime.now(UTC)) or describe_obstacles(scan) or ""
    if waiting and ended == 0 and scan.state == ScanState.PENDING:
        return waiting
    return {
        ScanState.PENDING: "The scan waits for a worker.",
        ScanState.RUNNING: f"{ended} of {len(scan.sites)} site(s) done. {waiting}".strip(),
        ScanState.PROCESSING: "All sites have ended; the report is being made.",
        ScanState.COMPLETED: "The scan is complete.",
        ScanState.STOPPED: "The scan was stopped; what was seen until then is reported.",
        ScanState.FAILED: "The scan failed.",
    }[ScanState(scan.state)]


def _no_scan(name: str) -> NotFound:
    return NotFound(f"No such scan: '{name[:100]}'.")
