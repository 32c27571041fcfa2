"""PURE: which version fixes it, product by product, from the affected ranges and the distributions' fix data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netvigil.matching.cpe import ANY, NA, unescape
from netvigil.matching.wording import describe_qualifier, describe_range, version_text
from netvigil.mitigation.names import is_distribution, product_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netvigil.matching.backports import Fix
    from netvigil.matching.cpe import Cpe
    from netvigil.matching.ranges import AffectedRange
    from netvigil.mitigation.facts import CveFacts, Touched

NO_FIX: Final = "no fix known"
NOT_NAMED: Final = "not named in the data"
PRODUCTS_SHOWN: Final = 15
RANGES_SHOWN: Final = 8
BRANCHES_SHOWN: Final = 4
FIXES_SHOWN: Final = 24
_NAMED_SHOWN: Final = 4
_FAMILY_NAMES_SHOWN: Final = 3
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class RangeFix:
    """The versions that are affected and the one that fixes them, both in words.

    `bound` is the version by which the fix is known, None where no fix is named; `channel` is RouterOS's, in words.
    """

    affected: str
    fixed: str
    bound: str | None = None
    channel: str = ""

    @property
    def order(self) -> tuple[tuple[int, ...], str]:
        """The place of the fix among others."""
        return version_key(self.bound or "")


@dataclass(frozen=True, slots=True)
class ProductFix:
    """One product, or several of one vendor with the same ranges, and what fixes each range.

    `more_names` and `more_ranges` count what is not listed; `touched` says that the organisation has one of them.
    """

    name: str
    names: tuple[tuple[str, str, str], ...]
    ranges: tuple[RangeFix, ...]
    more_names: int = 0
    more_ranges: int = 0
    touched: bool = False


def fixed_versions(facts: CveFacts, touched: Touched) -> list[ProductFix]:
    """Every vulnerable product with its ranges; what the organisation has comes first, then the record's own order.

    Distributions are left out: there the package decides, which `package_fixes` has.
    """
    by_product: dict[tuple[str, str, str], list[AffectedRange]] = {}
    for affected in facts.ranges():
        if is_distribution(affected.criteria.name):
            continue
        by_product.setdefault(affected.criteria.name, []).append(affected)
    families: dict[tuple[str, tuple[RangeFix, ...], bool], list[tuple[str, str, str]]] = {}
    mine = {product.name for product in touched.products}
    for name, ranges in by_product.items():
        fixes = tuple(_range_fixes(ranges))
        families.setdefault((name[1], fixes, name in mine), []).append(name)
    found = [_family(names, fixes, touched=own) for (_, fixes, own), names in families.items()]
    return sorted(found, key=lambda one: not one.touched)


def fix_of(affected: AffectedRange) -> RangeFix:
    """One criterion: an exclusive end is the fixed version, an inclusive end is the last affected one, none is no fix."""
    words = describe_range(affected)
    channel = _channel(affected.criteria)
    if affected.end_excluding is not None:
        version = unescape(affected.end_excluding)
        return RangeFix(words, version, version, channel)
    if affected.end_including is not None:
        version = unescape(affected.end_including)
        return RangeFix(words, f"newer than {version}", version, channel)
    criteria = affected.criteria
    bounded = affected.start_including is not None or affected.start_excluding is not None
    if bounded or criteria.version == ANY:
        return RangeFix(words, NO_FIX)
    if criteria.version == NA:
        return RangeFix("no version named: take every version as affected", NOT_NAMED)
    return RangeFix(words, NOT_NAMED)


def goals(products: Sequence[ProductFix]) -> list[str]:
    """What to update to, in words: `9.8 or newer`, `newer than 6.48.7 (long-term channel)`.

    The newest fix of each channel: it alone is past every range. The fixes of older branches follow as such, for their
    successors may be affected again. Of what the organisation has; where it has none, of the record's first product: the
    others of a long list are products that carry it along, under versions of their own.
    """
    own = [one for one in products if one.touched] or products[:1]
    fixes = [one for product in own for one in product.ranges if one.bound is not None]
    newest: dict[str, RangeFix] = {}
    for one in sorted(fixes, key=lambda one: one.order):
        newest[one.channel] = one
    found = [_goal(one) for one in sorted(newest.values(), key=lambda one: one.order, reverse=True)]
    older = sorted({one.fixed for one in fixes} - {one.fixed for one in newest.values()}, key=version_key)
    if older:
        shown = ", ".join(reversed(older[-BRANCHES_SHOWN:]))
        found.append(f"on an older branch that branch's fix ({shown})")
    return found


def _goal(fix: RangeFix) -> str:
    words = f"a version {fix.fixed}" if fix.fixed.startswith("newer") else f"{fix.fixed} or newer"
    return f"{words} ({fix.channel})" if fix.channel else words


def version_key(version: str) -> tuple[tuple[int, ...], str]:
    """Versions in an order that is right for dotted numbers, and stable for all others."""
    return tuple(int(number) for number in _NUMBER.findall(version)[:8]), version


def describe_product(cpe: Cpe) -> str:
    """A product of a device with its version, as far as both are known."""
    return f"{product_name(cpe.name)} {version_text(cpe)}".strip()


def package_fixes(fixes: Iterable[Fix], distributions: frozenset[str]) -> list[Fix]:
    """One row a distribution's release and package, the newest release first; those that the organisation runs first.

    Where several advisories fix the same package of a release, the last fix counts: only it has all of them.
    """
    newest: dict[tuple[str, str, str], Fix] = {}
    for fix in fixes:
        key = fix.ecosystem, fix.release, fix.package
        if key not in newest or _later(fix, newest[key]):
            newest[key] = fix
    ordered = sorted(newest.values(), key=lambda one: (one.package, version_key(one.release)))
    ordered.sort(key=lambda one: version_key(one.release)[0], reverse=True)
    return sorted(ordered, key=lambda one: (one.ecosystem not in distributions, one.ecosystem))


def _channel(criteria: Cpe) -> str:
    if criteria.product != "routeros" or criteria.sw_edition == ANY:
        return ""
    return describe_qualifier(criteria, "sw_edition")


def _later(fix: Fix, other: Fix) -> bool:
    if fix.fixed is None or other.fixed is None:
        return fix.fixed is None and other.fixed is not None and fix.last_affected is None
    return version_key(fix.fixed) > version_key(other.fixed)


def _range_fixes(ranges: Sequence[AffectedRange]) -> list[RangeFix]:
    """Bounded ranges one by one; versions that are named one at a time as a single line."""
    found: list[RangeFix] = []
    named: list[str] = []
    for affected in ranges:
        fix = fix_of(affected)
        if fix.affected.startswith("exactly "):
            named.append(fix.affected.removeprefix("exactly "))
        elif fix not in found:
            found.append(fix)
    if named:
        found.append(RangeFix(_named(sorted(set(named), key=version_key)), NOT_NAMED))
    return found


def _named(versions: Sequence[str]) -> str:
    if len(versions) <= _NAMED_SHOWN:
        return f"exactly {', '.join(versions)}"
    return f"{len(versions)} versions named one by one, {versions[0]} to {versions[-1]}"


def _family(names: Sequence[tuple[str, str, str]], fixes: Sequence[RangeFix], *, touched: bool) -> ProductFix:
    called = list(dict.fromkeys(product_name(one) for one in names))  # two CPEs may read alike
    shown = called[:_FAMILY_NAMES_SHOWN]
    return ProductFix(
        name=", ".join(shown),
        names=tuple(names),
        ranges=tuple(fixes[:RANGES_SHOWN]),
        more_names=max(0, len(called) - _FAMILY_NAMES_SHOWN),
        more_ranges=max(0, len(fixes) - RANGES_SHOWN),
        touched=touched,
    )
