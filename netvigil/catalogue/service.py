"""Reads what may concern inventories and matches them: from products to the CVEs that they have."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netvigil.catalogue.distributions import find_fixes, find_unanalysed
from netvigil.catalogue.matcher import CveMatch, HostMatches, match_candidates, names_of
from netvigil.catalogue.queries import find_candidates
from netvigil.matching.host_packages import wanted_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.matching.products import Product

_THREAD_FROM = 500  # candidates; below, matching takes a few milliseconds


async def match_inventory(
    session: AsyncSession, products: Sequence[Product], *, changed_since: int | None = None
) -> list[CveMatch]:
    """Every CVE of one host's products, in order of the CVE's name; the products are judged together."""
    [host] = await match_hosts(session, [products], changed_since=changed_since)
    return host.matches


async def match_inventories(
    session: AsyncSession, inventories: Sequence[Sequence[Product]], *, changed_since: int | None = None
) -> list[list[CveMatch]]:
    """The CVEs of many hosts, an answer for each in their order."""
    return [host.matches for host in await match_hosts(session, inventories, changed_since=changed_since)]


async def match_hosts(
    session: AsyncSession, inventories: Sequence[Sequence[Product]], *, changed_since: int | None = None
) -> list[HostMatches]:
    """The same with what is not affected, and why; a query for all hosts, and two more where a packager is known.

    With `changed_since` only CVEs that an import after that catalogue version has changed.
    """
    names = {name for products in inventories for name in names_of(products)}
    candidates = await find_candidates(session, names, changed_since=changed_since)
    wanted = {package for products in inventories for package in wanted_packages(products)}
    fixes = await find_fixes(session, wanted)
    candidates += await find_unanalysed(session, wanted, changed_since=changed_since)
    if len(candidates) < _THREAD_FROM:
        return match_candidates(inventories, candidates, fixes)
    return await asyncio.to_thread(match_candidates, inventories, candidates, fixes)
