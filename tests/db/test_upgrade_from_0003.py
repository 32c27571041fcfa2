"""A database with rows of revision 0003 keeps them all, and they mean what they meant."""

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from netvigil.db.migrate import migrate
from netvigil.db.session import libpq_url

REVISION = "0003"
ROWS = """
INSERT INTO organisation (id, key) VALUES ('00000000-0000-0000-0000-000000000001', 'acme');
INSERT INTO site (organisation_id, id, name, networks, vantage, registration)
  VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'Office',
          '{192.168.88.0/24}', '{"type": "local"}', 'auto');
INSERT INTO scan_schedule (id, organisation_id, description, day_of_week, time_of_day, every_n_weeks, timezone, min_cvss,
    warning_threshold, ignore_offline_sites, notification_group, planned_date, next_scan_at)
  VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', 'Weekly', 1, '02:00', 2, 'UTC',
          4, 7, false, 'nobody', '2026-01-05', '2026-01-05T02:00Z');
INSERT INTO scan (id, organisation_id, schedule_id, human_id, trigger, state, description, min_cvss, warning_threshold,
    ignore_offline_sites, started_at)
  VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001',
          '00000000-0000-0000-0000-000000000003', 'BCD-FGH-JKL', 'schedule', 'running', 'Weekly', 4, 7, false, now());
INSERT INTO site_scan (id, scan_id, organisation_id, site_id, site_name, position, targets, vantage, state)
  VALUES ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000004',
          '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'Office', 0,
          '{192.168.88.0/24}', 'local', 'running');
INSERT INTO host (id, site_scan_id, scan_id, organisation_id, site_id, address, mac, reason, identified, observed_at)
  VALUES ('00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000005',
          '00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001',
          '00000000-0000-0000-0000-000000000002', '192.168.88.1', '00:1A:2B:3C:4D:5E', 'arp', true, now());
INSERT INTO service (host_id, port, protocol, method, name, cpes, spared)
  VALUES ('00000000-0000-0000-0000-000000000006', 22, 'tcp', 'first look', 'ssh', '[]', false);
"""
TABLES = ("organisation", "site", "scan_schedule", "scan", "site_scan", "host", "service")
NEW = {
    "site": {
        "exclusions": {},
        "limits": {},
        "router": None,
        "router_secret": None,
        "maintenance_windows": [],
    },
    "scan_schedule": {
        "profile": "standard",
        "exclusions": {},
        "maintenance_windows": [],
        "max_duration_minutes": None,
        "zone_lost_at": None,
    },
    "scan": {"max_duration_minutes": None},
    "site_scan": {
        "profile": "standard",
        "exclusions": {},
        "seconds": None,
        "told_at": None,
        "paused_until": None,
        "unreached_since": None,
        "held_back_at": None,
        "around": [],
    },
    "host": {"model": None, "mac_source": None, "notes": [], "device_id": None},
    "service": {"facts": {}},
}


def rows_of(url):
    with psycopg.connect(libpq_url(url), row_factory=dict_row) as connection:
        query = sql.SQL("SELECT * FROM {}")
        return {table: connection.execute(query.format(sql.Identifier(table))).fetchall() for table in TABLES}


async def test_rows_are_kept_and_mean_what_they_meant(old_url):
    before = rows_of(old_url)
    assert all(len(rows) == 1 for rows in before.values())
    await migrate(old_url)
    after = rows_of(old_url)
    for table, ((old,), (new,)) in {t: (before[t], after[t]) for t in TABLES}.items():
        assert new == {**old, **NEW.get(table, {})}, table


async def test_an_older_process_can_still_write_its_rows(old_url):
    """While workers are being replaced, one of the version before inserts without the new columns."""
    await migrate(old_url)
    again = ROWS.replace("00000000-0000-0000-0000-00000000000", "10000000-0000-0000-0000-00000000000")
    again = again.replace("'acme'", "'globex'")
    with psycopg.connect(libpq_url(old_url)) as connection:
        connection.execute(again)
    for table, new in NEW.items():
        for row in rows_of(old_url)[table]:
            assert {key: row[key] for key in new} == new
