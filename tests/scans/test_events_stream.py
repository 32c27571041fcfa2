"""The stream of a scan's events over a real connection: what is told, when, and when it ends."""

import asyncio
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import delete, select, update
from watching import serving, watching

from netvigil.app.factory import create_app
from netvigil.probing.observations import HostObservation
from netvigil.scans import run as writes
from netvigil.scans.models import Scan
from netvigil.scans.service import record_event
from netvigil.scans.states import FailureKind, SiteScanState


def host(address):
    return HostObservation(address=IPv4Address(address), observed_at=datetime.now(UTC), reason="syn-ack")


@pytest.fixture
async def scan(api, make_schedule, database):
    """A scan that waits; no worker runs."""
    schedule_id = await make_schedule()
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    async with database.session() as session:
        return await session.scalar(select(Scan))


@pytest.fixture
async def served(service):
    """The service on a port: its app, base URL and the event that stops it."""
    app = create_app(service)
    async with serving(app) as (base, stop):
        yield app, base, stop


async def finish(database, scan, state="completed"):
    """What the report's job does at the end."""
    async with database.transaction() as session:
        row = await session.get_one(Scan, scan.id, with_for_update=True)
        row.state = state
        record_event(session, scan.id, f"scan_{state}", "0 finding(s).")


async def test_a_scan_from_its_start_to_its_end(served, database, scan, make_token, network):
    _, base, _ = served
    async with watching(base, make_token(), scan.human_id.lower()) as watcher:
        await watcher.until(lambda w: w.names == ["started"])
        run = await writes.begin(database, scan.sites[0].id)
        await watcher.until(lambda w: w.names == ["started", "site_started"])
        await writes.record_progress(database, run, stage="sweep", hosts_total=3, percent=40)
        await watcher.until(lambda w: any(e.data["percent"] == 40 for e in w.events if e.name == "progress"))
        await writes.record_host(database, run, host(network[1]), identified=True)
        await writes.end(database, run, SiteScanState.SCANNED)
        await watcher.until(lambda w: w.names[-1] == "processing")
        await finish(database, scan)
        await asyncio.wait_for(watcher.ended.wait(), 5)
    assert watcher.names == ["started", "site_started", "host", "site_scanned", "processing", "finished"]
    assert watcher.retry > 0
    ids = [event.id for event in watcher.log]
    assert len(set(ids)) == len(ids)
    assert all(event.id.startswith(f"{event.data['id']}.") for event in watcher.log)
    last = watcher.events[-1]
    assert (last.name, last.data) == ("end", {"scan_id": str(scan.id), "state": "completed"})
    states = {event.name: event.data["state"] for event in watcher.log}
    assert states["site_scanned"] == "scanned"
    assert states["finished"] == "completed"
    assert states["started"] is None
    whole = [e.data for e in watcher.events if e.name == "progress" and e.data["site_id"] is None]
    assert whole[0]["percent"] == 0
    assert whole[-1] == {
        "scan_id": str(scan.id), "site_id": None, "state": "completed", "stage": None, "percent": 100.0,
        "hosts_done": 1, "hosts_total": 3, "sites_done": 1, "sites_total": 1,
    }  # fmt: skip
    site = next(e.data for e in watcher.events if e.name == "progress" and e.data["stage"] == "sweep")
    assert site["site_id"] == str(run.site_id)
    assert (site["state"], site["hosts_total"]) == ("running", 3)


async def test_news_comes_within_half_a_second(served, database, scan, make_token):
    _, base, _ = served
    async with watching(base, make_token(), scan.id) as watcher:
        await watcher.until(lambda w: w.names == ["started"])
        await asyncio.sleep(1.5)  # past the looks of the beginning: only a notification can be this quick
        begun = time.monotonic()
        await writes.begin(database, scan.sites[0].id)
        await watcher.until(lambda w: w.names[-1] == "site_started")
        assert time.monotonic() - begun < 0.5


