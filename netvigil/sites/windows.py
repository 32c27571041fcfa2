"""PURE: maintenance windows, in which nothing is scanned: whether a moment lies in one, and when that ends.

A window is read as a clock on the wall shows it: a moment lies in it when the weekday and the time that the clock shows
then do. Where clocks go forward, what they skip is never shown, so a window inside the gap does not happen; where
they go back, the times shown twice lie in it both times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from netvigil.sites.wall_clock import find_zone, parse_time_of_day

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import tzinfo

LONGEST_CHAIN = timedelta(days=8)
"""What holds for longer than a week holds for ever; `find_end` looks no further."""

_DAY = timedelta(days=1)
# Far from every change of the clocks, one in each half of the year.
_REFERENCES = (datetime(2025, 1, 15, 12, tzinfo=UTC), datetime(2025, 7, 15, 12, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Window:
    """Each week on `days` (0 = Sunday … 6 = Saturday) from `opens` until before `closes`, whole minutes.

    `closes` at or before `opens` is that time of the day after. `timezone` is an IANA name, or None for the zone that
    the one who asks names.
    """

    days: frozenset[int]
    opens: time
    closes: time
    timezone: str | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Window:
        """The window that `to_json` wrote."""
        return cls(
            frozenset(stored["days"]),
            parse_time_of_day(stored["from"]),
            parse_time_of_day(stored["to"]),
            stored["timezone"],
        )

    def to_json(self) -> dict[str, Any]:
        """As the API shows it: `{days, from, to, timezone}`, the days ascending."""
        return {
            "days": sorted(self.days),
            "from": self.opens.isoformat("minutes"),
            "to": self.closes.isoformat("minutes"),
            "timezone": self.timezone,
        }

    def holds(self, wall: datetime) -> bool:
        """Whether the window is open when a clock on the wall shows this."""
        today = wall.isoweekday() % 7
        shown = wall.time()
        if self.opens < self.closes:
            return today in self.days and self.opens <= shown < self.closes
        return (today in self.days and shown >= self.opens) or (
            (today - 1) % 7 in self.days and shown < self.closes
        )


def read_windows(stored: Sequence[Mapping[str, Any]], default_zone: str) -> tuple[Window, ...]:
    """The windows of a site or schedule, each with its own zone or the given one."""
    windows = map(Window.from_json, stored)
    return tuple(
        Window(window.days, window.opens, window.closes, window.timezone or default_zone)
        for window in windows
    )


def find_end(windows: Collection[Window], instant: datetime, default_zone: str) -> datetime | None:
    """When the window that holds an aware moment ends, in UTC; None when no window holds it.

    Windows that touch or overlap count as one. What holds for longer than a week is answered with the moment
    LONGEST_CHAIN later. A zone that the tz database does not know (any more) is read as UTC.
    """
    if instant.utcoffset() is None:
        raise ValueError(f"{instant.isoformat()} has no time zone, so it is no moment")
    placed = [(window, _zone(window.timezone or default_zone)) for window in windows]
    start = end = instant.astimezone(UTC)
    while end - start < LONGEST_CHAIN:
        ends = [later for window, zone in placed if (later := _end_of(window, zone, end)) is not None]
        if not ends:
            return end if end > start else None
        end = max(ends)
    return start + LONGEST_CHAIN


def cover_the_week(windows: Collection[Window], default_zone: str) -> bool:
    """Whether the windows leave no moment of a week, so that what waits for their end would wait for ever."""
    return any(find_end(windows, moment, default_zone) == moment + LONGEST_CHAIN for moment in _REFERENCES)


def _zone(name: str) -> tzinfo:
    return find_zone(name) or UTC


def _end_of(window: Window, zone: tzinfo, instant: datetime) -> datetime | None:
    """When the window that holds the instant closes, or the clocks change before; None when it does not hold it."""
    wall = instant.astimezone(zone).replace(tzinfo=None)
    if not window.holds(wall):
        return None
    closes = datetime.combine(wall, window.closes)
    if closes <= wall:
        closes += _DAY
    end = instant + (closes - wall)
    if _offset(zone, instant) == _offset(zone, end):
        return end
    return _change_of_clocks(zone, instant, end)


def _change_of_clocks(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first moment with another offset than `before`; zones change theirs at whole seconds, once a day at most."""
    low, high = floor(before.timestamp()), ceil(after.timestamp())
    offset = _offset(zone, before)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == offset:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def _offset(zone: tzinfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()
