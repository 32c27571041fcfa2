"""The processes that take jobs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class Worker(Base):
    """One living process: it writes `seen_at` every two seconds, and is removed when it ends or is dead.

    `vantages` are the words of the vantages that it reaches, `any` for all; `lanes` its ids in the queue's own
    table of workers, by which a running job names who runs it.
    """

    __tablename__ = "worker"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(server_default="")
    vantages: Mapped[list[str]] = mapped_column(ARRAY(String))
    lanes: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
