"""A scan's events: reading its log and its progress for those who watch, and how long the stages of a run took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, text, update

from netvigil.access.validation import path_id
from netvigil.errors import NotFound, Superseded
from netvigil.scans.event_schemas import ScanEventBody, ScanProgressBody
from netvigil.scans.models import Scan, ScanEvent, SiteScan
from netvigil.scans.patience import durably
from netvigil.scans.positions import Snapshot
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, ScanState, SiteScanState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.db.session import Database
    from netvigil.probing.progress import Stage
    from netvigil.scans.run import Run

CHANNEL = "netvigil_scan"
"""Where the database's triggers tell the id of a scan whose log or progress has changed (migration 0008)."""
HUMAN_ID_LENGTH = len("ABC-DEF-GHI")
SITES_SHARE = 0.95  # of a scan that its sites are; matching and reporting are the rest
STARTED = "scan_started"
_NAMES = {STARTED: "started", "host_recorded": "host"}
_FINAL = {f"scan_{state}": str(state) for state in ScanState if state not in ACTIVE}
_SITE_FINAL = {f"site_{state}": str(state) for state in SiteScanState if state not in SITE_ACTIVE}

_NOW = text("""
SELECT s.state, s.stop_requested_at IS NOT NULL AS stopping, pg_current_snapshot()::text AS snapshot,
       count(p.id) AS sites, count(p.id) FILTER (WHERE p.state <> ALL (:active)) AS ended,
       coalesce(avg(CASE WHEN p.state = ANY (:active) THEN p.percent ELSE 100 END), 0) AS percent,
       coalesce(sum(p.hosts_done), 0) AS hosts_done,
       coalesce(sum(greatest(p.hosts_total, p.hosts_done)), 0) AS hosts_total
FROM scan s LEFT JOIN site_scan p ON p.scan_id = s.id
WHERE s.id = :scan_id GROUP BY s.id""")

