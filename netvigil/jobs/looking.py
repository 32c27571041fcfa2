"""Look at the queue as a person does, and put a failed job back or drop a waiting one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from netvigil.errors import Conflict, NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

# Whose jobs carry a scan or a schedule: our own rows are the truth there, and recovery gives them their jobs.
_OF_SCANS = ("scans.", "findings.reconcile_scan", "reports.freeze_report")
_LIST = """
    SELECT j.id, j.task_name, j.queue_name, j.status, j.lock, j.attempts, j.args, j.scheduled_at,
      (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id) AS changed_at, w.id AS worker
    FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
    WHERE j.status = ANY(:states) ORDER BY j.status, j.id DESC LIMIT :most"""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """One job: `status` is the queue's word (`todo`, `doing`, `failed`, …), `arguments` hold ids only."""

    id: int
    task: str
    queue: str
    status: str
    lock: str | None
    attempts: int
    arguments: dict[str, Any]
    scheduled_at: datetime | None
    changed_at: datetime | None
    worker: int | None


async def list_jobs(session: AsyncSession, states: list[str], *, most: int = 200) -> list[JobSeen]:
    """Jobs in these states, newest first in each."""
    rows = await session.execute(text(_LIST), {"states": states, "most": most})
    return [JobSeen(*row) for row in rows]


async def retry_failed(session: AsyncSession, job_id: int) -> None:
    """Put a failed job back into the queue; raises NotFound, and Conflict for one that has not failed or is of a scan."""
    job = await _get(session, job_id)
    if job.task_name.startswith(_OF_SCANS):
        raise Conflict(
            "job_of_scan",
            f"Job {job_id} is a scan's; an unfinished scan gets its jobs by itself, start another scan.",
        )
    if job.status != "failed":
        raise Conflict("job_not_failed", f"Job {job_id} has not failed, it is '{job.status}'.")
    await session.execute(
        text("UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = NULL WHERE id = :id"),
        {"id": job_id},
    )


async def drop_waiting(session: AsyncSession, job_id: int) -> None:
    """Drop a waiting job or ask its worker to abort it; raises NotFound, and Conflict for one of a scan or at its end."""
    job = await _get(session, job_id)
    if job.task_name.startswith(_OF_SCANS):
        raise Conflict(
            "job_of_scan",
            f"Job {job_id} belongs to a scan or schedule: stop the scan, or delete the schedule.",
        )
    if job.status not in {"todo", "doing"}:
        raise Conflict("job_ended", f"Job {job_id} has ended already, it is '{job.status}'.")
    await session.execute(text("SELECT procrastinate_cancel_job_v1(:id, true, false)"), {"id": job_id})


async def _get(session: AsyncSession, job_id: int) -> Any:
    query = text("SELECT task_name, status FROM procrastinate_jobs WHERE id = :id FOR UPDATE")
    job = (await session.execute(query, {"id": job_id})).first()
    if job is None:
        raise NotFound(f"No such job: {job_id}.")
    return job
