"""The outbox: each message once per receiver, tried again for about a day, whatever crashes in between.

A delivery is marked `sending` before anything leaves and gets its final state after. What a worker that dies between
the two leaves behind nobody can know: it may have arrived. A webhook is then sent again under the same id, by which
its receiver tells a repetition; everything else is not sent twice but given up, with that reason, for people to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from netvigil.errors import EnvironmentFault
from netvigil.jobs import NEWS_QUEUE, enqueue
from netvigil.notify.channels import Channel, Kind, receivers_of
from netvigil.notify.models import (
    DeliveryState,
    NotificationChannel,
    NotificationDelivery,
    NotificationGroup,
    NotificationMessage,
)
from netvigil.notify.service import open_channel, open_webhook_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.access.secrets import SecretBox

DELIVER_JOB = "notify.deliver"
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
"""How long after each failed try the next one comes: eight tries in 22 hours."""
KEPT = timedelta(days=90)
"""How long it can be seen what was sent."""
AT_ONCE_A_CHANNEL = 2
BUSY_WAIT = timedelta(seconds=10)
STUCK_AFTER = timedelta(minutes=2)  # no try lasts as long, so one that does belongs to the dead
INTERRUPTED = "The service was interrupted while it sent this; it may have arrived, and is not sent twice. See the scan's report."

_WITHOUT_JOB = text("""
SELECT * FROM notification_delivery d WHERE d.state IN ('pending', 'sending')
  AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.id = d.job_id AND j.status IN ('todo', 'doing'))
ORDER BY d.id LIMIT 100 FOR UPDATE SKIP LOCKED""")


@dataclass(frozen=True, slots=True)
class Try:
    """One try that its worker may carry out: what is sent, by what, to whom."""

    delivery_id: UUID
    attempt: int
    channel: Channel
    receiver: str
    content: dict[str, Any]
    webhook_secret: str


async def put_message(
    session: AsyncSession, group: NotificationGroup, about: str, content: dict[str, Any]
) -> int:
    """Put a message for every receiver of a group in the outbox, in the caller's transaction; returns how many.

    A group is told once about each thing: for what it has been told it returns 0.
    """
    statement = insert(NotificationMessage).values(group_id=group.id, about=about, content=content)
    statement = statement.on_conflict_do_nothing(constraint="uq_notification_message_group_id_about")
    message_id = await session.scalar(statement.returning(NotificationMessage.id))
    if message_id is None:
        return 0
    old = NotificationMessage.created_at < func.now() - KEPT
    await session.execute(delete(NotificationMessage).where(NotificationMessage.group_id == group.id, old))
    number = 0
    for channel in group.channels:
        for receiver in dict.fromkeys(receivers_of(channel.kind, channel.settings)):
            row = NotificationDelivery(
                id=uuid4(),
                group_id=group.id,
                message_id=message_id,
                channel_id=channel.id,
                kind=channel.kind,
                receiver=receiver,
                state=DeliveryState.PENDING,
            )
            await _enqueue(session, row, datetime.now(UTC))
            session.add(row)
            number += 1
    await session.flush()
    return number


async def begin_try(
    session: AsyncSession, delivery_id: UUID, job_id: int | None, box: SecretBox
) -> Try | None:
    """Take a delivery for sending, in a transaction of its own; None when it is not this job's to send now."""
    row = await session.get(NotificationDelivery, delivery_id, with_for_update=True)
    if row is None or row.job_id != job_id or row.state not in (DeliveryState.PENDING, DeliveryState.SENDING):
        return None
    now = datetime.now(UTC)
    group = await session.get_one(NotificationGroup, row.group_id)
    channel = await session.get(NotificationChannel, row.channel_id) if row.channel_id else None
    if channel is None or group.is_muted(now):
        _end(
            row,
            DeliveryState.DROPPED,
            "The channel was removed." if channel is None else "The group is muted.",
        )
        return None
    if row.state == DeliveryState.SENDING and row.kind != Kind.WEBHOOK:
        _end(row, DeliveryState.FAILED, INTERRUPTED)
        return None
    if await _is_busy(session, row, now):
        await _enqueue(session, row, now + BUSY_WAIT)
        return None
    row.attempt += 1
    try:
        opened = open_channel(group, channel, box)
        secret = open_webhook_secret(group, box)
    except (
        EnvironmentFault
    ) as error:  # the key may be on another machine: its worker, or the next try, may have it
        await _plan_again(session, row, str(error))
        return None
    message = await session.get_one(NotificationMessage, row.message_id)
    row.state, row.began_at, row.next_try_at = DeliveryState.SENDING, now, None
    return Try(row.id, row.attempt, opened, row.receiver, message.content, secret)


