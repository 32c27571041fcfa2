"""What a probe is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netvigil.probing.limits import DEFAULT_LIMITS
from netvigil.probing.ports import Profile
from netvigil.probing.vantage import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address

    from netvigil.probing.limits import ScanLimits
    from netvigil.probing.observations import HostObservation
    from netvigil.probing.privileges import Privileges
    from netvigil.probing.progress import Stage
    from netvigil.probing.router.credentials import RouterAccess
    from netvigil.probing.targets import Target
    from netvigil.probing.vantage import Vantage


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to probe and how.

    `targets`: networks (their network and broadcast addresses are left out) and addresses; where `only` is given, just
    these of them are asked. `witnesses`: addresses that lived at earlier scans; some are asked whether they live when
    nothing else does, for the silence of a few addresses says nothing about a site. `exclude` is taken away from all
    and nothing is sent there, nor to `excluded_tcp` and `excluded_udp` ports, nor to a device from the moment that its
    MAC is known to be among `excluded_macs`. `known`: hosts that an earlier attempt at this scan has finished; they
    are not asked again, and prove that the site was there. `gateway`: who must answer if the site is online; by
    default the router of our segment, else the first address of each network. `router`: how the site's own router may
    be asked for the MACs and names that it knows. `privileges`: detected where None.
    """

    targets: Sequence[Target]
    only: frozenset[IPv4Address] | None = None
    witnesses: tuple[IPv4Address, ...] = ()
    vantage: Vantage = LOCAL
    limits: ScanLimits = DEFAULT_LIMITS
    profile: Profile = Profile.STANDARD
    extra_ports: tuple[int, ...] = ()
    exclude: Sequence[Target] = ()
    excluded_tcp: frozenset[int] = frozenset()
    excluded_udp: frozenset[int] = frozenset()
    excluded_macs: frozenset[str] = frozenset()
    known: frozenset[IPv4Address] = frozenset()
    gateway: IPv4Address | None = None
    router: RouterAccess | None = None
    privileges: Privileges | None = None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A finished probe: live hosts by address, and what could not be seen, in plain sentences for the report.

    `addresses`: how many were asked; `ports`: how many TCP ports were swept on each live host; `seconds` by stage.
    """

    hosts: tuple[HostObservation, ...]
    limitations: tuple[str, ...]
    addresses: int
    ports: int
    privileges: Privileges
    seconds: dict[Stage, float]
