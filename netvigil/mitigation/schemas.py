"""A mitigation on the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from netvigil.access.wire import UtcTime


class MitigationAnswer(BaseModel):
    """What to do about a CVE."""

    cve_id: str = Field(examples=["CVE-2018-14847"])
    mitigation: str = Field(
        description="Markdown (CommonMark with tables): facts, the organisation's devices that have it, upgrades, work-arounds."
    )
    format: Literal["markdown"] = "markdown"
    source: str = Field(
        description="What it was made from, and whether a language model wrote a section.",
        examples=["netvigil (NVD, KEV, EPSS, OSV)"],
    )
    generated_at: UtcTime
