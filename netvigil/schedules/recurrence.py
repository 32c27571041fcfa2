"""When a schedule runs next: every n weeks on one weekday at one wall-clock time of a time zone.

A series is counted in local dates, not in instants. Each occurrence keeps the local date that was planned for it,
and the next one is that date plus n weeks; a time that daylight saving moved is therefore back in its place the
next time, even where the clocks skipped midnight or a whole day. RFC 5545 (section 3.3.5) gives the rule for the
two odd cases: a time that does not exist moves forward by the length of the gap, one that exists twice means the
first.

Python compares two datetimes of the same zone by their wall clocks and forgets the offset, so that 01:30 before
and 01:30 after the clocks went back look equal. Everything here is compared in UTC (`Occurrence.instant`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from netvigil.sites.wall_clock import find_zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_WEEK = timedelta(weeks=1)

# The longest gap in the tz database is one day (Pacific/Apia, 30 December 2011), so what was planned up to a day
# before a local date may still lie ahead of it; the second day is for the hours of that gap.
_LONGEST_SHIFT = timedelta(days=2)


class UnknownZone(ValueError):
    """The host's tz database does not know the zone of a recurrence, or not any more."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Every `every_n_weeks` weeks on `day_of_week` (0 = Sunday … 6 = Saturday) at `time_of_day` in `timezone`.

    `time_of_day` is whole minutes without a zone, `every_n_weeks` 1..52, `timezone` a name that `find_zone` finds.
    Raises ValueError otherwise, for the zone UnknownZone, which every function here may raise as well, for a zone can
    vanish at any time. What a client sent is checked, with an answer for the client, before it comes here.
    """

    day_of_week: int
    time_of_day: time
    every_n_weeks: int
    timezone: str

    def __post_init__(self) -> None:
        if not 0 <= self.day_of_week <= 6:  # noqa: PLR2004 - the days of a week
            raise ValueError(f"day_of_week is {self.day_of_week}, not 0 (Sunday) to 6 (Saturday)")
        if not 1 <= self.every_n_weeks <= 52:  # noqa: PLR2004 - the weeks of a year
            raise ValueError(f"every_n_weeks is {self.every_n_weeks}, not 1 to 52")
        if self.time_of_day != time(self.time_of_day.hour, self.time_of_day.minute) or self.time_of_day.fold:
            raise ValueError(
                f"time_of_day is {self.time_of_day.isoformat()}, not whole minutes without a zone"
            )
        _ = self.zone

    @property
    def zone(self) -> ZoneInfo:
        """The rules of `timezone`; raises UnknownZone."""
        zone = find_zone(self.timezone)
        if zone is None:
            raise UnknownZone(f"{self.timezone!r} is no time zone of this host's tz database")
        return zone

    @property
    def period(self) -> timedelta:
        """The time between two planned dates: whole weeks by the calendar."""
        return self.every_n_weeks * _WEEK


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One run of a series.

    `planned` is the local date that the series gives; store it, for the next one is computed from it. `at` is the
    moment to start, aware, in the schedule's zone, so that `at.isoformat()` carries the zone's offset of that moment.
    """

    planned: date
    at: datetime

    @property
    def instant(self) -> datetime:
        """`at` in UTC: the form to compare and to subtract with."""
        return self.at.astimezone(UTC)


def occurrence_on(rec: Recurrence, planned: date) -> Occurrence:
    """Return the occurrence planned for a local date, e.g. one read back from the database.

    Raises ValueError for a date that is not on the recurrence's weekday: it belongs to another series.
    """
    if isinstance(planned, datetime):
        # A datetime is a date to Python, but its date may be one that a gap has moved.
        raise TypeError("a planned local date is wanted, not a moment")
    if planned.isoweekday() % 7 != rec.day_of_week:
        raise ValueError(f"{planned} is not on day {rec.day_of_week} of the week (0 = Sunday)")
    zone = rec.zone
    # By way of UTC: with fold=0 a time in a gap is read with the offset before it (PEP 495), so that coming back it
    # lies later by the gap; and one that exists twice is read as the first.
    wall = datetime.combine(planned, rec.time_of_day, tzinfo=zone)
    return Occurrence(planned, wall.astimezone(UTC).astimezone(zone))


def first_after(rec: Recurrence, after: datetime) -> Occurrence:
    """Return the first occurrence strictly after an aware moment: the start of a new series.

    The number of weeks plays no part in it. Raises ValueError for a moment without a zone.
    """
    moment = _utc(after)
    earliest = moment.astimezone(rec.zone).date() - _LONGEST_SHIFT
    planned = earliest + timedelta(days=(rec.day_of_week - earliest.isoweekday()) % 7)
    return _first_later(rec, planned, moment, step=_WEEK)


def next_after(rec: Recurrence, planned: Occurrence | date) -> Occurrence:
    """Return the occurrence that follows the one planned for a local date.

    Only the planned date counts, never when the run really started. Raises as `occurrence_on`.
    """
    return occurrence_on(rec, _planned_date(planned) + rec.period)


def upcoming(rec: Recurrence, first: Occurrence | date, count: int) -> list[Occurrence]:
    """Return `count` consecutive occurrences of a series, beginning with `first` itself, for a preview.

    For a series that does not exist yet: `upcoming(rec, first_after(rec, now), 5)`. Raises as `occurrence_on`.
    """
    start = _planned_date(first)
    return [occurrence_on(rec, start + index * rec.period) for index in range(count)]


def resume_after(rec: Recurrence, planned: Occurrence | date, now: datetime) -> Occurrence:
    """Return the first occurrence of the series strictly after `now`, for coming back after a long downtime.

    The series is the one that goes on from `planned`, which is itself the answer while it lies ahead. The effort
    is the same however many were missed. Raises as `occurrence_on`, and ValueError for a `now` without a zone.
    """
    moment = _utc(now)
    start = _planned_date(planned)
    today = moment.astimezone(rec.zone).date()
    # One period of slack, a week at least, is more than any zone ever jumped: what is skipped here is past for certain.
    surely_missed = max(0, (today - start) // rec.period - 1)
    return _first_later(rec, start + surely_missed * rec.period, moment, step=rec.period)


def latest_due(rec: Recurrence, planned: Occurrence | date, now: datetime) -> Occurrence | None:
    """Return the last occurrence of the series, from `planned` on, that is not after `now`; None if all lie ahead.

    After a downtime this is the one missed occurrence that may still be worth running. Effort and errors are those
    of `resume_after`.
    """
    start = _planned_date(planned)
    coming = resume_after(rec, start, now)
    return None if coming.planned == start else occurrence_on(rec, coming.planned - rec.period)


def _first_later(rec: Recurrence, planned: date, moment: datetime, *, step: timedelta) -> Occurrence:
    occurrence = occurrence_on(rec, planned)
    while occurrence.instant <= moment:
        occurrence = occurrence_on(rec, occurrence.planned + step)
    return occurrence


def _planned_date(planned: Occurrence | date) -> date:
    return planned.planned if isinstance(planned, Occurrence) else planned


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone, so it is no moment")
    return moment.astimezone(UTC)
