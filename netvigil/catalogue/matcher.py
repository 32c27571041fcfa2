"""PURE: holds inventories against candidates: from products to the CVEs that they have.

Most CVEs name single products, so most answers depend on one product alone and are worked out once, however many hosts
run it. Only where a CVE asks for several things together is a host's whole inventory looked at.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from netvigil.catalogue.candidates import Candidate, collection_paused
from netvigil.catalogue.shortlist import Entry, Shortlist
from netvigil.matching.aliases import equivalents
from netvigil.matching.backports import FixData
from netvigil.matching.host_packages import HostPackages, wanted_packages
from netvigil.matching.match import Inventory, match
from netvigil.matching.products import Confidence, Match, Product

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netvigil.catalogue.encoding import Key, PackedConfigurations
    from netvigil.matching.cpe import Cpe
    from netvigil.matching.products import NotAffected
    from netvigil.matching.ranges import Configuration

_SECOND_HAND = frozenset({"cvelist"})
"""Sources whose configurations are never more than likely: nobody has checked them against the CPE dictionary."""


class CveMatch(NamedTuple):
    """A CVE that an inventory has, with its score, and the match that proves it."""

    cve: Candidate
    match: Match


class HostMatches(NamedTuple):
    """What one host has, and what its packagers have fixed though upstream's ranges name it; by the CVE's name."""

    matches: list[CveMatch]
    not_affected: list[NotAffected]


def match_candidates(
    inventories: Sequence[Sequence[Product]], candidates: Sequence[Candidate], fixes: FixData | None = None
) -> list[HostMatches]:
    """Every candidate that an inventory has, for each inventory; `candidates` name all that may be meant.

    Those without configurations are judged by the fix data alone.
    """
    answers: dict[tuple[Product, ...], HostMatches] = {}
    with collection_paused(len(candidates)):
        matcher = _Matcher(candidates, fixes or FixData())
        for products in inventories:
            key = tuple(products)
            if key not in answers:
                answers[key] = matcher.match(key)
    found = (answers[tuple(products)] for products in inventories)
    return [HostMatches(list(one.matches), list(one.not_affected)) for one in found]


class _Matcher:
    """The candidates, by the products that they call vulnerable, and what was worked out for products so far."""

    def __init__(self, candidates: Sequence[Candidate], fixes: FixData) -> None:
        self._candidates = candidates
        self._fixes = fixes
        self._alone: dict[Key, list[Entry]] = {}
        self._together: dict[Key, set[int]] = {}
        self._known: set[Key] = set()
        self._shortlists: dict[Key, Shortlist] = {}
        self._of_product: dict[tuple[Product, tuple[Cpe, ...]], dict[int, Match]] = {}
        self._unanalysed = {one.cve_id: one for one in candidates if not one.packed}
        for number, candidate in enumerate(candidates):
            if candidate.packed:
                self._add(number, candidate, candidate.packed)

    def _add(self, number: int, candidate: Candidate, packed: PackedConfigurations) -> None:
        # Half a million turns for ten thousand products: what does not change in the loop stays out of it.
        alone, plain = self._alone, packed.is_plain
        first_hand = candidate.configured_by not in _SECOND_HAND
        for place, (name, criterion) in enumerate(packed.vulnerable()):
            if not plain:
                self._together.setdefault(name, set()).add(number)
            elif (entries := alone.get(name)) is not None:
                entries.append(Entry(number, place, criterion))
            else:
                alone[name] = [Entry(number, place, criterion)]
            if first_hand:
                self._known.add(name)

    def _meant(self, product: Product) -> Iterator[tuple[int, Configuration]]:
        """The candidates that may name the product's version, each with the criteria to look at closely."""
        entries: list[Entry] = []
        for name in names_of([product]):
            if name in self._alone and name not in self._shortlists:
                self._shortlists[name] = Shortlist(self._alone[name])
            if name in self._shortlists:
                entries += self._shortlists[name].find(product.cpe.version, product.cpe.update)
        entries.sort(key=itemgetter(0, 1))
        for number, some in groupby(entries, key=itemgetter(0)):
            packed = self._candidates[number].packed
            if packed:
                yield number, packed.choose(entry.criterion for entry in some)

    def match(self, products: tuple[Product, ...]) -> HostMatches:
        """The CVEs of one host, in the candidates' order, and what its packagers have fixed of them."""
        inventory = Inventory(products)
        found: dict[int, Match] = {}
        contested = {
            number
            for product in products
            for name in names_of([product])
            for number in self._together.get(name, ())
        }
        for product in products:
            for number, one in self._plain(product, inventory.systems).items():
                if number in found:
                    contested.add(number)
                found[number] = one
        for number in contested:
            together = self._judge(inventory, number)
            if together is not None:
                found[number] = together
        matches = [CveMatch(self._candidates[number], found[number]) for number in sorted(found)]
        return self._settled(inventory, matches) if wanted_packages(products) else HostMatches(matches, [])

    def _settled(self, inventory: Inventory, matches: list[CveMatch]) -> HostMatches:
        host = HostPackages(inventory, self._fixes)
        settled = HostMatches([], [])
        for cve, found in matches:
            remaining, silent = host.settle(cve.cve_id, partial(self._judge_candidate, cve), found)
            settled.not_affected.extend(silent)
            if remaining is not None:
                settled.matches.append(CveMatch(cve, remaining))
        for cve_id, found in host.named_by_data(self._unanalysed.keys()):
            settled.matches.append(CveMatch(self._unanalysed[cve_id], found))
        settled.matches.sort(key=lambda one: one.cve.cve_id)
        return settled

    def _plain(self, product: Product, systems: tuple[Cpe, ...]) -> dict[int, Match]:
        """What a product alone has. `systems`, which the host runs, decides on CVEs for one system only.

        Worked out without the evidence and the port, which differ between hosts and change no answer.
        """
        answer = self._of_product.get((product, systems))
        if answer is not None:
            return answer
        bare = replace(product, evidence="", port=None if product.port is None else 0, protocol=None)
        answer = self._of_product.get((bare, systems))
        if answer is None:
            inventory = Inventory([bare])
            inventory.systems = systems
            answer = {}
            for number, configuration in self._meant(bare):
                found = match(inventory, (configuration,))
                if found is not None:
                    answer[number] = self._allow_for_origin(self._candidates[number], found)
            self._of_product[bare, systems] = answer
        if bare != product:
            seen = (f"seen as {product.evidence}",) if product.evidence else ()
            answer = {
                number: Match(product, one.criterion, one.confidence, (*one.reasons, *seen))
                for number, one in answer.items()
            }
            self._of_product[product, systems] = answer
        return answer

    def _judge(self, inventory: Inventory, number: int) -> Match | None:
        return self._judge_candidate(self._candidates[number], inventory)

    def _judge_candidate(self, candidate: Candidate, inventory: Inventory) -> Match | None:
        found = match(inventory, candidate.configurations)
        return None if found is None else self._allow_for_origin(candidate, found)

    def _allow_for_origin(self, candidate: Candidate, found: Match) -> Match:
        """A second-hand configuration is at most likely, and possible where its product's name is a guess of ours."""
        if candidate.configured_by not in _SECOND_HAND:
            return found
        name = found.criterion.criteria.name
        if name in candidate.guesses and name not in self._known:
            cap, reason = Confidence.POSSIBLE, "the CVE list names the product in its own words, not by CPE"
        else:
            cap, reason = (
                Confidence.LIKELY,
                "NVD has not analysed it; the affected versions are the CVE list's",
            )
        return replace(found, confidence=found.confidence.weaker(cap), reasons=(reason, *found.reasons))


def names_of(products: Iterable[Product]) -> set[Key]:
    """Every name under which the catalogue may know these products."""
    return {name for product in products for name in equivalents(*product.cpe.name)}
