"""`/sites`: the places that may be scanned."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import (
    Caller,
    JsonObject,
    Paging,
    ReadSession,
    Session,
    describes,
    json_body,
    link_next,
    requires,
)
from netvigil.access.scopes import Scope
from netvigil.access.secrets import SecretBox
from netvigil.access.validation import path_id, validated
from netvigil.access.wire import answers
from netvigil.sites import models, service
from netvigil.sites.schemas import ExclusionLists, MaintenanceWindow, Site, SiteWrite
from netvigil.sites.service import SiteValues

router = APIRouter(prefix="/sites", tags=["Sites"])
CanView = Annotated[Caller, requires(Scope.SITES_VIEW)]
CanManage = Annotated[Caller, requires(Scope.SITES_MANAGE)]


def _shown(site: models.Site) -> Site:
    return Site(
        id=site.id,
        # stored in normal form: reading thousands of entries again for each row of a list would take seconds
        **{
            **_written(site),
            "exclusions": ExclusionLists.model_construct(**site.exclusions),
            "maintenance_windows": list(map(MaintenanceWindow.stored, site.maintenance_windows)),
        },
        online=site.online,
        last_seen_at=site.last_seen_at,
        registration=site.registration,
        created_at=site.created_at,
        updated_at=site.updated_at,
    )


def _written(site: models.Site) -> dict[str, Any]:
    """The site as a client would send it, but for the router's secret; the base that a PATCH changes."""
    return {
        "name": site.name,
        "networks": [str(network) for network in site.networks],
        "vantage": site.vantage,
        "exclusions": site.exclusions,
        "limits": site.limits,
        "maintenance_windows": site.maintenance_windows,
        "router": site.router and {**site.router, "has_secret": site.router_secret is not None},
    }


def _values(body: SiteWrite) -> SiteValues:
    return SiteValues(
        name=body.name,
        networks=[IPv4Network(text) for text in body.networks],
        vantage=body.vantage.model_dump(exclude_none=True),
        exclusions=body.exclusions.value(),
        limits=body.limits.model_dump(),
        router=body.router.login() if body.router else None,
        maintenance_windows=[window.value() for window in body.maintenance_windows],
    )


def _box(request: Request) -> SecretBox:
    return SecretBox.of(request.app.state.settings)


@router.get("", summary="List sites", response_model=list[Site], responses=answers(422))
async def list_sites(
    request: Request, response: Response, session: ReadSession, caller: CanView, page: Paging
) -> list[Site]:
    """Every site of the organisation, newest first."""
    rows = await service.list_sites(session, caller.organisation_id, limit=page.limit, before=page.before)
    return [_shown(row) for row in link_next(request, response, page, rows)]


@router.post(
    "",
    summary="Create a site",
    status_code=201,
    response_model=Site,
    responses=answers(400, 409, 413, 422),
    openapi_extra=describes(SiteWrite, {"name": "Main office", "networks": ["192.168.88.0/24"]}),
)
async def create_site(
    request: Request, session: Session, caller: CanManage, body: Annotated[SiteWrite, json_body(SiteWrite)]
) -> Site:
    """Register a place and the networks that may be scanned there."""
    site = await service.create_site(
        session, caller.organisation_id, site_id=body.id, values=_values(body), box=_box(request)
    )
    return _shown(site)


@router.get("/{site_id}", summary="Retrieve a site", response_model=Site, responses=answers(404))
async def get_site(session: ReadSession, caller: CanView, site_id: str) -> Site:
    """One site."""
    return _shown(await service.get_site(session, caller.organisation_id, path_id(site_id, "site")))


@router.put(
    "/{site_id}",
    summary="Replace a site",
    response_model=Site,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(SiteWrite),
)
async def replace_site(
    request: Request,
    session: Session,
    caller: CanManage,
    site_id: str,
    body: Annotated[SiteWrite, json_body(SiteWrite)],
) -> Site:
    """Change everything about a site but its id; a router given without its secret keeps the stored one."""
    wanted = path_id(site_id, "site")
    return _shown(
        await service.update_site(session, caller.organisation_id, wanted, _values(body), _box(request))
    )


@router.patch(
    "/{site_id}",
    summary="Change a site",
    response_model=Site,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(SiteWrite, part=True),
)
async def change_site(
    request: Request, session: Session, caller: CanManage, site_id: str, changes: JsonObject
) -> Site:
    """Change the fields given and keep the others; `router: null` removes the router with its secret."""
    wanted = path_id(site_id, "site")
    site = await service.get_site(session, caller.organisation_id, wanted, lock=True)
    body = validated(SiteWrite, {**_written(site), **changes})
    return _shown(
        await service.update_site(session, caller.organisation_id, wanted, _values(body), _box(request))
    )


@router.delete("/{site_id}", summary="Delete a site", status_code=204, responses=answers(404, 409))
async def delete_site(session: Session, caller: CanManage, site_id: str) -> None:
    """Delete a site that no schedule names; its past reports stay."""
    await service.delete_site(session, caller.organisation_id, path_id(site_id, "site"))
