"""Sites: registering, changing, and the question whether a subnet may be scanned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import Uuid, any_, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError

from netvigil.errors import Conflict, Invalid, NotFound
from netvigil.jobs import enqueue
from netvigil.settings import SiteRegistration
from netvigil.sites.models import Registration, Site
from netvigil.sites.router import seal_router
from netvigil.sites.scope import covers, is_private

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from ipaddress import IPv4Network

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.access.secrets import SecretBox
    from netvigil.sites.exclusions import Exclusions
    from netvigil.sites.router import RouterLogin
    from netvigil.sites.windows import Window

LOCAL = {"type": "local"}
WINDOWS_JOB = "scans.reconsider_windows"


@dataclass(frozen=True, slots=True)
class SiteValues:
    """What a person decides about a site; `router` without a secret keeps the stored one."""

    name: str
    networks: Sequence[IPv4Network]
    vantage: dict[str, Any]
    exclusions: Exclusions
    limits: dict[str, Any]
    router: RouterLogin | None
    maintenance_windows: Sequence[Window] = ()


async def get_site(
    session: AsyncSession, organisation_id: UUID, site_id: UUID, *, lock: bool = False
) -> Site:
    """The organisation's site; raises NotFound. `lock` holds its row for the rest of the transaction."""
    site = await session.get(Site, (organisation_id, site_id), with_for_update=lock or None)
    if site is None:
        raise NotFound(f"No such site: '{site_id}'.")
    return site


async def get_sites(
    session: AsyncSession, organisation_id: UUID, site_ids: Collection[UUID]
) -> dict[UUID, Site]:
    """The organisation's sites by id; raises NotFound when one of them does not exist."""
    wanted = Site.id == any_(bindparam("site_ids", list(site_ids), ARRAY(Uuid)))
    found = await session.scalars(select(Site).where(Site.organisation_id == organisation_id, wanted))
    sites = {site.id: site for site in found}
    for site_id in site_ids:
        if site_id not in sites:
            raise NotFound(f"No such site: '{site_id}'.")
    return sites


async def list_sites(
    session: AsyncSession, organisation_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None
) -> list[Site]:
    """Newest first, one more than `limit` when there are more."""
    query = select(Site).where(Site.organisation_id == organisation_id)
    if before is not None:
        query = query.where(tuple_(Site.created_at, Site.id) < before)
    query = query.order_by(Site.created_at.desc(), Site.id.desc()).limit(limit + 1)
    return list(await session.scalars(query))