async def test_an_ended_scan_is_told_and_the_stream_ends(served, database, scan, make_token):
    app, base, _ = served
    run = await writes.begin(database, scan.sites[0].id)
    await writes.end(
        database, run, SiteScanState.FAILED, failure=FailureKind.OFFLINE, error="Nothing answers."
    )
    await finish(database, scan, "failed")
    async with watching(base, make_token(), scan.id) as watcher:
        await asyncio.wait_for(watcher.ended.wait(), 5)
    assert watcher.names == ["started", "site_started", "site_failed", "processing", "finished"]
    assert watcher.events[-1].data["state"] == "failed"
    for place in (2, 4):  # a client that comes back gets the rest, were it nothing
        async with watching(base, make_token(), scan.id, last=watcher.log[place].id) as rest:
            await asyncio.wait_for(rest.ended.wait(), 5)
        assert rest.names == watcher.names[place + 1 :]
        assert rest.events[-1].name == "end"
    query = f"?last_event_id={watcher.log[2].id}"
    async with watching(base, make_token(), scan.id, query=query) as rest:
        await asyncio.wait_for(rest.ended.wait(), 5)
    assert rest.names == ["processing", "finished"]
    assert app.state.streams.count == 0


async def test_one_who_comes_back_has_the_progress_at_once(served, database, scan, make_token):
    _, base, _ = served
    run = await writes.begin(database, scan.sites[0].id)
    await writes.record_progress(database, run, stage="identify", hosts_total=9, percent=61.5)
    async with watching(base, make_token(), scan.id) as first:
        await first.until(lambda w: len(w.names) == 2)
    async with watching(base, make_token(), scan.id, last=first.log[-1].id) as second:
        await second.until(lambda w: len(w.events) == 2)
        assert second.log == []
        assert [e.data["percent"] for e in second.events] == [58.4, 61.5]


async def test_progress_is_told_twice_a_second_at_most(database, scan):
    run = await writes.begin(database, scan.sites[0].id)
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as listener:
        await listener.execute("LISTEN netvigil_scan")
        begun = time.monotonic()
        written = 0
        while (passed := time.monotonic() - begun) < 1.2:
            written += 1
            await writes.record_progress(database, run, stage="sweep", hosts_total=100, percent=written / 100)
        told = [one.payload async for one in listener.notifies(timeout=0.2)]
    assert set(told) == {str(scan.id)}
    assert 1 <= len(told) <= passed / 0.5 + 1 < written


async def test_the_last_progress_arrives_although_nobody_told_it(served, database, scan, make_token):
    _, base, _ = served
    run = await writes.begin(database, scan.sites[0].id)
    async with watching(base, make_token(), scan.id) as watcher:
        await watcher.until(lambda w: len(w.names) == 2)
        for percent in (10, 20, 30):
            await writes.record_progress(database, run, stage="sweep", hosts_total=100, percent=percent)
        await watcher.until(lambda w: w.events[-1].data.get("percent") == 30, patience=3)


