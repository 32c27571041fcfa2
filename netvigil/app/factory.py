"""The composition root of the HTTP service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import text

from netvigil.app.documents import add_documents
from netvigil.app.errors import add_error_answers, unforeseen_answer
from netvigil.app.middleware import Envelope
from netvigil.catalogue import routes as feeds
from netvigil.catalogue.sync.settings import read_feed_settings
from netvigil.reports import routes as reports
from netvigil.reports.queries import Links, read_activity
from netvigil.scans import routes as scans
from netvigil.schedules import routes as schedules
from netvigil.sites import routes as sites

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.app.service import Service
    from netvigil.schedules.activity import Activity


def create_app(service: Service) -> FastAPI:
    """The HTTP application over a service that is already open."""
    app = FastAPI(
        title="netvigil",
        summary="Schedules, runs and reports network vulnerability scans of many sites.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = service.settings
    app.state.database = service.database
    app.state.keys = service.keys
    app.state.authority = service.authority
    app.state.feed_settings = read_feed_settings()
    app.state.organisation_ids = {}
    app.state.schedule_activity = partial(_schedule_activity, service)
    add_error_answers(app)
    # fixed path segments win over {scan_id}: the order here is the order of matching
    for router in (
        scans.router,
        schedules.router,
        reports.router,
        reports.downloads,
        sites.router,
        feeds.router,
    ):
        app.include_router(router)
    _add_health(app, service)
    add_documents(app)
    app.add_middleware(Envelope, unforeseen=unforeseen_answer)
    return app


async def _schedule_activity(
    service: Service, session: AsyncSession, schedule_ids: Collection[UUID], base: str
) -> dict[UUID, Activity]:
    links = Links(base=base, key=service.keys.link, ttl=service.settings.link_ttl)
    return await read_activity(session, schedule_ids, links)


def _add_health(app: FastAPI, service: Service) -> None:
    # HEAD too: load balancers and monitors ask so
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["Health"], summary="The process is alive")
    async def healthz() -> dict[str, Any]:
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False, response_model=None)
    @app.get("/readyz", tags=["Health"], summary="The service can do its work", response_model=None)
    async def readyz() -> Any:
        try:
            async with service.database.session() as session:
                await session.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001 - whatever the database says, the answer is the same
            return JSONResponse({"status": "unavailable", "reason": "the database does not answer"}, 503)
        return {"status": "ready"}
