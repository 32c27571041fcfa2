"""Where CVE records go: one part a source, and the SQL that brings the parts of a CVE together.

A CVE is one record, told by several sources. Each source's word is kept whole as a part, the newest it gave; the row in
`cve` is computed from the parts alone. So the order in which files are imported never matters. Who is heard first:

    configurations   NVD, if it has any; else the overrides; else the CVE list; else the package's starter
    score            the best of all parts' (`records.best_metric`), NVD's among equals
    everything else  NVD; else the CVE list; else the overrides; else the starter

A CVE that NVD or the CVE list has rejected matches nothing. A starter part gives way to NVD's and the CVE list's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netvigil.catalogue.copying import ColumnType
from netvigil.catalogue.feeds.base import Target

if TYPE_CHECKING:
    from datetime import datetime


class StoredPart(NamedTuple):
    """One source's word on a CVE, in the order of the staged columns.

    `source` is whose word it is, `feed` the form it came in: NVD's word comes in the forms `nvd` and `nvd11`, and the
    newer stays. The score and what belongs to it are the part's best metric; `metric_rank` is that metric's place in
    the order of preference. `configurations` and `details` are in the form of `encoding`.
    """

    cve_id: str
    source: str
    feed: str
    status: str
    published: datetime
    modified: datetime
    metric_rank: int | None
    score: float | None
    severity: str | None
    vector: str | None
    cvss_version: str | None
    product_keys: tuple[int, ...]
    configurations: bytes | None
    details: bytes


_TYPES = {
    "cve_id": ColumnType.NAME,
    "source": ColumnType.NAME,
    "feed": ColumnType.NAME,
    "published": ColumnType.TIME,
    "modified": ColumnType.TIME,
    "metric_rank": ColumnType.SMALL,
    "score": ColumnType.FLOAT,
    "product_keys": ColumnType.INTEGERS,
    "configurations": ColumnType.BYTES,
    "details": ColumnType.BYTES,
}
_FIELDS = StoredPart._fields
_NAMES = ", ".join(_FIELDS)
_NEW = ", ".join(f"excluded.{name}" for name in _FIELDS)

# What makes one of two parts of the same source the newer. At the same time NVD's 2.0 form goes before its 1.1 form;
# what is then still different is ordered by content, so that no order of imports decides.
_OLDER = "(older.modified, newer.feed, older.details, coalesce(older.configurations, ''))"
_NEWER = "(newer.modified, older.feed, newer.details, coalesce(newer.configurations, ''))"

_RENAME_STARTER = "UPDATE incoming_cve SET source = 'starter', feed = 'starter' WHERE %(starter)s"
_DROP_OLD_STARTER = "DELETE FROM cve_part WHERE %(starter)s AND source = 'starter'"
# only the few that stand twice are compared by content
_DROP_DUPLICATES = f"""
    WITH twice AS (
        SELECT cve_id, source FROM incoming_cve GROUP BY cve_id, source HAVING count(*) > 1
    ), candidate AS (
        SELECT one.ctid AS place, one.* FROM incoming_cve one JOIN twice USING (cve_id, source)
    )
    DELETE FROM incoming_cve USING candidate older, candidate newer
    WHERE incoming_cve.ctid = older.place
      AND older.cve_id = newer.cve_id AND older.source = newer.source AND older.place <> newer.place
      AND ({_OLDER} < {_NEWER} OR ({_OLDER} = {_NEWER} AND older.place < newer.place))
"""  # noqa: S608 - constants of ours
_KEEP_PARTS = f"""
    INSERT INTO cve_part AS older (catalogue_version, {_NAMES})
    SELECT %(version)s, {_NAMES} FROM incoming_cve
    ON CONFLICT (cve_id, source) DO UPDATE
        SET (catalogue_version, {_NAMES}) = ROW (excluded.catalogue_version, {_NEW})
    WHERE {_OLDER.replace("newer.", "excluded.")} < {_NEWER.replace("newer.", "excluded.")}
