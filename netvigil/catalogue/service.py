"""Holds inventories against the catalogue: from products to the CVEs that they have."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from netvigil.catalogue.queries import Candidate, find_candidates
from netvigil.matching.aliases import equivalents
from netvigil.matching.match import Inventory, match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.encoding import Key
    from netvigil.matching.products import Match, Product

_THREAD_FROM = 500  # candidates; below, matching takes a few milliseconds


class CveMatch(NamedTuple):
    """A CVE that an inventory has, with its score, and the match that proves it."""

    cve: Candidate
    match: Match


async def match_inventory(session: AsyncSession, products: Sequence[Product]) -> list[CveMatch]:
    """Every CVE of one host's products, in order of the CVE's name; the products are judged together."""
    [matches] = await match_inventories(session, [products])
    return matches


async def match_inventories(
    session: AsyncSession, inventories: Sequence[Sequence[Product]]
) -> list[list[CveMatch]]:
    """The same for many hosts, an answer for each in their order, with one query for all of them."""
    names = {name for products in inventories for name in _names(products)}
    candidates = await find_candidates(session, names)
    if len(candidates) < _THREAD_FROM:
        return _match_all(inventories, candidates)
    return await asyncio.to_thread(_match_all, inventories, candidates)


def _match_all(
    inventories: Sequence[Sequence[Product]], candidates: Sequence[Candidate]
) -> list[list[CveMatch]]:
    by_name = _by_name(candidates)
    return [_match_one(products, candidates, by_name) for products in inventories]


def _match_one(
    products: Sequence[Product], candidates: Sequence[Candidate], by_name: dict[Key, list[int]]
) -> list[CveMatch]:
    inventory = Inventory(products)
    numbers = {number for name in _names(products) for number in by_name.get(name, ())}
    matches = []
    for number in sorted(numbers):
        found = match(inventory, candidates[number].configurations)
        if found is not None:
            matches.append(CveMatch(candidates[number], found))
    return matches


def _by_name(candidates: Iterable[Candidate]) -> dict[Key, list[int]]:
    """For each product the positions of the candidates that call it vulnerable."""
    positions: dict[Key, list[int]] = defaultdict(list)
    for number, candidate in enumerate(candidates):
        for name in candidate.vulnerable_products():
            positions[name].append(number)
    return positions


def _names(products: Iterable[Product]) -> set[Key]:
    """Every name under which the catalogue may know these products."""
    return {name for product in products for name in equivalents(*product.cpe.name)}
