"""The jobs of the news: tell of a scan or a data update, and send what is in the outbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from procrastinate import JobContext, RetryStrategy
from sqlalchemy.exc import DBAPIError

from netvigil.access.secrets import SecretBox
from netvigil.jobs import NEWS_QUEUE, AgainAfterShutdown, enqueue, is_waiting, services_of, tasks
from netvigil.notify.delivery import send
from netvigil.notify.outbox import DELIVER_JOB, Try, begin_try, end_try, recover_deliveries
from netvigil.notify.targets import ForbiddenTarget
from netvigil.notify.telling import is_update_untold, tell_of_scan, tell_of_update
from netvigil.notify.webhook import NotDelivered
from netvigil.scans.service import NEWS_JOB

if TYPE_CHECKING:
    from netvigil.db.session import Database
    from netvigil.notify.models import DeliveryState
    from netvigil.settings import Settings

log = structlog.get_logger(__name__)
UPDATE_JOB = "notify.tell_of_update"
RETRY = RetryStrategy(max_attempts=5, exponential_wait=4)
WRITE_TRIES = 5


@tasks.task(name=NEWS_JOB, pass_context=True, retry=RETRY)
async def put_news_of_scan(context: JobContext, scan_id: str) -> None:
    """Put the news of a scan in the outbox."""
    services = services_of(context)
    async with services.database.transaction() as session:
        number = await tell_of_scan(session, services.settings, UUID(scan_id))
    if number:
        log.info("news of a scan", receivers=number)


@tasks.task(name=UPDATE_JOB, pass_context=True, retry=RETRY)
async def put_news_of_update(context: JobContext) -> None:
    """Put the news of data updates in the outbox."""
    services = services_of(context)
    async with services.database.transaction() as session:
        number = await tell_of_update(session)
    if number:
        log.info("news of a data update", receivers=number)


async def request_telling(database: Database) -> None:
    """Enqueue the news of a data update once it is through, whoever ran it, and deliveries that lost their job."""
    async with database.transaction() as session:
        await recover_deliveries(session)
        if await is_update_untold(session) and not await is_waiting(session, UPDATE_JOB):
            await enqueue(session, UPDATE_JOB, queue=NEWS_QUEUE, queueing_lock=UPDATE_JOB)


@tasks.task(name=DELIVER_JOB, pass_context=True, retry=AgainAfterShutdown())
async def deliver_message(context: JobContext, delivery_id: str) -> None:
    """Send one message to one receiver, once; a failed try plans the next by itself."""
    services = services_of(context)
    await deliver(services.database, services.settings, UUID(delivery_id), context.job.id)


async def deliver(
    database: Database, settings: Settings, delivery_id: UUID, job_id: int | None
) -> DeliveryState | None:
    """Make one try; returns the state after it, None when there was nothing to do."""
    async with database.transaction() as session:
        one = await begin_try(session, delivery_id, job_id, SecretBox.of(settings))
    if one is None:
        return None
    failure, final = None, False
    try:
        await send(
            one.channel,
            one.receiver,
            one.content,
            delivery_id=str(delivery_id),
            webhook_secret=one.webhook_secret,
            allow=settings.notify_allow,
        )
    except (ForbiddenTarget, NotDelivered) as error:
        failure, final = str(error), isinstance(error, ForbiddenTarget)
    except Exception as error:  # noqa: BLE001 - whatever it was, the row must say so; the text may hold a secret
        failure = f"The message could not be sent ({type(error).__name__})."
    state = await _write(database, one, failure, final=final)
    log.info(
        "message", delivery_id=str(delivery_id), kind=str(one.channel.kind), attempt=one.attempt, state=state
    )
    return state


async def _write(database: Database, one: Try, failure: str | None, *, final: bool) -> DeliveryState | None:
    """Write the end of a try, patiently: a message whose end is not written could not be repeated."""
    turn = 0
    while True:
        try:
            async with database.transaction() as session:
                return await end_try(session, one, failure=failure, final=final)
        except DBAPIError:
            turn += 1
            if turn == WRITE_TRIES:
                raise
            await asyncio.sleep(2.0**turn)