_VISIBLE = "pg_visible_in_snapshot(xid::text::xid8, CAST(:{} AS pg_snapshot))"
_COLUMNS = "SELECT id, scan_id, site_id, at, kind, message, xid FROM scan_event WHERE scan_id = :scan_id AND id > :last"
# Rows restored from another server's dump carry its count of transactions, and may seem not to have happened yet:
# they are old, so they belong to the first batch and to no other.
_FROM_START = text(
    f"{_COLUMNS} AND ({_VISIBLE.format('batch')} OR NOT pg_visible_in_snapshot(xid::text::xid8, pg_current_snapshot())) "
    "ORDER BY id LIMIT :limit"
)
_SINCE = text(
    f"{_COLUMNS} AND xid >= :xmin AND NOT {_VISIBLE.format('seen')} AND {_VISIBLE.format('batch')} "
    "ORDER BY id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One stored event; `xid` is the transaction that wrote it."""

    id: int
    scan_id: UUID
    site_id: UUID | None
    at: datetime
    kind: str
    message: str
    xid: int

    @property
    def name(self) -> str:
        """What it is called on the wire."""
        return "finished" if self.kind in _FINAL else _NAMES.get(self.kind, self.kind)

    def body(self) -> ScanEventBody:
        """As it stands on the wire."""
        return ScanEventBody(
            id=self.id,
            event=self.name,
            at=self.at,
            scan_id=self.scan_id,
            site_id=self.site_id,
            state=_FINAL.get(self.kind) or _SITE_FINAL.get(self.kind),
            message=self.message,
        )


@dataclass(frozen=True, slots=True)
class ScanNow:
    """A scan at the moment of a snapshot: when it is `over`, its last event is visible in that snapshot.

    `progress` holds the whole scan first, then each site that is being probed.
    """

    snapshot: Snapshot
    state: str
    over: bool
    progress: tuple[ScanProgressBody, ...]


async def find_scan_id(session: AsyncSession, organisation_id: UUID, name: str) -> UUID:
    """The id of the organisation's scan by its UUID or its human id; raises NotFound."""
    query = select(Scan.id).where(Scan.organisation_id == organisation_id)
    if len(name) == HUMAN_ID_LENGTH and "\0" not in name:
        query = query.where(Scan.human_id == name.upper())
    else:
        query = query.where(Scan.id == path_id(name, "scan"))
    found = await session.scalar(query)
    if found is None:
        raise NotFound(f"No such scan: '{name[:100]}'.")
    return found


async def read_now(session: AsyncSession, scan_id: UUID) -> ScanNow | None:
    """State and progress of a scan, None when it is gone."""
    row = (
        await session.execute(_NOW, {"scan_id": scan_id, "active": [str(state) for state in SITE_ACTIVE]})
    ).one_or_none()
    if row is None:
        return None
    over = row.state not in ACTIVE
    state = "stopping" if row.stopping and not over else row.state
    whole = ScanProgressBody(
        scan_id=scan_id,
        site_id=None,
        state=state,
        stage=None,
        percent=100.0 if over else round(float(row.percent) * SITES_SHARE, 1),
        hosts_done=row.hosts_done,
        hosts_total=row.hosts_total,
        sites_done=row.ended,
        sites_total=row.sites,
    )
    sites = [] if over else await _read_sites(session, scan_id)
    return ScanNow(Snapshot.parse(row.snapshot), state, over, (whole, *sites))


async def read_events(
    session: AsyncSession, scan_id: UUID, *, seen: Snapshot | None, batch: Snapshot, last: int, limit: int
) -> list[EventRow]:
    """What `batch` sees and `seen` does not, above the id `last`, in order of id, at most `limit`."""
    values: dict[str, Any] = {"scan_id": scan_id, "batch": str(batch), "last": last, "limit": limit}
    if seen is None:
        rows = await session.execute(_FROM_START, values)
    else:
        rows = await session.execute(_SINCE, {**values, "seen": str(seen), "xmin": seen.xmin})
    return [EventRow(*row) for row in rows]


async def list_events(
    session: AsyncSession, scan_id: UUID, *, last: int = 0, limit: int
) -> Sequence[EventRow]:
    """The scan's log above the id `last`, oldest first."""
    query = (
        select(
            ScanEvent.id,
            ScanEvent.scan_id,
            ScanEvent.site_id,
            ScanEvent.at,
            ScanEvent.kind,
            ScanEvent.message,
            ScanEvent.xid,
        )
        .where(ScanEvent.scan_id == scan_id, ScanEvent.id > bindparam("last", last))
        .order_by(ScanEvent.id)
        .limit(limit)
    )
    return [EventRow(*row) for row in await session.execute(query)]


async def record_seconds(database: Database, run: Run, seconds: Mapping[Stage, float]) -> None:
    """Store how long each stage of the run took, in seconds, before the run ends; raises Superseded."""
    rounded = {str(stage): round(value, 3) for stage, value in seconds.items()}
    ours = (
        SiteScan.id == run.site_scan_id,
        SiteScan.attempt == run.attempt,
        SiteScan.state == SiteScanState.RUNNING,
    )

    async def once(session: AsyncSession) -> None:
        written = update(SiteScan).where(*ours).values(seconds=rounded).returning(SiteScan.id)
        if await session.scalar(written) is None:
            raise Superseded(f"attempt {run.attempt} of site scan {run.site_scan_id} is over")

    await durably(database, once)


async def _read_sites(session: AsyncSession, scan_id: UUID) -> list[ScanProgressBody]:
    query = (
        select(
            SiteScan.site_id,
            SiteScan.state,
            SiteScan.stage,
            SiteScan.percent,
            SiteScan.hosts_done,
            SiteScan.hosts_total,
        )
        .where(SiteScan.scan_id == scan_id, SiteScan.state == SiteScanState.RUNNING)
        .order_by(SiteScan.position)
    )
    return [
        ScanProgressBody(
            scan_id=scan_id,
            site_id=row.site_id,
            state=row.state,
            stage=row.stage,
            percent=min(max(row.percent, 0.0), 100.0),
            hosts_done=row.hosts_done,
            hosts_total=max(row.hosts_total, row.hosts_done),
            sites_done=None,
            sites_total=None,
        )
        for row in await session.execute(query)
    ]
