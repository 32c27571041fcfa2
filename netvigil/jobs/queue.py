"""Adding jobs and taking them back, inside the caller's transaction, and what a task gets from its process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from procrastinate import Blueprint, JobContext, RetryStrategy
from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.settings import Settings

tasks = Blueprint()
"""Where features register their jobs."""

DUE_QUEUE = "due"
"""Schedules whose time comes; they have a lane of their own, so that nothing else delays them."""
DEFAULT_QUEUE = "default"
NEWS_QUEUE = "news"
"""Messages to people; they have a lane of their own, so that a receiver that is slow or dead holds up nothing else."""
VANTAGE_PREFIX = "vantage:"

_DEFER = text("""
SELECT (procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :name, :priority, :lock, :queueing_lock,
  CAST(:args AS jsonb), :scheduled_at)::procrastinate_job_to_defer_v1]))[1]""")


@dataclass(frozen=True, slots=True)
class Services:
    """What jobs need from the process that runs them."""

    settings: Settings
    database: Database


def services_of(context: JobContext) -> Services:
    """The services that the worker was given."""
    services: Services = context.additional_context["services"]
    return services


def is_last_try(context: JobContext, retry: RetryStrategy) -> bool:
    """Whether a failure now is final: procrastinate counts the tries before this one."""
    return context.job.attempts >= (retry.max_attempts or 0)


def vantage_queue(word: str) -> str:
    """The queue of site scans from the vantage that the word names."""
    return f"{VANTAGE_PREFIX}{word}"


async def enqueue(
    session: AsyncSession,
    name: str,
    *,
    queue: str = DEFAULT_QUEUE,
    lock: str | None = None,
    queueing_lock: str | None = None,
    schedule_at: datetime | None = None,
    priority: int = 0,
    **kwargs: Any,
) -> int:
    """Add a job inside the session's transaction and return its id; a rollback takes it back.

    `lock` keeps two jobs with the same value from running together; `queueing_lock` from waiting together (then
    the database raises IntegrityError). Of jobs that could run those of higher priority go first, then older ones.
    """
    values = {
        "queue": queue,
        "name": name,
        "priority": priority,
        "lock": lock,
        "queueing_lock": queueing_lock,
        "args": orjson.dumps(kwargs).decode(),
        "scheduled_at": schedule_at,
    }
    job_id = await session.scalar(_DEFER, values)
    if job_id is None:
        raise RuntimeError("the queue gave the job no id")
    return int(job_id)


async def cancel(session: AsyncSession, job_id: int) -> None:
    """Inside the transaction: drop the job if it waits, ask its worker to abort it if it runs."""
    await session.execute(
        text("SELECT procrastinate_cancel_job_v1(:job_id, true, false)"), {"job_id": job_id}
    )


async def cancel_waiting(session: AsyncSession, queueing_lock: str) -> None:
    """Inside the transaction: delete the job that waits under this queueing lock, if any."""
    await session.execute(
        text("DELETE FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'"),
        {"lock": queueing_lock},
    )
