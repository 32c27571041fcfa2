"""Hosts and services as one scan saw them: observations, stored as they were made."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netvigil.db.base import Base


class Device(Base):
    """A thing with a MAC, wherever it stands; where no MAC can be seen, an address of a site.

    With a MAC it is one per organisation and keeps its history across addresses and sites; without, one per site and
    address (`address` is null for the first kind). `site_id`, `scan_id` and the other columns are those of the newest
    observation; what it did not tell is kept from the one before.
    """

    __tablename__ = "device"
    __table_args__ = (
        Index(
            "uq_device_mac", "organisation_id", "mac", unique=True, postgresql_where=text("mac IS NOT NULL")
        ),
        Index(
            "uq_device_address",
            "organisation_id",
            "site_id",
            "address",
            unique=True,
            postgresql_where=text("mac IS NULL"),
        ),
        Index("ix_device_seen", "organisation_id", "last_seen_at", "id"),
        Index("ix_device_site", "organisation_id", "site_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
    mac: Mapped[str | None]
    address: Mapped[IPv4Address | None] = mapped_column(INET)
    manufacturer: Mapped[str | None]
    hostname: Mapped[str | None]
    os_name: Mapped[str | None]
    model: Mapped[str | None]
    scan_id: Mapped[UUID | None]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]

    @property
    def created_at(self) -> datetime:
        """What lists of devices are ordered and paged by: the newest sight."""
        return self.last_seen_at


class DeviceAddress(Base):
    """Where a device was seen: a site and an address, from when to when."""

    __tablename__ = "device_address"

    device_id: Mapped[UUID] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"), primary_key=True)
    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[IPv4Address] = mapped_column(INET, primary_key=True)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class Host(Base):
    """An address that was alive in a site scan; a host is always (site, address), for sites overlap.

    `identified` is false while only its open ports are known: what was seen so far is kept, and a run that
    goes on after an interruption looks at it again. `mac_source` says who named the MAC; `notes` are plain sentences
    about the host, such as that it was slowed down for.
    """

    __tablename__ = "host"
    __table_args__ = (
        UniqueConstraint("site_scan_id", "address"),
        Index("ix_host_scan", "scan_id"),
        Index("ix_host_mac", "organisation_id", "mac"),
        Index("ix_host_device", "device_id", "observed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    site_scan_id: Mapped[UUID] = mapped_column(ForeignKey("site_scan.id", ondelete="CASCADE"))
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"))
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id", ondelete="SET NULL"))
    address: Mapped[IPv4Address] = mapped_column(INET)
    mac: Mapped[str | None]
    manufacturer: Mapped[str | None]
    hostname: Mapped[str | None]
    os_name: Mapped[str | None]
    model: Mapped[str | None]
    mac_source: Mapped[str | None]
    notes: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    reason: Mapped[str]
    identified: Mapped[bool]
    observed_at: Mapped[datetime]

    @property
    def created_at(self) -> datetime:
        """When it came to be, as every listed row says; for a host that is when it was observed."""
        return self.observed_at

    services: Mapped[list[Service]] = relationship(
        order_by="Service.port", cascade="all, delete-orphan", lazy="selectin"
    )


class Service(Base):
    """An open port of a host and what answered there (probing's ServiceObservation, column by column).

    `spared` says that the port is fragile and was deliberately not spoken to. `facts`: what else its protocol told,
    by name.
    """

    __tablename__ = "service"
    __table_args__ = (UniqueConstraint("host_id", "protocol", "port"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    host_id: Mapped[UUID] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"))
    port: Mapped[int]
    protocol: Mapped[str]
    method: Mapped[str]
    name: Mapped[str | None]
    product: Mapped[str | None]
    version: Mapped[str | None]
    extra_info: Mapped[str | None]
    os_type: Mapped[str | None]
    device_type: Mapped[str | None]
    hostname: Mapped[str | None]
    tunnel: Mapped[str | None]
    cpes: Mapped[list[Any]]
    banner: Mapped[str | None]
    spared: Mapped[bool]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
