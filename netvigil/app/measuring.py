"""What `/metrics` reads from the database: a handful of small queries, none of which grows with the history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from netvigil.scans.positions import Snapshot
from netvigil.scans.states import ACTIVE, SITE_ACTIVE, ScanState, SiteScanState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

LABELS_MAX = 50  # queues and vantages are named by people; beyond this many the rest is one figure
REST = "other"
ENDINGS_MAX = 5000  # counted at one scrape; the next one goes on

# A schedule's next run waits here too, so there may be very many planned jobs: those are not in this query.
_QUEUES = text("""
WITH q AS (
  SELECT queue_name, count(*) FILTER (WHERE status = 'doing') AS running,
         count(*) FILTER (WHERE status = 'todo') AS ready,
         min(id) FILTER (WHERE status = 'todo' AND scheduled_at IS NULL) AS first,
         min(scheduled_at) FILTER (WHERE status = 'todo') AS due
  FROM procrastinate_jobs
  WHERE status = 'doing' OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())) GROUP BY queue_name)
SELECT queue_name, running, ready, extract(epoch FROM now() - least(due,
  (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = q.first)))::float AS lag
FROM q ORDER BY ready + running DESC, queue_name""")
_OTHER_JOBS = text("""
SELECT queue_name, CASE status WHEN 'todo' THEN 'planned' ELSE status::text END AS state, count(*)
FROM procrastinate_jobs
WHERE status NOT IN ('doing', 'succeeded') AND (status <> 'todo' OR scheduled_at > now())
GROUP BY 1, 2 ORDER BY 3 DESC""")
_SCANS = text("""
SELECT CASE WHEN stop_requested_at IS NOT NULL THEN 'stopping' ELSE state END, count(*)
FROM scan WHERE state IN ('pending', 'running', 'processing') GROUP BY 1""")
_SITE_SCANS = text("SELECT state, count(*) FROM site_scan WHERE state IN ('pending', 'running') GROUP BY 1")
_SOURCES = text("""
SELECT DISTINCT ON (source) source, coalesce(held, records),
       extract(epoch FROM now() - max(newest_modified) OVER (PARTITION BY source))::float
FROM feed_import ORDER BY source, id DESC""")
_WORKERS = text("""
SELECT vantage, count(*) FROM worker, unnest(vantages) AS vantage
WHERE seen_at > now() - make_interval(secs => :dead_after) GROUP BY 1 ORDER BY 2 DESC, 1""")
_SNAPSHOT = text("SELECT pg_current_snapshot()::text")
_ENDINGS = text("""
SELECT e.id, e.kind, p.failure, p.seconds, p.attempt
FROM scan_event e LEFT JOIN site_scan p ON p.scan_id = e.scan_id AND p.site_id = e.site_id
WHERE e.kind = ANY (:kinds) AND e.id > :last AND e.xid >= :xmin
  AND NOT pg_visible_in_snapshot(e.xid::text::xid8, CAST(:seen AS pg_snapshot))
  AND pg_visible_in_snapshot(e.xid::text::xid8, CAST(:batch AS pg_snapshot))
