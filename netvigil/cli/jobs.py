"""`netvigil jobs`: look at the queue, put a failed job back, drop a waiting one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table

from netvigil.app.service import open_service
from netvigil.cli.common import err, out, print_json, run, settings_from
from netvigil.jobs.looking import JobSeen, drop_waiting, list_jobs, retry_failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

STATES = ("todo", "doing", "failed")


def run_list(data_dir: Path | None, *, every_state: bool, as_json: bool) -> None:
    """Print waiting, running and failed jobs; with `every_state` those that ended well too."""

    async def work() -> list[JobSeen]:
        states = [*STATES, "succeeded", "cancelled", "aborted"] if every_state else list(STATES)
        async with _queue(data_dir) as session:
            return await list_jobs(session, states)

    jobs = run(work)
    if as_json:
        print_json([_shown(job) for job in jobs])
        return
    table = Table(title="Jobs", title_justify="left")
    for column in ("Id", "State", "Task", "Queue", "Age", "Due", "Tries", "Worker", "Of"):
        table.add_column(column, overflow="fold")
    for job in jobs:
        due = "now" if job.scheduled_at is None else f"{job.scheduled_at:%Y-%m-%d %H:%M:%S}"
        of = " ".join(str(value) for value in job.arguments.values())
        worker = "-" if job.worker is None else str(job.worker)
        table.add_row(
            str(job.id),
            job.status,
            job.task,
            job.queue,
            _age(job.changed_at),
            due,
            str(job.attempts),
            worker,
            of,
        )
    out.print(table if jobs else "No job waits, runs or has failed.")


def _age(since: datetime | None) -> str:
    """How long the job has been in its state, in its two greatest units; a job whose time lies ahead has no age."""
    seconds = -1 if since is None else round((datetime.now(UTC) - since).total_seconds())
    if seconds < 0:
        return "-"
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    parts = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join([*parts, f"{seconds % 60} s"][:2])


def run_retry(job_id: int, data_dir: Path | None) -> None:
    """Put a failed job back into the queue."""

    async def work() -> None:
        async with _queue(data_dir) as session:
            await retry_failed(session, job_id)

    run(work)
    err.print(f"Job {job_id} waits again.")


def run_cancel(job_id: int, data_dir: Path | None) -> None:
    """Drop a waiting job, or abort a running one."""

    async def work() -> None:
        async with _queue(data_dir) as session:
            await drop_waiting(session, job_id)

    run(work)
    err.print(f"Job {job_id} is cancelled.")


@asynccontextmanager
async def _queue(data_dir: Path | None) -> AsyncIterator[AsyncSession]:
    settings = settings_from(data_dir, quiet=True)
    async with (
        open_service(settings, "netvigil jobs", share=True) as service,
        service.database.transaction() as session,
    ):
        yield session


def _shown(job: JobSeen) -> dict[str, object]:
    values = asdict(job)
    for name in ("scheduled_at", "changed_at"):
        values[name] = values[name].astimezone(UTC).isoformat() if values[name] is not None else None
    return values
