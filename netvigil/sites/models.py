"""Sites: places that may be scanned."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, func, text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class Registration(StrEnum):
    """Who put the site's networks there; only a person may authorise a public one."""

    AUTO = "auto"  # a schedule named the site first
    PERSON = "person"  # someone with sites:manage created or edited it


class Site(Base):
    """A place with the networks that may be scanned there.

    The id is chosen by clients (sites live elsewhere in the published API), so two organisations may
    name the same one without knowing: it is unique within its organisation only.
    `exclusions`: as `exclusions.Exclusions` writes them. `limits`: `packets_per_second` and `connections_per_second`,
    each an integer or null for the service's own setting. `maintenance_windows`: as `windows.Window` writes them. `router`: how the site's router is asked (`router.RouterLogin`),
    its secret apart and encrypted in `router_secret`.
    """

    __tablename__ = "site"

    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    networks: Mapped[list[IPv4Network]] = mapped_column(ARRAY(CIDR))
    vantage: Mapped[dict[str, Any]]
    exclusions: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    maintenance_windows: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    router: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    router_secret: Mapped[bytes | None]
    registration: Mapped[str]
    online: Mapped[bool | None]
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
