"""PURE: why a CVE is a finding, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netvigil.matching.wording import describe_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netvigil.catalogue.matcher import CveMatch
    from netvigil.matching.products import Product


def evidence_of(found: CveMatch, products: Sequence[Product]) -> dict[str, Any]:
    """Why a CVE is a finding: what was seen and on which services, the range it is in, and the reasons."""
    match = found.match
    same = [product for product in products if product.cpe == match.product.cpe and product.port is not None]
    return {
        "seen": match.product.evidence,
        "product": str(match.product.cpe),
        "criterion": str(match.criterion.criteria),
        "range": describe_range(match.criterion),
        "reasons": list(match.reasons),
        "fixed_in": match.fixed_in or match.criterion.end_excluding,
        "configured_by": found.cve.configured_by,
        "services": [{"port": p.port, "protocol": p.protocol, "seen": p.evidence} for p in same],
    }
