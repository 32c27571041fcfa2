"""LISTEN on one channel over one connection of its own, made again after every outage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog
from psycopg import sql

from netvigil.db.session import libpq_url

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)
CHECK_SECONDS = 10.0  # a server that vanished without a word is noticed after this and the patience below
PATIENCE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0


async def listen(
    url: str,
    channel: str,
    *,
    on_notice: Callable[[str], None],
    on_listening: Callable[[], None],
) -> None:
    """Call `on_notice` with each payload until cancelled; never ends by itself.

    `on_listening` is called whenever listening has begun, the first time and after every outage: what was sent
    before was not heard, so the caller has to look for itself then.
    """
    pause = 0.1
    while True:
        try:
            async with await _connect(url) as connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                pause = 0.1
                on_listening()
                while True:
                    async for notice in connection.notifies(timeout=CHECK_SECONDS):
                        on_notice(notice.payload)
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as error:  # a TimeoutError is an OSError
            log.warning("cannot hear the database", pause=pause, error=" ".join(str(error).split())[:200])
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _connect(url: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await psycopg.AsyncConnection.connect(
            libpq_url(url), autocommit=True, application_name="netvigil listens"
        )
