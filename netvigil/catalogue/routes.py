"""`/feeds`: how complete and how old the vulnerability data is, and its refresh."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request

from netvigil.access.edge import Caller, ReadSession, Session, requires
from netvigil.access.scopes import Scope
from netvigil.access.wire import answers
from netvigil.catalogue.feed_states import read_feeds
from netvigil.catalogue.schemas import FeedsState, SyncStarted
from netvigil.catalogue.sync.planning import request_sync
from netvigil.catalogue.sync.settings import FeedSettings

router = APIRouter(prefix="/feeds", tags=["Feeds"])
CanView = Annotated[Caller, requires(Scope.CVE_VIEW)]
CanManage = Annotated[Caller, requires(Scope.FEEDS_MANAGE)]


@router.get("", summary="State of the vulnerability data", response_model=FeedsState, responses=answers())
async def get_feeds(request: Request, session: ReadSession, caller: CanView) -> FeedsState:  # noqa: ARG001 - the right to
    """How complete and how old the data is that findings rest on, source by source."""
    feeds: FeedSettings = request.app.state.feed_settings
    dead_after: float = request.app.state.settings.worker_dead_after
    return FeedsState.model_validate(
        await read_feeds(session, feeds, dead_after=dead_after), from_attributes=True
    )


@router.post(
    "/sync",
    summary="Refresh the vulnerability data",
    status_code=202,
    response_model=SyncStarted,
    responses=answers(409),
)
async def start_sync(request: Request, session: Session, caller: CanManage) -> SyncStarted:  # noqa: ARG001 - the right to
    """Fetch every source now; 409 `sync_running` while one waits or runs."""
    await request_sync(session, dead_after=request.app.state.settings.worker_dead_after)
    return SyncStarted()
