"""PURE: times of day and the time zones that this host knows."""

from __future__ import annotations

import re
from datetime import time
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from netvigil.errors import Invalid

_TIME_OF_DAY = re.compile(r"([0-1]?[0-9]|2[0-3]):([0-5][0-9])")

# Files of the tz directory that are no names of the IANA database: what they mean differs from host to host.
_HOST_FILES = frozenset({"localtime", "posixrules"})


def parse_time_of_day(text: str) -> time:
    """Return the time that `H:MM` or `HH:MM` on the 24-hour clock names, by the published pattern.

    Raises Invalid (`parameter_invalid`). Answer a client with `time.isoformat("minutes")`, which is always `HH:MM`.
    """
    # fullmatch, because "$" also matches before a trailing newline; [0-9], because "\d" takes digits of any script.
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise Invalid(
            "parameter_invalid", f"{text[:40]!r} is not a time of day as HH:MM, from 00:00 to 23:59."
        )
    return time(int(match[1]), int(match[2]))


def is_timezone(name: str) -> bool:
    """Say whether the host's tz database knows this IANA name, links included, spelt exactly so.

    The first call reads the names of the database (some 60 ms), later ones look them up.
    """
    return name in _timezone_names()


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, or None: a name may vanish with an update of the tz database or a move to another host."""
    if not is_timezone(name):
        return None
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:  # the file went after the names were read
        return None


def reread_zones() -> None:
    """Forget what was read of the tz database, so that the next question sees it as it is now."""
    _timezone_names.cache_clear()
    ZoneInfo.clear_cache()


@cache
def _timezone_names() -> frozenset[str]:
    # A list of names, not a try at opening one: files answer to "right/UTC" (which counts leap seconds), to
    # "./UTC" on some hosts and to any case on a file system that ignores it.
    return frozenset(available_timezones()) - _HOST_FILES
