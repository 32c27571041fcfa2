"""The job queue: procrastinate on our own database, enqueued by name inside the caller's transaction.

Lower layers enqueue jobs of higher ones by name with ids only, so nobody imports upwards. Features
register their tasks on `tasks`; the worker gets what they need as `Services` through the job context.
"""

from netvigil.jobs.liveness import (
    ALIVE,
    is_alive,
    is_waiting,
    list_unreached,
    list_workers,
    prune_finished,
    requeue_stalled,
)
from netvigil.jobs.queue import (
    DEFAULT_QUEUE,
    DUE_QUEUE,
    NEWS_QUEUE,
    Services,
    cancel,
    cancel_waiting,
    enqueue,
    is_last_try,
    services_of,
    tasks,
    vantage_queue,
)
from netvigil.jobs.retrying import AgainAfterShutdown
from netvigil.jobs.schema import apply_schema
from netvigil.jobs.working import WorkerProcess, every

__all__ = [
    "ALIVE",
    "DEFAULT_QUEUE",
    "DUE_QUEUE",
    "NEWS_QUEUE",
    "AgainAfterShutdown",
    "Services",
    "WorkerProcess",
    "apply_schema",
    "cancel",
    "cancel_waiting",
    "enqueue",
    "every",
    "is_alive",
    "is_last_try",
    "is_waiting",
    "list_unreached",
    "list_workers",
    "prune_finished",
    "requeue_stalled",
    "services_of",
    "tasks",
    "vantage_queue",
]