"""  # noqa: S608 - constants of ours

_MERGED_FIELDS = (
    "cve_id, catalogue_version, starter, status, published, modified, score, severity, vector, cvss_version, "
    "product_keys, configured_by"
)
_MERGED = """
    SELECT id.cve_id, %(version)s,
        n.cve_id IS NULL AND c.cve_id IS NULL AND o.cve_id IS NULL,
        CASE WHEN rejected.yes THEN 'Rejected' ELSE coalesce(n.status, c.status, o.status, s.status) END,
        coalesce(n.published, c.published, o.published, s.published),
        greatest(n.modified, c.modified, o.modified, s.modified),
        best.score, best.severity, best.vector, best.cvss_version,
        CASE configured.by_source
            WHEN 'nvd' THEN n.product_keys WHEN 'overrides' THEN o.product_keys
            WHEN 'cvelist' THEN c.product_keys WHEN 'starter' THEN s.product_keys ELSE '{}' END,
        configured.by_source
    FROM (
        SELECT DISTINCT cve_id FROM cve_part JOIN incoming_cve USING (cve_id)
        WHERE cve_part.catalogue_version = %(version)s
    ) id
    LEFT JOIN cve_part n ON n.cve_id = id.cve_id AND n.source = 'nvd'
    LEFT JOIN cve_part o ON o.cve_id = id.cve_id AND o.source = 'overrides'
    LEFT JOIN cve_part c ON c.cve_id = id.cve_id AND c.source = 'cvelist'
    LEFT JOIN cve_part s ON s.cve_id = id.cve_id AND s.source = 'starter'
        AND n.cve_id IS NULL AND c.cve_id IS NULL
    CROSS JOIN LATERAL (
        SELECT coalesce(n.status = 'Rejected', false) OR coalesce(c.status = 'Rejected', false) AS yes
    ) rejected
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN rejected.yes THEN NULL
            WHEN n.configurations IS NOT NULL THEN 'nvd'
            WHEN o.configurations IS NOT NULL THEN 'overrides'
            WHEN c.configurations IS NOT NULL THEN 'cvelist'
            WHEN s.configurations IS NOT NULL THEN 'starter'
        END AS by_source
    ) configured
    LEFT JOIN LATERAL (
        SELECT one.score, one.severity, one.vector, one.cvss_version
        FROM (VALUES
            (n.metric_rank, n.score, n.severity, n.vector, n.cvss_version, 0),
            (c.metric_rank, c.score, c.severity, c.vector, c.cvss_version, 1),
            (s.metric_rank, s.score, s.severity, s.vector, s.cvss_version, 2)
        ) AS one (metric_rank, score, severity, vector, cvss_version, place)
        WHERE one.metric_rank IS NOT NULL ORDER BY one.metric_rank, one.score DESC, one.place LIMIT 1
    ) best ON true
"""
_MERGE_CVES = f"""
    INSERT INTO cve ({_MERGED_FIELDS}) {_MERGED}
    ON CONFLICT (cve_id) DO UPDATE SET ({_MERGED_FIELDS}) =
        ROW ({", ".join(f"excluded.{name}" for name in _MERGED_FIELDS.split(", "))})
"""
_DROP_BARE = """
    DELETE FROM cve WHERE %(starter)s AND NOT EXISTS (SELECT FROM cve_part WHERE cve_part.cve_id = cve.cve_id)
"""

CVE_PARTS = Target(
    name="cve",
    columns=tuple((name, _TYPES.get(name, ColumnType.TEXT)) for name in _FIELDS),
    merge=(
        _RENAME_STARTER,
        _DROP_OLD_STARTER,
        _DROP_DUPLICATES,
        _KEEP_PARTS,
        "ANALYZE cve_part",
        _MERGE_CVES,
        _DROP_BARE,
        "ANALYZE cve",
    ),
    held="SELECT feed, count(*) FROM cve_part GROUP BY feed",
    changed="SELECT count(*) FROM cve WHERE catalogue_version = %(version)s",
)
"""The target of every feed of CVE records."""
