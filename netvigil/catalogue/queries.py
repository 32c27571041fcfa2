"""Reads of the catalogue: candidates for products, records by number, and how old it all is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Text, any_, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from netvigil.catalogue.candidates import Candidate, decode_candidates
from netvigil.catalogue.encoding import Key, product_key
from netvigil.catalogue.lookup import CANDIDATES
from netvigil.catalogue.merging import merge_parts
from netvigil.catalogue.models import Cve, CvePart, FeedImport
from netvigil.catalogue.parts import StoredPart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.records import CveRecord

_KEYS_AT_ONCE = 200  # more, and PostgreSQL reads the whole table and compares every row with every key
_DECODE_IN_THREAD_FROM = 200  # rows; below, decoding takes under a few milliseconds

# By engine; an import that was rolled back leaves no number that another one gets.
_STATES: WeakKeyDictionary[object, tuple[int | None, CatalogueState]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class SourceState:
    """What one source has given: `records` that the catalogue holds now, `skipped` in its newest import.

    `data_date` is its newest record's modification.
    """

    source: str
    records: int
    skipped: int
    imported_at: datetime
    data_date: datetime | None


@dataclass(frozen=True, slots=True)
class CatalogueState:
    """How complete and how old the catalogue is.

    `version` names this state in a report: the import's number and the data's date, `12.2026-08-22`; `0` is
    the empty catalogue. `data_date` is the newest modification of any CVE, so that importing an old file today
    makes nothing look fresh. `starter_only` is true until something else than the package's starter is there.
    """

    version: str
    cves: int
    data_date: datetime | None
    imported_at: datetime | None
    starter_only: bool
    sources: tuple[SourceState, ...]


async def find_candidates(
    session: AsyncSession, products: Collection[Key], *, changed_since: int | None = None
) -> list[Candidate]:
    """Every CVE with a vulnerable criterion on one of the products (part, vendor, product), in one round trip for up to 200.

    Rejected CVEs have no criteria and never appear; Deferred ones do. In order of the CVE's name. With
    `changed_since` only those that an import after that catalogue version has changed.
    """
    wanted = frozenset(products)
    every = sorted({product_key(*product) for product in wanted})
    rows: dict[str, Sequence[Any]] = {}
    for start in range(0, len(every), _KEYS_AT_ONCE):
        some = every[start : start + _KEYS_AT_ONCE]
        rows |= {row[0]: row for row in await _rows_of(session, some, changed_since)}
    if len(rows) < _DECODE_IN_THREAD_FROM:
        return decode_candidates(rows, wanted)
    return await asyncio.to_thread(decode_candidates, rows, wanted)


async def _rows_of(
    session: AsyncSession, product_keys: Sequence[int], changed_since: int | None
) -> Sequence[tuple[Any, ...]]:
    # Past the ORM and in binary: tens of thousands of rows with packed bytes cost half as much so.
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    if connection is None:
        raise RuntimeError("the session has no connection")
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(CANDIDATES, {"keys": list(product_keys), "since": changed_since})
        rows: Sequence[tuple[Any, ...]] = await cursor.fetchall()
        return rows


async def get_cves(
    session: AsyncSession, cve_ids: Iterable[str], *, with_configurations: bool = False
) -> dict[str, CveRecord]:
    """The records of these CVEs by their name; those that the catalogue lacks are not in the answer.

    Without `with_configurations` each record's `configurations` is empty, which is far cheaper.
    """
    names = sorted(set(cve_ids))
    if not names:
        return {}
    columns = [getattr(CvePart, name) for name in StoredPart._fields]
    wanted = bindparam("cve_ids", names, ARRAY(Text))  # one parameter, however many names
    rows = (await session.execute(select(*columns).where(CvePart.cve_id == any_(wanted)))).all()

    def decode() -> dict[str, CveRecord]:
        parts: dict[str, list[StoredPart]] = {}
        for row in rows:
            parts.setdefault(row[0], []).append(StoredPart(*row))
        return {
            name: merge_parts(of_one, with_configurations=with_configurations)
            for name, of_one in parts.items()
        }

    return decode() if len(rows) < _DECODE_IN_THREAD_FROM else await asyncio.to_thread(decode)


async def latest_version(session: AsyncSession) -> int:
    """The number of the newest import, 0 before the first."""
    return await session.scalar(select(func.max(FeedImport.catalogue_version))) or 0


async def changed_cves(session: AsyncSession, since: int) -> set[str]:
    """The CVEs that an import after the catalogue version `since` has changed."""
    return set(await session.scalars(select(Cve.cve_id).where(Cve.catalogue_version > since)))


async def catalogue_state(session: AsyncSession) -> CatalogueState:
    """Version, size, age and sources of the catalogue; counted once after each import, for every report asks."""
    engine = session.get_bind()
    newest = await session.scalar(select(func.max(FeedImport.id)))
    known = _STATES.get(engine)
    if newest is None or known is None or known[0] != newest:
        known = newest, await _count_state(session)
        if newest is not None:
            _STATES[engine] = known
    return known[1]


async def _count_state(session: AsyncSession) -> CatalogueState:
    newest = FeedImport.id.label("id"), FeedImport.source, FeedImport.held, FeedImport.catalogue_version
    last = (
        select(*newest)
        .ext(distinct_on(FeedImport.source))
        .order_by(FeedImport.source, FeedImport.id.desc())
        .subquery()
    )
    found = await session.execute(
        select(
            FeedImport.source,
            func.coalesce(func.max(last.c.held), func.sum(FeedImport.records)),
            func.sum(FeedImport.skipped).filter(FeedImport.catalogue_version == last.c.catalogue_version),
            func.max(FeedImport.imported_at),
            func.max(FeedImport.newest_modified),
        )
        .join(last, last.c.source == FeedImport.source)
        .group_by(FeedImport.source)
        .order_by(FeedImport.source)
    )
    sources = tuple(SourceState(*row) for row in found.all())
    cves = await session.scalar(select(func.count()).select_from(Cve))
    beyond_starter = await session.scalar(select(exists().where(~Cve.starter)))
    number = await session.scalar(select(func.max(FeedImport.catalogue_version)))
    data_date = max((one.data_date for one in sources if one.data_date is not None), default=None)
    return CatalogueState(
        version="0" if number is None else f"{number}.{data_date:%Y-%m-%d}" if data_date else str(number),
        cves=cves or 0,
        data_date=data_date,
        imported_at=max((one.imported_at for one in sources), default=None),
        starter_only=not beyond_starter,
        sources=sources,
    )
