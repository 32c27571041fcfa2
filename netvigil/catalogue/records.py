"""PURE: a CVE as immutable values, and which of its scores counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from netvigil.matching.ranges import Configuration

CVE_ID = re.compile(r"CVE-[0-9]{4}-[0-9]{4,12}")
"""A CVE identifier (CVE Program, "CVE ID syntax"); upper case."""

REJECTED = "Rejected"
"""The one NVD `vulnStatus` whose records must not match; all others, Deferred too, are real CVEs."""

# (CVSS version, NVD's own) from best to worst; the reasons stand in `best_metric`
_PREFERENCE = {
    ("4.0", True): 0,
    ("3.1", True): 1,
    ("3.1", False): 2,
    ("3.0", True): 3,
    ("3.0", False): 4,
    ("4.0", False): 5,
    ("2.0", True): 6,
    ("2.0", False): 7,
}
# upper ends of the ratings: 3.x and 4.0, then 2.0
_RATINGS = (
    ((4.0, "LOW"), (7.0, "MEDIUM"), (9.0, "HIGH"), (float("inf"), "CRITICAL")),
    ((4.0, "LOW"), (7.0, "MEDIUM"), (float("inf"), "HIGH")),
)
CVSS_VERSIONS = frozenset(version for version, _ in _PREFERENCE)


@dataclass(frozen=True, slots=True)
class Metric:
    """One CVSS score of a CVE.

    `cvss_version` is `4.0`, `3.1`, `3.0` or `2.0`; `severity` is upper case (NONE to CRITICAL);
    `exploitability_score` and `impact_score` do not exist in CVSS 4.0. `primary` is NVD's word for the
    score that it stands for, a secondary one comes from the CNA or another party named by `source`.
    """

    cvss_version: str
    vector: str
    base_score: float
    severity: str
    exploitability_score: float | None
    impact_score: float | None
    source: str
    primary: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A link about a CVE; `tags` are NVD's words such as `Vendor Advisory`."""

    url: str
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call the link: its host, because NVD 2.0 gives links no names."""
        try:
            return urlsplit(self.url).hostname or self.url
        except ValueError:  # a bracket that is no IPv6 address, as some old links have
            return self.url


@dataclass(frozen=True, slots=True)
class KnownExploited:
    """CISA's entry for a CVE that is exploited, as NVD repeats it (`cisaExploitAdd`, …)."""

    date_added: date
    due_date: date | None
    name: str | None
    required_action: str | None


@dataclass(frozen=True, slots=True)
class CveRecord:
    """One CVE as the catalogue holds it.

    `assigner` is NVD's `sourceIdentifier`, `status` its `vulnStatus`, `description` the English one; times
    are UTC. `configurations` is empty for Rejected records, for those that NVD has not analysed, and where
    a query says that it leaves them out. `origins` are pairs of a part of the record and the source it is from:
    (`configurations`, `cvelist`), (`description`, `nvd`), …; metrics name their source themselves.
    """

    cve_id: str
    assigner: str
    published: datetime
    modified: datetime
    status: str
    description: str
    metrics: tuple[Metric, ...] = ()
    cwes: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    known_exploited: KnownExploited | None = None
    origins: tuple[tuple[str, str], ...] = ()

    @property
    def best_metric(self) -> Metric | None:
        """The score that counts, None where nobody has scored the CVE."""
        return best_metric(self.metrics)


def best_metric(metrics: Iterable[Metric]) -> Metric | None:
    """The one score by which a CVE is shown and filtered; None for no metrics.

    Order: 4.0 primary, 3.1, 3.0, 4.0 secondary, 2.0; within a version the primary before the secondary, then
    the higher score. NVD's own word on the newest version is the best there is. But NVD rarely scores 4.0
    itself: a 4.0 that only the CNA gave is less comparable with its neighbours than a 3.x that all of them
    have, so it counts only before 2.0, whose scale has no CRITICAL and ranks too low.
    """
    return min(
        metrics,
        key=lambda one: preference(one.cvss_version, one.base_score, primary=one.primary),
        default=None,
    )


