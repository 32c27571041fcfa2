"""lives and decisions: devices, the life of each CVE on them, and what people decided; history so far comes to life"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

# Whom each identified host of an ended scan is: its MAC, unless that identifies nothing (a group's, a virtual router's, or
# one that several addresses of a site scan show), else its address at its site.
_SIGHTS = """
CREATE TEMP TABLE sight ON COMMIT DROP AS
SELECT h.id, h.organisation_id, h.site_id, h.scan_id, h.site_scan_id, h.address, h.manufacturer, h.hostname, h.os_name,
       h.model, h.observed_at,
       CASE WHEN h.mac IS NULL OR h.mac !~ '^.[02468ACE]:' OR h.mac = '00:00:00:00:00:00'
                 OR h.mac ~ '^00:00:5E:00:0[12]:|^00:00:0C:07:AC:|^00:00:0C:9F:F|^00:07:B4:'
                 OR count(*) OVER (PARTITION BY h.site_scan_id, h.mac) > 1
            THEN NULL ELSE h.mac END AS mac,
       NULL::uuid AS device_id
FROM host h JOIN scan s ON s.id = h.scan_id
WHERE h.identified AND s.state NOT IN ('pending', 'running', 'processing')"""

_DEVICES = """
INSERT INTO device (organisation_id, site_id, mac, address, manufacturer, hostname, os_name, model, scan_id,
                    first_seen_at, last_seen_at)
SELECT DISTINCT ON (organisation_id, {who}) organisation_id, site_id, mac, CASE WHEN mac IS NULL THEN address END,
       manufacturer, hostname, os_name, model, scan_id,
       min(observed_at) OVER (PARTITION BY organisation_id, {who}), observed_at
FROM sight WHERE mac IS {kind}
ORDER BY organisation_id, {who}, observed_at DESC"""

_NAME_SIGHTS = """
UPDATE sight s SET device_id = d.id FROM device d
WHERE d.organisation_id = s.organisation_id
  AND {same}"""

_ADDRESSES = """
INSERT INTO device_address (device_id, site_id, address, first_seen_at, last_seen_at)
SELECT device_id, site_id, address, min(observed_at), max(observed_at) FROM sight GROUP BY 1, 2, 3"""

_VULNERABILITIES = """
INSERT INTO vulnerability (organisation_id, device_id, site_id, cve_id, finding_id, address, ports, state, score, severity,
                           confidence, kev, priority, reason, first_seen_at, last_seen_at)
SELECT DISTINCT ON (s.device_id, f.cve_id) f.organisation_id, s.device_id, s.site_id, f.cve_id, f.id, s.address,
       coalesce((SELECT jsonb_agg(DISTINCT concat(e->>'protocol', '/', e->>'port'))
                 FROM jsonb_array_elements(coalesce(f.evidence->'services', '[]')) e), '[]'),
       'open', f.score, f.severity, f.confidence, f.kev, f.score * 5, concat('CVSS ', f.score),
       min(s.observed_at) OVER (PARTITION BY s.device_id, f.cve_id), s.observed_at
FROM finding f JOIN sight s ON s.id = f.host_id
WHERE f.withdrawn_at IS NULL
ORDER BY s.device_id, f.cve_id, s.observed_at DESC"""

# Gone: the next whole look at the same address left no port out, and each port where it was told again what it is.
_RESOLVE = """
UPDATE vulnerability v SET state = 'resolved', resolved_at = later.observed_at
FROM (SELECT DISTINCT ON (w.id) w.id, s.observed_at
      FROM vulnerability w
      JOIN sight s ON s.device_id = w.device_id AND s.observed_at > w.last_seen_at
                      AND s.site_id = w.site_id AND s.address = w.address
      JOIN site_scan part ON part.id = s.site_scan_id AND part.state = 'scanned'
                             AND coalesce(part.exclusions->'ports', '[]') = '[]'
      WHERE NOT EXISTS (SELECT FROM service o WHERE o.host_id = s.id AND o.product IS NULL AND o.banner IS NULL
                          AND w.ports @> to_jsonb(concat(o.protocol, '/', o.port)))
      ORDER BY w.id, s.observed_at) later
WHERE later.id = v.id"""

_EVENTS = """
INSERT INTO vulnerability_event (organisation_id, vulnerability_id, device_id, site_id, cve_id, scan_id, change, score,
                                 severity, kev, at)
SELECT v.organisation_id, v.id, v.device_id, v.site_id, v.cve_id,
       (SELECT s.scan_id FROM sight s WHERE s.device_id = v.device_id AND s.observed_at = {at} LIMIT 1),
       '{change}', v.score, v.severity, v.kev, {at}
