"""The queue as a worker sees it: patient with outages, and closed to a worker that was given up meanwhile.

procrastinate's own calls end a job by its id alone, so that a worker which was thought dead closes its successor's
run when it wakes up; and they raise during an outage, which ends the worker.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, LiteralString

import structlog
from procrastinate import PsycopgConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from netvigil.jobs.line import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from netvigil.jobs.line import Line
    from netvigil.jobs.listener import Listener

log = structlog.get_logger(__name__)
OUTAGE_PATIENCE = 120.0  # then recovery finds what became of the job
# procrastinate's own function has the same rules, but the planner reads all that waits for it: 31 ms with a thousand
# site scans in a fresh table, 11 ms with a hundred thousand schedules, every second. Here each part is one step in an
# index of ours (`schema`), whatever the planner knows: 0.1 to 0.4 ms. Of planned jobs the one that is latest comes first.
_FREE = """NOT EXISTS (SELECT FROM procrastinate_jobs o WHERE o.lock = j.lock AND o.status IN ('todo', 'doing')
  AND (o.status = 'doing' OR (o.priority, -o.id) > (j.priority, -j.id)))"""
_FETCH: LiteralString = f"""
WITH ready AS MATERIALIZED (
  SELECT one.id, one.priority FROM unnest(%(queues)s::varchar[]) AS q (name), LATERAL (
    SELECT j.id, j.priority FROM procrastinate_jobs j
    WHERE j.queue_name = q.name AND j.status = 'todo' AND j.scheduled_at IS NULL AND {_FREE}
    ORDER BY j.priority DESC, j.id LIMIT 1 FOR UPDATE OF j SKIP LOCKED) one
  UNION ALL
  SELECT one.id, one.priority FROM unnest(%(queues)s::varchar[]) AS q (name), LATERAL (
    SELECT j.id, j.priority FROM procrastinate_jobs j
    WHERE j.queue_name = q.name AND j.status = 'todo' AND j.scheduled_at <= now() AND {_FREE}
    ORDER BY j.scheduled_at, j.id LIMIT 1 FOR UPDATE OF j SKIP LOCKED) one)
UPDATE procrastinate_jobs SET status = 'doing', worker_id = %(worker_id)s
WHERE id = (SELECT id FROM ready ORDER BY priority DESC, id LIMIT 1)
RETURNING id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id"""  # noqa: S608 - words of our own
_COLUMNS = (
    "id", "status", "task_name", "priority", "lock", "queueing_lock", "args", "scheduled_at", "queue_name",
    "attempts", "worker_id",
)  # fmt: skip
_OURS = " FROM procrastinate_jobs WHERE id = %(job_id)s AND status = 'doing' AND worker_id = %(worker_id)s"
_FINISH = "SELECT procrastinate_finish_job_v1(id, %(status)s, %(delete)s)" + _OURS
_RETRY = (
    "SELECT procrastinate_retry_job_v2(id, coalesce(%(at)s::timestamptz, now()), %(priority)s, %(queue)s, %(lock)s)"
    + _OURS
)


class FencedQueue(JobManager):
    """What procrastinate's worker asks of the queue, over the process's own line.

    `patience` is how many seconds the end of a job waits for a database that is away. `held` are the jobs that each lane has in hand: whatever else the queue believes to run on it was lost on
    the way from a database that went away in the middle of an answer.
    """

    def __init__(self, line: Line, listener: Listener) -> None:
        super().__init__(PsycopgConnector())  # never opened: nothing below asks it
        self._line = line
        self._listener = listener
        self.held: defaultdict[int, set[int]] = defaultdict(set)
        self.patience = OUTAGE_PATIENCE

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job, None when there is none or the database is away."""
        try:
            rows = await self._line.rows(_FETCH, {"queues": list(queues or ()), "worker_id": worker_id})
        except UNREACHABLE as error:
            log.warning("cannot look for jobs", error=_short(error))
            return None
        if not rows:
            return None
        [row] = rows
        job = Job.from_row(dict(zip(_COLUMNS, row, strict=True)))
        self.held[worker_id].add(row[0])
        return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - theirs
        """End the job, unless it was given to somebody else meanwhile."""
        await self._conclude(job, _FINISH, {"status": status.value, "delete": delete_job})

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put the job back, unless it was given to somebody else meanwhile."""
        await self._conclude(
            job, _RETRY, {"at": retry_at, "priority": priority, "queue": queue, "lock": lock}
        )

    async def register_worker(self) -> int:
        """A new lane's id; raises one of UNREACHABLE."""
        [(worker_id,)] = await self._line.rows("SELECT worker_id FROM procrastinate_register_worker_v1()", {})
        self.held[worker_id] = set()
        return int(worker_id)

    async def unregister_worker(self, worker_id: int) -> None:
        """Forget a lane; one that cannot say good-bye is found dead later."""
        self.held.pop(worker_id, None)
        try:
            await self._line.rows("SELECT procrastinate_unregister_worker_v1(%(id)s)", {"id": worker_id})
        except UNREACHABLE as error:
            log.warning("cannot sign off", error=_short(error))

    async def update_heartbeat(self, worker_id: int) -> None:
        """Nothing: the process gives one heartbeat for all its lanes (`pulse`)."""

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:  # noqa: ARG002 - theirs
        """Nothing: recovery forgets the dead, after it has taken their jobs."""
        return []

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:  # noqa: ARG002 - theirs
        """Running jobs of this process that someone asked to abort."""
        try:
            rows = await self._line.rows(
                "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND abort_requested "
                "AND worker_id = ANY(%(lanes)s)",
                {"lanes": list(self.held)},
            )
        except UNREACHABLE:
            return []
        return [row[0] for row in rows]

    async def listen_for_jobs(self, *, on_notification: Any, queues: Iterable[str] | None = None) -> None:
        """Hear of the lane's queues until cancelled."""
        self._listener.add(queues or (), on_notification)
        await asyncio.get_running_loop().create_future()

    async def _conclude(self, job: Job, query: LiteralString, values: dict[str, Any]) -> None:
        deadline = asyncio.get_running_loop().time() + self.patience
        pause = 0.2
        while True:
            try:
                rows = await self._line.rows(query, {"job_id": job.id, "worker_id": job.worker_id, **values})
                break
            except UNREACHABLE as error:
                log.warning("cannot end the job for now", job_id=job.id, error=_short(error))
                if asyncio.get_running_loop().time() > deadline:
                    rows = [()]
                    break
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
        if not rows:
            log.warning("the job was given to another worker", job_id=job.id)
        if job.id is not None and job.worker_id is not None and job.worker_id in self.held:
            self.held[job.worker_id].discard(job.id)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
