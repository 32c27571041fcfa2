"""The life of a CVE on a device, what happened to it, and what people decided about it."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base
from netvigil.findings.states import Change, Decision, LifeState

__all__ = ["Change", "CveDecision", "Decision", "LifeState", "Vulnerability", "VulnerabilityEvent"]


class Vulnerability(Base):
    """One CVE on one device through time; the scans' findings are its single observations.

    `finding_id` is the newest finding, `site_id`, `address` and `ports` (`tcp/8291`, …) where it showed it; no foreign key,
    because whatever replaces a finding writes the new id here. `regressed` is true while it is open again after having
    been resolved or mitigated. `priority` orders what to do first, higher first, 0 to 100; `reason` is that order in
    words. All facts of the CVE are copies for listing without a join, renewed by each reconciliation and data update.
    """

    __tablename__ = "vulnerability"
    __table_args__ = (
        UniqueConstraint("device_id", "cve_id"),
        Index("ix_vulnerability_cve", "organisation_id", "cve_id"),
        Index("ix_vulnerability_priority", "organisation_id", "state", text("priority DESC"), "id"),
        # what each site has open, counted without a look at the rows
        Index(
            "ix_vulnerability_site",
            "organisation_id",
            "site_id",
            "state",
            postgresql_include=["severity", "kev"],
        ),
        # each scan writes a new finding_id into each row: with room in its page that touches no index
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID]
    device_id: Mapped[UUID] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"))
    site_id: Mapped[UUID]
    cve_id: Mapped[str]
    finding_id: Mapped[UUID | None]
    address: Mapped[IPv4Address] = mapped_column(INET)
    ports: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    state: Mapped[str]
    regressed: Mapped[bool] = mapped_column(server_default=text("false"))
    score: Mapped[float]
    severity: Mapped[str]
    confidence: Mapped[str]
    kev: Mapped[bool]
    epss: Mapped[float | None]
    priority: Mapped[float] = mapped_column(server_default=text("0"))
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    regressed_at: Mapped[datetime | None]

    @property
    def created_at(self) -> datetime:
        """What lists of a device's CVEs are ordered and paged by: the newest occurrence."""
        return self.last_seen_at


class VulnerabilityEvent(Base):
    """One change of one vulnerability: its history, and what news are made of. `scan_id` is null for a data update."""

    __tablename__ = "vulnerability_event"
    __table_args__ = (
        Index("ix_vulnerability_event_of", "vulnerability_id", "id"),
        Index("ix_vulnerability_event_scan", "scan_id"),
        Index("ix_vulnerability_event_organisation", "organisation_id", "id"),
        # what happened day by day, without a look at the rows
        Index(
            "ix_vulnerability_event_day",
            "organisation_id",
            "at",
            postgresql_include=["change", "severity"],
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organisation_id: Mapped[UUID]
    vulnerability_id: Mapped[UUID] = mapped_column(ForeignKey("vulnerability.id", ondelete="CASCADE"))
    device_id: Mapped[UUID]
    site_id: Mapped[UUID]
    cve_id: Mapped[str]
    scan_id: Mapped[UUID | None] = mapped_column(ForeignKey("scan.id", ondelete="SET NULL"))
    change: Mapped[str]
    score: Mapped[float]
    severity: Mapped[str]
    kev: Mapped[bool]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class CveDecision(Base):
    """A person's decision on a CVE on a device; the newest that has not expired is in force, on every scan.

    Rows are never changed: each decision is a new one, `open` withdraws. Only `overruled_at` is added, when a later scan
    saw again what was decided to be mitigated. Devices are named by MAC, as in the published contract; one without a MAC by
    `device_id` (then `mac` is null).
    """

    __tablename__ = "cve_decision"
    __table_args__ = (
        Index("ix_cve_decision_mac", "organisation_id", "mac", "cve_id", text("created_at DESC")),
        Index("ix_cve_decision_device", "device_id", "cve_id"),
        Index("ix_cve_decision_page", "organisation_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID]
    mac: Mapped[str | None]
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id", ondelete="SET NULL"))
    cve_id: Mapped[str]
    status: Mapped[str]
    justification: Mapped[str]
    scan_id: Mapped[UUID | None] = mapped_column(ForeignKey("scan.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime | None]
    overruled_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
