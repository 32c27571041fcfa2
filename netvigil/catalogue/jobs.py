"""The jobs of the catalogue: a planned sync is due, and the feeds are fetched."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from procrastinate import JobContext, RetryStrategy

from netvigil.catalogue.sync.planning import SYNC_JOB, TICK_JOB, tick
from netvigil.catalogue.sync.run import sync_all
from netvigil.catalogue.sync.settings import read_feed_settings
from netvigil.errors import Conflict
from netvigil.jobs import services_of, tasks

log = structlog.get_logger(__name__)


@tasks.task(name=TICK_JOB, pass_context=True, retry=RetryStrategy(max_attempts=10, wait=2, linear_wait=5))
async def start_sync(context: JobContext, planned_at: str) -> None:
    """Ask for the sync that was planned for this time, and plan the next; see `planning.tick`."""
    services = services_of(context)
    async with services.database.transaction() as session:
        await tick(
            session,
            read_feed_settings(),
            datetime.fromisoformat(planned_at),
            now=datetime.now(UTC),
            dead_after=services.settings.worker_dead_after,
        )


@tasks.task(name=SYNC_JOB, pass_context=True)
async def sync_feeds(context: JobContext) -> None:
    """Bring every source up to date. How each went is in its row; a worker that is shut down leaves its pages."""
    services = services_of(context)
    try:
        results = await sync_all(services.database, services.settings.data_dir, read_feed_settings())
    except Conflict:
        log.info("the feeds are being fetched by another process")
        return
    log.info("feeds synced", **{one.source.replace("-", "_"): str(one.outcome) for one in results})
