"""Events of before revision 0008 keep their order and are old; new ones name their transaction."""

from uuid import UUID

import psycopg

from netvigil.db.migrate import migrate
from netvigil.db.session import Database, libpq_url
from netvigil.scans.events import read_events, read_now
from netvigil.scans.positions import Position, Snapshot

SCAN = "00000000-0000-0000-0000-000000000004"
REVISION = "0007"
ROWS = """
INSERT INTO organisation (id, key) VALUES ('00000000-0000-0000-0000-000000000001', 'acme');
INSERT INTO scan (id, organisation_id, human_id, trigger, state, description, min_cvss, warning_threshold,
    ignore_offline_sites, started_at)
  VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001', 'BCD-FGH-JKL', 'manual',
          'running', 'One', 4, 7, false, now());
INSERT INTO scan_event (scan_id, kind, message) SELECT '00000000-0000-0000-0000-000000000004', 'host_recorded', n::text
  FROM generate_series(1, 5) n;
"""
WRITE = "INSERT INTO scan_event (scan_id, kind, message) VALUES (%s, 'host_recorded', '6')"


async def test_old_events_are_old_and_no_table_is_rewritten(old_url):
    file_of = "SELECT pg_relation_filenode('scan_event'), pg_relation_filenode('site_scan')"
    with psycopg.connect(libpq_url(old_url)) as connection:
        files = connection.execute(file_of).fetchone()
    await migrate(old_url)
    with psycopg.connect(libpq_url(old_url)) as connection:
        assert connection.execute(file_of).fetchone() == files
        connection.execute(WRITE, (SCAN,))
    database = Database(old_url)
    async with database.session() as session:
        now = (await read_now(session, UUID(SCAN))).snapshot
        rows = await read_events(session, UUID(SCAN), seen=None, batch=now, last=0, limit=100)
        assert [(row.message, row.xid == 0) for row in rows] == [
            *((str(number), True) for number in range(1, 6)),
            ("6", False),
        ]
        behind = Position(Snapshot(rows[-1].xid, rows[-1].xid))
        new = await read_events(session, UUID(SCAN), seen=behind.seen, batch=now, last=0, limit=100)
        assert [row.message for row in new] == ["6"]
    await database.close()
