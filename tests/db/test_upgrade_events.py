"""Events of before revision 0008 keep their order and are old; new ones name their transaction."""

from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import NullPool, create_engine

from netvigil.db.endpoint import SUPERUSER
from netvigil.db.migrate import alembic_config, migrate
from netvigil.db.session import Database, libpq_url, sqlalchemy_url
from netvigil.scans.events import read_events, read_now
from netvigil.scans.positions import Position, Snapshot

SCAN = "00000000-0000-0000-0000-000000000004"
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


@pytest.fixture
def old_url(server_url):
    """A database at revision 0007 with a scan under way."""
    name = f"old_{uuid4().hex[:12]}"
    other = server_url.replace("netvigil@/netvigil?", f"{SUPERUSER}@/postgres?")
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER netvigil").format(sql.Identifier(name)))
    url = server_url.replace("/netvigil?", f"/{name}?")
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute(ROWS)
    yield url
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
