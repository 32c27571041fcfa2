"""PURE: open findings by severity over time, as the shapes of a picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from netvigil.web.words import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 1000
HEIGHT: Final = 240
_APPEARS: Final = frozenset({"new", "regressed"})
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Step:
    """How often findings of a severity came (`new`, `regressed`) or went (`resolved`, `withdrawn`) on a day."""

    day: date
    change: str
    severity: str
    number: int


@dataclass(frozen=True, slots=True)
class Day:
    """How many findings of each severity were open at the end of a day."""

    day: date
    open: Mapping[str, int]

    @property
    def total(self) -> int:
        """Of all severities."""
        return sum(self.open.values())


@dataclass(frozen=True, slots=True)
class Band:
    """The area of one severity: `points` of a polygon in a picture of WIDTH by HEIGHT."""

    severity: str
    points: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture and the figures behind it; `top` is the value at its upper edge."""

    bands: tuple[Band, ...]
    days: tuple[Day, ...]
    dates: tuple[date, ...]
    top: int

    @property
    def turns(self) -> list[Day]:
        """The days on which something changed, and the first one, the newest first: all that a table needs to say."""
        changed = [
            day for before, day in zip(self.days, self.days[1:], strict=False) if day.open != before.open
        ]
        return [*changed[::-1], self.days[0]]


def open_by_day(now: Mapping[str, int], steps: Iterable[Step], until: date, days: int) -> list[Day]:
    """The days up to `until`, oldest first: today's numbers, and each day before by taking that day's steps back."""
    by_day: dict[date, list[Step]] = defaultdict(list)
    for step in steps:
        by_day[step.day].append(step)
    current = {severity: now.get(severity, 0) for severity in SEVERITIES}
    found: list[Day] = []
    for back in range(days):
        day = until - timedelta(days=back)
        found.append(Day(day, dict(current)))
        for step in by_day.get(day, ()):
            severity = step.severity if step.severity in current else "NONE"
            came = step.number if step.change in _APPEARS else -step.number
            # a score that was corrected meanwhile moved between severities without a step
            current[severity] = max(0, current[severity] - came)
    return found[::-1]


def build_chart(days: Sequence[Day]) -> Chart | None:
    """The picture, None where there has never been anything to show."""
    highest = max((day.total for day in days), default=0)
    if not highest:
        return None
    top = _round_up(highest)
    below = [0] * len(days)
    bands = []
    for severity in SEVERITIES:
        above = [low + day.open[severity] for low, day in zip(below, days, strict=True)]
        if above != below:
            bands.append(Band(severity, _polygon(below, above, top)))
        below = above
    dates = tuple(days[round(place * (len(days) - 1) / (_TICKS - 1))].day for place in range(_TICKS))
    return Chart(tuple(bands), tuple(days), dates, top)


def _polygon(below: Sequence[int], above: Sequence[int], top: int) -> str:
    """A step for each day: what is open stays open until the day it changes."""
    width = WIDTH / len(above)

    def edge(values: Sequence[int]) -> list[tuple[float, float]]:
        return [
            (round(width * (place + side), 1), round(HEIGHT * (1 - value / top), 1))
            for place, value in enumerate(values)
            for side in (0, 1)
        ]

    return " ".join(f"{x:g},{y:g}" for x, y in (*edge(above), *edge(below)[::-1]))


def _round_up(number: int) -> int:
    """The next round number, so that the upper edge and its half can be read off: 4, 6, 8, 10, 20, 40, …"""
    size = 10 ** max(0, len(str(number)) - 1)
    return (
        next(
            int(size * share)
            for share in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10)
            if size * share >= number and (size * share) % 2 == 0
        )
        if number > 1
        else 2
    )
