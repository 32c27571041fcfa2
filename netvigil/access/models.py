"""Who owns data."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class Organisation(Base):
    """An owner of sites, schedules and reports; `key` is the `org_id` claim of its tokens."""

    __tablename__ = "organisation"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    key: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
