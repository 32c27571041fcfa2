"""Engines and sessions: one async engine per process, one transaction per unit of work."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sqlalchemy import Executable, Row

TRUSTED_SECONDS = 2.0


def sqlalchemy_url(url: str) -> str:
    """The same database for SQLAlchemy: any `postgres…://` scheme becomes psycopg's."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def libpq_url(url: str) -> str:
    """The same database for psycopg and procrastinate."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class Database:
    """An engine and its sessions; `await close()` returns every connection."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = libpq_url(url)
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url), pool_size=pool_size, max_overflow=20
        )
        _check_idle_connections(self.engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = async_sessionmaker(self._autocommit, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session without a commit; for reading, or for a caller that commits itself."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for a few selects, each a transaction of its own: two round trips fewer than `session`."""
        async with self._reading() as session:
            yield session

    async def row(self, statement: Executable, values: Mapping[str, Any]) -> Row[Any] | None:
        """Run one statement that is a transaction by itself: one round trip instead of three. Its row, if any."""
        async with self._autocommit.connect() as connection:
            return (await connection.execute(statement, values)).one_or_none()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that commits at the end, or rolls everything back."""
        async with self._sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _check_idle_connections(engine: AsyncEngine) -> None:
    """Ask a connection for a sign of life before it is used, unless it gave one a moment ago.

    A server that restarted must cost one query, not one failed request; under load that query would be a fifth of
    all. A connection that breaks between two uses within that moment still fails its request.
    """
    pool = engine.sync_engine.pool

    @event.listens_for(pool, "checkin")
    def note_use(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(pool, "checkout")
    def check(connection: Any, record: Any, _proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < TRUSTED_SECONDS:
            return
        try:
            engine.sync_engine.dialect.do_ping(connection)
        except Exception as error:
            raise DisconnectionError from error
