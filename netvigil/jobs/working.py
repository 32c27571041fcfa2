"""A process that takes jobs: its lanes, their heartbeat, and what is bound to every log line of a job."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from procrastinate import App

from netvigil.jobs.fence import FencedQueue
from netvigil.jobs.line import Line
from netvigil.jobs.listener import Listener
from netvigil.jobs.liveness import ANY
from netvigil.jobs.pulse import Pulse
from netvigil.jobs.queue import DEFAULT_QUEUE, DUE_QUEUE, NEWS_QUEUE, Services, tasks, vantage_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from procrastinate import JobContext

POLL_SECONDS = 1.0  # a released lock wakes nobody, so this is also how late a waiting job may start
ABORT_POLL_SECONDS = 2.0  # should the word of it have been lost
DUE_AT_ONCE = 2
CONTROL_AT_ONCE = 4  # two may be a sync of the feeds and a rematch, which take minutes
NEWS_AT_ONCE = 6  # most of them wait for servers elsewhere
GRACE_SECONDS = 0.5
NAMED = ("scan_id", "site_scan_id", "schedule_id", "site_id")
LANES = 4

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lane:
    """Queues that are served together, so many jobs at a time; what happens in one lane holds no other up."""

    name: str
    queues: list[str]
    concurrency: int
    running: set[asyncio.Task[Any]] = field(default_factory=set)


class WorkerProcess:
    """Takes jobs in four lanes: schedules whose time has come, messages, everything else of the service, and site scans.

    `find_vantages` names the vantages that have work, for a worker that takes every one (`any`): the queue
    gives out jobs of named queues only.
    """

    def __init__(
        self, services: Services, *, find_vantages: Callable[[], Awaitable[list[str]]] | None = None
    ) -> None:
        settings = services.settings
        self.vantages = settings.worker_vantages
        self._services = services
        self._find_vantages = find_vantages
        self._line = Line(services.database.url)
        self._listener = Listener(services.database.url)
        words = [word for word in self.vantages if word != ANY] or ["local"]
        self._sites = Lane("sites", [vantage_queue(word) for word in words], settings.worker_concurrency)
        self._lanes = (
            Lane("due", [DUE_QUEUE], DUE_AT_ONCE),
            Lane("control", [DEFAULT_QUEUE], CONTROL_AT_ONCE),
            Lane("news", [NEWS_QUEUE], NEWS_AT_ONCE),
            self._sites,
        )
        self._queue = FencedQueue(self._line, self._listener)
        self.pulse = Pulse(
            self._line, self.vantages, settings.worker_dead_after, self._queue.held, self._put_down
        )

    def why_idle(self) -> str | None:
        """In a sentence why no jobs are taken, None when they are."""
        if self.pulse.silence > self.pulse.dead_after:
            return f"this process's worker has had no heartbeat for {self.pulse.silence:.0f} seconds"
        if len(self._queue.held) < LANES:
            return "this process's worker is starting"
        return None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Take jobs beside the caller; on exit running ones are aborted and put back for others."""
        app = App(connector=self._queue.connector)
        app.job_manager = self._queue
        app.tasks.update(tasks.tasks)
        beside = [self._listener.run(), self.pulse.run(), self.pulse.watch()]
        if ANY in self.vantages and self._find_vantages is not None:
            beside.append(every(self.pulse.interval, self._add_vantages, "find vantages"))
        helpers = [asyncio.create_task(work) for work in beside]
        lanes = [asyncio.create_task(self._keep(app, lane), name=lane.name) for lane in self._lanes]
        try:
            yield
        finally:
            self._queue.patience = 0.0  # who ends does not wait for a database that is away
            for group in (lanes, helpers):
                for task in group:
                    task.cancel()
                await asyncio.gather(*group, return_exceptions=True)
            await self.pulse.end()
            await self._line.close()

    async def _keep(self, app: App, lane: Lane) -> None:
        """Serve a lane until cancelled; should it end, it is started again."""
        pause = 1.0
        while True:
            try:
                await app.run_worker_async(
                    name=lane.name,
                    queues=lane.queues,
                    concurrency=lane.concurrency,
                    additional_context={"services": self._services},
                    fetch_job_polling_interval=POLL_SECONDS,
                    abort_job_polling_interval=ABORT_POLL_SECONDS,
                    update_heartbeat_interval=3600,  # the pulse gives it
                    shutdown_graceful_timeout=GRACE_SECONDS,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                    worker_middleware=[_Accompany(lane)],
                )
            except Exception:
                log.exception("lane ended, starting it again", lane=lane.name, pause=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15.0)

    def _put_down(self) -> None:
        for task in self._sites.running:
            task.cancel()

    async def _add_vantages(self) -> None:
        assert self._find_vantages is not None  # noqa: S101 - asked before this is started
        for word in await self._find_vantages():
            if (queue := vantage_queue(word)) not in self._sites.queues:
                self._sites.queues.append(queue)


class _Accompany:
    """Goes with every job of a lane: binds to its log lines what it is, and keeps it in the lane's list."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def __call__(
        self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _worker: Any
    ) -> Any:
        """Procrastinate's worker middleware."""
        # not taken back: each job has a task, and so a context, of its own, and the queue logs after us
        structlog.contextvars.bind_contextvars(
            job_id=context.job.id,
            task=context.job.task_name,
            **{name: context.job.task_kwargs[name] for name in NAMED if context.job.task_kwargs.get(name)},
        )
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in one
        self._lane.running.add(task)
        try:
            return await call_next()
        finally:
            self._lane.running.discard(task)


async def every(seconds: float, what: Callable[[], Awaitable[object]], name: str) -> None:
    """Call `what` again and again until cancelled; a failure is logged and the next turn tries again."""
    while True:
        try:
            await what()
        except Exception:
            log.exception("periodic work failed", name=name)
        await asyncio.sleep(seconds)
