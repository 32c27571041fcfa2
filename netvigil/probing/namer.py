"""Collects recorded words of many ports and has nmap name them together, one run at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netvigil.errors import NetvigilError
from netvigil.probing.replay import name_words

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from netvigil.probing.context import ProbeContext
    from netvigil.probing.observations import ServiceObservation
    from netvigil.probing.replay import Words

_GATHERING = 0.15  # seconds; hosts finish in bursts, and one nmap for ten costs what one for one does


@dataclass(slots=True)
class Namer:
    """One for a probe; lives as long as the event loop's tasks that wait for it."""

    context: ProbeContext
    _waiting: dict[tuple[IPv4Address, int], tuple[Words, asyncio.Future[ServiceObservation | None]]] = field(
        default_factory=dict
    )
    _runner: asyncio.Task[None] | None = None

    async def name(self, address: IPv4Address, port: int, words: Words) -> ServiceObservation | None:
        """What nmap calls a port by what it said; None when it does not know that."""
        if not words.greeting and not words.web:
            return None
        answer: asyncio.Future[ServiceObservation | None] = asyncio.get_running_loop().create_future()
        self._waiting[address, port] = (words, answer)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await answer

    async def close(self) -> None:
        """End what still runs."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait({self._runner})

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHERING)
            batch, self._waiting = self._waiting, {}
            named: dict[tuple[IPv4Address, int], ServiceObservation] = {}
            try:
                named = await name_words({key: words for key, (words, _) in batch.items()})
            except NetvigilError as fault:
                # What one device makes nmap stumble over must not cost the site its scan.
                self.context.limit(f"Some answers could not be named: {fault}")
            for key, (_, answer) in batch.items():
                if not answer.done():
                    answer.set_result(named.get(key))
