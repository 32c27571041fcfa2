"""Migrations: forward only, at every start, one process at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine

from netvigil.db.session import libpq_url, sqlalchemy_url
from netvigil.errors import DatabaseFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LOCK = 7226000


def alembic_config() -> Config:
    """Alembic's configuration without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(
    url: str, then: Callable[[psycopg.AsyncConnection[Any]], Awaitable[object]] | None = None
) -> None:
    """Bring the database to this version's schema; `then` runs under the same lock (the job queue's schema).

    Raises DatabaseFault when the database cannot be reached, or was written by a newer version.
    """
    try:
        async with await psycopg.AsyncConnection.connect(libpq_url(url), autocommit=True) as lock:
            await lock.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            await asyncio.to_thread(_upgrade, url)
            if then is not None:
                async with await psycopg.AsyncConnection.connect(libpq_url(url)) as connection:
                    await then(connection)
    except psycopg.OperationalError as error:
        sentence = " ".join(str(error).split())[:300]
        raise DatabaseFault(f"The database cannot be reached: {sentence}") from None


def _upgrade(url: str) -> None:
    config = alembic_config()
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        newest = ScriptDirectory.from_config(config).get_current_head()
        raise DatabaseFault(
            f"The database was written by a newer netvigil than this one (which knows up to {newest}); "
            "install that version or a later one."
        ) from None
    finally:
        engine.dispose()
