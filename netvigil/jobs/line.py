"""The worker's own connection to the queue: made again after every outage, never waited for without end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg

from netvigil.db.session import libpq_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import LiteralString

PATIENCE_SECONDS = 5.0
UNREACHABLE = (psycopg.Error, OSError)  # a TimeoutError is an OSError
"""What a call raises while the database is away."""


class Line:
    """One autocommitting connection, used by one caller at a time.

    A pool would wait out its own back-off after an outage; here each call simply tries again to connect.
    """

    def __init__(self, url: str) -> None:
        self.url = libpq_url(url)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def rows(self, query: LiteralString, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; raises one of UNREACHABLE."""
        async with self._turn:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    connection = await self._connect()
                    cursor = await connection.execute(query, values, prepare=True)
                    return await cursor.fetchall() if cursor.description else []
            except BaseException:
                await self._drop_broken()
                raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            # one plan for every call: a look for work costs less than planning it
            self._connection = await psycopg.AsyncConnection.connect(
                self.url, autocommit=True, application_name="netvigil queue"
            )
            await self._connection.execute("SET plan_cache_mode = force_generic_plan")
        return self._connection

    async def _drop_broken(self) -> None:
        """A statement that the server refused leaves a good connection; one that was broken off does not."""
        connection = self._connection
        if connection is None:
            return
        idle = psycopg.pq.TransactionStatus.IDLE
        if connection.closed or connection.info.transaction_status != idle:
            self._connection = None
            await connection.close()
