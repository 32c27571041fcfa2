"""The database goes away under open streams: they stay, and tell what happened as soon as it is back."""

import asyncio
import dataclasses
import time
from uuid import UUID

import psycopg
import pytest
from watching import serving, watching

from netvigil.access.keys import load_keys
from netvigil.app.factory import create_app
from netvigil.app.service import Service, authority_of
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.migrate import migrate
from netvigil.db.session import Database
from netvigil.jobs import apply_schema
from netvigil.scans.following import follow
from netvigil.scans.positions import START
from netvigil.scans.streams import Streams

SCAN = "00000000-0000-0000-0000-000000000004"
SCAN_ID = UUID(SCAN)
ROWS = """
INSERT INTO organisation (id, key) VALUES ('00000000-0000-0000-0000-000000000001', 'acme');
INSERT INTO scan (id, organisation_id, human_id, trigger, state, description, min_cvss, warning_threshold,
    ignore_offline_sites, started_at)
  VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001', 'BCD-FGH-JKL', 'manual', 'running', 'One', 4, 7, false, now());
"""
WRITE = "INSERT INTO scan_event (scan_id, kind, message) VALUES (%s, 'host_recorded', %s)"


@pytest.fixture
def server(tmp_path):
    """A server of this test's own, which it may stop; it dies with the thread that starts it, so not in a loop."""
    server = EmbeddedServer(tmp_path / "postgres")

    async def start():
        url = await server.start()
        await migrate(url, then=apply_schema)
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(ROWS)

    asyncio.run(start())
    yield server
    asyncio.run(server.stop())


async def write(server, message):
    async with await psycopg.AsyncConnection.connect(server.url) as connection:
        await connection.execute(WRITE, (SCAN, message))


async def test_streams_survive_an_outage_and_miss_nothing(server, settings):
    database = Database(server.url, pool_size=3)
    keys = load_keys(settings.keys_dir)
    service = Service(
        dataclasses.replace(settings, database_url=server.url), database, keys, authority_of(settings, keys)
    )
    token = service.authority.issue(organisation="acme", scopes=("*",), subject="x", ttl=3600)
    async with serving(create_app(service)) as (base, _):
        async with watching(base, token, SCAN) as watcher:
            await write(server, "before")
            await watcher.until(lambda w: w.messages == ["before"])
            await server.stop()
            await asyncio.sleep(1.5)
            assert not watcher.ended.is_set()
            await server.start()
            await write(server, "while nobody listened")
            await watcher.until(lambda w: len(w.messages) == 2, patience=15)
            await asyncio.sleep(1.5)
            begun = time.monotonic()
            await write(server, "after")
            await watcher.until(lambda w: len(w.messages) == 3)
            assert time.monotonic() - begun < 0.5  # it listens again
        assert watcher.messages == ["before", "while nobody listened", "after"]
    await database.close()


async def test_a_listener_that_is_cut_off_listens_again(server):
    database = Database(server.url, pool_size=3)
    streams = Streams(database)
    pieces = follow(streams, SCAN_ID, START, keep_alive=0.2)
    got = [await anext(pieces) for _ in range(3)]
    assert got[0].startswith(b"retry: ")
    async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
        ended = await connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'netvigil listens'"
        )
        assert await ended.fetchone() == (1,)
    await asyncio.sleep(1.5)
    await write(server, "heard")
    begun = time.monotonic()
    while b"heard" not in (piece := await anext(pieces)):
        assert piece == b":\n\n"
    assert time.monotonic() - begun < 0.5
    await pieces.aclose()
    assert streams.count == 0
    await database.close()


async def test_silence_is_filled_with_comments(server):
    database = Database(server.url, pool_size=3)
    pieces = follow(Streams(database), SCAN_ID, START, keep_alive=0.3)
    begun = time.monotonic()
    got = [await anext(pieces) for _ in range(6)]
    assert [piece for piece in got if piece == b":\n\n"] == got[2:]
    assert 1.1 < time.monotonic() - begun < 3
    await pieces.aclose()
    await database.close()
