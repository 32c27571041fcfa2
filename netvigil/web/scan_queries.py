"""A scan's findings as its page shows them: filtered, sorted, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, cast, exists, func, or_, select, tuple_

from netvigil.findings.decisions import find_standings
from netvigil.findings.life_models import Vulnerability, VulnerabilityEvent
from netvigil.findings.models import Finding
from netvigil.findings.states import Change, Decision
from netvigil.inventory.models import Host
from netvigil.web.words import SEVERITIES, page_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.models import Scan

PAGE_SIZE: Final = 25
SORTS: Final = {
    "priority": "what to do first",
    "score": "CVSS score",
    "epss": "likelihood (EPSS)",
    "address": "address",
    "cve": "CVE, newest first",
}
STATUSES: Final = {"open": "nobody has decided", "accepted": "accepted", "mitigated": "mitigated"}
_LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """What a page of findings shows; empty means any."""

    severity: str = ""
    kev: bool = False
    new: bool = False
    status: str = ""
    site: str = ""
    search: str = ""
    sort: str = "priority"
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> FindingFilter:
        """From an address; what cannot be meant counts as not said, for a page must not fail over its address."""
        return cls(
            severity=query.get("severity", "") if query.get("severity") in SEVERITIES else "",
            kev=query.get("kev") == "1",
            new=query.get("new") == "1",
            status=query.get("status", "") if query.get("status") in STATUSES else "",
            site=query.get("site", "")[:36],
            search=query.get("q", "").replace("\0", "").strip()[:_LONGEST_SEARCH],
            sort=query.get("sort", "") if query.get("sort") in SORTS else "priority",
            page=page_number(query.get("page", "")),
        )

    @property
    def narrows(self) -> bool:
        """Whether anything is left out."""
        return bool(self.severity or self.kev or self.new or self.status or self.site or self.search)

    def query(self, **changes: object) -> dict[str, object]:
        """The address' query with these changes; what is not said stays out."""
        mine = {
            "q": self.search,
            "severity": self.severity,
            "kev": int(self.kev) or "",
            "new": int(self.new) or "",
            "status": self.status,
            "site": self.site,
            "sort": self.sort if self.sort != "priority" else "",
            "page": self.page if self.page > 1 else "",
        }
        return {**mine, **changes}


async def page_findings(
    session: AsyncSession, scan: Scan, only: FindingFilter
) -> tuple[Sequence[Finding], int]:
    """The page's findings at or above the scan's `min_cvss`, and how many the filter lets through."""
    life = (Vulnerability.device_id == Host.device_id) & (Vulnerability.cve_id == Finding.cve_id)
    query = (
        select(Finding)
        .join(Host, Host.id == Finding.host_id)
        .outerjoin(Vulnerability, life)
        .where(Finding.scan_id == scan.id, Finding.score >= scan.min_cvss, Finding.withdrawn_at.is_(None))
    )
    for condition in await _conditions(session, scan, only):
        query = query.where(condition)
    number = await session.scalar(query.with_only_columns(func.count())) or 0
    rows = _sorted(query, only.sort).limit(PAGE_SIZE).offset((only.page - 1) * PAGE_SIZE)
    return (await session.scalars(rows)).all(), number


async def count_by_severity(session: AsyncSession, scan: Scan) -> dict[str, int]:
    """How many findings of each severity the scan shows now."""
    rows = await session.execute(
        select(Finding.severity, func.count())
        .where(Finding.scan_id == scan.id, Finding.score >= scan.min_cvss, Finding.withdrawn_at.is_(None))
        .group_by(Finding.severity)
    )
    return {row[0]: row[1] for row in rows.all()}


async def _conditions(session: AsyncSession, scan: Scan, only: FindingFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if only.severity:
        found.append(Finding.severity == only.severity)
    if only.kev:
        found.append(Finding.kev.is_(True))
    if only.new:
        found.append(
            exists().where(
                VulnerabilityEvent.scan_id == scan.id,
                VulnerabilityEvent.vulnerability_id == Vulnerability.id,
                VulnerabilityEvent.change.in_([Change.NEW, Change.REGRESSED]),
            )
        )
    if only.site:
        found.append(cast(Host.site_id, String) == only.site)
    if only.search:
        found.append(_matches(only.search))
    if only.status:
        found.append(await _stands(session, scan, only.status))
    return found


def _matches(words: str) -> ColumnElement[bool]:
    """The search's words anywhere in what names the finding or its host."""
    part = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return or_(
        Finding.cve_id.ilike(part),
        func.host(Host.address).ilike(part),
        Host.hostname.ilike(part),
        Host.mac.ilike(part),
        Host.model.ilike(part),
        Finding.cpe.ilike(part),
    )


async def _stands(session: AsyncSession, scan: Scan, status: str) -> ColumnElement[bool]:
    """Decisions are few, so those that count for the scan's devices are read and named."""
    devices = select(Host.device_id).where(Host.scan_id == scan.id, Host.device_id.is_not(None))
    ids = {one for one in await session.scalars(devices) if one is not None}
    standings = await find_standings(session, scan.organisation_id, ids)
    decided: list[tuple[UUID, str]] = [
        key
        for key, one in standings.items()
        if one.status is not Decision.OPEN and status in ("open", one.status)
    ]
    named = tuple_(Host.device_id, Finding.cve_id).in_(decided)
    return or_(Host.device_id.is_(None), ~named) if status == "open" else named


def _sorted(query: Select[Finding], sort: str) -> Select[Finding]:
    order: dict[str, tuple[Any, ...]] = {
        "priority": (Vulnerability.priority.desc().nulls_last(), Finding.score.desc()),
        "score": (Finding.score.desc(), Vulnerability.priority.desc().nulls_last()),
        "epss": (Vulnerability.epss.desc().nulls_last(), Finding.score.desc()),
        "address": (Host.address, Vulnerability.priority.desc().nulls_last()),
        "cve": (Finding.cve_id.desc(), Host.address),
    }
    return query.order_by(*order[sort], Finding.cve_id, Host.address, Finding.id)
