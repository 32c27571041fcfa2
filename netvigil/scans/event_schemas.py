"""What a scan's events look like on the wire, in a stream and in a list."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field

from netvigil.access.wire import UtcTime


class ScanEventBody(BaseModel):
    """One line of a scan's log; the `data` of every stream event but `progress` and `end`."""

    id: int = Field(description="Grows with time, but a lower one may appear after a higher one.")
    event: str = Field(
        description="started, site_started, host, site_scanned, site_failed, site_stopped, stop_requested, processing, "
        "matched, finished; others may come, and a client ignores those that it does not know.",
        examples=["site_scanned"],
    )
    at: UtcTime
    scan_id: UUID
    site_id: UUID | None = Field(description="The site it is about, null when it is about the whole scan.")
    state: str | None = Field(
        description="The state that the scan or the site ended in; null while it goes on.",
        examples=["scanned"],
    )
    message: str = Field(description="What happened, for people.")


class ScanProgressBody(BaseModel):
    """How far a site, or the whole scan, is now; the `data` of `progress`, which is not kept."""

    scan_id: UUID
    site_id: UUID | None = Field(description="Null for the whole scan.")
    state: str = Field(examples=["running"])
    stage: str | None = Field(description="reach, discover, sweep or identify; null for the whole scan.")
    percent: float = Field(description="0 to 100, of this site or of the whole scan.", ge=0, le=100)
    hosts_done: int
    hosts_total: int
    sites_done: int | None = Field(description="Null for a site.")
    sites_total: int | None = Field(description="Null for a site.")


class ScanEndBody(BaseModel):
    """The `data` of `end`, after which the stream is closed: nothing more will happen in the scan."""

    scan_id: UUID
    state: str = Field(examples=["completed"])
