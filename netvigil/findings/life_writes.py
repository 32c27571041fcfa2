"""The writes of lives: each one statement, however many rows, and each with the events that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.findings.looks import Gone

ROWS_AT_ONCE = 5000  # bounds the size of one parameter

# `again` is what opens a life or opens it again; a row without a change is still there.
_FOUND = text("""
WITH seen AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS (
    id uuid, organisation_id uuid, device_id uuid, site_id uuid, cve_id text, finding_id uuid, address inet, ports jsonb,
    score float, severity text, confidence text, kev boolean, epss float, priority float, reason text, at timestamptz,
    change text)),
lives AS (
  INSERT INTO vulnerability AS v (id, organisation_id, device_id, site_id, cve_id, finding_id, address, ports, state, score,
      severity, confidence, kev, epss, priority, reason, first_seen_at, last_seen_at)
  SELECT id, organisation_id, device_id, site_id, cve_id, finding_id, address, ports, 'open', score, severity, confidence,
      kev, epss, priority, reason, at, at
  FROM seen
  ON CONFLICT (device_id, cve_id) DO UPDATE SET
    finding_id = excluded.finding_id, site_id = excluded.site_id, address = excluded.address, ports = excluded.ports,
    state = 'open', score = excluded.score, severity = excluded.severity, confidence = excluded.confidence,
    kev = excluded.kev, epss = excluded.epss, priority = excluded.priority, reason = excluded.reason,
    last_seen_at = greatest(v.last_seen_at, excluded.last_seen_at),
    first_seen_at = least(v.first_seen_at, excluded.first_seen_at), resolved_at = NULL
  RETURNING v.id, v.device_id, v.cve_id),
again AS (
  SELECT s.*, l.id AS vulnerability_id FROM seen s JOIN lives l USING (device_id, cve_id) WHERE s.change IS NOT NULL)
INSERT INTO vulnerability_event (organisation_id, vulnerability_id, device_id, site_id, cve_id, scan_id, change, score,
                                 severity, kev)
SELECT organisation_id, vulnerability_id, device_id, site_id, cve_id, CAST(:scan_id AS uuid), change, score, severity, kev
FROM again ORDER BY priority DESC, vulnerability_id
""")

# A statement cannot write one row twice, so this comes after it.
_REGRESSED = text("""
UPDATE vulnerability v SET regressed = true, regressed_at = s.at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s (device_id uuid, cve_id text, at timestamptz, change text)
WHERE s.change = 'regressed' AND v.device_id = s.device_id AND v.cve_id = s.cve_id""")

_OVERRULED = text("""
UPDATE cve_decision d SET overruled_at = s.at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s (device_id uuid, cve_id text, at timestamptz, change text)
JOIN device k ON k.id = s.device_id
WHERE s.change = 'regressed' AND d.cve_id = s.cve_id AND d.organisation_id = k.organisation_id
  AND (d.mac = k.mac OR d.mac IS NULL AND d.device_id = k.id)
  AND d.status = 'mitigated' AND d.overruled_at IS NULL AND d.created_at < s.at""")

_OLDER = text("""
UPDATE vulnerability v SET first_seen_at = s.at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s (device_id uuid, cve_id text, at timestamptz)
WHERE v.device_id = s.device_id AND v.cve_id = s.cve_id AND v.first_seen_at > s.at""")

_GONE = text("""
WITH gone AS (
  UPDATE vulnerability v SET state = s.state, resolved_at = s.at, regressed = false
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s (id uuid, state text, change text, at timestamptz)
  WHERE v.id = s.id
  RETURNING v.*, s.change)
INSERT INTO vulnerability_event (organisation_id, vulnerability_id, device_id, site_id, cve_id, scan_id, change, score,
                                 severity, kev)
SELECT organisation_id, id, device_id, site_id, cve_id, CAST(:scan_id AS uuid), change, score, severity, kev
FROM gone ORDER BY priority DESC, id
""")

# Only what no newer finding carries: one that this host showed last.
_WITHDRAW = text("""
WITH gone AS (
  UPDATE vulnerability v SET state = 'withdrawn', resolved_at = f.withdrawn_at, regressed = false
  FROM finding f JOIN host h ON h.id = f.host_id
  WHERE h.id = ANY(:hosts) AND f.withdrawn_at IS NOT NULL AND v.device_id = h.device_id AND v.cve_id = f.cve_id
    AND v.finding_id = f.id AND v.state = 'open'
  RETURNING v.*)
INSERT INTO vulnerability_event (organisation_id, vulnerability_id, device_id, site_id, cve_id, change, score, severity, kev)
SELECT organisation_id, id, device_id, site_id, cve_id, 'withdrawn', score, severity, kev FROM gone
RETURNING id
""").bindparams(bindparam("hosts", type_=ARRAY(Uuid)))


async def write_found(session: AsyncSession, rows: Sequence[dict[str, Any]], *, scan_id: UUID | None) -> None:
    """Open, open again or renew what was found; `change` of each row says which, and is its event."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        await session.execute(_FOUND, {"rows": _json(some), "scan_id": scan_id})
    names = ("device_id", "cve_id", "at", "change")
    again = [{name: row[name] for name in names} for row in rows if row["change"] == "regressed"]
    if again:
        await session.execute(_REGRESSED, {"rows": _json(again)})
        await session.execute(_OVERRULED, {"rows": _json(again)})


async def write_older(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """What an observation older than the known ones says: that it was there even earlier."""
    if rows:
        await session.execute(_OLDER, {"rows": _json(rows)})


async def write_gone(session: AsyncSession, gone: Sequence[Gone], *, scan_id: UUID | None) -> None:
    """End what is gone."""
    rows = [{"id": one.known.id, "state": one.state, "change": one.change, "at": one.at} for one in gone]
    if rows:
        await session.execute(_GONE, {"rows": _json(rows), "scan_id": scan_id})


async def withdraw(session: AsyncSession, host_ids: Sequence[UUID]) -> int:
    """End what rests on a finding of these hosts that data no longer support; returns how many."""
    return len((await session.execute(_WITHDRAW, {"hosts": list(host_ids)})).all())


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()
