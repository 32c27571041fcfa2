"""The last jobs of a scan: freeze its report and give it its final state; then, beside all else, make the PDF."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import structlog
from procrastinate import JobContext, RetryStrategy

from netvigil.jobs import enqueue, is_last_try, services_of, tasks
from netvigil.reports.content import find_report, freeze
from netvigil.reports.pdf.render import RenderFault, RenderLimits, render
from netvigil.reports.pdf.service import have_pdf, store_pdf
from netvigil.scans.models import Scan
from netvigil.scans.service import FREEZE_JOB, fail_scan, lock_scan, record_event, tell_of_scan
from netvigil.scans.states import FailureKind, ScanState, SiteScanState

log = structlog.get_logger(__name__)
RETRY = RetryStrategy(max_attempts=3, exponential_wait=2)
PDF_JOB = "reports.make_pdf"
PDF_RETRY = RetryStrategy(
    max_attempts=5, exponential_wait=6
)  # again after half a minute, then minutes, then hours
PDF_PRIORITY = -1  # what ends a scan goes before what makes a scan's paper


@tasks.task(name=FREEZE_JOB, pass_context=True, retry=RETRY)
async def freeze_report(context: JobContext, scan_id: str) -> None:
    """Freeze the report and end the scan; doing it twice gives the same."""
    database = services_of(context).database
    try:
        async with database.transaction() as session:
            scan = await lock_scan(session, UUID(scan_id))
            if scan.state != ScanState.PROCESSING or scan.job_id != context.job.id:
                return  # done already, or another job's now
            numbers = await freeze(session, scan)
            scan.summary = numbers.model_dump()
            scan.state, scan.error = final_state(scan)
            scan.finished_at = datetime.now(UTC)
            record_event(
                session,
                scan.id,
                f"scan_{scan.state}",
                f"{numbers.cve_count} finding(s). {scan.error or ''}".strip(),
            )
            await tell_of_scan(session, scan)
            await enqueue(session, PDF_JOB, priority=PDF_PRIORITY, scan_id=scan_id)
    except Exception:
        if is_last_try(context, RETRY):
            async with database.transaction() as session:
                await fail_scan(
                    session, UUID(scan_id), "The report could not be made; the service's log says why."
                )
        raise


@tasks.task(name=PDF_JOB, pass_context=True, retry=PDF_RETRY)
async def make_pdf(context: JobContext, scan_id: str) -> None:
    """Make the PDF of a frozen report, once; the scan has ended, and a failure says so in its log and is tried again."""
    services = services_of(context)
    database, wanted = services.database, UUID(scan_id)
    async with database.reading() as session:
        if await have_pdf(session, [wanted]) or (report := await find_report(session, wanted)) is None:
            return  # made already, or the scan is gone
    try:
        pdf = await render(report, RenderLimits(seconds=services.settings.pdf_timeout))
    except RenderFault as fault:
        last = is_last_try(context, PDF_RETRY)
        after = "It is not tried again; the JSON report is complete." if last else "It is tried again."
        async with database.transaction() as session:
            record_event(session, wanted, "pdf_failed", f"{fault} {after}")
        raise
    async with database.transaction() as session:
        if await session.get(Scan, wanted) is None:
            return
        await store_pdf(session, wanted, pdf)
        record_event(session, wanted, "pdf_made", f"The report as PDF has {len(pdf) // 1024 + 1} KiB.")


def final_state(scan: Scan) -> tuple[ScanState, str | None]:
    """The state of a scan whose sites have all ended, and the sentence that explains a failure."""
    if scan.stop_requested_at is not None:
        return ScanState.STOPPED, scan.error  # the sentence of a scan that lasted too long
    failed = [site for site in scan.sites if site.state == SiteScanState.FAILED]
    if not failed:
        return ScanState.COMPLETED, None
    reasons = " ".join(f"{site.site_name}: {site.error}" for site in failed[:5])
    ignorable = scan.ignore_offline_sites and all(site.failure == FailureKind.OFFLINE for site in failed)
    if ignorable and len(failed) < len(scan.sites):
        return ScanState.COMPLETED, None
    return ScanState.FAILED, f"{len(failed)} of {len(scan.sites)} site(s) could not be scanned. {reasons}"[
        :2000
    ]
