"""PURE: what changed from one scan to another: hosts, services and findings, site by site.

A device is recognised by its MAC within its site, where a scan saw none by its address. What a scan did not look at
(a site that was offline, an address outside its targets, a run that was stopped) is not compared: silence proves nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv4Network

COMPARED: Final = ("ip_address", "mac_address", "hostname", "os", "model")
SERVICE_COMPARED: Final = ("name", "product", "version")
FINDING_COMPARED: Final = ("severity", "score")


@dataclass(frozen=True, slots=True)
class SeenService:
    """An open port and what it was taken for."""

    port: int
    protocol: str
    name: str | None = None
    product: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class SeenFinding:
    """A CVE on a host; `severity` is upper case."""

    cve_id: str
    score: float
    severity: str
    kev: bool


@dataclass(frozen=True, slots=True)
class SeenHost:
    """A host as one scan saw it; `identified` is false while only its ports were known."""

    id: str
    address: IPv4Address
    mac: str | None = None
    hostname: str | None = None
    os: str | None = None
    model: str | None = None
    identified: bool = True
    services: tuple[SeenService, ...] = ()
    findings: tuple[SeenFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteLook:
    """One site in one scan: what was asked, without what was excluded; `whole` is false when it failed or was stopped.

    `excluded_ports` are pairs such as (`tcp`, 8291).
    """

    name: str
    targets: tuple[IPv4Network, ...]
    excluded: tuple[IPv4Network, ...] = ()
    excluded_macs: frozenset[str] = frozenset()
    excluded_ports: frozenset[tuple[str, int]] = frozenset()
    whole: bool = True
    profile: str = "standard"
    hosts: tuple[SeenHost, ...] = ()

    def covers(self, host: SeenHost) -> bool:
        """Whether the scan looked at the host's address and was able to see it."""
        left_alone = host.mac in self.excluded_macs or _within(host.address, self.excluded)
        return self.whole and _within(host.address, self.targets) and not left_alone

    def asks(self, service: SeenService) -> bool:
        """Whether the port was not excluded; which ports a profile asks is not known here."""
        return (service.protocol, service.port) not in self.excluded_ports


Snapshot = dict[str, SiteLook]
"""A scan by site id."""


@dataclass(slots=True)
class _Site:
    """What was found out about one site so far."""

    hosts: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in ("appeared", "gone", "changed", "not_compared")}
    )
    services: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in ("opened", "closed", "changed")}
    )
    findings: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in ("new", "resolved", "changed", "still", "not_compared")}
    )
    notes: list[str] = field(default_factory=list)


