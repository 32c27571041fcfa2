"""When feeds are fetched next: a job each day, not at the same minute everywhere, and one on request.

The row of `feed_plan` is the truth, jobs only carry it: a tick that is not the planned one does nothing, so a
tick that is delivered twice, or one of a plan that was changed, is harmless.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.catalogue.models_enrichment import FeedPlan
from netvigil.catalogue.sync.run import sync_runs
from netvigil.errors import Conflict
from netvigil.jobs import cancel, enqueue, is_alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.sync.settings import FeedSettings

TICK_JOB = "catalogue.start_sync"
SYNC_JOB = "catalogue.sync_feeds"
_LOCK = "feeds"
_FIRST = timedelta(minutes=5)  # a service that is only tried out for a moment asks nobody
_FIRST_SPREAD = timedelta(minutes=10)
_SPREAD = 0.05


async def plan_sync(
    session: AsyncSession,
    feeds: FeedSettings,
    *,
    now: datetime,
    dead_after: float,
    chance: Callable[[], float] = random.random,
) -> datetime | None:
    """See to it that the next scheduled sync has its job, or none where the setting is off; returns its time.

    For the start of the service, and as often as anyone likes: a plan that holds is left alone.
    """
    plan = await _locked_plan(session)
    interval = timedelta(hours=feeds.interval_hours)
    holds = (
        plan.next_sync_at is not None
        and plan.next_sync_at <= now + interval * (1 + _SPREAD)
        and await is_alive(session, plan.tick_job_id, dead_after)
    )
    if not feeds.scheduled:
        await _withdraw(session, plan)
    elif not holds:
        await _withdraw(session, plan)
        await _plan_tick(session, plan, now + _FIRST + chance() * _FIRST_SPREAD)
    return plan.next_sync_at


async def tick(
    session: AsyncSession,
    feeds: FeedSettings,
    planned_at: datetime,
    *,
    now: datetime,
    dead_after: float,
    chance: Callable[[], float] = random.random,
) -> bool:
    """The planned time has come: ask for the sync and plan the next; False when this tick is not the planned one."""
    plan = await _locked_plan(session)
    if plan.next_sync_at != planned_at:
        return False
    if not feeds.scheduled:
        plan.next_sync_at, plan.tick_job_id = None, None
        return False
    if not await is_alive(session, plan.sync_job_id, dead_after):
        plan.sync_job_id = await enqueue(session, SYNC_JOB, lock=_LOCK)
    spread = 1 + (chance() * 2 - 1) * _SPREAD
    await _plan_tick(session, plan, now + timedelta(hours=feeds.interval_hours) * spread)
    return True


async def request_sync(session: AsyncSession, *, dead_after: float) -> int:
    """Ask for a sync now; the job's id. Raises Conflict while one waits or runs, be it of the command line."""
    plan = await _locked_plan(session)
    if await is_alive(session, plan.sync_job_id, dead_after) or await sync_runs(session):
        raise Conflict("sync_running", "The feeds are being fetched already.")
    plan.sync_job_id = await enqueue(session, SYNC_JOB, lock=_LOCK)
    return plan.sync_job_id


async def sync_waits(session: AsyncSession, *, dead_after: float) -> bool:
    """Whether a sync waits or runs."""
    job_id = await session.scalar(select(FeedPlan.sync_job_id))
    return await is_alive(session, job_id, dead_after) or await sync_runs(session)


async def next_sync(session: AsyncSession) -> datetime | None:
    """When the next scheduled sync starts; None where none is planned."""
    return await session.scalar(select(FeedPlan.next_sync_at))


async def _locked_plan(session: AsyncSession) -> FeedPlan:
    await session.execute(insert(FeedPlan).values(id=1).on_conflict_do_nothing())
    query = select(FeedPlan).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


async def _plan_tick(session: AsyncSession, plan: FeedPlan, at: datetime) -> None:
    plan.next_sync_at = at
    plan.tick_job_id = await enqueue(session, TICK_JOB, schedule_at=at, planned_at=at.isoformat())


async def _withdraw(session: AsyncSession, plan: FeedPlan) -> None:
    if plan.tick_job_id is not None:
        await cancel(session, plan.tick_job_id)
    plan.next_sync_at, plan.tick_job_id = None, None