async def end_try(
    session: AsyncSession, done: Try, *, failure: str | None = None, final: bool = False
) -> DeliveryState | None:
    """Write how a try went: sent, to be tried again, or given up. Returns None when another try has taken over."""
    row = await session.get(NotificationDelivery, done.delivery_id, with_for_update=True)
    if row is None or row.state != DeliveryState.SENDING or row.attempt != done.attempt:
        return None
    if failure is None:
        row.state, row.sent_at, row.reason = DeliveryState.SENT, datetime.now(UTC), None
    elif final:
        _end(row, DeliveryState.FAILED, failure)
    else:
        await _plan_again(session, row, failure)
    return DeliveryState(row.state)


async def recover_deliveries(session: AsyncSession) -> int:
    """Give deliveries whose job is gone (its database was away, a person dropped it) another one; returns how many."""
    rows = list(await session.scalars(select(NotificationDelivery).from_statement(_WITHOUT_JOB)))
    for row in rows:
        await _enqueue(session, row, datetime.now(UTC))
    return len(rows)


async def list_deliveries(
    session: AsyncSession, group_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None
) -> list[tuple[NotificationDelivery, str, str]]:
    """A group's deliveries, newest first, each with what it is about and its subject; one row more than `limit`."""
    subject = NotificationMessage.content["subject"].astext
    query = (
        select(NotificationDelivery, NotificationMessage.about, subject)
        .join(NotificationMessage, NotificationMessage.id == NotificationDelivery.message_id)
        .where(NotificationDelivery.group_id == group_id)
        .order_by(NotificationDelivery.created_at.desc(), NotificationDelivery.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(tuple_(NotificationDelivery.created_at, NotificationDelivery.id) < before)
    return [(row, about, subject) for row, about, subject in await session.execute(query)]


async def _is_busy(session: AsyncSession, row: NotificationDelivery, now: datetime) -> bool:
    """Whether enough is being sent by this channel: a dead receiver must not take every place of the lane."""
    under_way = select(func.count()).where(
        NotificationDelivery.channel_id == row.channel_id,
        NotificationDelivery.id != row.id,
        NotificationDelivery.state == DeliveryState.SENDING,
        NotificationDelivery.began_at > now - STUCK_AFTER,
    )
    return (await session.scalar(under_way) or 0) >= AT_ONCE_A_CHANNEL


async def _plan_again(session: AsyncSession, row: NotificationDelivery, reason: str) -> None:
    if row.attempt > len(WAITS):
        _end(row, DeliveryState.FAILED, reason)
        return
    row.state, row.reason = DeliveryState.PENDING, reason
    await _enqueue(session, row, datetime.now(UTC) + WAITS[row.attempt - 1])


async def _enqueue(session: AsyncSession, row: NotificationDelivery, at: datetime) -> None:
    row.next_try_at = at
    row.job_id = await enqueue(
        session, DELIVER_JOB, queue=NEWS_QUEUE, schedule_at=at, delivery_id=str(row.id)
    )


def _end(row: NotificationDelivery, state: DeliveryState, reason: str) -> None:
    row.state, row.reason, row.next_try_at = state, reason, None
