"""Patience with the database: what fails only for now is done again, and what does not is said in a sentence."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
FAULTS = (DBAPIError, PoolTimeout, OSError)
# PostgreSQL's words for what passes: deadlock, serialization failure; shut down, crashed, starting; full, crowded
PASSING = frozenset({"40P01", "40001", "57P01", "57P02", "57P03", "53100", "53300"})
DISK_FULL = "53100"
OUTAGE_PATIENCE = 120.0  # seconds that a result waits for a database that went away


async def durably(database: Database, write: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    """Run a write in its own transaction, again while the database is away or in conflict (up to two minutes)."""

    async def once() -> Result:
        async with database.transaction() as session:
            return await write(session)

    return await patiently(once)


async def patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do what needs the database, again while that is away or in conflict (up to two minutes)."""
    deadline = asyncio.get_running_loop().time() + OUTAGE_PATIENCE
    pause = 0.2
    while True:
        try:
            return await work()
        except FAULTS as error:
            if not passes(error) or asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("the database failed for now, trying again", pause=pause, error=str(error)[:200])
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5.0)


def passes(error: Exception) -> bool:
    """Whether the same may succeed later: the database was away or had no room, or another was in the way."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeout)
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or state in PASSING:
        return True
    return state is None and isinstance(error, OperationalError)  # no answer at all: the connection was lost


def describe_fault(error: Exception) -> str:
    """What a user can do about an error that nobody foresaw, in a sentence."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == DISK_FULL:
        return "The disk of the database is full: make room, then scan again."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk of the worker is full: make room, then scan again."
    if isinstance(error, MemoryError):
        return "The worker has no memory left: give it more, or let it scan fewer sites at a time."
    return "An unexpected error occurred; the service's log has it."
