"""Sites: places that may be scanned."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import ARRAY, CIDR
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
    """

    __tablename__ = "site"

    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    networks: Mapped[list[IPv4Network]] = mapped_column(ARRAY(CIDR))
    vantage: Mapped[dict[str, Any]]
    registration: Mapped[str]
    online: Mapped[bool | None]
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