ORDER BY e.id LIMIT :limit""")
SCAN_ENDINGS = {f"scan_{state}": str(state) for state in ScanState if state not in ACTIVE}
SITE_ENDINGS = {f"site_{state}": str(state) for state in SiteScanState if state not in SITE_ACTIVE}


@dataclass(frozen=True, slots=True)
class Figures:
    """One moment of the database; the keys are label values, ages and lags are in seconds."""

    jobs: dict[tuple[str, str], int] = field(default_factory=dict)
    lag: dict[str, float] = field(default_factory=dict)
    scans: dict[str, int] = field(default_factory=dict)
    site_scans: dict[str, int] = field(default_factory=dict)
    cves: dict[str, int] = field(default_factory=dict)
    catalogue_age: dict[str, float] = field(default_factory=dict)
    workers: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """A scan or site scan that has ended; `takeovers` counts how often a run had to be taken over."""

    kind: str
    failure: str | None
    seconds: dict[str, float]
    takeovers: int


async def read_figures(
    session: AsyncSession, *, dead_after: float, other_jobs: dict[tuple[str, str], int]
) -> Figures:
    """Everything that is a state now; `other_jobs` come from `count_other_jobs`, which is dear."""
    queues = (await session.execute(_QUEUES)).all()
    jobs = {(row.queue_name, state): getattr(row, state) for row in queues for state in ("ready", "running")}
    lag = {row.queue_name: max(row.lag or 0.0, 0.0) for row in queues}
    sources = (await session.execute(_SOURCES)).all()
    return Figures(
        jobs=bounded_jobs({**jobs, **other_jobs}),
        lag=_oldest(lag),
        scans={**{str(state): 0 for state in ACTIVE}, "stopping": 0, **await _counts(session, _SCANS)},
        site_scans={**{str(state): 0 for state in SITE_ACTIVE}, **await _counts(session, _SITE_SCANS)},
        cves={row[0]: row[1] for row in sources},
        catalogue_age={row[0]: max(row[2], 0.0) for row in sources if row[2] is not None},
        workers=await _read_workers(session, dead_after),
    )


async def count_other_jobs(session: AsyncSession) -> dict[tuple[str, str], int]:
    """Jobs that neither run nor could, by queue and state; reads the whole queue, so not at every scrape."""
    return {(queue, state): number for queue, state, number in await session.execute(_OTHER_JOBS)}


async def read_endings(session: AsyncSession, seen: Snapshot | None) -> tuple[list[Ending], Snapshot]:
    """What has ended since the snapshot, each once, and the snapshot to go on from; from None on nothing has."""
    batch = Snapshot.parse(str(await session.scalar(_SNAPSHOT)))
    endings: list[Ending] = []
    last = 0
    # another server's count of transactions: a database restored from a dump, whose past was counted
    while seen is not None and seen.xmax <= batch.xmax:
        values: dict[str, Any] = {
            "kinds": [*SCAN_ENDINGS, *SITE_ENDINGS],
            "last": last,
            "xmin": seen.xmin,
            "seen": str(seen),
            "batch": str(batch),
            "limit": ENDINGS_MAX,
        }
        rows = (await session.execute(_ENDINGS, values)).all()
        endings += [
            Ending(row.kind, row.failure, row.seconds or {}, max((row.attempt or 1) - 1, 0)) for row in rows
        ]
        if len(rows) < ENDINGS_MAX:
            break
        last = rows[-1].id
    return endings, batch


def bounded_jobs(jobs: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """The same with at most LABELS_MAX queues, the rest added up under REST."""
    known = _first(queue for queue, _ in sorted(jobs, key=lambda key: -jobs[key]))
    found: dict[tuple[str, str], int] = {}
    for (queue, state), number in jobs.items():
        key = (queue if queue in known else REST, state)
        found[key] = found.get(key, 0) + number
    return found


async def _counts(session: AsyncSession, query: Any) -> dict[str, int]:
    rows: Sequence[Any] = (await session.execute(query)).all()
    return {row[0]: row[1] for row in rows}


async def _read_workers(session: AsyncSession, dead_after: float) -> dict[str, int] | None:
    if await session.scalar(text("SELECT to_regclass('worker')")) is None:
        return None
    found: dict[str, int] = {}
    rows = (await session.execute(_WORKERS, {"dead_after": dead_after})).all()
    known = _first(row[0] for row in rows)
    for vantage, number in rows:
        key = vantage if vantage in known else REST
        found[key] = found.get(key, 0) + number
    return found


def _oldest(lag: dict[str, float]) -> dict[str, float]:
    known = _first(sorted(lag, key=lambda queue: -lag[queue]))
    found = {queue: seconds for queue, seconds in lag.items() if queue in known}
    if rest := [seconds for queue, seconds in lag.items() if queue not in known]:
        found[REST] = max(rest)
    return found


def _first(names: Any) -> set[str]:
    return set(list(dict.fromkeys(names))[:LABELS_MAX])
