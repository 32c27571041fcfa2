"""Starting and stopping on the wire."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field


class ScanAnswer(BaseModel):
    """What starting or stopping a scan answers."""

    scan_id: UUID = Field(description="The scan's unique identifier.")
    status: str = Field(description="`pending` after a start, `stopping` after a stop.")
    message: str
