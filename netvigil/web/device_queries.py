"""Devices as their list shows them: found by any of their names, the last seen or the most endangered first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, and_, cast, exists, func, or_, select

from netvigil.findings.life_models import Vulnerability
from netvigil.findings.states import LifeState
from netvigil.inventory.models import Device, DeviceAddress
from netvigil.sites.models import Site
from netvigil.web.words import page_number

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

PAGE_SIZE: Final = 50
SORTS: Final = {"risk": "what to do first", "seen": "last seen", "name": "name"}
_LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """What a page of devices shows; empty means any."""

    search: str = ""
    site: str = ""
    sort: str = "risk"
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> DeviceFilter:
        """From an address; what cannot be meant counts as not said."""
        return cls(
            search=query.get("q", "").replace("\0", "").strip()[:_LONGEST_SEARCH],
            site=query.get("site", "")[:36],
            sort=query.get("sort", "") if query.get("sort") in SORTS else "risk",
            page=page_number(query.get("page", "")),
        )

    def query(self, **changes: object) -> dict[str, object]:
        """The address' query with these changes."""
        mine = {
            "q": self.search,
            "site": self.site,
            "sort": self.sort if self.sort != "risk" else "",
            "page": self.page if self.page > 1 else "",
        }
        return {**mine, **changes}


async def page_devices(
    session: AsyncSession, organisation_id: UUID, only: DeviceFilter
) -> tuple[Sequence[Device], int]:
    """The page's devices, and how many the filter lets through."""
    query = select(Device).where(Device.organisation_id == organisation_id)
    if only.site:
        query = query.where(cast(Device.site_id, String) == only.site)
    if only.search:
        query = query.where(_matches(only.search))
    number = await session.scalar(query.with_only_columns(func.count())) or 0
    order: tuple[Any, ...] = (Device.last_seen_at.desc(),)
    if only.sort == "name":
        order = (func.lower(Device.hostname).nulls_last(), Device.mac)
    elif only.sort == "risk":
        v = Vulnerability
        urgent = (
            select(v.device_id, func.max(v.priority).label("highest"))
            .where(v.organisation_id == organisation_id, v.state == LifeState.OPEN)
            .group_by(v.device_id)
            .subquery()
        )
        query = query.outerjoin(urgent, urgent.c.device_id == Device.id)
        order = (urgent.c.highest.desc().nulls_last(), Device.last_seen_at.desc())
    rows = query.order_by(*order, Device.id).limit(PAGE_SIZE).offset((only.page - 1) * PAGE_SIZE)
    return (await session.scalars(rows)).all(), number


async def worst_of(session: AsyncSession, device_ids: Collection[UUID]) -> dict[UUID, Mapping[str, int]]:
    """How many open CVEs of each severity each device has."""
    v = Vulnerability
    rows = await session.execute(
        select(v.device_id, v.severity, func.count())
        .where(v.device_id.in_(device_ids), v.state == LifeState.OPEN)
        .group_by(v.device_id, v.severity)
    )
    found: dict[UUID, dict[str, int]] = {device_id: {} for device_id in device_ids}
    for device_id, severity, number in rows.all():
        found[device_id][severity] = number
    return dict(found)


async def site_names(session: AsyncSession, organisation_id: UUID) -> dict[str, str]:
    """The names of the organisation's sites by id, in order of name."""
    query = select(Site.id, Site.name).where(Site.organisation_id == organisation_id)
    return {str(row.id): row.name for row in await session.execute(query.order_by(Site.name, Site.id))}


async def page_affected(
    session: AsyncSession, organisation_id: UUID, cve_id: str, page: int
) -> tuple[Sequence[tuple[Vulnerability, Device]], int]:
    """The devices that have or had a CVE, those that have it first, and how many there are."""
    v = Vulnerability
    mine = and_(v.organisation_id == organisation_id, v.cve_id == cve_id, v.state != LifeState.WITHDRAWN)
    number = await session.scalar(select(func.count()).select_from(v).where(mine)) or 0
    query = (
        select(v, Device)
        .join(Device, Device.id == v.device_id)
        .where(mine)
        .order_by((v.state == LifeState.OPEN).desc(), v.priority.desc(), v.last_seen_at.desc(), v.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return [(row[0], row[1]) for row in (await session.execute(query)).all()], number


def _matches(words: str) -> Any:
    part = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    at = exists().where(DeviceAddress.device_id == Device.id, func.host(DeviceAddress.address).ilike(part))
    names = (Device.hostname, Device.mac, Device.manufacturer, Device.model, Device.os_name)
    here = (Site.organisation_id == Device.organisation_id) & (Site.id == Device.site_id)
    return or_(*(name.ilike(part) for name in names), at, exists().where(here, Site.name.ilike(part)))
