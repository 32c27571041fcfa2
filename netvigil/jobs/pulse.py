"""A process's sign of life: written every two seconds, and missed by the process itself when it fails.

Whoever was frozen, or cut off from the database, for the dead time has been given up by the others; it notices and
puts its own site scans down, whatever still works of it.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from netvigil.jobs.line import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from netvigil.jobs.line import Line

log = structlog.get_logger(__name__)
BEAT_SECONDS = 2.0
_BEAT = """
WITH lane AS (
  INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
  SELECT unnest(%(lanes)s::bigint[]), now() ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()),
me AS (
  INSERT INTO worker (id, host, pid, version, vantages, lanes)
  VALUES (%(id)s, %(host)s, %(pid)s, %(version)s, %(vantages)s, %(lanes)s)
  ON CONFLICT (id) DO UPDATE SET seen_at = now(), lanes = excluded.lanes),
dead AS (
  DELETE FROM worker WHERE id IN (
    SELECT id FROM worker WHERE id <> %(id)s AND seen_at < now() - make_interval(secs => %(dead_after)s)
    FOR UPDATE SKIP LOCKED))
SELECT id, worker_id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY(%(lanes)s)"""
_PUT_BACK = """
SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs
WHERE id = ANY(%(jobs)s) AND status = 'doing' AND worker_id = ANY(%(lanes)s)"""


def now() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps where there is such a one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


@dataclass(slots=True)
class Pulse:
    """The heartbeat of one process and all its lanes; `held` are the jobs in hand by lane.

    `on_lapse` is called once when no heartbeat succeeded for `dead_after` seconds.
    """

    line: Line
    vantages: tuple[str, ...]
    dead_after: float
    held: Mapping[int, set[int]]
    on_lapse: Callable[[], None]
    id: UUID = field(default_factory=uuid4)
    _last: float = field(default_factory=now)
    _lapsed: bool = False
    _strays: set[int] = field(default_factory=set)

    @property
    def silence(self) -> float:
        """Seconds since the last heartbeat that succeeded."""
        return now() - self._last

    @property
    def interval(self) -> float:
        """Seconds between heartbeats: four before anyone takes us for dead."""
        return min(BEAT_SECONDS, self.dead_after / 4)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await self.beat()
            except UNREACHABLE as error:
                self.check()
                log.warning("no heartbeat", silence=round(self.silence, 1), error=str(error)[:200])
            await asyncio.sleep(self.interval)

    async def watch(self) -> None:
        """Notice until cancelled when heartbeats fail; a beat that hangs cannot do it itself."""
        while True:
            self.check()
            await asyncio.sleep(self.interval / 2)

    def check(self) -> None:
        """Call `on_lapse` when the silence has become too long."""
        if self.silence > self.dead_after and not self._lapsed:
            self._lapsed = True
            log.error("no heartbeat for too long, site scans are put down", silence=round(self.silence, 1))
            self.on_lapse()

    async def beat(self) -> None:
        """One heartbeat; raises one of UNREACHABLE."""
        started = now()
        lanes = list(self.held)
        values = {
            "id": self.id,
            "host": platform.node() or "unknown",
            "pid": os.getpid(),
            "version": version("netvigil"),
            "vantages": list(self.vantages),
            "lanes": lanes,
            "dead_after": self.dead_after,
        }
        doing = await self.line.rows(_BEAT, values)
        self.check()  # first: a process that was frozen must not miss that it was
        self._last, self._lapsed = started, False
        await self._put_back_strays(doing, lanes)

    async def end(self) -> None:
        """Sign off; whoever cannot is taken for dead later."""
        try:
            await self.line.rows("DELETE FROM worker WHERE id = %(id)s", {"id": self.id})
        except UNREACHABLE as error:
            log.warning("cannot sign off", error=str(error)[:200])

    async def _put_back_strays(self, doing: list[tuple[int, int]], lanes: list[int]) -> None:
        """Jobs that the queue gave us in an answer that never came: nobody else will ever miss them."""
        strays = {job for job, lane in doing if job not in self.held.get(lane, ())}
        lost, self._strays = strays & self._strays, strays
        if lost:
            log.warning("jobs that were lost on the way put back", jobs=sorted(lost))
            await self.line.rows(_PUT_BACK, {"jobs": list(lost), "lanes": lanes})
