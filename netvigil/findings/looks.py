"""PURE: what one look at a device means for what was known of it: new, still there, seen again, or gone.

Gone is said only of what this look could have seen. A host that is offline, excluded or cut off by a stop says nothing,
nor does a port that was left out or that did not tell this time what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netvigil.findings.states import Change, LifeState
from netvigil.probing.ports import LAN_PORTS, Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from ipaddress import IPv4Address, IPv4Network
    from uuid import UUID

    from netvigil.sites.exclusions import Exclusions

    Key = tuple[UUID, str]  # a device and a CVE


@dataclass(frozen=True, slots=True)
class Scope:
    """What a site scan asked: its networks and profile, and what it left alone; `whole` unless it failed on the way."""

    targets: tuple[IPv4Network, ...]
    profile: Profile
    exclusions: Exclusions
    whole: bool

    def asked(self, address: IPv4Address) -> bool:
        """Whether the address was looked at, alive or not."""
        return any(address in one for one in self.targets) and not any(
            address in one for one in self.exclusions.networks
        )


@dataclass(frozen=True, slots=True)
class Look:
    """A device as one scan saw it at one address; `untold` are ports that are open and did not say what they are."""

    device_id: UUID
    site_id: UUID
    address: IPv4Address
    observed_at: datetime
    scope: Scope
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """A vulnerability as it stood before; `ports` are `tcp/8291`, …"""

    id: UUID
    device_id: UUID
    cve_id: str
    state: str
    site_id: UUID
    address: IPv4Address
    ports: tuple[str, ...]
    last_seen_at: datetime
    resolved_at: datetime | None

    @property
    def key(self) -> Key:
        """The device and the CVE."""
        return self.device_id, self.cve_id


@dataclass(frozen=True, slots=True)
class Gone:
    """What was there and is not any more; `at` is when that was seen."""

    known: Known
    state: LifeState
    change: Change
    at: datetime


@dataclass(slots=True)
class Verdict:
    """What happened to each key that was found, None for still there, and what is gone. `older` tells nothing new."""

    found: dict[Key, Change | None] = field(default_factory=dict)
    older: set[Key] = field(default_factory=set)
    gone: list[Gone] = field(default_factory=list)


def judge(
    found: Mapping[Key, datetime],
    known: Iterable[Known],
    looks: Sequence[Look],
    mitigated: Collection[Key] = (),
    udp_ports: Collection[int] = (),
) -> Verdict:
    """Hold what a scan found (when, by device and CVE) and where it looked against what was known.

    `mitigated`: what people had decided to be done before it was found. `udp_ports`: those that every scan asks.
    """
    verdict = Verdict()
    before = {one.key: one for one in known}
    for key, at in found.items():
        one = before.get(key)
        if one is not None and _is_older(one, at):
            verdict.older.add(key)
        else:
            verdict.found[key] = _change(one, at, mitigated=key in mitigated)
    by_device: dict[UUID, list[Look]] = {}
    for look in looks:
        by_device.setdefault(look.device_id, []).append(look)
    for key, one in before.items():
        if one.state == LifeState.OPEN and key not in found and one.device_id in by_device:
            verdict.gone += _gone(one, by_device[one.device_id], udp_ports)
    return verdict


def _is_older(known: Known, at: datetime) -> bool:
    """Whether newer sights have said more already; a withdrawal is no sight, its time is the data's."""
    gone_at = known.resolved_at if known.state == LifeState.RESOLVED else None
    return at < known.last_seen_at or (gone_at is not None and at < gone_at)


def _change(known: Known | None, at: datetime, *, mitigated: bool) -> Change | None:
    if mitigated:  # whether it was seen before or decided ahead: what was to be done is not done
        return Change.REGRESSED
    if known is None or known.state == LifeState.WITHDRAWN:
        return Change.NEW
    if known.state == LifeState.OPEN:
        return None
    # the very look that found it gone, judged by better data, is no second time
    again = known.resolved_at is None or at > known.resolved_at
    return Change.REGRESSED if again else Change.NEW


def _gone(known: Known, looks: Sequence[Look], udp_ports: Collection[int]) -> Iterable[Gone]:
    place = known.site_id, known.address
    if any((one.site_id, one.address) == place and one.observed_at == known.last_seen_at for one in looks):
        # this very look had it when it was first judged
        yield Gone(known, LifeState.WITHDRAWN, Change.WITHDRAWN, known.last_seen_at)
        return
    look = _look_at(known, looks)
    if look is None or not look.scope.whole or look.observed_at <= known.last_seen_at:
        return
    if all(_could_see(port, known, look, udp_ports) for port in known.ports):
        yield Gone(known, LifeState.RESOLVED, Change.RESOLVED, look.observed_at)


def _look_at(known: Known, looks: Sequence[Look]) -> Look | None:
    """The look that stands for where the CVE was seen: there, or where the device is now, having left that place."""
    here = [one for one in looks if one.site_id == known.site_id]
    for one in here:
        if one.address == known.address:
            return one
    if here:  # asked for its old address too, or else it may well be at both
        return here[0] if here[0].scope.asked(known.address) else None
    return looks[0]


def _could_see(port: str, known: Known, look: Look, udp_ports: Collection[int]) -> bool:
    protocol, _, number = port.partition("/")
    excluded = look.scope.exclusions.udp_ports if protocol == "udp" else look.scope.exclusions.tcp_ports
    if int(number) in excluded or port in look.untold:
        return False
    if protocol == "udp":
        return int(number) in udp_ports
    # a port that was ever open at a site belongs to each later sweep of it
    return look.site_id == known.site_id or look.scope.profile is Profile.FULL or int(number) in LAN_PORTS
