"""What is worth telling a group: of the changes of a scan or a data update those that its rules let through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from netvigil.findings.states import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

TOLD_MOST = 10
"""Findings that a message names; of the others it says how many there are."""
RESOLVED_MOST = 5
_WORSE = (Change.NEW, Change.REGRESSED)
_BETTER = (Change.RESOLVED, Change.WITHDRAWN)


class Severity(StrEnum):
    """CVSS's words for a score, least first (CVSS 3.1, section 5)."""

    NONE = "NONE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 for none to 4 for critical."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class ChangeSeen:
    """A change of one CVE on one device.

    `threshold` is the warning threshold of the scan that saw the device, a CVSS score; `priority` is higher first.
    """

    vulnerability_id: UUID
    site_id: UUID
    change: Change
    cve_id: str
    severity: Severity
    score: float
    kev: bool
    priority: float
    threshold: float


@dataclass(frozen=True, slots=True)
class SitePart:
    """How one site's part of a scan ended; `reason` is a sentence when it failed."""

    site_id: UUID
    name: str
    failed: bool = False
    offline: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a scan ended; `offline_is_usual` when its schedule ignores offline sites."""

    failed: bool
    sites: tuple[SitePart, ...]
    offline_is_usual: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What a group wants to know; no sites means all of them."""

    min_severity: Severity = Severity.NONE
    kev_always: bool = True
    only_news: bool = True
    sites: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class News:
    """What a message tells. `counts`: change → severity → number; `top` and `better` the first of them."""

    counts: Mapping[Change, Mapping[Severity, int]]
    kev: int
    top: tuple[ChangeSeen, ...]
    better: tuple[ChangeSeen, ...]
    failed_sites: tuple[SitePart, ...] = field(default=())
    failed: bool = False

    def number(self, *changes: Change) -> int:
        """How many changes of these kinds."""
        return sum(sum(self.counts.get(change, {}).values()) for change in changes)

    @property
    def worse(self) -> int:
        """New and regressed."""
        return self.number(*_WORSE)

    @property
    def better_count(self) -> int:
        """Resolved and withdrawn."""
        return self.number(*_BETTER)


def pick(changes: Iterable[ChangeSeen], rules: Rules, ended: Ended | None = None) -> News | None:
    """The news in these changes and in how the scan ended (None for a data update); None when there is nothing to tell.

    A change is told when its score reaches the schedule's warning threshold and its severity the group's own, or, with
    `kev_always`, when it is known to be exploited. What got better is news as well. That a site was offline is, unless
    the schedule takes it for usual. Without `only_news` every ended scan of the group's sites is told.
    """
    if ended is not None and not any(_concerns(rules.sites, site.site_id) for site in ended.sites):
        return None
    told = sorted(
        (one for one in changes if _is_told(one, rules)),
        key=lambda one: (-one.priority, -one.score, one.cve_id),
    )
    counts: dict[Change, Counter[Severity]] = {}
    for one in told:
        counts.setdefault(one.change, Counter())[one.severity] += 1
    worse = [one for one in told if one.change in _WORSE]
    failed_sites = _failed_sites(ended, rules.sites)
    # a scan may fail by itself, without any site to blame
    failed = (
        ended is not None and ended.failed and (bool(failed_sites) or not any(s.failed for s in ended.sites))
    )
    unusual = [s for s in failed_sites if not (s.offline and ended is not None and ended.offline_is_usual)]
    if not (told or unusual or failed) and (rules.only_news or ended is None):
        return None
    return News(
        counts=counts,
        kev=sum(one.kev for one in worse),
        top=tuple(worse[:TOLD_MOST]),
        better=tuple([one for one in told if one.change in _BETTER][:RESOLVED_MOST]),
        failed_sites=failed_sites,
        failed=failed,
    )


def _is_told(one: ChangeSeen, rules: Rules) -> bool:
    if not _concerns(rules.sites, one.site_id):
        return False
    if one.kev and rules.kev_always:
        return True
    return one.score >= one.threshold and one.severity.rank >= rules.min_severity.rank


def _failed_sites(ended: Ended | None, sites: Collection[UUID]) -> tuple[SitePart, ...]:
    if ended is None:
        return ()
    return tuple(site for site in ended.sites if site.failed and _concerns(sites, site.site_id))


def _concerns(sites: Collection[UUID], site_id: UUID) -> bool:
    return not sites or site_id in sites
