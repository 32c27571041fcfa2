"""A client that takes nothing costs nothing that grows, and misses nothing when it goes on."""

import asyncio
import re

import psycopg
import pytest
from sqlalchemy import select
from watching import serving

from netvigil.app.factory import create_app
from netvigil.scans.models import Scan
from netvigil.scans.streams import TAIL_EVENTS

EVENTS, AT_ONCE = 6000, 500
WRITE = """
INSERT INTO scan_event (scan_id, kind, message)
SELECT %s, 'host_recorded', 'number ' || n || repeat('.', 1900) FROM generate_series(%s::int, %s::int) n"""


@pytest.fixture
async def scan(api, make_schedule, database):
    """A scan that waits; no worker runs."""
    schedule_id = await make_schedule()
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    async with database.session() as session:
        return await session.scalar(select(Scan))


async def test_a_slow_client_is_told_all_and_kept_waiting_for_nobody(service, database, scan, make_token):
    app = create_app(service)
    async with serving(app) as (base, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(base.rpartition(":")[2]), limit=4096)
        ask = f"GET /scans/cve/{scan.id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {make_token()}\r\n\r\n"
        writer.write(ask.encode())
        got = await reader.readuntil(b"event: started")
        async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
            for first in range(1, EVENTS, AT_ONCE):
                await connection.execute(WRITE, (scan.id, first, first + AT_ONCE - 1))
                await asyncio.sleep(0.15)
        (feed,) = app.state.streams._feeds.values()
        assert sum(len(rows) for _, rows in feed._tail) <= TAIL_EVENTS
        assert database.engine.pool.checkedout() == 0  # 12 MB wait in the database, not in the process
        while f"number {EVENTS}.".encode() not in got[-20_000:]:
            got += await asyncio.wait_for(reader.read(1 << 20), 10)
        numbers = [int(number) for number in re.findall(rb"number (\d+)\.", got)]
        assert sorted(numbers) == list(range(1, EVENTS + 1))
        writer.close()
        await writer.wait_closed()
