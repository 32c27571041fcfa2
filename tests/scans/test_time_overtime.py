"""A scan's longest duration: it is ended like a stop, what was seen is reported, and the reason is said."""

import asyncio

import pytest
from devices import device
from sqlalchemy import select, text

from netvigil.errors import Superseded
from netvigil.scans import run as writes
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.overtime import end_overtime
from netvigil.scans.states import SiteScanState

SCHEDULES = "/scans/cve/scheduled"
SAID = "The scan was ended after its longest duration of 30 minutes."


@pytest.fixture
def started(database):
    """Moves the start of every scan some minutes into the past."""

    async def ago(minutes):
        async with database.transaction() as session:
            await session.execute(
                text("UPDATE scan SET started_at = clock_timestamp() - make_interval(mins => :minutes)"),
                {"minutes": minutes},
            )

    return ago


async def test_a_running_scan_is_ended_and_reported(
    api, worker, network, make_schedule, until, database, started
):
    schedule_id = await make_schedule(max_duration_minutes=30)
    async with device(network[1], greeting=b""):  # keeps the identification busy
        await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
        for _ in range(600):
            async with database.session() as session:
                if await session.scalar(select(SiteScan.stage)) == "identify":
                    break
            await asyncio.sleep(0.05)
        await started(31)
        status = await until(schedule_id, "stopped", "completed", "failed", patience=8)
    assert (status["status"], status["message"]) == ("stopped", SAID)
    report = (await api.get(f"/scans/cve/{status['id']}")).json()
    assert (report["state"], report["error"], report["hosts_scanned"]) == ("stopped", SAID, 1)
    assert report["json_url"] is not None
    shown = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
    assert (shown["status"], shown["latest_scan"]["error"]) == ("ready", SAID)


async def test_sites_that_still_wait_end_with_it_and_a_shorter_scan_does_not(
    api, make_schedule, database, started
):
    schedule_id = await make_schedule(max_duration_minutes=30)
    unbounded = await make_schedule()
    for each in (schedule_id, unbounded):
        assert (await api.post(f"{SCHEDULES}/{each}/invoke")).status_code == 202
    # the scan keeps what it started with
    assert (
        await api.patch(f"{SCHEDULES}/{schedule_id}", json={"max_duration_minutes": 1})
    ).status_code == 200
    await started(29)
    await end_overtime(database)
    async with database.session() as session:
        assert (await session.scalars(select(Scan.state))).all() == ["pending", "pending"]
    await started(30)
    await end_overtime(database)
    await end_overtime(database)
    status = (await api.get(f"/scans/cve/{schedule_id}/status")).json()
    assert (status["status"], status["message"]) == ("stopping", SAID)
    async with database.session() as session:
        rows = await session.execute(
            select(Scan.schedule_id, Scan.state, Scan.error, SiteScan.state).join(SiteScan)
        )
        seen = {str(row[0]): tuple(row[1:]) for row in rows}
    assert seen == {schedule_id: ("processing", SAID, "stopped"), unbounded: ("pending", None, "pending")}
    log = text("SELECT count(*) FROM scan_event WHERE kind = 'overtime'")
    async with database.session() as session:
        assert await session.scalar(log) == 1


async def test_a_worker_that_hangs_does_not_keep_its_scan(api, make_schedule, database, started):
    """It gives heartbeats but obeys no stop: the site ends without it, and its late writes are refused."""
    schedule_id = await make_schedule(max_duration_minutes=30)
    await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
    async with database.transaction() as session:
        site_scan_id = await session.scalar(select(SiteScan.id))
        await session.execute(
            text("""
            WITH alive AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id)
            UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM alive)
            WHERE task_name = 'scans.run_site_scan'""")
        )
    hung = await writes.begin(database, site_scan_id)
    await started(31)
    await end_overtime(database)
    async with database.session() as session:
        assert (await session.scalars(select(SiteScan.state))).all() == ["running"]  # it may obey
        asked = text("SELECT abort_requested FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'")
        assert (await session.scalars(asked)).all() == [True]
    async with database.transaction() as session:
        await session.execute(text("UPDATE scan SET stop_requested_at = now() - interval '11 s'"))
    await end_overtime(database)
    async with database.session() as session:
        assert (await session.scalars(select(SiteScan.state))).all() == ["stopped"]
        assert (await session.scalars(select(Scan.state))).all() == ["processing"]
    with pytest.raises(Superseded):
        await writes.end(database, hung, SiteScanState.SCANNED)
