"""The composition root of the HTTP service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from netvigil.app.documents import add_documents
from netvigil.app.errors import add_error_answers, unforeseen_answer
from netvigil.app.health import add_health
from netvigil.app.metrics import add_metrics
from netvigil.app.middleware import Envelope, bind_route
from netvigil.catalogue import routes as feeds
from netvigil.catalogue.sync.settings import read_feed_settings
from netvigil.findings import routes as findings
from netvigil.mitigation import routes as mitigation
from netvigil.mitigation.writer import SectionWriter, read_endpoint
from netvigil.notify import routes as notifications
from netvigil.notify.service import known_names
from netvigil.reports import result_routes as results
from netvigil.reports import routes as reports
from netvigil.reports.pdf import routes as report_pdf
from netvigil.reports.queries import Links, read_activity
from netvigil.scans import event_routes
from netvigil.scans import routes as scans
from netvigil.scans.streams import Streams
from netvigil.schedules import routes as schedules
from netvigil.sites import routes as sites
from netvigil.web.console import ConsoleDoor, create_console

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.app.service import Service
    from netvigil.schedules.activity import Activity


def create_app(service: Service, *, why_idle: Callable[[], str | None] = lambda: None) -> FastAPI:
    """The HTTP application over a service that is already open.

    `why_idle` says in a sentence why the worker of this process does not work, None while it does or when none
    shall: readiness rests on it.
    """
    app = FastAPI(
        title="netvigil",
        summary="Schedules, runs and reports network vulnerability scans of many sites.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(bind_route)],
    )
    _give_state(app, service)
    add_error_answers(app)
    # fixed path segments win over {scan_id}: the order here is the order of matching
    for router in (
        scans.router,
        scans.on_demand,
        schedules.router,
        findings.router,
        mitigation.router,
        reports.router,
        results.router,
        event_routes.router,
        report_pdf.router,
        results.downloads,
        results.schemas,
        sites.router,
        feeds.router,
        notifications.router,
    ):
        app.include_router(router)
    add_health(app, service.database, why_idle)
    metrics = add_metrics(app, service) if service.settings.metrics else None
    add_documents(app)
    app.add_middleware(ConsoleDoor, console=create_console(app.state, [Depends(bind_route)]))
    app.add_middleware(
        Envelope, unforeseen=unforeseen_answer, observe=metrics.observe_request if metrics else None
    )
    return app


def _give_state(app: FastAPI, service: Service) -> None:
    """What routes find in `request.app.state`."""
    app.state.settings = service.settings
    app.state.database = service.database
    app.state.keys = service.keys
    app.state.authority = service.authority
    app.state.feed_settings = read_feed_settings()
    app.state.organisation_ids = {}
    endpoint = read_endpoint(service.settings)
    app.state.section_writer = SectionWriter(endpoint) if endpoint else None
    app.state.streams = Streams(service.database)
    app.state.schedule_activity = partial(_schedule_activity, service)
    app.state.known_groups = known_names


async def _schedule_activity(
    service: Service, session: AsyncSession, schedule_ids: Collection[UUID], base: str
) -> dict[UUID, Activity]:
    links = Links(base=base, key=service.keys.link, ttl=service.settings.link_ttl)
    return await read_activity(session, schedule_ids, links)
