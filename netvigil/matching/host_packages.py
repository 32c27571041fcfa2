"""Settles what upstream's ranges leave open on one host: which of its programs a distribution has packaged and fixed.

A program that names its packager is judged by that packager's fix data. One that does not, but stands beside others that
do, in just the version that this release of the distribution has, is probably the package too: then a finding stays, as
possible, unless its version is older than the fix either way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netvigil.matching.backports import FixData, Standing, judge_backport, judge_package
from netvigil.matching.cpe import Cpe
from netvigil.matching.match import Inventory
from netvigil.matching.packages import package_in, package_of
from netvigil.matching.products import Confidence, Match, NotAffected
from netvigil.matching.ranges import AffectedRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from netvigil.matching.backports import Verdict
    from netvigil.matching.packages import Package
    from netvigil.matching.products import Product


def wanted_packages(products: Iterable[Product]) -> set[tuple[str, str]]:
    """(OSV ecosystem, package) of everything on a host that fix data could say something about."""
    products = tuple(products)
    packages = [package_of(product) for product in products if product.distribution is not None]
    system = _system(products) if any(packages) else None
    if system is not None:
        packages += [package_in(one, system[0]) for one in products if one.distribution is None]
    return {(package.ecosystem, name) for package in packages if package for name in package.names}


class HostPackages:
    """One host's products with the fix data of their packagers; build it once to settle many matches."""

    __slots__ = ("_bare", "_fixes", "_system", "_without", "inventory")

    def __init__(self, inventory: Inventory, fixes: FixData) -> None:
        self.inventory = inventory
        self._fixes = fixes
        self._system = _system(inventory.products)
        self._bare: dict[Product, Inventory] = {}
        self._without: dict[tuple[Product, ...], Inventory] = {}

    def settle(
        self, cve_id: str, judge: Callable[[Inventory], Match | None], found: Match
    ) -> tuple[Match | None, tuple[NotAffected, ...]]:
        """What remains of a match: the match, surer or with one more reason, or none; and what is not affected, and why.

        `judge` holds this CVE against an inventory, as it did when `found` came out.
        Where one program is fixed, another of the host may still have the CVE; then there are both.
        """
        fixed: list[NotAffected] = []
        remaining: Match | None = found
        while remaining is not None:
            product = remaining.product
            if product.distribution is None:
                return self._suspected(cve_id, remaining), tuple(fixed)
            verdict = judge_backport(product, cve_id, self._fixes, self._release_beside(product))
            if verdict.standing is Standing.UNKNOWN:
                return _reasoned(remaining, verdict.reason), tuple(fixed)
            if verdict.standing is Standing.AFFECTED:
                return self._confirmed(judge, remaining, verdict), tuple(fixed)
            fixed.append(NotAffected(cve_id, product, verdict.reason, verdict.fixed_in, verdict.advisory))
            remaining = judge(self._others(tuple(one.product for one in fixed)))
        return None, tuple(fixed)

    def named_by_data(self, cve_ids: AbstractSet[str]) -> Iterator[tuple[str, Match]]:
        """Those of `cve_ids`, CVEs for which nobody has named upstream's versions, that the packagers' data say are here.

        Only for packages that show release and revision: LIKELY where there is a fix to install, else POSSIBLE.
        """
        done: set[tuple[str, Package]] = set()
        for product in self.inventory.products:
            package = package_of(product)
            if package is None or package.release is None or package.revision is None:
                continue
            for cve_id in sorted(self._fixes.cve_ids(package) & cve_ids):
                verdict = judge_package(package, cve_id, self._fixes)
                if verdict.standing is Standing.AFFECTED and (cve_id, package) not in done:
                    done.add((cve_id, package))
                    yield cve_id, _named(product, verdict)

    def _confirmed(self, judge: Callable[[Inventory], Match | None], found: Match, verdict: Verdict) -> Match:
        """The packager says that it is not fixed: then the packager is no reason for doubt."""
        product = found.product
        inventory = self._bare.get(product)
        if inventory is None:
            # the host as if this one program came from upstream
            own = [
                replace(one, distribution=None) if one == product else one for one in self.inventory.products
            ]
            inventory = self._bare[product] = Inventory(own)
        again = judge(inventory)
        if again is None or again.product.cpe != product.cpe:
            again = found
        package = package_of(product)
        sure = package is not None and package.release is not None
        confidence = again.confidence if sure else again.confidence.weaker(Confidence.LIKELY)
        reasons = (*again.reasons, verdict.reason)
        return replace(
            again, product=product, confidence=confidence, reasons=reasons, fixed_in=verdict.fixed_in
        )

    def _suspected(self, cve_id: str, found: Match) -> Match:
        """A program without a packager's name beside programs with one, in the very version that this packager has."""
        product = found.product
        if self._system is None or product.cpe.part != "a" or product.port is None:
            return found
        ecosystem, release = self._system
        package = package_in(product, ecosystem)
        if package is None or release not in self._fixes.releases(package):
            return found
        verdict = judge_package(package, cve_id, self._fixes, release)
        if verdict.standing is Standing.AFFECTED:
            return _reasoned(found, verdict.reason)
        beside = f"{ecosystem} {release} runs here and has {package.names[0]} {package.upstream}"
        reason = f"{beside}: probably its package, which may have the fix; {verdict.reason}"
        return replace(_reasoned(found, reason), confidence=Confidence.POSSIBLE)

    def _release_beside(self, product: Product) -> str | None:
        """The host's release, where it is one of this product's packager."""
        package = package_of(product)
        if package is None or self._system is None or self._system[0] != package.ecosystem:
            return None
        return self._system[1]

    def _others(self, products: tuple[Product, ...]) -> Inventory:
        """The host without some products, on whatever ports they are."""
        inventory = self._without.get(products)
        if inventory is None:
            gone = {(one.cpe, one.distribution) for one in products}
            left = [one for one in self.inventory.products if (one.cpe, one.distribution) not in gone]
            inventory = self._without[products] = Inventory(left)
        return inventory


def _named(product: Product, verdict: Verdict) -> Match:
    """A match by the packager's word alone; its range is that of the package's versions."""
    criterion = AffectedRange(Cpe(*product.cpe.name), end_excluding=verdict.fixed_in)
    confidence = Confidence.POSSIBLE if verdict.fixed_in is None else Confidence.LIKELY
    reasons = ("nobody has named upstream's affected versions, but the packager its own", verdict.reason)
    seen = (f"seen as {product.evidence}",) if product.evidence else ()
    return Match(
        product, criterion, confidence.weaker(product.confidence), (*reasons, *seen), verdict.fixed_in
    )


def _reasoned(found: Match, reason: str) -> Match:
    return replace(found, reasons=(*found.reasons, reason))


def _system(products: Iterable[Product]) -> tuple[str, str] | None:
    """(ecosystem, release) that the host's packaged programs name; None where they name none or several."""
    packages = (package_of(product) for product in products if product.distribution is not None)
    named = {(one.ecosystem, one.release) for one in packages if one is not None and one.release is not None}
    return named.pop() if len(named) == 1 else None
