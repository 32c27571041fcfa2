"""Reads distributions' fix data for the packages that hosts were seen to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Text, and_, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from netvigil.catalogue.candidates import Candidate
from netvigil.catalogue.models import Cve
from netvigil.catalogue.models_distributions import PackageFix
from netvigil.matching.backports import Fix, FixData

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, TableValuedAlias
    from sqlalchemy.ext.asyncio import AsyncSession


async def find_fixes(session: AsyncSession, wanted: Collection[tuple[str, str]]) -> FixData:
    """All fix data of these packages, (OSV ecosystem, package) each, of every release, in one round trip."""
    if not wanted:
        return FixData()
    asked = _asked(wanted)
    columns = [getattr(PackageFix, name) for name in Fix.__slots__]
    found = await session.execute(select(*columns).join(asked, _is_asked(asked)))
    return FixData(Fix(*row) for row in found)


async def find_unanalysed(
    session: AsyncSession, wanted: Collection[tuple[str, str]], *, changed_since: int | None = None
) -> list[Candidate]:
    """The CVEs of these packages for which no source names upstream's versions; their `configured_by` is `osv`."""
    if not wanted:
        return []
    asked = _asked(wanted)
    named = select(PackageFix.cve_id).join(asked, _is_asked(asked))
    found = await session.execute(
        select(Cve.cve_id, Cve.score, Cve.severity, Cve.vector, Cve.cvss_version)
        .where(
            Cve.cve_id.in_(named),
            Cve.configured_by.is_(None),
            func.lower(Cve.status) != "rejected",
            true() if changed_since is None else Cve.catalogue_version > changed_since,
        )
        .order_by(Cve.cve_id)
    )
    return [Candidate(*row, configured_by="osv") for row in found]


def _asked(wanted: Collection[tuple[str, str]]) -> TableValuedAlias:
    """The pairs as a table: two parameters, however many pairs."""
    pairs = sorted(set(wanted))
    ecosystems = bindparam("ecosystems", [ecosystem for ecosystem, _ in pairs], ARRAY(Text))
    packages = bindparam("packages", [package for _, package in pairs], ARRAY(Text))
    table = func.unnest(ecosystems, packages).table_valued("ecosystem", "package", name="asked")
    return table.render_derived()


def _is_asked(asked: TableValuedAlias) -> ColumnElement[bool]:
    return and_(PackageFix.ecosystem == asked.c.ecosystem, PackageFix.package == asked.c.package)