async def test_whose_scan_it_is_and_what_may_be_asked(served, api, scan, make_token):
    _, base, _ = served
    path = f"/scans/cve/{scan.id}/events"
    for token, status in (
        (make_token(organisation="globex"), 404),
        (make_token("sites:view"), 403),
        ("x", 401),
    ):
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
        assert answer.json()["code"] in {"resource_missing", "scope_missing", "token_invalid"}
    for name in (uuid4(), "BBB-BBB-BBB", "x", "%00" * 11):
        assert (await api.get(f"/scans/cve/{name}/events")).status_code == 404
    for wrong in (
        "x",
        "7",
        "1.2:1:.2:2:",
        "1..9",
        "1.5:9:4.9:9:",
        "9" * 19 + "..9:9:",
        "1..1:1:" + ",2" * 9000,
    ):
        answer = await api.get(path, params={"last_event_id": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid"), wrong
    async with watching(base, make_token(), scan.id, last="of another server") as watcher:
        await watcher.until(lambda w: w.names == ["started"])


async def test_the_list(api, database, scan):
    run = await writes.begin(database, scan.sites[0].id)
    await writes.end(database, run, SiteScanState.SCANNED)
    accept = {"Accept": "application/json"}
    answer = await api.get(f"/scans/cve/{scan.id}/events", headers=accept)
    whole = answer.json()
    assert [one["event"] for one in whole] == ["started", "site_started", "site_scanned", "processing"]
    assert "Link" not in answer.headers
    assert whole[1]["site_id"] == str(run.site_id)
    assert whole[2]["state"] == "scanned"
    paged, path = [], f"/scans/cve/{scan.human_id}/events?limit=3"
    while path:
        answer = await api.get(path, headers=accept)
        paged += answer.json()
        path = answer.links.get("next", {}).get("url")
    assert paged == whole
    assert (await api.get(f"/scans/cve/{scan.id}/events?limit=0", headers=accept)).status_code == 422


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/event-stream;q=0.5, application/json", "application/json"),
        ("text/event-stream, application/json", "text/event-stream; charset=utf-8"),
        ("text/event-stream", "text/event-stream; charset=utf-8"),
        ("application/json;q=nonsense", "text/event-stream; charset=utf-8"),
        ("*/*", "text/event-stream; charset=utf-8"),
    ],
)
async def test_which_form_is_meant(api, database, scan, accept, media):
    async with database.transaction() as session:
        await session.execute(update(Scan).values(state="completed"))
    answer = await api.get(f"/scans/cve/{scan.id}/events", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == media
    assert answer.headers["Vary"] == "Accept"


async def test_a_client_that_leaves_is_noticed_at_once(served, scan, make_token):
    app, base, _ = served
    async with watching(base, make_token(), scan.id) as watcher:
        await watcher.until(lambda w: w.names == ["started"])
        assert app.state.streams.count == 1
    for _ in range(20):
        if not app.state.streams.count:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(app.state.streams.count)


async def test_a_service_that_stops_ends_its_streams_at_once(served, scan, make_token):
    _, base, stop = served
    async with watching(base, make_token(), scan.id) as watcher:
        await watcher.until(lambda w: w.names == ["started"])
        begun = time.monotonic()
        stop.set()
        await asyncio.wait_for(watcher.ended.wait(), 2)
        assert time.monotonic() - begun < 1
    assert all(event.name != "end" for event in watcher.events)


async def test_a_scan_that_is_deleted_while_watched(served, database, scan, make_token):
    _, base, _ = served
    async with watching(base, make_token(), scan.id) as watcher:
        await watcher.until(lambda w: w.names == ["started"])
        async with database.transaction() as session:
            await session.execute(delete(Scan).where(Scan.id == scan.id))
        await watcher.until(lambda w: w.events[-1].name == "end", patience=20)
    assert watcher.events[-1].data["state"] == "deleted"


async def test_many_streams_hold_no_connection(served, database, scan, make_token):
    """A hundred streams: all hear of it, none holds a connection while it waits, and none is left."""
    app, base, _ = served
    watchers, tasks, leave = [], [], asyncio.Event()

    async def watch():
        async with watching(base, token, scan.id) as watcher:
            watchers.append(watcher)
            await leave.wait()

    token = make_token()
    tasks = [asyncio.create_task(watch()) for _ in range(100)]
    while len(watchers) < 100:
        await asyncio.sleep(0.05)
    await asyncio.gather(*(w.until(lambda w: w.names == ["started"], patience=30) for w in watchers))
    await asyncio.sleep(0.3)
    assert app.state.streams.count == 100
    assert database.engine.pool.checkedout() == 0
    run = await writes.begin(database, scan.sites[0].id)
    await asyncio.gather(*(w.until(lambda w: len(w.names) == 2, patience=10) for w in watchers))
    await writes.end(database, run, SiteScanState.SCANNED)
    await finish(database, scan)
    await asyncio.gather(*(asyncio.wait_for(w.ended.wait(), 10) for w in watchers))
    assert {tuple(w.names) for w in watchers} == {
        ("started", "site_started", "site_scanned", "processing", "finished")
    }
    leave.set()
    await asyncio.gather(*tasks)
    assert app.state.streams.count == 0
