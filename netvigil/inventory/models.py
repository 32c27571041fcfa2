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
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    site_scan_id: Mapped[UUID] = mapped_column(ForeignKey("site_scan.id", ondelete="CASCADE"))
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"))
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
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
