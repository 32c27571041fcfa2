"""Keeps the PDFs of reports in the database, which every process of the service reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.reports.models import ReportPdf
from netvigil.scans.models import Scan

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def store_pdf(session: AsyncSession, scan_id: UUID, content: bytes) -> None:
    """Keep a scan's PDF; the first one stays, for a report is frozen."""
    statement = insert(ReportPdf).values(scan_id=scan_id, content=content)
    await session.execute(statement.on_conflict_do_nothing(index_elements=[ReportPdf.scan_id]))


async def find_pdf(session: AsyncSession, scan_id: UUID) -> tuple[str, bytes] | None:
    """The file's name and the PDF of a scan, None when there is none."""
    row = (
        await session.execute(
            select(Scan.human_id, Scan.started_at, ReportPdf.content)
            .join(ReportPdf, ReportPdf.scan_id == Scan.id)
            .where(Scan.id == scan_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return f"netvigil-{row.human_id}-{row.started_at:%Y-%m-%d}.pdf", row.content


async def have_pdf(session: AsyncSession, scan_ids: Collection[UUID]) -> set[UUID]:
    """Which of the scans have a PDF."""
    if not scan_ids:
        return set()
    return set(await session.scalars(select(ReportPdf.scan_id).where(ReportPdf.scan_id.in_(scan_ids))))
