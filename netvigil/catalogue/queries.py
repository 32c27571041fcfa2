"""Reads of the catalogue: candidates for products, records by number, and how old it all is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Row, Text, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from netvigil.catalogue.encoding import Key, StoredCve, decode_configurations, decode_record, product_key
from netvigil.catalogue.models import STARTER, Cve, FeedImport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.records import CveRecord
    from netvigil.matching.ranges import Configuration

_DECODE_IN_THREAD_FROM = 200  # rows; below, decoding takes under a few milliseconds


@dataclass(frozen=True, slots=True)
class Candidate:
    """A CVE that names a wanted product as vulnerable, and its score, with what is left to compare.

    `configurations` are pruned to the wanted products (`encoding.decode_configurations`). The score's four
    fields are None where nobody has scored the CVE.
    """

    cve_id: str
    score: float | None
    severity: str | None
    vector: str | None
    cvss_version: str | None
    configurations: tuple[Configuration, ...]

    def vulnerable_products(self) -> set[Key]:
        """The products that its criteria call vulnerable."""
        return {
            one.criteria.name
            for configuration in self.configurations
            for node in configuration.nodes
            for one in node.ranges
            if one.vulnerable
        }


@dataclass(frozen=True, slots=True)
class SourceState:
    """What one source has given in all its imports; `data_date` is its newest record's modification."""

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


async def find_candidates(session: AsyncSession, products: Collection[Key]) -> list[Candidate]:
    """Every CVE with a vulnerable criterion on one of the products (part, vendor, product), in one round trip.

    Rejected CVEs have no criteria and never appear; Deferred ones do. In order of the CVE's name.
    """
    wanted = frozenset(products)
    if not wanted:
        return []
    keys = bindparam("product_keys", sorted({product_key(*product) for product in wanted}), ARRAY(Integer))
    found = await session.execute(
        select(Cve.cve_id, Cve.score, Cve.severity, Cve.vector, Cve.cvss_version, Cve.configurations)
        .where(Cve.product_keys.overlap(keys))
        .order_by(Cve.cve_id)
    )
    rows = found.all()
    if len(rows) < _DECODE_IN_THREAD_FROM:
        return _decoded(rows, wanted)
    return await asyncio.to_thread(_decoded, rows, wanted)


async def get_cves(
    session: AsyncSession, cve_ids: Iterable[str], *, with_configurations: bool = False
) -> dict[str, CveRecord]:
    """The records of these CVEs by their name; those that the catalogue lacks are not in the answer.

    Without `with_configurations` each record's `configurations` is empty, which is far cheaper.
    """
    columns = [getattr(Cve, name) for name in StoredCve._fields]
    wanted = bindparam("cve_ids", sorted(set(cve_ids)), ARRAY(Text))  # one parameter, however many names
    rows = (await session.execute(select(*columns).where(Cve.cve_id == any_(wanted)))).all()

    def decode() -> dict[str, CveRecord]:
        records = (decode_record(StoredCve(*row), with_configurations=with_configurations) for row in rows)
        return {record.cve_id: record for record in records}

    return decode() if len(rows) < _DECODE_IN_THREAD_FROM else await asyncio.to_thread(decode)


async def catalogue_state(session: AsyncSession) -> CatalogueState:
    """Version, size, age and sources of the catalogue."""
    found = await session.execute(
        select(
            FeedImport.source,
            func.sum(FeedImport.records),
            func.sum(FeedImport.skipped),
            func.max(FeedImport.imported_at),
            func.max(FeedImport.newest_modified),
        )
        .group_by(FeedImport.source)
        .order_by(FeedImport.source)
    )
    sources = tuple(SourceState(*row) for row in found.all())
    cves = await session.scalar(select(func.count()).select_from(Cve))
    number = await session.scalar(select(func.max(FeedImport.catalogue_version)))
    data_date = max((one.data_date for one in sources if one.data_date is not None), default=None)
    return CatalogueState(
        version="0" if number is None else f"{number}.{data_date:%Y-%m-%d}" if data_date else str(number),
        cves=cves or 0,
        data_date=data_date,
        imported_at=max((one.imported_at for one in sources), default=None),
        starter_only={one.source for one in sources} <= {STARTER},
        sources=sources,
    )


def _decoded(rows: Sequence[Row[*tuple[Any, ...]]], wanted: frozenset[Key]) -> list[Candidate]:
    candidates = []
    for cve_id, score, severity, vector, cvss_version, data in rows:
        # an index number can stand for two products, then nothing is left here
        if configurations := decode_configurations(data, wanted):
            candidates.append(Candidate(cve_id, score, severity, vector, cvss_version, configurations))
    return candidates
