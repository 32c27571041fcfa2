"""Has a distribution fixed a CVE in the package that a banner shows? Judged by the distribution's own fix data; pure.

A packager keeps the upstream version and adds the fix, so upstream's ranges say nothing about `9.2p1 Debian-2+deb12u3`.
The fix data do: at or past the fixed version nothing is wrong, before it something is. What a banner leaves out is
left open, never guessed: an unknown revision decides only where the upstream versions differ, an unknown release only
where all releases that it can be agree. An epoch is in no banner; it is the same within a package's living releases.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.matching.package_versions import Scheme, package_key, scheme_of
from netvigil.matching.packages import package_of, release_of, split_package
from netvigil.matching.versions import Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netvigil.matching.packages import Package
    from netvigil.matching.products import Product


_EXTENDED: Final = "Pro:"  # Ubuntu's paid support of an old release: `Pro:16.04`


class Standing(StrEnum):
    """What a distribution's data say about one package version and one CVE."""

    FIXED = "fixed"  # it has the fix, or never had the fault
    AFFECTED = "affected"  # it is older than the fix, or there is none yet
    UNKNOWN = "unknown"  # no data, or the banner shows too little


@dataclass(frozen=True, slots=True)
class Fix:
    """One row of fix data: `introduced` <= affected < `fixed`, or <= `last_affected`; all None: all, and no fix yet."""

    ecosystem: str
    release: str
    package: str
    cve_id: str
    advisory: str
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class Verdict(NamedTuple):
    """A standing, why, and by whose word; `fixed_in` is the package version with the fix, where there is one."""

    standing: Standing
    reason: str
    fixed_in: str | None = None
    advisory: str | None = None


class FixData:
    """Fix rows, ready to be asked; build it once for all hosts of a call."""

    def __init__(self, fixes: Iterable[Fix] = ()) -> None:
        self._by_cve: dict[tuple[str, str, str], list[Fix]] = defaultdict(list)
        self._by_package: dict[tuple[str, str], list[Fix]] = defaultdict(list)
        self._upstreams: dict[tuple[str, str], dict[str, set[str]]] = {}
        for fix in fixes:
            self._by_cve[fix.ecosystem, fix.package, fix.cve_id].append(fix)
            self._by_package[fix.ecosystem, fix.package].append(fix)

    def __bool__(self) -> bool:
        return bool(self._by_package)

    def knows(self, package: Package) -> bool:
        """Whether there is any row about the package."""
        return any((package.ecosystem, name) in self._by_package for name in package.names)

    def fixes(self, package: Package, cve_id: str) -> list[Fix]:
        """The rows about a CVE in the package, of all releases."""
        return [
            fix for name in package.names for fix in self._by_cve.get((package.ecosystem, name, cve_id), ())
        ]

    def cve_ids(self, package: Package) -> set[str]:
        """Every CVE that any row names for the package."""
        return {
            fix.cve_id
            for name in package.names
            for fix in self._by_package.get((package.ecosystem, name), ())
        }

    def releases(self, package: Package) -> set[str]:
        """The releases that are known to have had the package in its upstream version."""
        return {
            release
            for name in package.names
            for release, upstreams in self._known_upstreams(package.ecosystem, name).items()
            if package.upstream in upstreams
        }

    def _known_upstreams(self, ecosystem: str, name: str) -> dict[str, set[str]]:
        """Upstream versions by release: those of fixes made for the release itself, and its newest."""
        known = self._upstreams.get((ecosystem, name))
        if known is None:
            known = _upstreams(ecosystem, self._by_package.get((ecosystem, name), ()))
            self._upstreams[ecosystem, name] = known
        return known


def judge_backport(product: Product, cve_id: str, fixes: FixData, release: str | None = None) -> Verdict:
    """Judge a product whose banner names its distribution.

    `release` is what other services of the host say it is; it counts where the product's own version names none and
    that release is known to have the product's upstream version.
    """
    package = package_of(product)
    if package is None:
        words = product.distribution or "no distribution"
        return Verdict(Standing.UNKNOWN, f"which package of {words} it is, or of what version, is not known")
    return judge_package(package, cve_id, fixes, release)


def judge_package(package: Package, cve_id: str, fixes: FixData, release: str | None = None) -> Verdict:
    """The same for a package that is known already."""
    name = package.names[0]
    if not fixes.knows(package):
        return Verdict(Standing.UNKNOWN, f"no fix data of {package.ecosystem} for {name} are loaded")
    rows = fixes.fixes(package, cve_id)
    if not rows:
        return Verdict(Standing.UNKNOWN, f"{package.ecosystem}'s data do not mention {cve_id} in {name}")
    candidates = _candidates(package, fixes, release)
    if not candidates:
        shown = f"{name} {package.shown}"
        return Verdict(Standing.UNKNOWN, f"of which release of {package.ecosystem} {shown} is, is not known")
    found = [_of_release(rows, release, package) for release in sorted(candidates)]
    if not all(found):
        releases = " or ".join(sorted(candidates))
        reason = f"{package.ecosystem}'s data do not mention {cve_id} in {name} of release {releases}"
        return Verdict(Standing.UNKNOWN, reason)
    return _agreed(package, [_judge_release(package, some) for some in found])


