"""When a job that ended early runs again by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from procrastinate import BaseRetryStrategy, RetryDecision

if TYPE_CHECKING:
    from procrastinate.jobs import Job


class AgainAfterShutdown(BaseRetryStrategy):
    """Puts a job back at once that its worker put down; a task that was stopped by a person raises JobAborted."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002 - theirs
        """Now, after a cancellation; never otherwise."""
        return (
            RetryDecision(retry_at=datetime.now(UTC))
            if isinstance(exception, asyncio.CancelledError)
            else None
        )
