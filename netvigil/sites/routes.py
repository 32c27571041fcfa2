"""`/sites`: the places that may be scanned."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import inspect

from netvigil.access.edge import (
    Caller,
    JsonObject,
    Paging,
    Session,
    describes,
    json_body,
    link_next,
    requires,
)
from netvigil.access.scopes import Scope
from netvigil.access.validation import path_id, validated
from netvigil.access.wire import answers
from netvigil.sites import models, service
from netvigil.sites.schemas import Site, SiteWrite

router = APIRouter(prefix="/sites", tags=["Sites"])
CanView = Annotated[Caller, requires(Scope.SITES_VIEW)]
CanManage = Annotated[Caller, requires(Scope.SITES_MANAGE)]


def _shown(site: models.Site) -> Site:
    values = {column.key: getattr(site, column.key) for column in inspect(models.Site).columns}
    return Site(**{**values, "networks": [str(network) for network in site.networks]})


def _given(body: SiteWrite) -> dict[str, Any]:
    return {
        "name": body.name,
        "networks": [IPv4Network(text) for text in body.networks],
        "vantage": body.vantage.model_dump(exclude_none=True),
    }


@router.get("", summary="List sites", response_model=list[Site], responses=answers(422))
async def list_sites(
    request: Request, response: Response, session: Session, caller: CanView, page: Paging
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
    session: Session, caller: CanManage, body: Annotated[SiteWrite, json_body(SiteWrite)]
) -> Site:
    """Register a place and the networks that may be scanned there."""
    return _shown(await service.create_site(session, caller.organisation_id, site_id=body.id, **_given(body)))


@router.get("/{site_id}", summary="Retrieve a site", response_model=Site, responses=answers(404))
async def get_site(session: Session, caller: CanView, site_id: str) -> Site:
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
    session: Session, caller: CanManage, site_id: str, body: Annotated[SiteWrite, json_body(SiteWrite)]
) -> Site:
    """Change everything about a site but its id."""
    wanted = path_id(site_id, "site")
    return _shown(await service.update_site(session, caller.organisation_id, wanted, **_given(body)))


@router.patch(
    "/{site_id}",
    summary="Change a site",
    response_model=Site,
    responses=answers(400, 404, 413, 422),
    openapi_extra=describes(SiteWrite, part=True),
)
async def change_site(session: Session, caller: CanManage, site_id: str, changes: JsonObject) -> Site:
    """Change the fields given and keep the others."""
    wanted = path_id(site_id, "site")
    site = await service.get_site(session, caller.organisation_id, wanted, lock=True)
    now = {"name": site.name, "networks": [str(n) for n in site.networks], "vantage": site.vantage}
    body = validated(SiteWrite, {**now, **changes})
    return _shown(await service.update_site(session, caller.organisation_id, wanted, **_given(body)))


@router.delete("/{site_id}", summary="Delete a site", status_code=204, responses=answers(404, 409))
async def delete_site(session: Session, caller: CanManage, site_id: str) -> None:
    """Delete a site that no schedule names; its past reports stay."""
    await service.delete_site(session, caller.organisation_id, path_id(site_id, "site"))