def _candidates(package: Package, fixes: FixData, release: str | None) -> set[str]:
    """The releases that a package can be of; none when nothing tells, for another release's fix proves nothing."""
    if package.release is not None:
        return {package.release}
    known = {one.removeprefix(_EXTENDED) for one in fixes.releases(package)}
    return {release} if release is not None and release in known else known


def _of_release(rows: Sequence[Fix], release: str, package: Package) -> list[Fix]:
    """The rows of one release; those of its paid support for a package from there, or where there are no others."""
    usual = [row for row in rows if row.release == release]
    extended = [row for row in rows if row.release == _EXTENDED + release]
    return (extended or usual) if "esm" in (package.revision or "") else (usual or extended)


def _agreed(package: Package, verdicts: Sequence[Verdict]) -> Verdict:
    standings = {verdict.standing for verdict in verdicts}
    if len(standings) == 1:
        return verdicts[0]
    if Standing.UNKNOWN in standings:
        return next(verdict for verdict in verdicts if verdict.standing is Standing.UNKNOWN)
    shown = f"{package.ecosystem} {package.shown}"
    return Verdict(Standing.UNKNOWN, f"of which release {shown} is, is not known, and they differ")


def _judge_release(package: Package, rows: Sequence[Fix]) -> Verdict:
    """All rows about one CVE in one release: fixed is what is past every one of them."""
    verdicts = [_judge_row(package, row) for row in rows]
    for standing in (Standing.AFFECTED, Standing.UNKNOWN):
        found = [verdict for verdict in verdicts if verdict.standing is standing]
        if found:
            return found[-1]
    return max(verdicts, key=lambda verdict: verdict.fixed_in is not None)


def _judge_row(package: Package, row: Fix) -> Verdict:
    where = f"{row.ecosystem} {row.release}".strip()
    source = f"{where}, {row.advisory}"
    if row.introduced is not None and _order(package, row.introduced) is Order.OLDER:
        return Verdict(
            Standing.FIXED,
            f"it came only with {row.introduced} ({source}), here is {package.shown}",
            None,
            row.advisory,
        )
    if row.fixed is not None:
        return _judge_fixed(package, row, row.fixed, source)
    if row.last_affected is None:
        return Verdict(Standing.AFFECTED, f"{where} has no fix yet ({row.advisory})", advisory=row.advisory)
    order = _order(package, row.last_affected)
    if order is Order.NEWER:
        reason = f"{row.last_affected} was the last affected version ({source}), here is {package.shown}"
        return Verdict(Standing.FIXED, reason, None, row.advisory)
    if order is Order.UNKNOWN:
        return _undecided(package, row.last_affected, source, row)
    return Verdict(
        Standing.AFFECTED, f"affected through {row.last_affected} ({source})", advisory=row.advisory
    )


def _judge_fixed(package: Package, row: Fix, fixed: str, source: str) -> Verdict:
    order = _order(package, fixed)
    if order is Order.UNKNOWN:
        return _undecided(package, fixed, source, row)
    if order is Order.OLDER:
        reason = f"fixed in {fixed} ({source}), here is the older {package.shown}"
        return Verdict(Standing.AFFECTED, reason, fixed, row.advisory)
    return Verdict(
        Standing.FIXED, f"fixed in {fixed} ({source}), here is {package.shown}", fixed, row.advisory
    )


def _undecided(package: Package, version: str, source: str, row: Fix) -> Verdict:
    reason = f"fixed in {version} ({source}), but which revision of {package.shown} this is, is not shown"
    return Verdict(Standing.UNKNOWN, reason, row.fixed, row.advisory)


def _order(package: Package, version: str) -> Order:
    """The package against a version of the data, without epochs; UNKNOWN where a hidden revision decides."""
    scheme = scheme_of(package.ecosystem)
    if scheme is None:
        return Order.UNKNOWN
    upstream, revision = split_package(scheme, version)
    # normal forms are written as Debian orders them, whoever the packager is
    order = _compare(Scheme.DEBIAN, package.upstream, upstream)
    if order is not Order.EQUAL:
        return order
    if revision is None:
        return Order.EQUAL  # the upstream release itself has the fix
    if package.revision is None:
        return Order.UNKNOWN
    return _compare(Scheme.RPM if scheme is Scheme.RPM else Scheme.DEBIAN, package.revision, revision)


def _compare(scheme: Scheme, a: str, b: str) -> Order:
    left, right = package_key(scheme, a), package_key(scheme, b)
    if left is None or right is None:
        return Order.UNKNOWN
    return Order.EQUAL if left == right else Order.OLDER if left < right else Order.NEWER


def _upstreams(ecosystem: str, fixes: Iterable[Fix]) -> dict[str, set[str]]:
    scheme = scheme_of(ecosystem)
    known: dict[str, set[str]] = defaultdict(set)
    newest: dict[str, tuple[object, str]] = {}
    for fix in fixes:
        version = fix.fixed or fix.last_affected
        key = package_key(scheme, version) if scheme and version else None
        if scheme is None or version is None or key is None:
            continue
        upstream, revision = split_package(scheme, version)
        if release_of(ecosystem, revision) == fix.release:
            known[fix.release].add(upstream)
        if fix.release not in newest or key > newest[fix.release][0]:  # type: ignore[operator]
            newest[fix.release] = (key, upstream)
    for release, (_, upstream) in newest.items():
        known[release].add(upstream)
    return dict(known)
