"""PURE: what to do first, as a number from 0 to 100 that orders, and its reason in words.

| part | points | why |
|---|---|---|
| known to be exploited (CISA KEV) | 40 | it happens: before everything that only might |
| … also by ransomware | 2 | |
| CVSS base score | 3 for each point, 30 at most | how bad it would be; the score that counts is `best_metric`'s |
| EPSS | 20 times the square root of the probability | how likely it is within 30 days; 1 % is already far above most |
| exposure | 8 at most | what an attacker reaches: the device's management or control, a file or data service |
| confidence | times 1, 0.85 or 0.6 | exact, likely, possible: check the doubtful after the certain |
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

from netvigil.matching.products import Confidence
from netvigil.probing.ports import FRAGILE_PORTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

KEV_POINTS: Final = 40.0
RANSOMWARE_POINTS: Final = 2.0
CVSS_POINTS: Final = 3.0
EPSS_POINTS: Final = 20.0
SHARES: Final = {Confidence.EXACT: 1.0, Confidence.LIKELY: 0.85, Confidence.POSSIBLE: 0.6}
SEEN: Final = {
    Confidence.EXACT: "seen exactly",
    Confidence.LIKELY: "likely: one step was inferred",
    Confidence.POSSIBLE: "possible: a part is unknown",
}

MANAGEMENT_PORTS: Final = frozenset(
    {
        "tcp/22", "tcp/23", "tcp/80", "tcp/443", "tcp/2222", "tcp/2323", "tcp/2375", "tcp/2376", "tcp/3389", "tcp/4786",
        "tcp/5555", "tcp/5900", "tcp/5985", "tcp/5986", "tcp/7547", "tcp/8080", "tcp/8291", "tcp/8443", "tcp/8728",
        "tcp/8729", "tcp/10000", "udp/161", "udp/5678",
    }
)  # fmt: skip
"""Where a device is administered: logins, web pages, WinBox and RouterOS API, remote desktops, SNMP."""

DATA_PORTS: Final = frozenset(
    {
        "tcp/21", "tcp/111", "tcp/139", "tcp/389", "tcp/445", "tcp/548", "tcp/873", "tcp/1433", "tcp/1883", "tcp/2049",
        "tcp/3306", "tcp/5432", "tcp/6379", "tcp/9200", "tcp/11211", "tcp/27017",
    }
)  # fmt: skip
"""Where files and data are served."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a priority rests on; `ports` are `tcp/8291`, …, empty when the host as a whole shows it."""

    score: float
    cvss_version: str | None
    confidence: str
    ports: Sequence[str] = ()
    epss: float | None = None
    epss_date: date | None = None
    exploited: bool = False
    exploited_since: date | None = None
    ransomware: bool = False


@dataclass(frozen=True, slots=True)
class Priority:
    """0 to 100, the highest first, and why."""

    number: float
    reason: str


def prioritise(facts: Facts) -> Priority:
    """The order of one finding among all, and its reason, the weightiest part first."""
    exposed, exposure = _exposure(facts.ports)
    confidence = Confidence(facts.confidence)
    points = CVSS_POINTS * facts.score + exposed
    words: list[str] = []
    if facts.exploited:
        points += KEV_POINTS + (RANSOMWARE_POINTS if facts.ransomware else 0)
        since = f" since {facts.exploited_since.isoformat()}" if facts.exploited_since else ""
        words.append(f"Known to be exploited{since}{', also by ransomware' if facts.ransomware else ''}")
    if facts.epss is not None:
        points += EPSS_POINTS * sqrt(facts.epss)
        dated = f" of {facts.epss_date.isoformat()}" if facts.epss_date else ""
        words.append(f"EPSS {_percent(facts.epss)}{dated}")
    version = f" ({facts.cvss_version})" if facts.cvss_version else ""
    words.append(
        f"CVSS {facts.score:.1f}{version}" if facts.cvss_version or facts.score else "no CVSS score yet"
    )
    words += [exposure] if exposure else []
    words.append(SEEN[confidence])
    return Priority(round(min(100.0, points * SHARES[confidence]), 1), "; ".join(words))


def _exposure(ports: Sequence[str]) -> tuple[float, str]:
    """Points and words for what the services are that show it; more of them are a wider way in."""
    kinds = (
        (7.0, "on a port of a machine's control", [one for one in ports if int(one[4:]) in FRAGILE_PORTS]),
        (6.0, "on a management port", [one for one in ports if one in MANAGEMENT_PORTS]),
        (4.0, "on a port that serves files or data", [one for one in ports if one in DATA_PORTS]),
        (2.0, "on an open port", list(ports)),
    )
    more = 1.0 if len(ports) > 1 else 0.0
    for points, words, having in kinds:
        if having:
            others = len(ports) - 1
            beside = f" and {others} other service{'s' if others > 1 else ''}" if others else ""
            return points + more, f"{words} ({having[0]}){beside}"
    return 0.0, ""


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "under 1 %"  # noqa: PLR2004 - one percent
