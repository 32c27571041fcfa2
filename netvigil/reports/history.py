"""What an ended scan is held against in its report: the run before it, the trend, and who was there last time."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from netvigil.access.wire import utc_text
from netvigil.inventory.models import Host
from netvigil.scans.models import Scan
from netvigil.scans.states import ACTIVE, WHOLE, ScanState, SiteScanState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.scans.models import SiteScan

TREND_RUNS = 12


@dataclass(frozen=True, slots=True)
class HostBefore:
    """A host of the previous run."""

    site_id: UUID
    address: str
    mac: str | None
    hostname: str | None


@dataclass(frozen=True, slots=True)
class History:
    """The previous completed run of the schedule (None without one), its hosts, and the last runs, oldest first."""

    previous: Scan | None = None
    hosts: tuple[HostBefore, ...] = ()
    runs: tuple[Scan, ...] = ()
    known: frozenset[tuple[UUID, str]] = field(default_factory=frozenset)

    def is_new(self, host: Host) -> bool | None:
        """Whether the previous run saw neither the device nor, where it has no MAC, its address; None without a run."""
        if self.previous is None:
            return None
        return (host.site_id, host.mac or str(host.address)) not in self.known

    def missing(self, site: SiteScan, hosts: Sequence[Host]) -> list[dict[str, Any]]:
        """Hosts of the previous run inside this scan's networks that were silent now; with where they are now, if seen.

        Of a site whose probe did not come to its end nothing is said: silence there means nothing.
        """
        if site.state != SiteScanState.SCANNED:
            return []
        alive = {str(host.address) for host in hosts if host.site_id == site.site_id}
        now_at = {host.mac: str(host.address) for host in hosts if host.mac}
        return [
            {
                "ip_address": one.address,
                "hostname": one.hostname,
                "mac_address": one.mac,
                "moved_to": now_at.get(one.mac) if one.mac else None,
            }
            for one in self.hosts
            if one.site_id == site.site_id and one.address not in alive and _inside(one.address, site)
        ]


async def look_back(session: AsyncSession, scan: Scan) -> History:
    """The history of the scan's schedule before it; empty for a scan without a schedule."""
    if scan.schedule_id is None:
        return History()
    runs = list(await session.scalars(_runs_before(scan).limit(TREND_RUNS - 1)))
    previous = next((one for one in runs if one.state == ScanState.COMPLETED), None)
    if previous is None:
        completed = _runs_before(scan).where(Scan.state == ScanState.COMPLETED).limit(1)
        previous = await session.scalar(completed)
    hosts = await _hosts_of(session, previous.id) if previous is not None else ()
    return History(
        previous=previous,
        hosts=hosts,
        runs=tuple(reversed(runs)),
        known=frozenset((one.site_id, one.mac or one.address) for one in hosts),
    )


def describe_run(run: Scan) -> dict[str, Any]:
    """A run in the trend; `severities` is None for one of before they were counted."""
    numbers = run.summary or {}
    return {
        "id": str(run.id),
        "scan_id": run.human_id,
        "started_at": utc_text(run.started_at),
        "state": run.state,
        "cve_count": numbers.get("cve_count", 0),
        "kev_count": numbers.get("kev_count", 0),
        "hosts_scanned": numbers.get("hosts_scanned", 0),
        "severities": numbers.get("severities"),
    }


def describe_previous(run: Scan | None) -> dict[str, Any] | None:
    """The run that the numbers are held against."""
    if run is None:
        return None
    numbers = dict(run.summary or {})
    return {
        "id": str(run.id),
        "scan_id": run.human_id,
        "started_at": utc_text(run.started_at),
        "severities": numbers.pop("severities", None),
        "numbers": numbers,
    }


def not_scanned(scan: Scan, hosts: Collection[Host]) -> list[dict[str, Any]]:
    """What this scan did not look at and why, a sentence each: whole sites, exclusions, spared ports, unfinished hosts."""
    said: list[dict[str, Any]] = []
    for site in scan.sites:
        said += [
            {
                "site_id": str(site.site_id),
                "site": site.site_name,
                "kind": kind,
                "what": what,
                "reason": reason,
            }
            for kind, what, reason in (*_of_site(site), *_excluded(site), *_of_hosts(site, hosts))
        ]
    return said


def _of_site(site: SiteScan) -> list[tuple[str, str, str]]:
    networks = ", ".join(str(network) for network in site.targets)
    if site.state == SiteScanState.FAILED:
        return [("failed", networks, site.error or "The site could not be scanned.")]
    if site.state == SiteScanState.STOPPED:
        return [
            ("stopped", f"the rest of {networks}", "The scan was stopped before it came to its end here.")
        ]
    return []


def _excluded(site: SiteScan) -> list[tuple[str, str, str]]:
    kinds = (("addresses", "addresses "), ("ports", "ports "), ("macs", "devices with the MAC "))
    said = []
    for name, words in kinds:
        entries = [str(entry) for entry in site.exclusions.get(name, [])]
        if entries:
            more = f" and {len(entries) - 20} more" if len(entries) > 20 else ""  # noqa: PLR2004 - a line's worth
            what = f"{words}{', '.join(entries[:20])}{more}"
            said.append(("excluded", what, "Excluded by the site or its schedule: nothing was sent there."))
    return said


def _of_hosts(site: SiteScan, hosts: Collection[Host]) -> list[tuple[str, str, str]]:
    here = [host for host in hosts if host.site_id == site.site_id]
    said = []
    unfinished = [str(host.address) for host in here if not host.identified]
    if unfinished:
        said.append(
            (
                "unfinished",
                ", ".join(unfinished[:20]) + (" …" if len(unfinished) > 20 else ""),  # noqa: PLR2004 - a line's worth
                "Only the open ports are known: the scan ended before these hosts were asked what they run.",
            )
        )
    spared = [f"{host.address}:{one.port}" for host in here for one in host.services if one.spared]
    if spared:
        said.append(
            (
                "spared",
                ", ".join(spared[:20]) + (" …" if len(spared) > 20 else ""),  # noqa: PLR2004 - a line's worth
                "Ports of fragile devices (printers, controllers): open, and left alone on purpose.",
            )
        )
    return said


def _runs_before(scan: Scan) -> Select[Scan]:
    return (
        select(Scan)
        .where(
            Scan.schedule_id == scan.schedule_id,
            Scan.trigger.in_(WHOLE),
            Scan.state.not_in(ACTIVE),
            Scan.summary.is_not(None),
            Scan.created_at < scan.created_at,
        )
        .order_by(Scan.created_at.desc())
    )


async def _hosts_of(session: AsyncSession, scan_id: UUID) -> tuple[HostBefore, ...]:
    rows = await session.execute(
        select(Host.site_id, func.host(Host.address), Host.mac, Host.hostname)
        .where(Host.scan_id == scan_id)
        .order_by(Host.site_id, Host.address)
    )
    return tuple(HostBefore(*row) for row in rows.all())


def _inside(address: str, site: SiteScan) -> bool:
    return any(IPv4Address(address) in network for network in site.targets)
