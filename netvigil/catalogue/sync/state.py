"""Where the sync of each source stands: its validators, its cursor, its last success and its last error."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.catalogue.models_enrichment import FeedSource
from netvigil.catalogue.sync.settings import shown_url

if TYPE_CHECKING:
    from datetime import datetime

    from netvigil.db.session import Database


@dataclass(frozen=True, slots=True)
class Known:
    """What the last success left: validators of the URL's answer (RFC 9110, 8.8), and NVD's cursor."""

    etag: str | None = None
    last_modified: str | None = None
    cursor: datetime | None = None

    def conditions(self) -> dict[str, str]:
        """The headers that ask for an answer only if it is another one."""
        found = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in found.items() if value}


async def read_known(database: Database, source: str, url: str) -> Known:
    """What is known of this source at this URL; nothing when the URL is another one than last time."""
    async with database.session() as session:
        row = await session.get(FeedSource, source)
    if row is None or row.url_digest != _digest(url):
        return Known()
    return Known(row.etag, row.last_modified, row.cursor)


async def record_attempt(database: Database, source: str, url: str, now: datetime) -> None:
    """A sync of the source begins; another URL than last time makes what was known void."""
    digest = _digest(url)
    values: dict[str, Any] = {"url": shown_url(url), "url_digest": digest, "last_attempt_at": now}
    void: dict[str, Any] = {"etag": None, "last_modified": None, "cursor": None}
    async with database.transaction() as session:
        held = await session.scalar(select(FeedSource.url_digest).where(FeedSource.source == source))
        changed = values if held == digest else values | void
        await session.execute(
            insert(FeedSource)
            .values(source=source, **changed)
            .on_conflict_do_update(index_elements=[FeedSource.source], set_=changed)
        )


async def record_success(database: Database, source: str, now: datetime, **changed: Any) -> None:
    """It is up to date; `changed` holds columns of FeedSource that have new values."""
    await _update(database, source, {"last_success_at": now, "last_error": None, **changed})


async def record_cursor(database: Database, source: str, now: datetime, cursor: datetime) -> None:
    """A part of it is in the catalogue, and more is to come."""
    await _update(database, source, {"cursor": cursor, "last_change_at": now})


async def record_failure(database: Database, source: str, error: str) -> None:
    """It could not be brought up to date; what the catalogue holds stays in force."""
    await _update(database, source, {"last_error": error})


async def _update(database: Database, source: str, values: dict[str, Any]) -> None:
    async with database.transaction() as session:
        row = await session.get(FeedSource, source, with_for_update=True)
        if row is not None:
            for name, value in values.items():
                setattr(row, name, value)


def _digest(url: str) -> str:
    return blake2b(url.encode(), digest_size=16).hexdigest()
