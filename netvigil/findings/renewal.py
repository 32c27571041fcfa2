"""Priorities follow the data: EPSS and KEV change every day, for CVEs whose records do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog
from sqlalchemy import text

from netvigil.catalogue.enrichment import get_enrichment
from netvigil.findings.priority import Facts, prioritise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netvigil.catalogue.enrichment import Enrichment
    from netvigil.db.session import Database

log = structlog.get_logger(__name__)
KINDS_AT_ONCE = 1000  # each a transaction, so that no row stays locked for long

# What two vulnerabilities have in common whose priority is the same; far fewer than there are devices. EPSS counts as
# changed where its percent does.
_STALE = text("""
SELECT v.cve_id, v.score, m.cvss_version, v.confidence, v.ports, v.kev, v.epss, count(*)
FROM vulnerability v
LEFT JOIN cve m ON m.cve_id = v.cve_id
LEFT JOIN exploit_probability e ON e.cve_id = v.cve_id
LEFT JOIN known_exploited_cve k ON k.cve_id = v.cve_id
WHERE v.state = 'open'
  AND (round(coalesce(e.score, -1)::numeric, 2) <> round(coalesce(v.epss, -1)::numeric, 2)
       OR (k.cve_id IS NOT NULL AND NOT v.kev) OR v.reason !~ ';')
GROUP BY 1, 2, 3, 4, 5, 6, 7""")

_RENEW = text("""
UPDATE vulnerability v SET priority = s.priority, reason = s.reason, epss = s.now_epss, kev = s.now_kev
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s (
  cve_id text, score float, confidence text, ports jsonb, kev boolean, epss float, now_epss float, now_kev boolean,
  priority float, reason text)
WHERE v.state = 'open' AND v.cve_id = s.cve_id AND v.score = s.score AND v.confidence = s.confidence AND v.ports = s.ports
  AND v.kev = s.kev AND v.epss IS NOT DISTINCT FROM s.epss""")


async def renew_priorities(database: Database) -> int:
    """Renew what rests on old EPSS or KEV data, over all organisations; returns how many vulnerabilities changed.

    Repeating it changes nothing, so an interrupted turn is simply run again.
    """
    async with database.session() as session:
        kinds: Sequence[Any] = (await session.execute(_STALE)).all()
        enrichment = await get_enrichment(session, {kind.cve_id for kind in kinds})
    rows = [_row(kind, enrichment[kind.cve_id]) for kind in kinds]
    renewed = 0
    for start in range(0, len(rows), KINDS_AT_ONCE):
        async with database.transaction() as session:
            some = orjson.dumps(rows[start : start + KINDS_AT_ONCE]).decode()
            result: Any = await session.execute(_RENEW, {"rows": some})
            renewed += result.rowcount
    if renewed:
        log.info("priorities renewed", kinds=len(rows), vulnerabilities=renewed)
    return renewed


def _row(kind: Any, enrichment: Enrichment) -> dict[str, Any]:
    kev, epss = enrichment.kev, enrichment.epss
    priority = prioritise(
        Facts(
            score=kind.score,
            cvss_version=kind.cvss_version,
            confidence=kind.confidence,
            ports=tuple(kind.ports),
            epss=epss.score if epss else None,
            epss_date=epss.date if epss else None,
            exploited=kind.kev or kev is not None,
            exploited_since=kev.date_added if kev else None,
            ransomware=bool(kev and kev.ransomware),
        )
    )
    return {
        "cve_id": kind.cve_id,
        "score": kind.score,
        "confidence": kind.confidence,
        "ports": kind.ports,
        "kev": kind.kev,
        "epss": kind.epss,
        "now_epss": epss.score if epss else None,
        "now_kev": kind.kev or kev is not None,
        "priority": priority.number,
        "reason": priority.reason,
    }
