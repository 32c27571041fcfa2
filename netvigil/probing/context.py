"""What every stage of one probe shares: where from, how hard, with which rights, and whom to tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netvigil.probing.nmap import NmapOutcome, run_nmap
from netvigil.probing.progress import ProbeProgress, Stage, overall_percent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from ipaddress import IPv4Address

    from netvigil.probing.limits import ScanLimits
    from netvigil.probing.nmap import EventReceiver, OpenReceiver
    from netvigil.probing.privileges import Privileges
    from netvigil.probing.vantage import Sockets


@dataclass(slots=True)
class ProbeContext:
    """One probe's surroundings and its progress so far; lives as long as the probe."""

    sockets: Sockets
    limits: ScanLimits
    privileges: Privileges
    excluded_tcp: frozenset[int] = frozenset()
    """Ports that nothing is sent to, not even to find out whether an address is alive."""
    on_link: bool = False
    on_progress: Callable[[ProbeProgress], Awaitable[None]] | None = None
    limitations: list[str] = field(default_factory=list)
    progress: ProbeProgress = field(default_factory=lambda: ProbeProgress(Stage.REACH))

    async def nmap(
        self,
        arguments: Sequence[str],
        addresses: Iterable[IPv4Address],
        on_event: EventReceiver,
        budget: float,
        on_open: OpenReceiver | None = None,
    ) -> NmapOutcome:
        """Run nmap from this probe's vantage with this probe's rights."""
        return await run_nmap(
            arguments,
            addresses,
            on_event,
            vantage=self.sockets.vantage,
            privileges=self.privileges,
            budget=budget,
            on_open=on_open,
        )

    def limit(self, sentence: str) -> None:
        """Note once what this probe could not see."""
        if sentence not in self.limitations:
            self.limitations.append(sentence)

    async def report(self, stage: Stage, share: float, **counts: int) -> None:
        """Tell how far the stage is (0 to 1); counts not named keep their value, the percentage never falls."""
        percent = max(self.progress.percent, overall_percent(stage, share))
        told = replace(self.progress, stage=stage, percent=percent, **counts)
        if told != self.progress:
            self.progress = told
            if self.on_progress is not None:
                await self.on_progress(told)
