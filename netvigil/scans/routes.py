"""Starting and stopping scans: operations 6 and 7 for a schedule, 8 and 9 for addresses on demand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter

from netvigil.access.edge import Caller, Session, describes, json_body, requires
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id
from netvigil.access.wire import answers
from netvigil.scans import service
from netvigil.scans.events import find_scan_id
from netvigil.scans.on_demand import start_on_demand
from netvigil.scans.schemas import MultiIpScan, MultiIpWrite, ScanAnswer, SingleIpScan, SingleIpWrite
from netvigil.scans.states import Trigger
from netvigil.schedules.service import get_schedule

if TYPE_CHECKING:
    from ipaddress import IPv4Address

router = APIRouter(prefix="/scans/cve/scheduled/{scanScheduleId}/invoke", tags=["Scan Execution"])
on_demand = APIRouter(prefix="/scans/cve", tags=["Scan Execution"])
SITE_EXAMPLE = {
    "schedule_id": "9c43cc95-f313-49a3-b632-524f7a24503b",
    "site_id": "9c3c1392-7f36-4240-85f2-273573c0384a",
}
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


@on_demand.post(
    "/scheduled/single-ip",
    summary="Scan a Single IP",
    status_code=202,
    response_model=SingleIpScan,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(SingleIpWrite, {**SITE_EXAMPLE, "ip_address": "192.168.1.10"}),
)
async def scan_single_ip(
    session: Session, caller: CanRun, body: Annotated[SingleIpWrite, json_body(SingleIpWrite)]
) -> SingleIpScan:
    """Scan one address of a schedule's site now, beside the schedule's own runs, which it does not touch.

    It counts as no run of the schedule: follow it by its own `scan_id`, also at `/scans/cve/{scan_id}/status`.
    """
    schedule = await get_schedule(session, caller.organisation_id, body.schedule_id, lock=True)
    asked = {body.ip_address: "ip_address"}
    scan = await start_on_demand(
        session, schedule, Trigger.SINGLE_IP, body.site_id, asked, now=datetime.now(UTC)
    )
    return SingleIpScan(
        scan_id=scan.id,
        status="pending",
        ip_address=str(body.ip_address),
        site_id=body.site_id,
        created_at=scan.started_at,
        message="Scan initiated. Check back for results.",
    )


@on_demand.post(
    "/scan/multiple-ips",
    summary="Scan Multiple IPs",
    status_code=202,
    response_model=MultiIpScan,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(MultiIpWrite, {**SITE_EXAMPLE, "ips": ["192.168.1.10", "192.168.1.11"]}),
)
async def scan_multiple_ips(
    session: Session, caller: CanRun, body: Annotated[MultiIpWrite, json_body(MultiIpWrite)]
) -> MultiIpScan:
    """Scan several addresses of a schedule's site now, beside the schedule's own runs, which it does not touch.

    An address that is named twice is scanned once. It counts as no run of the schedule: follow it by its own `scan_id`,
    also at `/scans/cve/{scan_id}/status`.
    """
    schedule = await get_schedule(session, caller.organisation_id, body.schedule_id, lock=True)
    asked: dict[IPv4Address, str] = {}
    for place, address in enumerate(body.ips):
        asked.setdefault(address, f"ips.{place}")
    scan = await start_on_demand(
        session, schedule, Trigger.MULTI_IP, body.site_id, asked, now=datetime.now(UTC)
    )
    (site_scan,) = await service.lock_site_scans(session, scan.id)
    return MultiIpScan(
        scan_id=scan.id,
        scan_site_id=site_scan.id,
        target_ips=list(map(str, asked)),
        message="Scan started successfully",
    )


@on_demand.post(
    "/{scan_id}/stop", summary="Stop any scan", response_model=ScanAnswer, responses=answers(404, 409)
)
async def stop_any_scan(session: Session, caller: CanRun, scan_id: str) -> ScanAnswer:
    """Stop a running scan by its own identifier, whatever started it."""
    wanted = await find_scan_id(session, caller.organisation_id, scan_id)
    scan = await service.lock_scan(session, wanted)
    await service.stop_locked(session, scan, now=datetime.now(UTC))
    return ScanAnswer(scan_id=scan.id, status="stopping", message="The scan is being stopped.")
