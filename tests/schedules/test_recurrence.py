"""The recurrence against dateutil's calendar and tables of UTC offsets, over every zone of the tz database.

The expectation never asks Python what a wall-clock time means (`fold`, PEP 495), as the code under test does: a
table of the zone's offsets, read in the safe direction from UTC, is searched for the moments that show that time.
"""

from __future__ import annotations

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from netvigil.schedules.recurrence import (
    Occurrence,
    Recurrence,
    first_after,
    latest_due,
    next_after,
    occurrence_on,
    resume_after,
    upcoming,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONES = sorted(available_timezones() - {"localtime"})
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clocks are counted from it as well as UTC
MINUTE, DAY, WEEK = 60, 86_400, 7 * 86_400
SINCE, UNTIL = (int((datetime(year, 1, 1) - EPOCH).total_seconds()) for year in (2007, 2039))  # noqa: DTZ001
WEEKDAYS = (rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA)


@cache
def offsets(name: str) -> tuple[tuple[int, int, int], ...]:
    """Stretches `(first second, end, offset)` of constant offset, in seconds of UTC, without a hole."""
    zone = ZoneInfo(name)

    def offset(second: int) -> int:
        shown = datetime.fromtimestamp(second, zone).replace(tzinfo=None)
        return seconds_of(shown) - second

    stretches, start = [], SINCE - 8 * WEEK
    for probe in range(start, UNTIL + 8 * WEEK, WEEK):
        if offset(probe) != offset(probe + WEEK):
            low, high = probe, probe + WEEK
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(probe) else (low, middle)
            stretches.append((start, high, offset(probe)))
            start = high
    return (*stretches, (start, UNTIL + 16 * WEEK, offset(UNTIL)))


def expected(name: str, wall: int) -> int:
    """The moment (UTC seconds) when the clocks first show `wall` (seconds), or would have but for a gap."""
    table = offsets(name)
    shown = [wall - offset for start, end, offset in table if start <= wall - offset < end]
    if shown:
        return min(shown)
    return max((end, wall - offset) for _, end, offset in table if end <= wall - offset)[1]


def seconds_of(wall: datetime) -> int:
    return int((wall - EPOCH).total_seconds())


def instant_of(occurrence: Occurrence) -> int:
    return int(occurrence.at.timestamp())


def recurrence_at(name: str, wall: datetime, weeks: int = 2) -> Recurrence:
    return Recurrence(wall.isoweekday() % 7, wall.time(), weeks, name)


def odd_walls(name: str) -> Iterator[datetime]:
    """Wall-clock times in, beside and on the edges of each gap and overlap of a zone."""
    for (_, end, before), (_, _, after) in pairwise(offsets(name)):
        low, high = end + min(before, after), end + max(before, after)
        for wall in {low - MINUTE, low, low + MINUTE, (low + high) // 2, high - MINUTE, high, high + MINUTE}:
            yield EPOCH + timedelta(seconds=wall - wall % MINUTE)


def test_every_odd_time_of_every_zone_since_2007() -> None:
    checked = 0
    for name in ZONES:
        for wall in odd_walls(name):
            rec = recurrence_at(name, wall)
            occurrence = occurrence_on(rec, wall.date())
            assert instant_of(occurrence) == expected(name, seconds_of(wall)), (name, wall)
            # The wall clock that an observer of that moment reads, offset and all.
            seen = datetime.fromtimestamp(instant_of(occurrence), ZoneInfo(name))
            assert occurrence.at.isoformat() == seen.isoformat(), (name, wall)
            assert first_after(rec, occurrence.instant - timedelta(microseconds=1)) == occurrence, (
                name,
                wall,
            )
            assert first_after(rec, occurrence.at).planned == wall.date() + timedelta(7), (name, wall)
            checked += 1
    assert checked > 50_000


def test_series_of_every_zone_over_ten_years_against_dateutil() -> None:
    for number, name in enumerate(ZONES):
        weeks, count = 2 + number % 7, 522 // (2 + number % 7)
        odd = [wall for wall in odd_walls(name) if wall.year in {2026, 2027}] or [EPOCH.replace(year=2026)]
        for start in (odd[0], odd[number % len(odd)]):
            weekday = WEEKDAYS[start.isoweekday() % 7]
            calendar = rrule.rrule(rrule.WEEKLY, start, interval=weeks, byweekday=weekday, count=count)
            rec = recurrence_at(name, start, weeks)
            occurrence = occurrence_on(rec, start.date())
            for wall, ahead in zip(calendar, upcoming(rec, occurrence, count), strict=True):
                assert ahead.planned == wall.date(), (name, wall)
                assert instant_of(ahead) == expected(name, seconds_of(wall)), (name, wall)
                assert ahead == occurrence, (name, wall)
                occurrence = next_after(rec, occurrence)


RECURRENCES = st.builds(
    Recurrence,
    day_of_week=st.integers(0, 6),
    time_of_day=st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    every_n_weeks=st.integers(1, 52),
    timezone=st.sampled_from(ZONES),
)
MOMENTS = st.datetimes(datetime(2007, 3, 1), datetime(2036, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=500, deadline=None)
@given(RECURRENCES, MOMENTS, st.sampled_from(ZONES))
def test_first_is_the_earliest_of_all_days_after_the_moment(
    rec: Recurrence, moment: datetime, elsewhere: str
) -> None:
    days = [moment.date() + timedelta(days) for days in range(-10, 20)]
    moments = {
        expected(rec.timezone, seconds_of(datetime.combine(day, rec.time_of_day))): day
        for day in days
        if day.isoweekday() % 7 == rec.day_of_week
    }
    instant, day = min((i, d) for i, d in moments.items() if i > moment.timestamp())
    # Whichever zone the moment is written in, it is the same moment.
    found = first_after(rec, moment.astimezone(ZoneInfo(elsewhere)))
    assert (instant_of(found), found.planned) == (instant, day)


@settings(max_examples=300, deadline=None)
@given(RECURRENCES, MOMENTS, st.integers(0, 400), st.integers(-1, 1), st.integers(0, 6 * DAY))
def test_resume_agrees_with_stepping_through_what_was_missed(
    rec: Recurrence, moment: datetime, steps: int, nudge: int, away: int
) -> None:
    first = first_after(rec, moment)
    on_time = occurrence_on(rec, first.planned + steps % 60 * rec.period)
    now = on_time.instant + timedelta(microseconds=nudge) + timedelta(seconds=away if steps % 2 else 0)
    before, coming = None, first
    while coming.instant <= now:
        before, coming = coming, next_after(rec, coming)
    assert resume_after(rec, first, now) == coming
    assert resume_after(rec, first.planned, now.astimezone(ZoneInfo(rec.timezone))) == coming
    assert latest_due(rec, first, now) == before


def test_resume_takes_no_longer_for_nine_thousand_years() -> None:
    rec = Recurrence(0, time(2, 30), 1, "Europe/Berlin")
    started = clock.perf_counter()
    for _ in range(20):
        found = resume_after(rec, date(1, 1, 7), datetime(9000, 1, 1, tzinfo=UTC))
    assert clock.perf_counter() - started < 1
    assert found.planned == date(9000, 1, 5)


def test_resume_before_the_series_begins_is_its_first() -> None:
    rec = Recurrence(0, time(2, 0), 3, "UTC")
    assert resume_after(rec, date(2026, 6, 7), datetime(2020, 1, 1, tzinfo=UTC)).planned == date(2026, 6, 7)
    assert latest_due(rec, date(2026, 6, 7), datetime(2020, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("zone", "wall", "at", "following"),
    [
        # gaps: the time moves forward by the gap, and is back in its place two weeks later
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T03:30:00-04:00", "2026-03-22T02:30:00-04:00"),
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T03:00:00+02:00", "2026-04-12T02:00:00+02:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:45:00+11:00", "2026-10-18T02:15:00+11:00"),
        ("Antarctica/Troll", "2026-03-29T01:30", "2026-03-29T03:30:00+02:00", "2026-04-12T01:30:00+02:00"),
        # a gap at midnight, and one that takes 23:30 to the next date
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T01:00:00-02:00", "2018-11-18T00:00:00-02:00"),
        (
            "America/Nuuk",
            "2024-03-30T23:30",
            "2024-03-31T00:30:00-01:00",
            "2024-04-13T23:30:00-01:00",
        ),
        # a whole day that never was: its weekday stays the series' weekday
        ("Pacific/Apia", "2011-12-30T02:00", "2011-12-31T02:00:00+14:00", "2012-01-13T02:00:00+14:00"),
        ("Pacific/Kwajalein", "1993-08-21T10:00", "1993-08-22T10:00:00+12:00", "1993-09-04T10:00:00+12:00"),
        # overlaps: the first of the two
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T01:30:00-04:00", "2026-11-15T01:30:00-05:00"),
        ("Europe/Dublin", "2026-10-25T01:00", "2026-10-25T01:00:00+01:00", "2026-11-08T01:00:00+00:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-05T01:45:00+11:00", "2026-04-19T01:45:00+10:30"),
        # a new standard time, and Ramadan's other clock
        ("Asia/Pyongyang", "2018-05-04T23:45", "2018-05-05T00:15:00+09:00", "2018-05-18T23:45:00+09:00"),
        ("Africa/Casablanca", "2024-03-10T02:30", "2024-03-10T02:30:00+01:00", "2024-03-24T02:30:00+00:00"),
        ("Asia/Kathmandu", "2026-06-07T02:00", "2026-06-07T02:00:00+05:45", "2026-06-21T02:00:00+05:45"),
    ],
)
def test_known_dates(zone: str, wall: str, at: str, following: str) -> None:
    planned = datetime.fromisoformat(wall)
    rec = recurrence_at(zone, planned)
    occurrence = occurrence_on(rec, planned.date())
    assert occurrence.at.isoformat() == at
    assert occurrence.instant == datetime.fromisoformat(at)
    assert next_after(rec, occurrence).at.isoformat() == following
    assert next_after(rec, planned.date()) == next_after(rec, occurrence)


def test_published_example() -> None:
    rec = Recurrence(1, time(2, 0), 2, "America/New_York")
    first = first_after(rec, datetime.fromisoformat("2025-11-03T07:00:00+00:00"))
    assert first == Occurrence(date(2025, 11, 10), datetime.fromisoformat("2025-11-10T02:00:00-05:00"))
    assert [o.planned.day for o in upcoming(rec, first, 3)] == [10, 24, 8]


def test_first_is_strictly_after_even_in_the_hour_that_comes_twice() -> None:
    rec = Recurrence(0, time(1, 30), 2, "America/New_York")
    again = datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York"))
    assert first_after(rec, again).planned == date(2026, 11, 8)
    # 01:10 on the second round is later than 01:30 on the first, though not by its digits.
    assert first_after(rec, again.replace(minute=10)).planned == date(2026, 11, 8)
    assert resume_after(rec, date(2026, 11, 1), again.replace(minute=10)).planned == date(2026, 11, 15)
    just_before = datetime(2026, 11, 1, 5, 29, 59, tzinfo=UTC)
    assert first_after(rec, just_before).instant == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_first_may_be_planned_for_a_day_that_was_skipped() -> None:
    rec = Recurrence(5, time(2, 0), 2, "Pacific/Apia")
    first = first_after(rec, datetime.fromisoformat("2011-12-31T00:30:00+14:00"))
    assert (first.planned, first.at.isoformat()) == (date(2011, 12, 30), "2011-12-31T02:00:00+14:00")


def test_what_is_no_planned_date_or_no_moment_is_refused() -> None:
    rec = Recurrence(0, time(2, 0), 2, "UTC")
    with pytest.raises(ValueError, match="not on day 0"):
        next_after(rec, date(2026, 6, 8))
    with pytest.raises(TypeError, match="not a moment"):
        occurrence_on(rec, datetime(2026, 6, 7, tzinfo=UTC))
    with pytest.raises(ValueError, match="no time zone"):
        first_after(rec, datetime(2026, 6, 7))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="no time zone"):
        resume_after(rec, date(2026, 6, 7), datetime(2026, 6, 7))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(
    ("day", "at", "weeks", "zone"),
    [
        (7, time(2), 2, "UTC"),
        (-1, time(2), 2, "UTC"),
        (0, time(2, 0, 1), 2, "UTC"),
        (0, time(2, 0, 0, 1), 2, "UTC"),
        (0, time(2, tzinfo=UTC), 2, "UTC"),
        (0, time(2, fold=1), 2, "UTC"),
        (0, time(2), 0, "UTC"),
        (0, time(2), 53, "UTC"),
        (0, time(2), 2, "right/UTC"),
    ],
)
def test_impossible_recurrence_is_refused(day: int, at: time, weeks: int, zone: str) -> None:
    with pytest.raises(ValueError, match=r"day_of_week|time_of_day|every_n_weeks|time zone"):
        Recurrence(day, at, weeks, zone)