async def create_site(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    site_id: UUID | None,
    values: SiteValues,
    box: SecretBox,
) -> Site:
    """A site that a person entered; raises Conflict when the id is taken, Invalid without the router's secret."""
    site_id = site_id or uuid4()
    login = values.router
    added = await session.execute(
        insert(Site)
        .values(
            organisation_id=organisation_id,
            id=site_id,
            name=values.name,
            networks=list(values.networks),
            vantage=values.vantage,
            exclusions=values.exclusions.to_json(),
            limits=values.limits,
            maintenance_windows=[window.to_json() for window in values.maintenance_windows],
            router=login.to_json() if login else None,
            router_secret=seal_router(box, organisation_id, site_id, login) if login else None,
            registration=Registration.PERSON,
            created_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
        .returning(Site.id)
    )
    if added.first() is None:
        raise Conflict(
            "site_exists", f"A site with the id '{site_id}' exists already; change it with PUT or PATCH."
        )
    return await get_site(session, organisation_id, site_id)


async def update_site(
    session: AsyncSession, organisation_id: UUID, site_id: UUID, values: SiteValues, box: SecretBox
) -> Site:
    """Change a site; from then on its networks are a person's decision.

    Raises NotFound, and Invalid when the router's secret is not stored yet, or not for this address.
    """
    site = await get_site(session, organisation_id, site_id, lock=True)
    login = values.router
    site.name = values.name
    site.networks = list(values.networks)
    site.vantage = values.vantage
    site.exclusions = values.exclusions.to_json()
    site.limits = values.limits
    windows = [window.to_json() for window in values.maintenance_windows]
    if windows != site.maintenance_windows:
        site.maintenance_windows = windows
        await enqueue(session, WINDOWS_JOB, site_id=str(site_id))
    site.router_secret = seal_router(box, organisation_id, site_id, login, site) if login else None
    site.router = login.to_json() if login else None
    site.registration = Registration.PERSON
    site.updated_at = (await session.scalars(select(func.clock_timestamp()))).one()
    await session.flush()
    return site


async def delete_site(session: AsyncSession, organisation_id: UUID, site_id: UUID) -> None:
    """Delete a site that no schedule names; its past reports stay. Raises Conflict while one does."""
    site = await get_site(session, organisation_id, site_id, lock=True)
    await session.delete(site)
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict(
            "site_in_use", "A schedule scans this site; change or delete that schedule first."
        ) from None


async def authorise(
    session: AsyncSession,
    organisation_id: UUID,
    wanted: Sequence[tuple[UUID, IPv4Network]],
    registration: SiteRegistration,
) -> dict[int, Invalid]:
    """Whether each (site, subnet) may be scanned; what may not is answered by its position.

    In `auto` mode an unknown site is registered with its subnet, and a site that no person ever edited
    gains further private subnets; in `strict` mode neither happens. A public one always needs a person
    with `sites:manage`.
    """
    problems: dict[int, Invalid] = {}
    # in the order of ids, so that two requests that name the same sites never wait for each other
    for position in sorted(range(len(wanted)), key=lambda i: (wanted[i][0], i)):
        site_id, subnet = wanted[position]
        site = await _lock_to_authorise(session, organisation_id, site_id, subnet)
        if site is None and registration is SiteRegistration.AUTO and is_private(subnet):
            site = await _register(session, organisation_id, site_id, subnet)
        if site is None and registration is SiteRegistration.STRICT:
            problems[position] = Invalid(
                "site_unknown", f"The site '{site_id}' is not known; register it first."
            )
        elif site is not None and covers(site.networks, subnet):
            continue
        elif site is not None and (
            site.registration == Registration.PERSON or registration is SiteRegistration.STRICT
        ):
            problems[position] = Invalid(
                "subnet_out_of_scope", f"The subnet {subnet} is outside the networks of the site '{site_id}'."
            )
        elif site is None or not is_private(subnet):
            problems[position] = Invalid(
                "subnet_out_of_scope",
                f"The subnet {subnet} is public; someone with the scope sites:manage must add it to the site first.",
            )
        else:
            site.networks = [*site.networks, subnet]
            await session.flush()
    return problems


async def _lock_to_authorise(
    session: AsyncSession, organisation_id: UUID, site_id: UUID, subnet: IPv4Network
) -> Site | None:
    """The site, if known, locked against changes; shared with other requests when there is nothing to add to it."""
    key = (organisation_id, site_id)
    site = await session.get(Site, key, populate_existing=True)
    if site is not None and covers(site.networks, subnet):
        site = await session.get(Site, key, populate_existing=True, with_for_update={"read": True})
    if site is not None and not covers(site.networks, subnet):
        site = await session.get(Site, key, populate_existing=True, with_for_update=True)
    return site


async def _register(session: AsyncSession, organisation_id: UUID, site_id: UUID, subnet: IPv4Network) -> Site:
    """The site, locked: new with the subnet as its network, or what another request made of it just now."""
    await session.execute(
        insert(Site)
        .values(
            organisation_id=organisation_id,
            id=site_id,
            name=f"Site {str(site_id)[:8]}",
            networks=[subnet],
            vantage=LOCAL,
            registration=Registration.AUTO,
            created_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
    )
    return await get_site(session, organisation_id, site_id, lock=True)
