"""The hosts and findings of a scan as they stand now, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_

from netvigil.findings.describing import describe_findings
from netvigil.findings.models import Finding
from netvigil.inventory.models import Host

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.models import Scan


async def list_hosts(
    session: AsyncSession, scan: Scan, *, limit: int, before: tuple[datetime, UUID] | None
) -> list[Host]:
    """The scan's live hosts, newest observation first, one more than `limit` when there are more."""
    query = select(Host).where(Host.scan_id == scan.id)
    if before is not None:
        query = query.where(tuple_(Host.observed_at, Host.id) < before)
    return list(
        await session.scalars(query.order_by(Host.observed_at.desc(), Host.id.desc()).limit(limit + 1))
    )


async def list_findings(
    session: AsyncSession, scan: Scan, *, limit: int, before: tuple[datetime, UUID] | None
) -> list[Finding]:
    """The scan's findings at or above its `min_cvss`, newest first, one more than `limit` when there are more."""
    query = select(Finding).where(
        Finding.scan_id == scan.id, Finding.score >= scan.min_cvss, Finding.withdrawn_at.is_(None)
    )
    if before is not None:
        query = query.where(tuple_(Finding.created_at, Finding.id) < before)
    query = query.order_by(Finding.created_at.desc(), Finding.id.desc()).limit(limit + 1)
    return list(await session.scalars(query))


async def list_findings_of(session: AsyncSession, host_ids: Sequence[UUID]) -> list[Finding]:
    """Every finding of these hosts, whatever its score."""
    return list(
        await session.scalars(
            select(Finding).where(Finding.host_id.in_(host_ids), Finding.withdrawn_at.is_(None))
        )
    )


async def build_instances(
    session: AsyncSession, findings: Sequence[Finding], *, with_others: bool = False
) -> list[dict[str, Any]]:
    """The findings as CveInstances, in their order; `with_others` names older occurrences, for a page, not a report."""
    return await describe_findings(session, findings, with_others=with_others)