def compare(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """The differences as a document: `summary` in numbers, `sites` each with hosts, services and findings, `moved`.

    `moved` names devices (by MAC) that left one site and turned up at another.
    """
    sites: list[dict[str, Any]] = []
    lost: dict[str, tuple[str, SeenHost]] = {}
    won: dict[str, tuple[str, SeenHost]] = {}
    for site_id in sorted({*before, *after}):
        old, new = before.get(site_id), after.get(site_id)
        found = _compare_site(old, new)
        name = (new or old or SiteLook("", ())).name
        sites.append(
            {
                "site_id": site_id,
                "site": name,
                "notes": found.notes,
                "hosts": found.hosts,
                "services": found.services,
                "findings": found.findings,
            }
        )
        here = {host.mac: host for host in new.hosts if host.mac} if new else {}
        there = {host.mac: host for host in old.hosts if host.mac} if old else {}
        lost |= {mac: (site_id, host) for mac, host in there.items() if mac not in here}
        won |= {mac: (site_id, host) for mac, host in here.items() if mac not in there}
    return {"summary": _summary(sites), "moved": list(_moved(lost, won)), "sites": sites}


def _moved(
    lost: Mapping[str, tuple[str, SeenHost]], won: Mapping[str, tuple[str, SeenHost]]
) -> Iterator[dict[str, Any]]:
    for mac in sorted(lost.keys() & won.keys()):
        (from_site, old), (to_site, new) = lost[mac], won[mac]
        yield {
            "mac_address": mac,
            "from": {"site_id": from_site, "ip_address": str(old.address)},
            "to": {"site_id": to_site, "ip_address": str(new.address)},
        }


def _compare_site(old: SiteLook | None, new: SiteLook | None) -> _Site:
    found = _Site()
    if old is None or new is None:
        which = "earlier" if old is None else "later"
        found.notes.append(f"The {which} scan did not include this site; nothing is compared.")
        for host in (old or new or SiteLook("", ())).hosts:
            _leave_out(found, host, f"not in the {which} scan")
        return found
    found.notes += _notes(old, new)
    pairs, gone, appeared = pair_hosts(old.hosts, new.hosts)
    for was, host in pairs:
        _compare_host(found, (old, was), (new, host))
    for host in gone:
        if new.covers(host):
            found.hosts["gone"].append(_host(host))
            # silent is not healed: nobody looked at what it had
            found.findings["not_compared"] += [_finding(one, host) for one in host.findings]
        else:
            _leave_out(found, host, "not looked at by the later scan")
    for host in appeared:
        if old.covers(host):
            found.hosts["appeared"].append(_host(host))
            found.services["opened"] += [_service(one, host) for one in host.services]
            found.findings["new"] += [_finding(one, host) for one in host.findings]
        else:
            _leave_out(found, host, "not looked at by the earlier scan")
    return found


def _notes(old: SiteLook, new: SiteLook) -> Iterator[str]:
    for look, which in ((old, "earlier"), (new, "later")):
        if not look.whole:
            yield f"The {which} scan did not see this site whole; hosts it did not see are left out."
    if old.profile != new.profile:
        yield (
            f"The scans differ in profile ({old.profile}, {new.profile}): ports that only one of them asks "
            "show as opened or closed."
        )


def _leave_out(found: _Site, host: SeenHost, why: str) -> None:
    found.hosts["not_compared"].append({**_host(host), "because": why})
    found.findings["not_compared"] += [_finding(one, host) for one in host.findings]


def pair_hosts(
    before: Sequence[SeenHost], after: Sequence[SeenHost]
) -> tuple[list[tuple[SeenHost, SeenHost]], list[SeenHost], list[SeenHost]]:
    """The hosts of one site that are the same device in both scans, and those that only one of them has.

    First the same MAC at the same address; then the same MAC, where each scan saw it at one address only: at several it
    may be a router that answers for others; then, where at least one of the scans saw no MAC, the same address.
    """
    at = {(host.mac, host.address): host for host in before}
    pairs = [(at[key], host) for host in after if host.mac and (key := (host.mac, host.address)) in at]
    by_mac = _single_macs(before)
    left = _left(before, pairs, 0)
    pairs += [
        (by_mac[mac], host)
        for mac, host in _single_macs(after).items()
        if mac in by_mac and by_mac[mac].id in left and by_mac[mac].address != host.address
    ]
    by_address = {host.address: host for host in _left(before, pairs, 0).values()}
    for host in list(_left(after, pairs, 1).values()):
        was = by_address.get(host.address)
        if was is not None and not (was.mac and host.mac):
            pairs.append((was, host))
    pairs.sort(key=lambda pair: pair[1].address)
    return pairs, list(_left(before, pairs, 0).values()), list(_left(after, pairs, 1).values())


def _single_macs(hosts: Sequence[SeenHost]) -> dict[str, SeenHost]:
    often = Counter(host.mac for host in hosts)
    return {host.mac: host for host in hosts if host.mac and often[host.mac] == 1}


def _left(
    hosts: Sequence[SeenHost], pairs: Sequence[tuple[SeenHost, SeenHost]], side: int
) -> dict[str, SeenHost]:
    taken = {pair[side].id for pair in pairs}
    return {host.id: host for host in hosts if host.id not in taken}


def _compare_host(found: _Site, earlier: tuple[SiteLook, SeenHost], later: tuple[SiteLook, SeenHost]) -> None:
    (old_look, was), (new_look, host) = earlier, later
    both = was.identified and host.identified
    changes = _changes(_host(was), _host(host), COMPARED if both else COMPARED[:2])
    # a MAC that only one of the scans could see says nothing about the device
    if was.mac is None or host.mac is None:
        changes.pop("mac_address", None)
    if changes:
        found.hosts["changed"].append({**_host(host), "changes": changes})
    old, new = _by_port(was), _by_port(host)
    opened = [new[key] for key in sorted(new.keys() - old.keys()) if old_look.asks(new[key])]
    closed = [old[key] for key in sorted(old.keys() - new.keys()) if new_look.asks(old[key])]
    found.services["opened"] += [_service(one, host) for one in opened]
    found.services["closed"] += [_service(one, host) for one in closed]
    if both:
        for key in sorted(new.keys() & old.keys()):
            shown = _service(new[key], host)
            if changed := _changes(_service(old[key], was), shown, SERVICE_COMPARED):
                found.services["changed"].append({**shown, "changes": changed})
    _compare_findings(found, was, host)


def _compare_findings(found: _Site, was: SeenHost, host: SeenHost) -> None:
    old = {one.cve_id: one for one in was.findings}
    new = {one.cve_id: one for one in host.findings}
    if not host.identified:  # only its ports were looked at
        found.findings["not_compared"] += [_finding(one, was) for one in was.findings]
        return
    found.findings["new"] += [_finding(one, host) for one in host.findings if one.cve_id not in old]
    found.findings["resolved"] += [_finding(one, host) for one in was.findings if one.cve_id not in new]
    for cve_id in sorted(new.keys() & old.keys()):
        shown = _finding(new[cve_id], host)
        changed = _changes(_finding(old[cve_id], was), shown, FINDING_COMPARED)
        if changed:
            found.findings["changed"].append({**shown, "changes": changed})
        else:
            found.findings["still"].append(shown)


def _within(address: IPv4Address, networks: Sequence[IPv4Network]) -> bool:
    return any(address in network for network in networks)


def _by_port(host: SeenHost) -> dict[tuple[str, int], SeenService]:
    return {(one.protocol, one.port): one for one in host.services}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {
        name: {"before": old[name], "after": new[name]} for name in names if old.get(name) != new.get(name)
    }


def _host(host: SeenHost) -> dict[str, Any]:
    return {
        "host_id": host.id,
        "ip_address": str(host.address),
        "mac_address": host.mac,
        "hostname": host.hostname,
        "os": host.os,
        "model": host.model,
    }


def _service(service: SeenService, host: SeenHost) -> dict[str, Any]:
    return {
        "host_id": host.id,
        "ip_address": str(host.address),
        "mac_address": host.mac,
        "port": service.port,
        "protocol": service.protocol,
        "name": service.name,
        "product": service.product,
        "version": service.version,
    }


def _finding(finding: SeenFinding, host: SeenHost) -> dict[str, Any]:
    return {
        "cve_id": finding.cve_id,
        "score": finding.score,
        "severity": finding.severity,
        "kev": finding.kev,
        "host_id": host.id,
        "ip_address": str(host.address),
        "mac_address": host.mac,
    }


def _summary(sites: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    return {
        part: {name: sum(len(site[part][name]) for site in sites) for name in sites[0][part]} if sites else {}
        for part in ("hosts", "services", "findings")
    }
