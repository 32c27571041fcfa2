"""The last job of a scan: freeze its report and give it its final state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from procrastinate import JobContext, RetryStrategy

from netvigil.jobs import is_last_try, services_of, tasks
from netvigil.reports.content import freeze
from netvigil.scans.service import FREEZE_JOB, fail_scan, lock_scan, record_event
from netvigil.scans.states import FailureKind, ScanState, SiteScanState

if TYPE_CHECKING:
    from netvigil.scans.models import Scan

log = structlog.get_logger(__name__)
RETRY = RetryStrategy(max_attempts=3, exponential_wait=2)


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
    except Exception:
        if is_last_try(context, RETRY):
            async with database.transaction() as session:
                await fail_scan(
                    session, UUID(scan_id), "The report could not be made; the service's log says why."
                )
        raise


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
