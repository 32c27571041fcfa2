"""What a schedule needs to know of its scans, asked through a function that the app provides.

Scans lie above schedules, so they cannot be imported here; the composition root hands their answer in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class ScheduleStatus(StrEnum):
    """Where a schedule's life is (contract: `ScanSchedule.status`)."""

    READY = "ready"  # no scan is in progress
    STARTING = "starting"  # a scan was created, no site has begun
    RUNNING = "running"  # sites are being scanned
    PROCESSING = "processing"  # matching and reporting
    STOPPING = "stopping"  # someone asked to stop


@dataclass(frozen=True, slots=True)
class Activity:
    """A schedule's scans in short: `latest_scan` is the last finished one as a ScanReport."""

    status: ScheduleStatus = ScheduleStatus.READY
    latest_scan: dict[str, Any] | None = None

    @property
    def running(self) -> bool:
        """Whether a scan of the schedule is in progress."""
        return self.status is not ScheduleStatus.READY


GroupsReader = Callable[[AsyncSession, UUID, Collection[str]], Awaitable[set[str]]]
"""(session, organisation, names) → those names that a notification group has, as its id or key."""
ActivityReader = Callable[[AsyncSession, Collection[UUID], str], Awaitable[dict[UUID, Activity]]]
"""(session, schedule ids, base URL of links) → activity of those schedules that ever had a scan."""
