"""Candidates over a bare connection, for a command whose start must not cost more than its answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from netvigil.catalogue.candidates import Candidate, decode_candidates
from netvigil.catalogue.encoding import Key, product_key

if TYPE_CHECKING:
    from collections.abc import Collection

STARTER = "starter"
_VERSIONS = Path(__file__).parent.parent / "db" / "migrations" / "versions"
# "since" is the catalogue version after which a row must have changed, NULL for all rows
CANDIDATES = """
    SELECT c.cve_id, c.score, c.severity, c.vector, c.cvss_version, c.configured_by, p.configurations
    FROM cve c JOIN cve_part p ON p.cve_id = c.cve_id AND p.source = c.configured_by
    WHERE c.product_keys && %(keys)s::integer[]
      AND (%(since)s::integer IS NULL OR c.catalogue_version > %(since)s::integer)
"""


def is_current(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database has this version's schema and a catalogue; if not, it must be opened the long way."""
    newest = max(path.name.partition("_")[0] for path in _VERSIONS.glob("0*.py"))
    try:
        row = connection.execute(
            "SELECT version_num = %s AND EXISTS (SELECT FROM cve) FROM alembic_version", (newest,)
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        return False
    return row is not None and bool(row[0])


def find_candidates(connection: psycopg.Connection[Any], products: Collection[Key]) -> list[Candidate]:
    """Every CVE with a vulnerable criterion on one of the products; what `queries.find_candidates` gives."""
    wanted = frozenset(products)
    keys = sorted({product_key(*product) for product in wanted})
    rows = connection.execute(CANDIDATES, {"keys": keys, "since": None}).fetchall()
    return decode_candidates({row[0]: row for row in rows}, wanted)


def count_starter(connection: psycopg.Connection[Any]) -> int | None:
    """How many CVEs the catalogue holds while it is only the starter; None once there is more."""
    row = connection.execute(
        "SELECT count(*) FROM cve WHERE NOT EXISTS (SELECT FROM feed_import WHERE source <> %s)", (STARTER,)
    ).fetchone()
    return row[0] or None if row else None
