"""The state of the feeds on the wire."""

from __future__ import annotations

from pydantic import BaseModel, Field

from netvigil.access.wire import UtcTime


class Feed(BaseModel):
    """One source of the vulnerability data."""

    source: str = Field(description="The source in one word.", examples=["nvd"])
    title: str = Field(description="The source as people call it.", examples=["NVD"])
    url: str | None = Field(
        description="Where it is fetched from; null where it is only imported from files."
    )
    enabled: bool = Field(description="Whether a sync fetches it.")
    records: int = Field(
        description="Records held, or of its last answer where several sources share a table."
    )
    skipped: int = Field(description="Records of its imports that could not be read.")
    data_date: UtcTime | None = Field(description="When its newest record was modified.")
    age_seconds: int | None = Field(description="Seconds since then.")
    imported_at: UtcTime | None = Field(description="When it last gave records.")
    last_attempt_at: UtcTime | None = Field(description="When it was last asked.")
    last_success_at: UtcTime | None = Field(description="When it was last known to be up to date.")
    last_error: str | None = Field(description="Why the last attempt failed; null after a success.")
    next_sync_at: UtcTime | None = Field(description="When it is asked next.")
    stale: bool = Field(description="Neither known to be up to date nor modified within seven days.")


class FeedsState(BaseModel):
    """The vulnerability data as a whole, and each of its sources."""

    catalogue_version: str = Field(examples=["12.2026-08-22"])
    cves: int
    data_date: UtcTime | None = Field(description="When the newest CVE record was modified.")
    age_seconds: int | None = Field(description="Seconds since then.")
    stale: bool = Field(description="The newest record is older than seven days, or there is none.")
    starter_only: bool = Field(description="Only the package's starter catalogue is loaded.")
    running: bool = Field(description="A sync waits or runs.")
    next_sync_at: UtcTime | None = Field(description="When the next scheduled sync starts.")
    sources: list[Feed]


class SyncStarted(BaseModel):
    """A refresh that was asked for."""

    status: str = Field(default="pending", examples=["pending"])
    message: str = "The feeds are being fetched. See /feeds for how each goes."
