"""Schedules: when which subnets of which sites are scanned."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import CIDR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netvigil.db.base import Base


class ScanSchedule(Base):
    """A recurrence with its targets and thresholds.

    `planned_date` is the wall-clock date of the next run, kept beside its instant `next_scan_at`
    because a clock change may move the instant to another day, and the series must not drift with it.
    `profile` is a word of `probing.ports.Profile`; `exclusions` are as `sites.exclusions.Exclusions` writes them,
    `maintenance_windows` as `sites.windows.Window` does. `zone_lost_at` is set while the tz database does not know
    `timezone`: the next run is then planned by the zone's last known offset.
    """

    __tablename__ = "scan_schedule"
    __table_args__ = (Index("ix_scan_schedule_page", "organisation_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    description: Mapped[str]
    day_of_week: Mapped[int]
    time_of_day: Mapped[time]
    every_n_weeks: Mapped[int]
    timezone: Mapped[str]
    min_cvss: Mapped[float]
    warning_threshold: Mapped[float]
    ignore_offline_sites: Mapped[bool]
    notification_group: Mapped[str]
    notify: Mapped[list[Any] | None]
    profile: Mapped[str] = mapped_column(default="standard", server_default="standard")
    exclusions: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    maintenance_windows: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    max_duration_minutes: Mapped[int | None]
    zone_lost_at: Mapped[datetime | None]
    planned_date: Mapped[date]
    next_scan_at: Mapped[datetime] = mapped_column(index=True)
    last_run_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    sites: Mapped[list[ScheduleSite]] = relationship(
        order_by="ScheduleSite.position", cascade="all, delete-orphan", lazy="selectin"
    )


class ScheduleSite(Base):
    """One subnet of one site in a schedule, in the order the client gave."""

    __tablename__ = "schedule_site"
    __table_args__ = (
        ForeignKeyConstraint(["organisation_id", "site_id"], ["site.organisation_id", "site.id"]),
        Index("ix_schedule_site_site", "organisation_id", "site_id"),
    )

    schedule_id: Mapped[UUID] = mapped_column(
        ForeignKey("scan_schedule.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
    subnet: Mapped[IPv4Network] = mapped_column(CIDR)


class Outcome(StrEnum):
    """What became of a planned run."""

    STARTED = "started"  # a scan was created
    SKIPPED = "skipped"  # the previous run was still going on
    MISSED = "missed"  # the service was down for longer than the grace
    FAILED = "failed"  # its scan could not be created; the service's log says why


class Occurrence(Base):
    """One planned run and what became of it; the proof that none was lost or doubled."""

    __tablename__ = "occurrence"

    schedule_id: Mapped[UUID] = mapped_column(
        ForeignKey("scan_schedule.id", ondelete="CASCADE"), primary_key=True
    )
    planned_at: Mapped[datetime] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    scan_id: Mapped[UUID | None]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
