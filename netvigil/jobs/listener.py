"""Hearing of new jobs and of requests to abort: one LISTEN connection for all lanes of a process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
import structlog
from psycopg import sql

from netvigil.db.session import libpq_url
from netvigil.jobs.line import PATIENCE_SECONDS, UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Told = Callable[..., Awaitable[None]]

log = structlog.get_logger(__name__)
CHECK_SECONDS = 10.0
TURN_SECONDS = 1.0  # how long a lane that has just begun may go unheard
LONGEST_PAUSE_SECONDS = 5.0
_CHANNEL = "procrastinate_queue_v1#"  # procrastinate's triggers tell it


class Listener:
    """Hands each notice to the lane that serves its queue.

    What is said during an outage is not heard: lanes look by themselves every second anyway.
    """

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._told: dict[str, Told] = {}
        self._heard: set[str] = set()

    def add(self, queues: Iterable[str], told: Told) -> None:
        """From now on (at the latest after TURN_SECONDS) tell this lane of jobs in these queues."""
        self._told.update({_CHANNEL + queue: told for queue in queues})

    async def run(self) -> None:
        """Listen until cancelled."""
        pause = 0.1
        while True:
            self._heard.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    connection = await psycopg.AsyncConnection.connect(
                        self._url, autocommit=True, application_name="netvigil listens for jobs"
                    )
                async with connection:
                    pause = 0.1
                    while True:
                        await self._listen(connection)
            except UNREACHABLE as error:
                log.warning("cannot hear of jobs", pause=pause, error=" ".join(str(error).split())[:200])
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Hear for a while; raises one of UNREACHABLE when the connection is dead."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await connection.execute("SELECT 1")
        for _ in range(round(CHECK_SECONDS / TURN_SECONDS)):
            for channel in self._told.keys() - self._heard:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                self._heard.add(channel)
            async for notice in connection.notifies(timeout=TURN_SECONDS if self._heard else 0.1):
                if told := self._told.get(notice.channel):
                    await told(channel=notice.channel, notification=orjson.loads(notice.payload))
