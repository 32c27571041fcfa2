"""Reports: the frozen content of an ended scan."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class Report(Base):
    """The JSON report of a scan, zstd-compressed, as it was when the scan ended."""

    __tablename__ = "report"

    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
