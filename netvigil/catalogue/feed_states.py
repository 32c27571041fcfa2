"""Reads how every source stands: what the catalogue holds of it, and how its last sync went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from netvigil.catalogue.models_enrichment import FeedSource
from netvigil.catalogue.queries import SourceState, catalogue_state
from netvigil.catalogue.sync.planning import next_sync, sync_waits
from netvigil.catalogue.sync.settings import shown_url
from netvigil.catalogue.sync.sources import SOURCES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.sync.settings import FeedSettings
    from netvigil.catalogue.sync.sources import Source

STALE_AFTER = timedelta(days=7)
_SHARED = {feed for feed, count in Counter(source.feed for source in SOURCES).items() if count > 1}


@dataclass(frozen=True, slots=True)
class FeedState:
    """One source; the fields are those of `schemas.Feed`."""

    source: str
    title: str
    url: str | None
    enabled: bool
    records: int
    skipped: int
    data_date: datetime | None
    age_seconds: int | None
    imported_at: datetime | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    next_sync_at: datetime | None
    stale: bool


@dataclass(frozen=True, slots=True)
class FeedsState:
    """The catalogue as a whole and all its sources; the fields are those of `schemas.FeedsState`."""

    catalogue_version: str
    cves: int
    data_date: datetime | None
    age_seconds: int | None
    stale: bool
    starter_only: bool
    running: bool
    next_sync_at: datetime | None
    sources: list[FeedState]


async def read_feeds(
    session: AsyncSession, feeds: FeedSettings, *, dead_after: float, now: datetime | None = None
) -> FeedsState:
    """The state of the data: every source that a sync knows, then those that only files have brought."""
    now = now or datetime.now(UTC)
    catalogue = await catalogue_state(session)
    held = {one.source: one for one in catalogue.sources}
    synced = {row.source: row for row in await session.scalars(select(FeedSource))}
    coming = await next_sync(session)
    states = [
        _state(source, feeds.urls[source.name], held.get(source.feed), synced.get(source.name), coming, now)
        for source in SOURCES
    ]
    known = {source.feed for source in SOURCES}
    states += [_from_files(one, now) for one in catalogue.sources if one.source not in known]
    return FeedsState(
        catalogue_version=catalogue.version,
        cves=catalogue.cves,
        data_date=catalogue.data_date,
        age_seconds=_age(catalogue.data_date, now),
        stale=is_stale(catalogue.data_date, now),
        starter_only=catalogue.starter_only,
        running=await sync_waits(session, dead_after=dead_after),
        next_sync_at=coming,
        sources=states,
    )


def is_stale(moment: datetime | None, now: datetime) -> bool:
    """Whether data of this age deserves a warning; data that is not there does."""
    return moment is None or now - moment > STALE_AFTER


def _state(
    source: Source,
    url: str | None,
    held: SourceState | None,
    row: FeedSource | None,
    coming: datetime | None,
    now: datetime,
) -> FeedState:
    records = held.records if held is not None else 0
    if source.feed in _SHARED:  # the log knows the feed, not which of its sources gave what
        records = (row.records if row is not None else None) or 0
    data_date = held.data_date if held is not None else None
    success = row.last_success_at if row is not None else None
    return FeedState(
        source=source.name,
        title=source.title,
        url=None if url is None else shown_url(url),
        enabled=url is not None,
        records=records,
        skipped=held.skipped if held is not None else 0,
        data_date=data_date,
        age_seconds=_age(data_date, now),
        imported_at=held.imported_at if held is not None else None,
        last_attempt_at=row.last_attempt_at if row is not None else None,
        last_success_at=success,
        last_error=row.last_error if row is not None else None,
        next_sync_at=None if url is None else coming,
        stale=is_stale(success, now) and is_stale(data_date, now),
    )


def _from_files(held: SourceState, now: datetime) -> FeedState:
    return FeedState(
        source=held.source,
        title=held.source,
        url=None,
        enabled=False,
        records=held.records,
        skipped=held.skipped,
        data_date=held.data_date,
        age_seconds=_age(held.data_date, now),
        imported_at=held.imported_at,
        last_attempt_at=None,
        last_success_at=None,
        last_error=None,
        next_sync_at=None,
        stale=is_stale(held.data_date, now),
    )


def _age(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((now - moment).total_seconds()))
