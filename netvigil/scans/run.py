"""The writes of one site scan's run, each conditional on its attempt.

A worker that froze may wake up after another one took its run over. Every write therefore checks the
attempt in the same statement or transaction, and raises Superseded when it is no longer ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from netvigil.errors import Superseded
from netvigil.inventory.models import Host, Service
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.service import end_if_done, end_site_scan, lock_scan, record_event
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, FailureKind, ScanState, SiteScanState
from netvigil.sites.models import Site
from netvigil.sites.scope import covers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address, IPv4Network
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.probing.observations import HostObservation

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
OUT_OF_SCOPE = (
    "A network of this scan is no longer among the site's networks; someone with sites:manage can add it."
)
CONFLICTS = frozenset({"40P01", "40001"})  # PostgreSQL: deadlock detected, serialization failure
OUTAGE_PATIENCE = 120.0  # seconds that a result waits for a database that went away


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a site scan: what to scan, from where, and what an earlier attempt already recorded."""

    site_scan_id: UUID
    scan_id: UUID
    organisation_id: UUID
    site_id: UUID
    site_name: str
    attempt: int
    targets: tuple[IPv4Network, ...]
    vantage: str
    recorded: frozenset[IPv4Address]


async def begin(database: Database, site_scan_id: UUID) -> Run | None:
    """Take the next attempt at a site scan; None when there is nothing left to do."""

    async def once(session: AsyncSession) -> Run | None:
        scan_id = await session.scalar(select(SiteScan.scan_id).where(SiteScan.id == site_scan_id))
        if scan_id is None:
            return None
        scan = await lock_scan(session, scan_id)
        site_scan = await session.get_one(SiteScan, site_scan_id, with_for_update={"key_share": True})
        if scan.state not in ACTIVE or site_scan.state not in SITE_ACTIVE:
            return None
        if scan.stop_requested_at is not None:
            end_site_scan(session, site_scan, SiteScanState.STOPPED)
            await end_if_done(session, scan)
            return None
        site = await session.get(Site, (site_scan.organisation_id, site_scan.site_id))
        if site is None or not all(covers(site.networks, network) for network in site_scan.targets):
            end_site_scan(
                session, site_scan, SiteScanState.FAILED, failure=FailureKind.FAULT, error=OUT_OF_SCOPE
            )
            await end_if_done(session, scan)
            return None
        again = site_scan.attempt > 0
        site_scan.attempt += 1
        site_scan.state = SiteScanState.RUNNING
        site_scan.started_at = site_scan.started_at or datetime.now(UTC)
        if scan.state == ScanState.PENDING:
            scan.state = ScanState.RUNNING
        addresses = await session.scalars(
            select(Host.address).where(Host.site_scan_id == site_scan_id, Host.identified)
        )
        words = "goes on after an interruption" if again else "begins"
        record_event(
            session, scan_id, "site_started", f"{site_scan.site_name}: {words}.", site_id=site_scan.site_id
        )
        return Run(
            site_scan_id=site_scan_id,
            scan_id=scan_id,
            organisation_id=site_scan.organisation_id,
            site_id=site_scan.site_id,
            site_name=site_scan.site_name,
            attempt=site_scan.attempt,
            targets=tuple(site_scan.targets),
            vantage=site_scan.vantage,
            recorded=frozenset(addresses),
        )

    return await durably(database, once)


async def record_host(database: Database, run: Run, host: HostObservation, *, identified: bool) -> None:
    """Store one host with its services; a later observation of the same host replaces it.

    `identified` is false for a host of which only the open ports are known yet.
    """

    async def once(session: AsyncSession) -> None:
        await _fence(session, run)
        same = (Host.site_scan_id == run.site_scan_id, Host.address == host.address)
        await session.execute(delete(Host).where(*same))
        session.add(_host_row(run, host, identified=identified))
        await session.flush()
        done = (
            select(func.count())
            .select_from(Host)
            .where(Host.site_scan_id == run.site_scan_id, Host.identified)
        )
        await session.execute(
            update(SiteScan)
            .where(SiteScan.id == run.site_scan_id)
            .values(
                hosts_done=done.scalar_subquery(),
                hosts_total=func.greatest(SiteScan.hosts_total, done.scalar_subquery()),
            )
        )
        if identified:
            record_event(
                session,
                run.scan_id,
                "host_recorded",
                f"{run.site_name}: {host.address} has {len(host.services)} open port(s).",
                site_id=run.site_id,
            )

    await durably(database, once)


