"""Waiting: how long after a failure, how often within a rate limit; time itself is a parameter for tests."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 64.0


@dataclass(frozen=True, slots=True)
class Waits:
    """The clock (seconds, monotonic), the sleep and the chance (0 to 1) that everything here uses."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class Pace:
    """At most `requests` in any `seconds`: a call of `turn` returns when the next may leave.

    The server counts when requests arrive, we when they leave, hence a margin over its window.
    """

    def __init__(self, requests: int, seconds: float, waits: Waits) -> None:
        self.seconds = seconds
        self._waits = waits
        self._sent: deque[float] = deque(maxlen=requests)

    async def turn(self) -> None:
        """Wait until a request is within the limit, and count it."""
        if len(self._sent) == self._sent.maxlen:
            wait = self._sent[0] + self.seconds - self._waits.clock()
            if wait > 0:
                await self._waits.sleep(wait)
        self._sent.append(self._waits.clock())


def pause_after(failures: int, waits: Waits) -> float:
    """Seconds after the n-th failure in a row: doubling, with a random half, so that clients spread."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failures - 1))
    return longest * (0.5 + waits.chance() / 2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` asks for (RFC 9110, 10.2.3): a number or a date; None where it says nothing.

    A date is compared with the server's own `Date`, because our clock may differ from it.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    then = _date(text)
    if then is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
