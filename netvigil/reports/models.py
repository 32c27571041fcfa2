"""Reports: the frozen content of an ended scan, and its PDF."""

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


class ReportPdf(Base):
    """The PDF made once of a frozen report; a table of its own, so that nobody reads megabytes to learn that it is there."""

    __tablename__ = "report_pdf"

    scan_id: Mapped[UUID] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
