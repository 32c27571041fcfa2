"""What was identified on a host, and what the matcher concludes from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netvigil.matching.cpe import Cpe
    from netvigil.matching.ranges import AffectedRange


class Confidence(StrEnum):
    """How sure a product or a finding is."""

    EXACT = "exact"  # the device named product and version, and the range is clear
    LIKELY = "likely"  # one step was inferred
    POSSIBLE = "possible"  # a part is unknown, or a distribution may have fixed it

    @property
    def rank(self) -> int:
        """0 for the surest; for sorting and for taking the weaker of two."""
        return _RANK[self]

    def weaker(self, other: Confidence) -> Confidence:
        """The less sure of both."""
        return self if self.rank >= other.rank else other


_RANK = {one: rank for rank, one in enumerate(Confidence)}


@dataclass(frozen=True, slots=True)
class Product:
    """One product of a host's inventory.

    `port` and `protocol` name the service that showed it (None for what was given without one),
    `evidence` quotes what was seen in one line, `distribution` is a packager's version suffix such as
    `Debian 2+deb12u3` when the banner carries one: the upstream version alone then proves little.
    `platform_only` marks an operating system that is known by its kind alone (nmap's bare `linux_kernel`):
    it answers "running on Linux", but no CVE of its own is ever derived from it.
    """

    cpe: Cpe
    confidence: Confidence
    evidence: str
    port: int | None = None
    protocol: str | None = None
    distribution: str | None = None
    platform_only: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One CVE's criteria hold for an inventory: by which product, which criterion, how surely and why.

    `fixed_in` is the distribution's package version with the fix, where its fix data say so; upstream's first fixed
    version is the criterion's `end_excluding`.
    """

    product: Product
    criterion: AffectedRange
    confidence: Confidence
    reasons: tuple[str, ...]
    fixed_in: str | None = None


@dataclass(frozen=True, slots=True)
class NotAffected:
    """A CVE that upstream's ranges name for a product, and that the product's packager has fixed; `reason` says how.

    `fixed_in` is the package version with the fix, None where the fault never was in it; `advisory` who says so.
    """

    cve_id: str
    product: Product
    reason: str
    fixed_in: str | None = None
    advisory: str | None = None
