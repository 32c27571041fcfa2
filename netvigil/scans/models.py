"""Scans, their parts by site, and what happened in them."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netvigil.db.base import Base


class Scan(Base):
    """One run; thresholds are copied from the schedule, so that editing that changes no past report.

    `summary` holds the numbers of the report once the scan has ended.
    """

    __tablename__ = "scan"
    __table_args__ = (
        UniqueConstraint("organisation_id", "human_id"),
        # one active run of the whole schedule, whoever starts it: the queue's own lock covers waiting jobs only
        Index(
            "uq_scan_active_schedule",
            "schedule_id",
            unique=True,
            postgresql_where=text(
                "state IN ('pending', 'running', 'processing') AND trigger IN ('schedule', 'manual')"
            ),
        ),
        Index("ix_scan_page", "organisation_id", "created_at", "id"),
        Index(
            "ix_scan_active", "state", postgresql_where=text("state IN ('pending', 'running', 'processing')")
        ),
        Index("ix_scan_schedule", "schedule_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    schedule_id: Mapped[UUID | None] = mapped_column(ForeignKey("scan_schedule.id", ondelete="SET NULL"))
    human_id: Mapped[str]
    trigger: Mapped[str]
    state: Mapped[str]
    description: Mapped[str]
    min_cvss: Mapped[float]
    warning_threshold: Mapped[float]
    ignore_offline_sites: Mapped[bool]
    max_duration_minutes: Mapped[int | None]
    stop_requested_at: Mapped[datetime | None]
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
    catalogue_version: Mapped[str | None]
    summary: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    sites: Mapped[list[SiteScan]] = relationship(order_by="SiteScan.position", lazy="selectin")


class SiteScan(Base):
    """One site's part of a scan.

    The site is named, not referenced: a past report outlives its site.
    `attempt` fences: a run takes the next number when it starts, and each later write of a run is
    conditional on its number, so that a worker that was thought dead cannot write when it wakes up.
    `around`: of a scan on demand, whose targets are single addresses, the schedule's subnets that they lie in; what the
    probe takes for the site's gateway depends on them. Empty otherwise.
    `profile` and `exclusions` (the site's and the schedule's together) are copied when the scan is created: editing
    either changes no scan that has begun.
    `paused_until` is the end of the maintenance window that a pending one waits for; None when it waits for none.
    `unreached_since`: no living worker reaches its vantage. `held_back_at`: when a limit first kept it from running; it
    has no job until a run that ends lets it go.
    `seconds` says how long each stage took, `told_at` when a trigger last told watchers of its progress.
    """

    __tablename__ = "site_scan"
    __table_args__ = (
        UniqueConstraint("scan_id", "site_id"),
        Index("ix_site_scan_active", "state", postgresql_where=text("state IN ('pending', 'running')")),
        Index("ix_site_scan_site", "organisation_id", "site_id"),
        Index(
            "ix_site_scan_held_back",
            "held_back_at",
            postgresql_where=text("held_back_at IS NOT NULL AND job_id IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"))
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
    site_name: Mapped[str]
    position: Mapped[int]
    targets: Mapped[list[IPv4Network]] = mapped_column(ARRAY(CIDR))
    around: Mapped[list[IPv4Network]] = mapped_column(
        ARRAY(CIDR), default=list, server_default=text("'{}'::cidr[]")
    )
    vantage: Mapped[str]
    profile: Mapped[str] = mapped_column(default="standard", server_default="standard")
    exclusions: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    state: Mapped[str]
    stage: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(server_default="0")
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    hosts_total: Mapped[int] = mapped_column(server_default="0")
    hosts_done: Mapped[int] = mapped_column(server_default="0")
    percent: Mapped[float] = mapped_column(server_default="0")
    failure: Mapped[str | None]
    error: Mapped[str | None]
    paused_until: Mapped[datetime | None]
    unreached_since: Mapped[datetime | None]
    held_back_at: Mapped[datetime | None]
    limitations: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    seconds: Mapped[dict[str, Any] | None]
    told_at: Mapped[datetime | None]


class ScanEvent(Base):
    """One line of a scan's log, in the order of its id; `xid` is the transaction that wrote it.

    Transactions commit in any order, so a reader asks by `xid` what it has not seen yet (`scans.positions`).
    """

    __tablename__ = "scan_event"
    __table_args__ = (Index("ix_scan_event_scan", "scan_id", "id"), Index("ix_scan_event_xid", "xid"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"))
    site_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    kind: Mapped[str]
    message: Mapped[str]
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("pg_current_xact_id()::text::bigint"))
