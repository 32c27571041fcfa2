"""Numbers in words."""

from __future__ import annotations


def duration_in_words(seconds: float) -> str:
    """`40 seconds`, `35 minutes`, `2 hours 15 minutes`; minutes are whole from one minute on."""
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004 - a minute
        return _count(whole, "second")
    hours, minutes = divmod(round(whole / 60), 60)
    if hours == 0:
        return _count(minutes, "minute")
    return _count(hours, "hour") + (f" {_count(minutes, 'minute')}" if minutes else "")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
