"""The job queue: procrastinate on our own database, enqueued by name inside the caller's transaction.

Lower layers enqueue jobs of higher ones by name with ids only, so nobody imports upwards. Features
register their tasks on `tasks`; the worker gets what they need as `Services` through the job context.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import structlog
from procrastinate import App, Blueprint, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.settings import Settings

tasks = Blueprint()
"""Where features register their jobs."""

DEFAULT_QUEUE = "default"
POLL_SECONDS = 1.0  # a released lock wakes nobody, so this is also how late a waiting job may start
HEARTBEAT_SECONDS = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What jobs need from the process that runs them."""

    settings: Settings
    database: Database


def services_of(context: JobContext) -> Services:
    """The services that `run_worker` was given."""
    services: Services = context.additional_context["services"]
    return services


def is_last_try(context: JobContext, retry: RetryStrategy) -> bool:
    """Whether a failure now is final: procrastinate counts the tries before this one."""
    return context.job.attempts >= (retry.max_attempts or 0)


def build_app(url: str) -> App:
    """A procrastinate app on this database with every registered task; open it with `open_async()`."""
    app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=6))
    for name, task in tasks.tasks.items():
        app.tasks[name] = task
    return app


async def enqueue(
    session: AsyncSession,
    name: str,
    *,
    queue: str = DEFAULT_QUEUE,
    lock: str | None = None,
    queueing_lock: str | None = None,
    schedule_at: datetime | None = None,
    **kwargs: Any,
) -> int:
    """Add a job inside the session's transaction and return its id; a rollback takes it back.

    `lock` keeps two jobs with the same value from running together; `queueing_lock` from waiting together.
    """
    connection = await session.connection()
    raw = (await connection.get_raw_connection()).driver_connection
    manager = JobManager(PsycopgConnector())  # the connector only words the query, `raw` runs it
    job = Job(
        id=None,
        queue=queue,
        lock=lock,
        queueing_lock=queueing_lock,
        task_name=name,
        task_kwargs=kwargs,
        scheduled_at=schedule_at,
    )
    deferred = await manager.defer_job_async(job, connection=raw)
    if deferred.id is None:
        raise RuntimeError("the queue gave the job no id")
    return deferred.id


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
    return bool(
        await session.scalar(
            text("""
            SELECT EXISTS (
              SELECT FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
              WHERE j.id = :job_id AND (j.status = 'todo' OR (j.status = 'doing'
                AND w.last_heartbeat > now() - make_interval(secs => :dead_after))))"""),
            {"job_id": job_id, "dead_after": dead_after},
        )
    )


async def requeue_stalled(session: AsyncSession, dead_after: float) -> int:
    """Put jobs of dead workers back into the queue; returns how many. One process at a time does it."""
    if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(7226001)")):
        return 0
    # One that died after it planned its successor must not come back: two cannot wait under one queueing lock.
    await session.execute(
        text("""
        SELECT procrastinate_finish_job_v1(j.id, 'failed', false)
        FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
        WHERE j.status = 'doing'
          AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :dead_after))
          AND EXISTS (SELECT FROM procrastinate_jobs n
                      WHERE n.status = 'todo' AND n.queueing_lock = j.queueing_lock)"""),
        {"dead_after": dead_after},
    )
    rows = await session.execute(
        text("""
        SELECT procrastinate_retry_job_v2(j.id, now(), NULL, NULL, NULL)
        FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
        WHERE j.status = 'doing'
          AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :dead_after))"""),
        {"dead_after": dead_after},
    )
    return len(rows.all())


async def run_worker(app: App, services: Services) -> None:
    """Run jobs of every queue until cancelled; a worker that a database outage ended is started again."""
    pause = 1.0
    while True:
        try:
            await app.run_worker_async(
                concurrency=services.settings.worker_concurrency,
                additional_context={"services": services},
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=services.settings.worker_dead_after,
                fetch_job_polling_interval=POLL_SECONDS,
                abort_job_polling_interval=POLL_SECONDS,
                shutdown_graceful_timeout=0.5,
                delete_jobs="successful",
                install_signal_handlers=False,
            )
        except Exception:
            log.exception("worker stopped, starting it again", pause=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 15.0)


async def every(seconds: float, what: Callable[[], Awaitable[object]], name: str) -> None:
    """Call `what` again and again until cancelled; a failure is logged and the next turn tries again."""
    while True:
        try:
            await what()
        except Exception:
            log.exception("periodic work failed", name=name)
        await asyncio.sleep(seconds)


async def apply_schema(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    """Create or upgrade the queue's own tables; returns what was applied. Caller holds the migration lock.

    procrastinate ships a whole schema and the steps between its versions; we note which steps this
    database has, so that an upgrade of the library runs the new ones in order.
    """
    folder = resources.files("procrastinate") / "sql" / "migrations"
    steps = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS job_schema_step (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
    )
    rows = await (await connection.execute("SELECT name FROM job_schema_step")).fetchall()
    done = {row[0] for row in rows}
    if done:
        new = [(name, (folder / name).read_text()) for name in steps if name not in done]
    else:
        whole = (resources.files("procrastinate") / "sql" / "schema.sql").read_text()
        new = [("schema.sql", whole)]
    for _, sql in new:
        await connection.execute(sql.encode())
    names = [name for name, _ in new]
    record = names + (steps if not done else [])
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO job_schema_step (name) VALUES (%s)", [(n,) for n in record])
    return names
