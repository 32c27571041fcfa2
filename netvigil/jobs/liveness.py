"""Who is alive: jobs that somebody carries, workers that give a heartbeat, and what the dead left behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from netvigil.jobs.models import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

ANY = "any"
"""The word of a worker that takes every vantage's jobs."""
FINISHED_DAYS = 14

# After an outage of the database nobody's heartbeat is fresh; whoever could not give one is given time to.
_DEAD = """(w.id IS NULL OR (w.last_heartbeat < now() - make_interval(secs => :dead_after)
  AND (pg_postmaster_start_time() < now() - make_interval(secs => :dead_after)
    OR w.last_heartbeat < pg_postmaster_start_time() - make_interval(secs => :dead_after))))"""
_GIVE_UP = text(f"""
SELECT procrastinate_finish_job_v1(j.id, 'failed', false)
FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing' AND {_DEAD}
  AND EXISTS (SELECT FROM procrastinate_jobs n WHERE n.status = 'todo' AND n.queueing_lock = j.queueing_lock)""")  # noqa: S608 - words of our own
_PUT_BACK = text(f"""
SELECT procrastinate_retry_job_v2(j.id, now(), NULL, NULL, NULL)
FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing' AND {_DEAD}""")  # noqa: S608 - words of our own
_FORGET = text(f"""
DELETE FROM procrastinate_workers w WHERE {_DEAD} AND NOT EXISTS (
  SELECT FROM procrastinate_jobs j WHERE j.worker_id = w.id AND j.status = 'doing')""")  # noqa: S608 - words of our own
_REACHED = text(f"""
SELECT unnest(vantages) FROM worker WHERE seen_at > now() - make_interval(secs => :dead_after)
UNION SELECT '{ANY}' WHERE pg_postmaster_start_time() > now() - make_interval(secs => :dead_after)""")  # noqa: S608 - words of our own
_PRUNE = text("""
DELETE FROM procrastinate_jobs WHERE id IN (
  SELECT j.id FROM procrastinate_jobs j WHERE j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
    AND NOT EXISTS (SELECT FROM procrastinate_events e WHERE e.job_id = j.id
                    AND e.at > now() - make_interval(days => :days)) LIMIT 10000)""")
ALIVE = """(j.status = 'todo' OR (j.status = 'doing'
  AND w.last_heartbeat > now() - make_interval(secs => :dead_after)))"""
"""SQL: whether a job `j` waits, or runs on a worker `w` that still gives a heartbeat."""
_IS_ALIVE = text(f"""
SELECT EXISTS (SELECT FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
               WHERE j.id = :job_id AND {ALIVE})""")  # noqa: S608 - words of our own


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A process that takes jobs, as it registered itself."""

    id: UUID
    host: str
    pid: int
    version: str
    vantages: tuple[str, ...]
    started_at: datetime
    seen_at: datetime


async def list_workers(session: AsyncSession) -> list[WorkerSeen]:
    """Every process that takes jobs, the oldest first; a dead one is gone from here after the dead time."""
    rows = await session.scalars(select(Worker).order_by(Worker.started_at, Worker.id))
    return [
        WorkerSeen(
            id=row.id,
            host=row.host,
            pid=row.pid,
            version=row.version,
            vantages=tuple(row.vantages),
            started_at=row.started_at,
            seen_at=row.seen_at,
        )
        for row in rows
    ]


async def list_unreached(session: AsyncSession, words: Sequence[str], dead_after: float) -> set[str]:
    """Those of the vantages that no living worker takes jobs of; none while the database has just started."""
    reached = set(await session.scalars(_REACHED, {"dead_after": dead_after}))
    return set() if ANY in reached else set(words) - reached


async def is_waiting(session: AsyncSession, name: str) -> bool:
    """Whether a job of this name waits or runs."""
    query = text(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = :name AND status IN ('todo', 'doing'))"
    )
    return bool(await session.scalar(query, {"name": name}))


async def is_alive(session: AsyncSession, job_id: int | None, dead_after: float) -> bool:
    """Whether the job waits, or runs on a worker that still gives a heartbeat (seconds)."""
    if job_id is None:
        return False
    return bool(await session.scalar(_IS_ALIVE, {"job_id": job_id, "dead_after": dead_after}))


async def requeue_stalled(session: AsyncSession, dead_after: float) -> int | None:
    """Put jobs of dead workers back into the queue; returns how many, None while another process does it."""
    if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(7226001)")):
        return None
    values = {"dead_after": dead_after}
    # One that died after it planned its successor must not come back: two cannot wait under one queueing lock.
    await session.execute(_GIVE_UP, values)
    number = len((await session.execute(_PUT_BACK, values)).all())
    await session.execute(_FORGET, values)
    return number


async def prune_finished(session: AsyncSession) -> None:
    """Forget failed and aborted jobs after two weeks; those that succeeded are gone at once."""
    await session.execute(_PRUNE, {"days": FINISHED_DAYS})
