"""Times of day and zone names: what is one, and what only looks like one."""

from __future__ import annotations

from datetime import time
from zoneinfo import available_timezones

import pytest

from netvigil.errors import Invalid
from netvigil.sites.wall_clock import is_timezone, parse_time_of_day

ZONES = sorted(available_timezones() - {"localtime"})


def test_every_minute_of_the_day_is_read() -> None:
    for hour in range(24):
        for minute in range(60):
            assert parse_time_of_day(f"{hour:02}:{minute:02}") == time(hour, minute)
            assert parse_time_of_day(f"{hour}:{minute:02}").isoformat("minutes") == f"{hour:02}:{minute:02}"


NO_TIMES = [
    "",
    "2",
    "24:00",
    "2:60",
    "02:0",
    "002:00",
    "02:00:00",
    "02:00\n",
    " 02:00",
    "02:00 ",
    "-2:00",
    "02.00",
]
OTHER_SCRIPTS = ["\u0660\u0662:\u0660\u0660", "\uff10\uff12:00", "0\u00b2:00", "02\uff1a00"]


@pytest.mark.parametrize("text", [*NO_TIMES, *OTHER_SCRIPTS, "2:00am", "02:00\x00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not a time of day as HH:MM") as caught:
        parse_time_of_day(text)
    assert caught.value.code == "parameter_invalid"


def test_message_does_not_repeat_a_flood() -> None:
    with pytest.raises(Invalid) as caught:
        parse_time_of_day("1" * 1_000_000)
    assert len(caught.value.message) < 150


def test_every_zone_of_the_database_is_known_links_included() -> None:
    assert len(ZONES) > 590
    assert all(map(is_timezone, ZONES))
    assert all(
        map(is_timezone, ["UTC", "America/New_York", "US/Eastern", "Asia/Calcutta", "Etc/GMT+12", "GMT0"])
    )


PATHS = [
    "/etc/localtime",
    "/usr/share/zoneinfo/UTC",
    "../zoneinfo/UTC",
    "Europe/../UTC",
    "./UTC",
    "Europe//Berlin",
]
FILES = [
    "",
    ".",
    "..",
    "/",
    "posixrules",
    "localtime",
    "Europe",
    "Europe/",
    "right/UTC",
    "posix/UTC",
    "zone.tab",
]
MISSPELT = [
    "utc",
    "europe/berlin",
    "EUROPE/BERLIN",
    " UTC",
    "UTC ",
    "UTC\n",
    "UTC\x00",
    "\x00",
    "Europe\\Berlin",
]
NO_ZONES = ["Mars/Phobos", "UTC+2", "+02:00", "CEST", "\u0415urope/Berlin"]


@pytest.mark.parametrize("name", [*PATHS, *FILES, *MISSPELT, *NO_ZONES])
def test_what_is_no_zone_is_refused(name: str) -> None:
    assert not is_timezone(name)


def test_zone_name_as_long_as_a_book_is_refused() -> None:
    assert not is_timezone("a" * 1_000_000)