FROM vulnerability v WHERE {at} IS NOT NULL ORDER BY {at}"""


def upgrade() -> None:
    """Bring the database to this revision; hosts and findings that are there become devices and lives.

    Findings, by far the largest table, are read once and not written; a host gets its device. Scans that are under way
    are left to their own end.
    """
    _create_device()
    _create_vulnerability()
    _create_event()
    _create_decision()
    op.add_column("host", sa.Column("device_id", sa.Uuid(), nullable=True))
    _bring_to_life()
    # after the rows: checked once, and no index is kept up during the update
    op.create_foreign_key(
        "fk_host_device_id_device", "host", "device", ["device_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index("ix_host_device", "host", ["device_id", "observed_at"])
    op.create_index(
        "ix_finding_valid", "finding", ["host_id"], postgresql_where=sa.text("withdrawn_at IS NULL")
    )


def _bring_to_life() -> None:
    op.execute(_SIGHTS)
    op.execute(_DEVICES.format(who="mac", kind="NOT NULL"))
    op.execute(_DEVICES.format(who="site_id, address", kind="NULL"))
    op.execute("ANALYZE device")
    op.execute(_NAME_SIGHTS.format(same="d.mac = s.mac"))
    op.execute(
        _NAME_SIGHTS.format(
            same="s.mac IS NULL AND d.mac IS NULL AND d.site_id = s.site_id AND d.address = s.address"
        )
    )
    op.execute("CREATE INDEX ON sight (device_id, observed_at)")
    op.execute("CREATE INDEX ON sight (id)")
    op.execute("ANALYZE sight")
    op.execute("UPDATE host h SET device_id = s.device_id FROM sight s WHERE s.id = h.id")
    op.execute(_ADDRESSES)
    op.execute(_VULNERABILITIES)
    op.execute("ANALYZE vulnerability")
    op.execute(_RESOLVE)
    op.execute(_EVENTS.format(change="new", at="v.first_seen_at"))
    op.execute(_EVENTS.format(change="resolved", at="v.resolved_at"))


def _create_device() -> None:
    op.create_table(
        "device",
        _id(),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("mac", sa.String(), nullable=True),
        sa.Column("address", postgresql.INET(), nullable=True),
        sa.Column("manufacturer", sa.String(), nullable=True),
        sa.Column("hostname", sa.String(), nullable=True),
        sa.Column("os_name", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("scan_id", sa.Uuid(), nullable=True),
        _moment("first_seen_at"),
        _moment("last_seen_at"),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
    )
    op.create_index(
        "uq_device_mac",
        "device",
        ["organisation_id", "mac"],
        unique=True,
        postgresql_where=sa.text("mac IS NOT NULL"),
    )
    op.create_index(
        "uq_device_address",
        "device",
        ["organisation_id", "site_id", "address"],
        unique=True,
        postgresql_where=sa.text("mac IS NULL"),
    )
    op.create_index("ix_device_seen", "device", ["organisation_id", "last_seen_at", "id"])
    op.create_index("ix_device_site", "device", ["organisation_id", "site_id"])
    op.create_table(
        "device_address",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("address", postgresql.INET(), nullable=False),
        _moment("first_seen_at"),
        _moment("last_seen_at"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name="fk_device_address_device_id_device", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_id", "site_id", "address", name="pk_device_address"),
    )


def _create_vulnerability() -> None:
    op.create_table(
        "vulnerability",
        _id(),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("cve_id", sa.String(), nullable=False),
        sa.Column("finding_id", sa.Uuid(), nullable=True),
        sa.Column("address", postgresql.INET(), nullable=False),
        sa.Column("ports", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("regressed", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("confidence", sa.String(), nullable=False),
        sa.Column("kev", sa.Boolean(), nullable=False),
        sa.Column("epss", sa.Float(), nullable=True),
        sa.Column("priority", sa.Float(), nullable=False, server_default=sa.text("0")),
        sa.Column("reason", sa.String(), nullable=False, server_default=sa.text("''")),
        _moment("first_seen_at"),
        _moment("last_seen_at"),
        _moment("resolved_at", nullable=True),
        _moment("regressed_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name="fk_vulnerability_device_id_device", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vulnerability"),
        sa.UniqueConstraint("device_id", "cve_id", name="uq_vulnerability_device_id_cve_id"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_vulnerability_cve", "vulnerability", ["organisation_id", "cve_id"])
    op.create_index(
        "ix_vulnerability_priority",
        "vulnerability",
        ["organisation_id", "state", sa.text("priority DESC"), "id"],
    )
    op.create_index("ix_vulnerability_site", "vulnerability", ["organisation_id", "site_id", "state"])


def _create_event() -> None:
    op.create_table(
        "vulnerability_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("vulnerability_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("cve_id", sa.String(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=True),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("kev", sa.Boolean(), nullable=False),
        _moment("at", default=sa.text("now()")),
        sa.ForeignKeyConstraint(
            ["vulnerability_id"],
            ["vulnerability.id"],
            name="fk_vulnerability_event_vulnerability_id_vulnerability",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["scan.id"], name="fk_vulnerability_event_scan_id_scan", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vulnerability_event"),
    )
    op.create_index("ix_vulnerability_event_of", "vulnerability_event", ["vulnerability_id", "id"])
    op.create_index("ix_vulnerability_event_scan", "vulnerability_event", ["scan_id"])
    op.create_index("ix_vulnerability_event_organisation", "vulnerability_event", ["organisation_id", "id"])


def _create_decision() -> None:
    op.create_table(
        "cve_decision",
        _id(),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("mac", sa.String(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("cve_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("justification", sa.String(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=True),
        _moment("expires_at", nullable=True),
        _moment("overruled_at", nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        _moment("created_at", default=sa.text("clock_timestamp()")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name="fk_cve_decision_device_id_device", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["scan.id"], name="fk_cve_decision_scan_id_scan", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_cve_decision"),
    )
    op.create_index(
        "ix_cve_decision_mac",
        "cve_decision",
        ["organisation_id", "mac", "cve_id", sa.text("created_at DESC")],
    )
    op.create_index("ix_cve_decision_device", "cve_decision", ["device_id", "cve_id"])
    op.create_index("ix_cve_decision_page", "cve_decision", ["organisation_id", "created_at", "id"])


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), nullable=False, server_default=sa.text("gen_random_uuid()"))


def _moment(name: str, *, nullable: bool = False, default: sa.TextClause | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)
