"""PURE: CVSS scores as the feeds give them, in the one stored form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netvigil.catalogue.records import CVSS_VERSIONS, metric_rank, preference, severity_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_HIGHEST_SCORE = 10

StoredMetric = tuple[str, str, float, str, float | None, float | None, str, bool]
"""The values of `records.Metric`, in their order."""

Best = tuple[int | None, float | None, str | None, str | None, str | None]
"""Rank, score, severity, vector and version of the metric that counts, in the order of `parts.StoredPart`."""

_UNSCORED: Best = (None, None, None, None, None)


def stored_metric(
    version: str,
    vector: str,
    score: float,
    severity: str | None,
    *,
    exploitability: float | None = None,
    impact: float | None = None,
    source: str = "",
    primary: bool = False,
) -> StoredMetric:
    """One score, checked; ValueError for an unknown CVSS version or a score that is none."""
    if version not in CVSS_VERSIONS:
        raise ValueError(f"there is no CVSS version {version[:20]!r}")
    if not 0 <= score <= _HIGHEST_SCORE:
        raise ValueError("a base score is not from 0 to 10")
    rating = severity.upper() if severity else severity_of(score, version)
    return (version, vector, score, rating, exploitability, impact, source, primary)


def ordered(metrics: Iterable[StoredMetric]) -> list[StoredMetric]:
    """The metrics, the one that counts first."""
    return sorted(metrics, key=lambda one: preference(one[0], one[2], primary=one[7]))


def best(metrics: list[StoredMetric]) -> Best:
    """What a part's columns hold of ordered metrics."""
    if not metrics:
        return _UNSCORED
    first: Any = metrics[0]
    return (metric_rank(first[0], primary=first[7]), first[2], first[3], first[1], first[0])
