"""Events whose transactions commit in another order than their ids: nothing is missed, nothing told twice."""

import asyncio
import random
from contextlib import asynccontextmanager

import psycopg
import pytest
from sqlalchemy import select
from watching import serving, watching

from netvigil.app.factory import create_app
from netvigil.scans.events import read_events, read_now
from netvigil.scans.models import Scan
from netvigil.scans.positions import START, Position, Snapshot

WRITE = "INSERT INTO scan_event (scan_id, kind, message) VALUES (%s, 'host_recorded', %s) RETURNING id"


@pytest.fixture
async def scan(api, make_schedule, database):
    """A scan that waits; no worker runs."""
    schedule_id = await make_schedule()
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    async with database.session() as session:
        return await session.scalar(select(Scan))


@pytest.fixture
async def base(service):
    async with serving(create_app(service)) as (base, _):
        yield base


@pytest.fixture
async def writer(database, scan):
    """Opens a transaction that has written an event and is committed when the test says so."""
    opened = []

    async def write(message):
        connection = await psycopg.AsyncConnection.connect(database.url)
        opened.append(connection)
        await connection.execute(WRITE, (scan.id, message))
        return connection

    yield write
    for connection in opened:
        await connection.close()


@asynccontextmanager
async def told(base, token, scan, last=None):
    async with watching(base, token, scan.id, last=last) as watcher:
        yield watcher


async def test_lower_id_that_is_committed_later_is_told(base, scan, make_token, writer):
    async with told(base, make_token(), scan) as watcher:
        await watcher.until(lambda w: w.names == ["started"])
        slow = await writer("first by id")
        quick = await writer("second by id")
        await quick.commit()
        await watcher.until(lambda w: "second by id" in w.messages)
        assert "first by id" not in watcher.messages
        await slow.commit()
        await watcher.until(lambda w: "first by id" in w.messages)
        await asyncio.sleep(1.5)  # past the looks that follow news
        assert watcher.messages[1:] == ["second by id", "first by id"]


async def test_one_who_was_away_meanwhile_is_told_too(base, scan, make_token, writer):
    slow = await writer("first by id")
    quick = await writer("second by id")
    await quick.commit()
    async with told(base, make_token(), scan) as before:
        await before.until(lambda w: "second by id" in w.messages)
    last = before.log[-1]
    assert last.data["message"] == "second by id"
    await slow.commit()
    third = await writer("third by id")
    await third.commit()
    async with told(base, make_token(), scan, last.id) as after:
        await after.until(lambda w: "third by id" in w.messages)
        assert after.messages == ["first by id", "third by id"]
    async with told(base, make_token(), scan, after.log[0].id) as rest:
        await rest.until(lambda w: w.messages)
        assert rest.messages == ["third by id"]


async def test_one_who_left_in_the_middle_of_the_past_goes_on_there(base, scan, make_token, database):
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        for number in range(450):  # more than two pages
            await connection.execute(WRITE, (scan.id, str(number)))
    async with told(base, make_token(), scan) as before:
        await before.until(lambda w: len(w.log) == 451)
    for place in (1, 199, 200, 201, 449):
        async with told(base, make_token(), scan, before.log[place].id) as after:
            await after.until(lambda w, place=place: len(w.log) == 450 - place)
            assert after.messages == before.messages[place + 1 :]


async def test_rows_of_another_servers_dump_are_told_once(base, scan, make_token, database):
    """Their transactions seem to lie in the future, and so does the place of a client of that server."""
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
        await connection.execute("UPDATE scan_event SET xid = 900000000000")
        await connection.execute(WRITE, (scan.id, "new"))
    for last in (None, "7.900000000000:900000000001:.900000000002:900000000002:"):
        async with told(base, make_token(), scan, last) as watcher:
            await watcher.until(lambda w: "new" in w.messages)
            await asyncio.sleep(1.5)
            assert watcher.names == ["started", "host"]
            async with told(base, make_token(), scan, watcher.log[0].id) as rest:
                await rest.until(lambda w: w.messages)
                assert rest.messages == ["new"]


async def test_any_order_with_any_interruptions(database, scan):
    """Forty transactions end in any order while a reader reads a few events at a time from the place it last had."""
    chance = random.Random(5)
    open_, got, wanted, place = [], [], set(), START
    async with database.session() as session:
        for number in range(200):
            if open_ and chance.random() < 0.5:
                connection, message = open_.pop(chance.randrange(len(open_)))
                kept = chance.random() < 0.8
                await (connection.commit() if kept else connection.rollback())
                wanted |= {message} if kept else set()
                await connection.close()
            elif len(open_) < 8:
                connection = await psycopg.AsyncConnection.connect(database.url)
                await connection.execute(WRITE, (scan.id, str(number)))
                open_.append((connection, str(number)))
            # as a stream does: what is left of the batch, then a new one; its client takes some, and the id as text
            place = Position.parse(str(place)) if place.batch else place
            batch = place.batch or (await read_now(session, scan.id)).snapshot
            limit = chance.randrange(1, 4)
            rows = await read_events(
                session, scan.id, seen=place.seen, batch=batch, last=place.last, limit=limit
            )
            got += [row.message for row in rows]
            place = place.after(rows[-1].id, batch) if rows else Position(place.seen, batch, place.last)
            if len(rows) < limit:
                place = place.finished()
            await session.rollback()
        for connection, _ in open_:
            await connection.close()
        rest = await read_events(
            session, scan.id, seen=place.seen, batch=(await read_now(session, scan.id)).snapshot,
            last=place.last, limit=500,
        )  # fmt: skip
    told_ = [message for message in [*got, *(row.message for row in rest)] if message.isdigit()]
    assert len(wanted) > 40
    assert sorted(told_) == sorted(wanted)


@pytest.mark.parametrize(
    ("text", "seen", "unseen"),
    [("5:5:", [1, 4], [5, 6]), ("5:9:6,8", [1, 5, 7], [6, 8, 9]), ("5:9:5,8", [4, 7], [5, 8, 10])],
)
def test_a_snapshot_sees_what_had_ended(text, seen, unseen):
    snapshot = Snapshot.parse(text)
    assert str(snapshot) == text
    assert all(snapshot.sees(xid) for xid in seen)
    assert not any(snapshot.sees(xid) for xid in unseen)


def test_which_snapshot_includes_which():
    earlier, later = Snapshot.parse("5:9:5,8"), Snapshot.parse("8:12:8,10")
    assert later.includes(earlier)
    assert not earlier.includes(later)
    assert later.includes(later)
    assert not Snapshot.parse("5:12:5").includes(Snapshot.parse("6:8:"))


def test_an_id_stays_short_and_misses_nothing_however_much_is_open():
    crowded = Snapshot(1000, 9999, frozenset(range(1000, 9999, 2)))
    place = Position.parse(str(Position(crowded, crowded, 7)))
    assert len(str(place)) < 100
    assert crowded.includes(place.batch)
    assert place.last == 7
