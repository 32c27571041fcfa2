"""`/scans/cve/scheduled/{id}/invoke`: operations 6 and 7, starting and stopping a scan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter

from netvigil.access.edge import Caller, Session, requires
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id
from netvigil.access.wire import answers
from netvigil.scans import service
from netvigil.scans.schemas import ScanAnswer
from netvigil.scans.states import Trigger
from netvigil.schedules.service import get_schedule

router = APIRouter(prefix="/scans/cve/scheduled/{scanScheduleId}/invoke", tags=["Scan Execution"])
CanRun = Annotated[Caller, requires(Scope.CVE_RUN)]


@router.get(
    "",
    summary="Start a Scan (old clients)",
    status_code=202,
    response_model=ScanAnswer,
    responses=answers(404, 409),
    deprecated=True,
)
@router.post(
    "", summary="Start a Scan", status_code=202, response_model=ScanAnswer, responses=answers(404, 409)
)
async def start_scan(session: Session, caller: CanRun, scanScheduleId: str) -> ScanAnswer:
    """Scan the schedule's sites now; its planned next run stays as it is."""
    wanted = path_id(scanScheduleId, "scan schedule")
    schedule = await get_schedule(session, caller.organisation_id, wanted, lock=True)
    scan = await service.start_scan(session, schedule, Trigger.MANUAL, now=datetime.now(UTC))
    return ScanAnswer(scan_id=scan.id, status="pending", message="Scan started.")


@router.delete("", summary="Stop a Scan", response_model=ScanAnswer, responses=answers(404, 409))
async def stop_scan(session: Session, caller: CanRun, scanScheduleId: str) -> ScanAnswer:
    """Stop the schedule's running scan; what was seen until then is kept and reported."""
    wanted = path_id(scanScheduleId, "scan schedule")
    await get_schedule(session, caller.organisation_id, wanted)
    scan = await service.request_stop(session, wanted, now=datetime.now(UTC))
    return ScanAnswer(scan_id=scan.id, status="stopping", message="The scan is being stopped.")
