"""PURE: why a CVE is a finding, for people and programs, and what its priority rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from netvigil.findings.priority import Facts
from netvigil.matching.wording import describe_range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netvigil.catalogue.enrichment import Enrichment
    from netvigil.catalogue.matcher import CveMatch
    from netvigil.matching.products import Product


class Judged(Protocol):
    """A finding, stored or read, as far as its priority goes."""

    @property
    def score(self) -> float:
        """CVSS base score."""

    @property
    def cvss_version(self) -> str | None:
        """Which CVSS."""

    @property
    def confidence(self) -> str:
        """How sure."""

    @property
    def kev(self) -> bool:
        """Known to be exploited."""


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


def ports_of(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """The services of stored evidence, as `tcp/8291`, each once, in order of the port."""
    services = sorted(evidence.get("services") or (), key=lambda one: one["port"])
    return tuple(dict.fromkeys(f"{one['protocol']}/{one['port']}" for one in services))


def facts_of(one: Judged, ports: Sequence[str], enrichment: Enrichment) -> Facts:
    """What the priority of a finding rests on."""
    kev, epss = enrichment.kev, enrichment.epss
    return Facts(
        score=one.score,
        cvss_version=one.cvss_version,
        confidence=one.confidence,
        ports=ports,
        epss=epss.score if epss else None,
        epss_date=epss.date if epss else None,
        exploited=one.kev or kev is not None,
        exploited_since=kev.date_added if kev else None,
        ransomware=bool(kev and kev.ransomware),
    )
