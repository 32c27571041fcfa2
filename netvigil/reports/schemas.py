"""Scan reports and statuses on the wire."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field

from netvigil.access.wire import UtcTime
from netvigil.scans.states import ScanState, Trigger


class Numbers(BaseModel):
    """What a scan found, in numbers; instances are host and CVE pairs at or above `min_cvss`."""

    average_score: float = Field(default=0, description="Mean CVSS score of the instances; 0 without any.")
    highest_score: float = 0
    cve_count: int = Field(default=0, description="Instances at or above `min_cvss`.")
    unique_cves: int = 0
    cve_repeat_ratio: float = Field(default=0, description="Instances per distinct CVE; 0 without any.")
    open_ports: int = Field(default=0, description="Open ports, counted per host.")
    unique_ports: int = Field(default=0, description="Distinct port and protocol pairs among them.")
    hosts_scanned: int = Field(default=0, description="Hosts that were alive.")
    hosts_with_cves: int = 0
    sites_with_cves: int = 0
    warning_count: int = Field(default=0, description="Instances at or above `warning_threshold`.")
    kev_count: int = Field(default=0, description="Instances whose CVE is known to be exploited.")
    new_count: int = Field(
        default=0,
        description="Instances that the schedule's previous completed run had not; scans on demand are no runs of it.",
    )
    resolved_count: int = Field(
        default=0,
        description="Instances of that run, on hosts seen again, that are gone; a scan on demand counts those at its "
        "own addresses.",
    )


class ScanReport(Numbers):
    """A scan and its results in short."""

    id: UUID
    scan_schedule_id: UUID | None
    scan_id: str = Field(description="The human identifier, like ABC-DEF-GHI.")
    targets: int = Field(description="How many sites.")
    target_sites: list[UUID]
    started_at: UtcTime
    finished_at: UtcTime | None
    runtime: str = Field(description="In words, such as '35 minutes'; so far while the scan runs.")
    running: bool
    state: ScanState
    duration_cumulative: float = Field(description="Minutes, summed over the sites.")
    duration_absolute: float = Field(description="Minutes from start to end, or so far.")
    percentage_done: float
    percentage_failed: float = Field(description="Share of the sites that could not be scanned.")
    json_url: str | None = Field(description="Signed link to the full report; null until the scan has ended.")
    pdf_url: str | None = Field(description="Signed link to the PDF; null while there is none.")
    log_url: str = Field(description="Signed link to the scan's log.")
    catalogue_version: str | None = Field(description="The vulnerability data that the findings come from.")
    trigger: Trigger
    error: str | None = Field(description="Why the scan failed, in a sentence.")


class ScanStatus(BaseModel):
    """How far the latest scan of a schedule is."""

    scan_id: str = Field(description="The human identifier.")
    id: UUID
    status: str = Field(description="pending, running, stopping, processing, completed, stopped or failed.")
    targets: list[UUID]
    scanned: list[UUID] = Field(description="Every site that has ended, well or badly.")
    failed: list[UUID] = Field(description="Those of them that could not be scanned.")
    errors: dict[UUID, str] = Field(description="Why, for each failed site.")
    percentage_done: float
    started_at: UtcTime
    finished_at: UtcTime | None
    message: str
