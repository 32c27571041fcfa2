"""PURE: the states of a CVE on a device, a word on each."""

from __future__ import annotations

from enum import StrEnum


class LifeState(StrEnum):
    """Whether the newest look at the device showed the CVE."""

    OPEN = "open"
    RESOLVED = "resolved"  # looked at again, and no longer there
    WITHDRAWN = "withdrawn"  # corrected vulnerability data no longer supports it: it was never there


class Change(StrEnum):
    """What a scan or a data update did to a CVE on a device."""

    NEW = "new"  # never seen on this device before
    REGRESSED = "regressed"  # was resolved, or decided to be mitigated, and is seen again
    RESOLVED = "resolved"  # a scan that looked for it did not find it any more
    WITHDRAWN = "withdrawn"  # corrected vulnerability data no longer supports it


class Decision(StrEnum):
    """A person's word on a CVE on a device."""

    OPEN = "open"  # withdraws an earlier decision
    ACCEPTED = "accepted"
    MITIGATED = "mitigated"
