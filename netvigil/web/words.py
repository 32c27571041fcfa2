"""PURE: numbers, times and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE")
_HIDING: Final = (
    *(range(0x09), range(0x0B, 0x20), range(0x7F, 0xA0)),  # controls, all but tab and line end
    *(range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2070), range(0xFEFF, 0xFF00)),
)
_DROPPED: Final = {number: "\N{REPLACEMENT CHARACTER}" for numbers in _HIDING for number in numbers}
_UNITS: Final = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))
STATE_WORDS: Final = {
    "pending": "waiting",
    "running": "running",
    "stopping": "stopping",
    "processing": "matching",
    "completed": "completed",
    "stopped": "stopped",
    "failed": "failed",
    "scanned": "scanned",
}


def shown(value: object) -> object:
    """What a template writes: text without characters that hide or turn it, everything else as it is.

    A device may call itself what it likes: a name with a mark that reverses the line would show another name.
    """
    return value.translate(_DROPPED) if type(value) is str else value


def when(moment: datetime | str | None) -> str:
    """A moment in UTC to the minute."""
    moment = _read(moment)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else "never"


def iso(moment: datetime | str) -> str:
    """A moment as `<time datetime>` takes it."""
    read = _read(moment)
    return read.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if read else ""


def ago(moment: datetime | str | None, now: datetime | None = None) -> str:
    """How long ago, in one unit: `3 hours ago`; `in 2 days` for what is to come."""
    moment = _read(moment)
    if moment is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for size, unit in _UNITS:
        number = int(abs(seconds) // size)
        if number:
            words = count(number, unit)
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now"


def count(number: float, unit: str, many: str | None = None) -> str:
    """`1 host`, `1,204 hosts`."""
    return f"{number:,} {unit if number == 1 else many or unit + 's'}"


def percent(share: float) -> str:
    """A share of one in percent, with as many digits as tell something."""
    if share >= 0.1:  # noqa: PLR2004 - ten percent
        return f"{share:.0%}".replace("%", " %")
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else "< 0.1 %"  # noqa: PLR2004 - a tenth of a percent


def delta(now: float | None, before: float | None) -> str:
    """The change since last time with its sign, empty where there is nothing to compare."""
    if now is None or before is None:
        return ""
    change = round(now - before, 1)
    if change == 0:
        return "same as before"
    return f"{change:+,.0f}" if float(change).is_integer() else f"{change:+,.1f}"


def page_number(text: str) -> int:
    """Which page of a list an address means; the first where it means none."""
    known = text.isascii() and text.isdigit() and len(text) <= len("999999")
    return max(1, int(text)) if known else 1


def state_word(state: str) -> str:
    """A scan's state as a badge says it."""
    return STATE_WORDS.get(state, state)


def severity_class(severity: str | None) -> str:
    """The name of a severity in style sheets; an unknown one has none."""
    return (severity or "").lower() if severity in SEVERITIES else "none"


def _read(moment: datetime | str | None) -> datetime | None:
    if isinstance(moment, str):
        return datetime.fromisoformat(moment)
    return moment
