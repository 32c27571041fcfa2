"""Maintenance windows against a naive reading, minute by minute, of what a clock on the wall shows."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netvigil.sites.windows import LONGEST_CHAIN, Window, cover_the_week, find_end, read_windows

MINUTE = timedelta(minutes=1)
# Half an hour and a whole day of change, changes at midnight, in Ramadan, none at all.
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
)
AROUND_CHANGES = [
    datetime(2025, 3, 9, 7, tzinfo=UTC),  # New York goes forward
    datetime(2025, 11, 2, 6, tzinfo=UTC),  # and back
    datetime(2025, 3, 30, 1, tzinfo=UTC),  # Berlin goes forward
    datetime(2025, 10, 26, 1, tzinfo=UTC),  # and back
    datetime(2025, 4, 5, 15, tzinfo=UTC),  # Lord Howe goes back by half an hour
    datetime(2025, 10, 4, 15, 30, tzinfo=UTC),  # and forward
    datetime(2025, 3, 29, 22, tzinfo=UTC),  # Beirut skips midnight
    datetime(2025, 2, 23, 2, tzinfo=UTC),  # Casablanca, Ramadan begins
]
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
WINDOWS = st.builds(
    Window, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES, st.sampled_from([None, *ZONES])
)
MOMENTS = st.builds(
    lambda near, minutes, seconds: near + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from(AROUND_CHANGES),
    st.integers(-2 * 1440, 1440),
    st.sampled_from([0, 0, 0, 1, 59]),
)


@cache
def minutes_of(window):
    """Every (weekday, minute of the day) of the window, counted one by one."""
    opens = window.opens.hour * 60 + window.opens.minute
    closes = window.closes.hour * 60 + window.closes.minute
    length = (closes - opens) % 1440 or 1440
    return frozenset(
        ((day + (opens + step) // 1440) % 7, (opens + step) % 1440)
        for day in window.days
        for step in range(length)
    )


def is_open(windows, instant, default):
    for window in windows:
        wall = instant.astimezone(ZoneInfo(window.timezone or default))
        if ((wall.weekday() + 1) % 7, wall.hour * 60 + wall.minute) in minutes_of(window):
            return True
    return False


def naive_end(windows, instant, default):
    if not is_open(windows, instant, default):
        return None
    end = instant.replace(second=0)
    while is_open(windows, end, default):
        end += MINUTE
        if end - instant >= LONGEST_CHAIN:
            return instant + LONGEST_CHAIN
    return end


@settings(max_examples=400, deadline=None)
@given(st.lists(WINDOWS, max_size=4), MOMENTS, st.sampled_from(ZONES))
@example([Window(frozenset(range(7)), time(0), time(0))], AROUND_CHANGES[0], "UTC")
def test_end_is_what_reading_the_clock_each_minute_gives(windows, instant, zone):
    assert find_end(windows, instant, zone) == naive_end(windows, instant, zone)


def new_york(*parts, fold=0):
    return datetime(*parts, tzinfo=ZoneInfo("America/New_York"), fold=fold)


def window(days, opens, closes, zone="America/New_York"):
    return read_windows([{"days": days, "from": opens, "to": closes, "timezone": zone}], "UTC")


@pytest.mark.parametrize(
    ("windows", "at", "ends"),
    [
        (window([1], "09:00", "17:00"), new_york(2025, 6, 2, 9), new_york(2025, 6, 2, 17)),
        (window([1], "09:00", "17:00"), new_york(2025, 6, 2, 17), None),
        (window([1], "09:00", "17:00"), new_york(2025, 6, 2, 8, 59, 59, 999999), None),
        (window([1], "22:00", "06:00"), new_york(2025, 6, 3, 5, 59), new_york(2025, 6, 3, 6)),
        (window([1], "22:00", "06:00"), new_york(2025, 6, 2, 5), None),  # the night before is Sunday's
        (window([6], "22:00", "06:00"), new_york(2025, 6, 1, 1), new_york(2025, 6, 1, 6)),  # into Sunday
        (window([1], "08:00", "08:00"), new_york(2025, 6, 3, 7), new_york(2025, 6, 3, 8)),  # a whole day long
        # 02:00 to 03:00 does not exist on this day
        (window([0], "02:15", "02:45"), new_york(2025, 3, 9, 3), None),
        (window([0], "01:30", "02:30"), new_york(2025, 3, 9, 1, 45), new_york(2025, 3, 9, 3)),
        (window([0], "02:30", "03:30"), new_york(2025, 3, 9, 3), new_york(2025, 3, 9, 3, 30)),
        # 01:00 to 02:00 is there twice on this one
        (window([0], "01:15", "01:45"), new_york(2025, 11, 2, 1, 20), new_york(2025, 11, 2, 1, 45)),
        (window([0], "01:15", "01:45"), new_york(2025, 11, 2, 1, 5, fold=1), None),
        (
            window([0], "01:15", "01:45"),
            new_york(2025, 11, 2, 1, 20, fold=1),
            new_york(2025, 11, 2, 1, 45, fold=1),
        ),
        (window([0], "00:30", "04:00"), new_york(2025, 11, 2, 0, 30), new_york(2025, 11, 2, 4)),
    ],
)
def test_worked_examples(windows, at, ends):
    found = find_end(windows, at, "UTC")
    assert found == (ends and ends.astimezone(UTC))


def test_windows_that_touch_are_one_even_across_zones():
    chain = [
        *window([1], "20:00", "22:00", "UTC"),
        *window([2], "00:00", "02:00", "Europe/Berlin"),  # Monday 22:00 to 24:00 in UTC in summer
        *window([1], "23:30", "00:15", "UTC"),
    ]
    assert find_end(chain, datetime(2025, 6, 2, 21, tzinfo=UTC), "UTC") == datetime(
        2025, 6, 3, 0, 15, tzinfo=UTC
    )


def test_a_zone_that_is_gone_is_read_as_utc():
    gone = window([1], "09:00", "17:00", "Mars/Phobos")
    assert find_end(gone, datetime(2025, 6, 2, 9, tzinfo=UTC), "UTC") == datetime(2025, 6, 2, 17, tzinfo=UTC)


def test_a_moment_without_a_zone_is_none():
    with pytest.raises(ValueError, match="no time zone"):
        find_end([], datetime(2025, 6, 2), "UTC")  # noqa: DTZ001 - that is the point


EVERY_DAY = list(range(7))


@pytest.mark.parametrize(
    ("windows", "covered"),
    [
        (window(EVERY_DAY, "00:00", "00:00"), True),
        (window(EVERY_DAY, "13:37", "13:37"), True),
        (window(EVERY_DAY, "13:37", "13:36"), False),
        (window(EVERY_DAY[1:], "00:00", "00:00"), False),
        (window(EVERY_DAY, "00:00", "12:00") + window(EVERY_DAY, "12:00", "00:00"), True),
        (window(EVERY_DAY, "00:00", "12:00") + window(EVERY_DAY, "12:00", "00:00", "UTC"), False),
        (window(EVERY_DAY, "00:00", "12:00") + window(EVERY_DAY, "10:00", "06:00", "UTC"), True),
        ((), False),
    ],
)
def test_what_covers_the_whole_week(windows, covered):
    assert cover_the_week(windows, "UTC") is covered


@given(WINDOWS)
def test_stored_form_is_the_window_again(one):
    assert Window.from_json(one.to_json()) == one


def test_many_windows_are_read_at_once():
    """A site and a schedule at their bounds: the longest chain there is takes milliseconds."""
    many = [Window(frozenset(EVERY_DAY), time(n % 24, n % 60), time(n % 24, n % 60)) for n in range(64)]
    assert find_end(many, AROUND_CHANGES[0], "America/New_York") == AROUND_CHANGES[0] + LONGEST_CHAIN
