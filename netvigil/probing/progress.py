"""PURE: how far a probe has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The parts of a probe, in order."""

    REACH = "reach"  # is the site there?
    DISCOVER = "discover"  # which addresses are alive?
    SWEEP = "sweep"  # which ports are open?
    IDENTIFY = "identify"  # what speaks there?
    DONE = "done"


# Where each stage begins and ends in the whole, in percent; roughly the shares of time measured on a /24.
_SHARES = {
    Stage.REACH: (0.0, 1.0),
    Stage.DISCOVER: (1.0, 15.0),
    Stage.SWEEP: (15.0, 50.0),
    Stage.IDENTIFY: (50.0, 100.0),
    Stage.DONE: (100.0, 100.0),
}


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """One moment of a probe: hosts known to be alive and those of them finished, open ports known and spoken to.

    `percent` (0 to 100) is of the whole probe and an estimate; the counts are facts. While addresses are looked
    for, `hosts_total` counts those found so far.
    """

    stage: Stage
    hosts_total: int = 0
    hosts_done: int = 0
    percent: float = 0.0
    ports_total: int = 0
    ports_done: int = 0


def overall_percent(stage: Stage, share: float) -> float:
    """Percent of the whole probe when `share` (0 to 1) of the stage is done."""
    begin, end = _SHARES[stage]
    return round(begin + (end - begin) * min(max(share, 0.0), 1.0), 1)
