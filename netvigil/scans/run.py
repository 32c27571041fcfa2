"""The writes of one site scan's run, each conditional on its attempt.

A worker that froze may wake up after another one took its run over. Every write therefore checks the
attempt in the same statement or transaction, and raises Superseded when it is no longer ours. Hundreds of runs begin
and end in a second: what happens in each of them is plain SQL, and few statements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import func, insert, select, update

from netvigil.errors import Superseded
from netvigil.inventory.models import Host, Service
from netvigil.scans import statements
from netvigil.scans.models import SiteScan
from netvigil.scans.patience import FAULTS, durably, passes, patiently
from netvigil.scans.service import end_if_done, end_site_scan, ending_words, lock_scan
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, FailureKind, ScanState, SiteScanState
from netvigil.scans.waiting import Limits, find_obstacle, hold_back, release
from netvigil.scans.windows import InWindow, find_window_end
from netvigil.sites.exclusions import Exclusions
from netvigil.sites.scope import covers, targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Network

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.probing.observations import HostObservation

log = structlog.get_logger(__name__)
ATTEMPTS_MAX = 50
NO_LIMITS = Limits()
OUT_OF_SCOPE = (
    "A network of this scan is no longer among the site's networks; someone with sites:manage can add it."
)
NEVER_ENDS = (
    f"It was begun {ATTEMPTS_MAX} times and never came to its end: its workers died or were ended while they "
    "ran it. The log of a worker, or of its system, says why; memory may have run out."
)


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
    exclude: tuple[IPv4Network, ...] = ()

    def left(self) -> Iterator[IPv4Address]:
        """The addresses that are still to be looked at, each once for each network that has it."""
        for network in self.targets:
            for address in targets(network, self.exclude):
                if address not in self.recorded:
                    yield address


async def begin(database: Database, site_scan_id: UUID, limits: Limits = NO_LIMITS) -> Run | None:
    """Take the next attempt at a site scan; None when there is nothing left to do, or a limit holds it back.

    Raises InWindow while a maintenance window of the site or schedule is open.
    """
    if not limits.any and (taken := await _take_free(database, site_scan_id)) is not None:
        return await _with_recorded(database, taken)

    async def once(session: AsyncSession) -> Run | None:
        seen = (await session.execute(statements.PEEK, {"id": site_scan_id})).one_or_none()
        if seen is None or seen.scan_state not in ACTIVE or seen.state not in SITE_ACTIVE:
            return None
        if seen.scan_state == ScanState.PENDING:  # it moves on with us, and is always locked before its sites
            await session.execute(statements.LOCK_SCAN, {"scan_id": seen.scan_id})
        if seen.stop_requested_at is not None or _fault_of(seen) is not None:
            await _end_unbegun(session, site_scan_id)
            return None
        if seen.windowed and (until := await find_window_end(session, site_scan_id)) is not None:
            raise InWindow(until)
        if limits.any and await _held_back(session, site_scan_id, seen, limits):
            return None
        attempt = await session.scalar(statements.TAKE, {"id": site_scan_id})
        if attempt is None:  # it was stopped in this moment
            return None
        return _run_of(site_scan_id, seen, attempt)

    run = await durably(database, once)
    return await _with_recorded(database, run) if run is not None else None


async def _take_free(database: Database, site_scan_id: UUID) -> Run | None:
    values = {"id": site_scan_id, "attempts_max": ATTEMPTS_MAX}
    taken = await patiently(lambda: database.row(statements.TAKE_FREE, values))
    if taken is None:
        return None
    if taken.scan_state == ScanState.PENDING:
        await patiently(lambda: database.row(statements.MOVE_SCAN, {"scan_id": taken.scan_id}))
    return _run_of(site_scan_id, taken, taken.attempt)


async def record_host(database: Database, run: Run, host: HostObservation, *, identified: bool) -> None:
    """Store one host with its services; a later observation of the same host replaces it.

    `identified` is false for a host of which only the open ports are known yet.
    """
    message = f"{run.site_name}: {host.address} has {len(host.services)} open port(s)."
    ours = {"id": run.site_scan_id, "attempt": run.attempt, "address": str(host.address)}

    async def once(session: AsyncSession) -> None:
        fenced, was_identified = (await session.execute(statements.CLEAR_HOST, ours)).one()
        if not fenced:
            raise _superseded(run)
        values = _host_values(run, host, identified=identified)
        await session.execute(insert(Host).values(values))
        if host.services:
            await session.execute(insert(Service), _service_values(values["id"], host))
        counted = {
            "id": run.site_scan_id,
            "scan_id": run.scan_id,
            "site_id": run.site_id,
            "message": message,
            "identified": identified,
            "more": int(identified) - int(was_identified),
        }
        await session.execute(statements.COUNT_HOST, counted)

    await durably(database, once)


async def record_progress(
    database: Database, run: Run, *, stage: str, hosts_total: int, percent: float
) -> None:
    """Store how far the run is; `percent` is 0 to 100 of this site and never goes back.

    While the database is away nothing is stored: the next one says more anyway.
    """
    ours = (
        SiteScan.id == run.site_scan_id,
        SiteScan.attempt == run.attempt,
        SiteScan.state == SiteScanState.RUNNING,
    )
    written = (
        update(SiteScan)
        .where(*ours)
        .values(
            stage=stage,
            hosts_total=func.greatest(hosts_total, SiteScan.hosts_done),
            percent=func.greatest(percent, SiteScan.percent),
        )
        .returning(SiteScan.id)
        .execution_options(synchronize_session=False)
    )
    try:
        async with database.transaction() as session:
            found = await session.scalar(written)
    except FAULTS as error:
        if not passes(error):
            raise
        log.warning("progress not stored", error=str(error)[:200])
        return
    if found is None:
        raise _superseded(run)


async def end(
    database: Database,
    run: Run,
    state: SiteScanState,
    *,
    limitations: tuple[str, ...] = (),
    failure: str | None = None,
    error: str | None = None,
    online: bool | None = None,
    limits: Limits = NO_LIMITS,
) -> None:
    """Give the run its final state and move the scan on when it was the last; raises Superseded.

    Each step is a transaction of its own. Whoever of the last two looks later sees that both have ended, so nobody
    has to wait for a lock; a worker that dies between the steps leaves the rest to recovery.
    """
    before, after = ending_words(state, run.site_name, error)
    values = {
        "id": run.site_scan_id,
        "attempt": run.attempt,
        "scan_id": run.scan_id,
        "organisation_id": run.organisation_id,
        "site_id": run.site_id,
        "state": str(state),
        "kind": f"site_{state}",
        "failure": failure,
        "error": error,
        "limitations": list(limitations),
        "online": online,
        "before": before,
        "after": after,
    }

    ended = await patiently(lambda: database.row(statements.END, values))
    if ended is None or not ended.ended:
        raise _superseded(run)
    done = await patiently(lambda: database.row(statements.IS_DONE, {"scan_id": run.scan_id}))

    async def move_on(session: AsyncSession) -> None:
        await end_if_done(session, await lock_scan(session, run.scan_id))

    if done is not None:
        await durably(database, move_on)
    if limits.any:
        await durably(database, lambda session: release(session, limits))


async def _with_recorded(database: Database, run: Run) -> Run:
    """The run with what earlier attempts have recorded."""
    if run.attempt == 1:
        return run

    async def find() -> frozenset[IPv4Address]:
        async with database.reading() as session:
            found = select(Host.address).where(Host.site_scan_id == run.site_scan_id, Host.identified)
            return frozenset(await session.scalars(found))

    return replace(run, recorded=await patiently(find))


def _run_of(site_scan_id: UUID, row: Row[Any], attempt: int) -> Run:
    return Run(
        site_scan_id=site_scan_id,
        scan_id=row.scan_id,
        organisation_id=row.organisation_id,
        site_id=row.site_id,
        site_name=row.site_name,
        attempt=attempt,
        targets=tuple(row.targets),
        vantage=row.vantage,
        recorded=frozenset(),
        exclude=Exclusions.from_json(row.exclusions).networks,
    )


def _fault_of(seen: Row[Any]) -> str | None:
    if seen.attempt >= ATTEMPTS_MAX:
        return NEVER_ENDS
    if seen.networks is None or not all(covers(seen.networks, network) for network in seen.targets):
        return OUT_OF_SCOPE
    return None


async def _end_unbegun(session: AsyncSession, site_scan_id: UUID) -> None:
    """End, in good order of locks, a site scan that may not run: stopped, or with the sentence why."""
    seen = (await session.execute(statements.PEEK, {"id": site_scan_id})).one()
    scan = await lock_scan(session, seen.scan_id)
    site_scan = await session.get_one(SiteScan, site_scan_id, with_for_update={"key_share": True})
    if scan.state not in ACTIVE or site_scan.state not in SITE_ACTIVE:
        return
    if scan.stop_requested_at is not None:
        end_site_scan(session, site_scan, SiteScanState.STOPPED)
    elif (fault := _fault_of(seen)) is not None:
        end_site_scan(session, site_scan, SiteScanState.FAILED, failure=FailureKind.FAULT, error=fault)
    await end_if_done(session, scan)


async def _held_back(session: AsyncSession, site_scan_id: UUID, seen: Row[Any], limits: Limits) -> bool:
    site_scan = await session.get_one(SiteScan, site_scan_id, with_for_update={"key_share": True})
    if site_scan.state not in SITE_ACTIVE:
        return True
    released = site_scan.held_back_at is not None or seen.state == SiteScanState.RUNNING
    obstacle = await find_obstacle(session, limits, site_scan, released=released)
    if obstacle is None:
        return False
    await hold_back(session, site_scan, obstacle)
    return True


def _superseded(run: Run) -> Superseded:
    return Superseded(f"attempt {run.attempt} of site scan {run.site_scan_id} is over")


def _host_values(run: Run, host: HostObservation, *, identified: bool) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "site_scan_id": run.site_scan_id,
        "scan_id": run.scan_id,
        "organisation_id": run.organisation_id,
        "site_id": run.site_id,
        "address": host.address,
        "mac": host.mac,
        "manufacturer": host.manufacturer,
        "hostname": host.hostname,
        "os_name": host.os_name,
        "model": host.model,
        "mac_source": host.mac_source,
        "notes": list(host.notes),
        "reason": host.reason,
        "identified": identified,
        "observed_at": host.observed_at,
    }


def _service_values(host_id: UUID, host: HostObservation) -> list[dict[str, Any]]:
    return [
        {
            "host_id": host_id,
            "port": seen.port,
            "protocol": seen.protocol,
            "method": seen.method,
            "name": seen.name,
            "product": seen.product,
            "version": seen.version,
            "extra_info": seen.extra_info,
            "os_type": seen.os_type,
            "device_type": seen.device_type,
            "hostname": seen.hostname,
            "tunnel": seen.tunnel,
            "cpes": list(seen.cpes),
            "banner": seen.banner,
            "spared": seen.spared,
            "facts": dict(seen.facts),
        }
        for seen in host.services
    ]