def preference(cvss_version: str, base_score: float, *, primary: bool) -> tuple[int, float]:
    """The sort key behind `best_metric`: the smallest is the one that counts; CVSS_VERSIONS are known."""
    return _PREFERENCE[cvss_version, primary], -base_score


def metric_rank(cvss_version: str, *, primary: bool) -> int:
    """The place of a kind of score in that order, 0 for the best."""
    return _PREFERENCE[cvss_version, primary]


def severity_of(score: float, cvss_version: str) -> str:
    """The rating of a base score (CVSS 3.1 and 4.0, "Qualitative severity rating"; NVD's for 2.0)."""
    if score <= 0 and cvss_version != "2.0":
        return "NONE"
    return next(word for limit, word in _RATINGS[cvss_version == "2.0"] if score < limit)


# --------------------------------------------------------------------- metric words
_LEVEL = {"N": "NONE", "L": "LOW", "H": "HIGH"}
_ATTACK_VECTOR = {"N": "NETWORK", "A": "ADJACENT_NETWORK", "L": "LOCAL", "P": "PHYSICAL"}
_INTERACTION = {"N": "NONE", "R": "REQUIRED", "P": "REQUIRED", "A": "REQUIRED"}  # 4.0: passive, active
_V2_IMPACT = {"N": "NONE", "P": "LOW", "C": "HIGH"}  # partial and complete, in the words of 3.x
_V2_COMPLEXITY = {"L": "LOW", "M": "MEDIUM", "H": "HIGH"}
_V2_AUTHENTICATION = {"N": "NONE", "S": "LOW", "M": "HIGH"}  # none, single, multiple
METRIC_WORDS = (
    "attack_vector",
    "attack_complexity",
    "privileges_required",
    "user_interaction",
    "scope",
    "confidentiality",
    "integrity",
    "availability",
)


def parse_vector(vector: str | None) -> dict[str, str | None]:
    """A CVSS vector as words: the eight keys of METRIC_WORDS, each None where the vector does not say.

    Every version is told in the words of 3.1 so that readers need one vocabulary. 2.0 has no interaction
    and no scope (None); its authentication reads as privileges, partial and complete impact as LOW and HIGH.
    4.0 replaced scope by the impact on subsequent systems: any such impact reads as CHANGED.
    """
    parts = dict(part.split(":", 1) for part in (vector or "").strip("()").split("/") if ":" in part)
    if "Au" in parts:
        values = _words_of_v2(parts)
    elif parts.get("CVSS", "").startswith("4"):
        values = _words_of_v4(parts)
    else:
        values = _words_of_v3(parts)
    return dict(zip(METRIC_WORDS, values, strict=True))


def _words_of_v2(parts: dict[str, str]) -> tuple[str | None, ...]:
    return (
        _ATTACK_VECTOR.get(parts.get("AV", "")),
        _V2_COMPLEXITY.get(parts.get("AC", "")),
        _V2_AUTHENTICATION.get(parts["Au"]),
        None,
        None,
        *(_V2_IMPACT.get(parts.get(key, "")) for key in ("C", "I", "A")),
    )


def _words_of_v3(parts: dict[str, str]) -> tuple[str | None, ...]:
    return (
        *_words_before_scope(parts),
        {"U": "UNCHANGED", "C": "CHANGED"}.get(parts.get("S", "")),
        *(_LEVEL.get(parts.get(key, "")) for key in ("C", "I", "A")),
    )


def _words_of_v4(parts: dict[str, str]) -> tuple[str | None, ...]:
    subsequent = [parts.get(key) for key in ("SC", "SI", "SA")]
    scope = None if None in subsequent else "UNCHANGED" if set(subsequent) == {"N"} else "CHANGED"
    return (
        *_words_before_scope(parts),
        scope,
        *(_LEVEL.get(parts.get(key, "")) for key in ("VC", "VI", "VA")),
    )


def _words_before_scope(parts: dict[str, str]) -> tuple[str | None, ...]:
    return (
        _ATTACK_VECTOR.get(parts.get("AV", "")),
        _LEVEL.get(parts.get("AC", "")),
        _LEVEL.get(parts.get("PR", "")),
        _INTERACTION.get(parts.get("UI", "")),
    )
