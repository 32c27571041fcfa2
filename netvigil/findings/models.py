"""Findings: a CVE on a product of a host, with the proof."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class Source(StrEnum):
    """What brought a finding out."""

    SCAN = "scan"  # the matching at the end of its scan
    CATALOGUE = "catalogue"  # a later update of the vulnerability data


class Finding(Base):
    """One CVE on one host in one scan; `evidence` names every service that shows it.

    All of a scan's findings are stored, whatever their score: the schedule's thresholds decide what a
    report shows. `withdrawn_at` is when corrected data no longer supported it.
    """

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("host_id", "cve_id"),
        Index("ix_finding_scan", "scan_id"),
        Index("ix_finding_cve", "organisation_id", "cve_id"),
        # counts a device's findings without reading them
        Index("ix_finding_valid", "host_id", postgresql_where=text("withdrawn_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID]
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"))
    host_id: Mapped[UUID] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"))
    service_id: Mapped[UUID | None] = mapped_column(ForeignKey("service.id", ondelete="CASCADE"))
    cve_id: Mapped[str]
    score: Mapped[float]
    severity: Mapped[str]
    vector: Mapped[str | None]
    cvss_version: Mapped[str | None]
    confidence: Mapped[str]
    kev: Mapped[bool]
    cpe: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    source: Mapped[str]
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Unaffected(Base):
    """A CVE that upstream's ranges name for a product of a host, and that its packager has fixed: why we are silent."""

    __tablename__ = "unaffected"
    __table_args__ = (
        UniqueConstraint("host_id", "cve_id", "cpe", "port"),
        Index("ix_unaffected_scan", "scan_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID]
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"))
    host_id: Mapped[UUID] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"))
    cve_id: Mapped[str]
    cpe: Mapped[str]
    port: Mapped[int | None]
    seen: Mapped[str]
    reason: Mapped[str]
    fixed_in: Mapped[str | None]
    advisory: Mapped[str | None]


class MatchedCatalogue(Base):
    """One row: the catalogue version that everything seen was last matched with."""

    __tablename__ = "matched_catalogue"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


# The other tables of findings: whoever knows these models (the migrations, the tests) knows all of them.
from netvigil.findings import life_models  # noqa: E402, F401 - they stand on their own