async def record_progress(
    database: Database, run: Run, *, stage: str, hosts_total: int, percent: float
) -> None:
    """Store how far the run is; `percent` is 0 to 100 of this site and never goes back."""
    async with database.transaction() as session:
        await _fence(session, run)
        await session.execute(
            update(SiteScan)
            .where(SiteScan.id == run.site_scan_id)
            .values(
                stage=stage,
                hosts_total=func.greatest(hosts_total, SiteScan.hosts_done),
                percent=func.greatest(percent, SiteScan.percent),
            )
        )


async def end(
    database: Database,
    run: Run,
    state: SiteScanState,
    *,
    limitations: tuple[str, ...] = (),
    failure: str | None = None,
    error: str | None = None,
    online: bool | None = None,
) -> None:
    """Give the run its final state and move the scan on when it was the last; raises Superseded."""

    async def once(session: AsyncSession) -> None:
        scan: Scan = await lock_scan(session, run.scan_id)
        await _fence(session, run)
        site_scan = await session.get_one(
            SiteScan, run.site_scan_id, with_for_update={"key_share": True}, populate_existing=True
        )
        site_scan.limitations = list(limitations)
        end_site_scan(session, site_scan, state, failure=failure, error=error)
        if online is not None:
            values: dict[str, Any] = {"online": online}
            if online:
                values["last_seen_at"] = datetime.now(UTC)
            same = (Site.organisation_id == run.organisation_id, Site.id == run.site_id)
            await session.execute(update(Site).where(*same).values(**values))
        await end_if_done(session, scan)

    await durably(database, once)


async def durably(database: Database, write: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    """Run a write in its own transaction, again while the database is away or in conflict (up to two minutes)."""
    deadline = asyncio.get_running_loop().time() + OUTAGE_PATIENCE
    pause = 0.2
    while True:
        try:
            async with database.transaction() as session:
                return await write(session)
        except (DBAPIError, OSError) as error:
            if not _passes(error) or asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("write failed for now, trying again", pause=pause, error=str(error)[:200])
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5.0)


def _passes(error: DBAPIError | OSError) -> bool:
    """Whether the same write may succeed later: the connection was lost, or another transaction was in the way."""
    if isinstance(error, OSError) or error.connection_invalidated:
        return True
    return getattr(error.orig, "sqlstate", None) in CONFLICTS


async def _fence(session: AsyncSession, run: Run) -> None:
    """Lock the row of our attempt; raises Superseded when another attempt took over or the run ended."""
    ours = (
        SiteScan.id == run.site_scan_id,
        SiteScan.attempt == run.attempt,
        SiteScan.state == SiteScanState.RUNNING,
    )
    if await session.scalar(select(SiteScan.id).where(*ours).with_for_update(key_share=True)) is None:
        raise Superseded(f"attempt {run.attempt} of site scan {run.site_scan_id} is over")


def _host_row(run: Run, host: HostObservation, *, identified: bool) -> Host:
    return Host(
        site_scan_id=run.site_scan_id,
        scan_id=run.scan_id,
        organisation_id=run.organisation_id,
        site_id=run.site_id,
        address=host.address,
        mac=host.mac,
        manufacturer=host.manufacturer,
        hostname=host.hostname,
        os_name=host.os_name,
        model=host.model,
        mac_source=host.mac_source,
        notes=list(host.notes),
        reason=host.reason,
        identified=identified,
        observed_at=host.observed_at,
        services=[
            Service(
                port=seen.port,
                protocol=seen.protocol,
                method=seen.method,
                name=seen.name,
                product=seen.product,
                version=seen.version,
                extra_info=seen.extra_info,
                os_type=seen.os_type,
                device_type=seen.device_type,
                hostname=seen.hostname,
                tunnel=seen.tunnel,
                cpes=list(seen.cpes),
                banner=seen.banner,
                spared=seen.spared,
                facts=dict(seen.facts),
            )
            for seen in host.services
        ],
    )
