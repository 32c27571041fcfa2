"""Maintenance windows around real scans: none begins in one, a running one pauses and goes on, and a stop wins."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from clock import Clock
from devices import device
from sqlalchemy import select, text

from netvigil.errors import Superseded
from netvigil.scans import run as writes
from netvigil.scans.models import SiteScan
from netvigil.scans.pausing import StopWins, WindowWatch, pause, put_off
from netvigil.scans.windows import InWindow

SCHEDULES = "/scans/cve/scheduled"
SITE = "/sites/9c3c1392-7f36-4240-85f2-273573c0384a"
MONDAY = datetime(2030, 1, 7, 10, tzinfo=UTC)
OPEN = {"days": [1], "from": "09:00", "to": "17:00", "timezone": None}
ENDS = MONDAY.replace(hour=17)
SAID = "2030-01-07T17:00:00Z"


@pytest.fixture(autouse=True)
def clock(database_url):
    """The database's clock, on a Monday at ten."""
    clock = Clock(database_url)
    clock.set(MONDAY)
    yield clock
    clock.close()


@pytest.fixture
def paused(api):
    """Waits until the latest scan of a schedule waits for a window; gives its ScanStatus."""

    async def wait(schedule_id):
        for _ in range(600):
            status = (await api.get(f"/scans/cve/{schedule_id}/status")).json()
            if status and "maintenance window" in status["message"]:
                return status
            assert not status or status["status"] in {"pending", "running"}
            await asyncio.sleep(0.05)
        raise AssertionError(f"still {status}")

    return wait


@pytest.fixture(params=["sweep", "identify"])
async def opening(database, request):
    """The site's window opens by itself when its scan comes to a stage, so that no test has to be quick."""
    async with database.transaction() as session:
        await session.execute(
            text("""
            CREATE FUNCTION open_window() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              UPDATE site SET maintenance_windows =
                '[{"days": [1], "from": "09:00", "to": "17:00", "timezone": null}]'; RETURN NULL; END $$;
            """)
        )
        await session.execute(
            text(f"""
            CREATE TRIGGER open_window AFTER UPDATE ON site_scan FOR EACH ROW
            WHEN (NEW.stage = '{request.param}' AND NEW.attempt = 1) EXECUTE FUNCTION open_window()""")
        )


@pytest.fixture
async def waiting(api, make_schedule, database):
    """The id of a site scan that waits for a worker; none runs."""
    schedule_id = await make_schedule()
    assert (await api.post(f"{SCHEDULES}/{schedule_id}/invoke")).status_code == 202
    async with database.session() as session:
        return await session.scalar(select(SiteScan.id))


async def jobs(database):
    async with database.session() as session:
        rows = await session.execute(
            text(
                "SELECT task_name, lock, scheduled_at FROM procrastinate_jobs "
                "WHERE task_name LIKE 'scans.%site_scan%' AND status = 'todo'"
            )
        )
        return [tuple(row) for row in rows]


async def test_invoked_in_a_window_it_waits_until_the_end(
    api, worker, network, make_schedule, paused, until, clock, database
):
    schedule_id = await make_schedule(maintenance_windows=[OPEN])
    async with device(network[1]):
        assert (await api.post(f"{SCHEDULES}/{schedule_id}/invoke")).status_code == 202
        status = await paused(schedule_id)
        assert (status["status"], status["percentage_done"]) == ("pending", 0)
        assert status["message"] == f"The scan waits for a maintenance window to end, until {SAID}."
        shown = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
        assert (shown["status"], shown["running"]) == ("starting", True)
        # it waits without the site's lock, which another schedule's scan of the site needs
        [(name, lock, at)] = await jobs(database)
        assert (name, lock, at) == ("scans.make_site_scan_ready", None, ENDS)
        other = await make_schedule(profile="quick")
        await api.post(f"{SCHEDULES}/{other}/invoke")
        assert (await until(other, "completed", "failed"))["status"] == "completed"
        clock.set(ENDS - timedelta(seconds=1.5))
        assert (await until(schedule_id, "completed", "failed"))["status"] == "completed"
    assert (await api.get(f"/scans/cve/{status['id']}")).json()["hosts_scanned"] == 1


async def test_a_due_run_in_a_window_of_its_site_creates_a_scan_that_waits(
    api, worker, make_schedule, paused, clock, database
):
    clock.set(datetime.now(UTC))  # or the run would be long over before it is looked for
    schedule_id = await make_schedule(day_of_week=1, time_of_day="12:00")
    assert (await api.patch(SITE, json={"maintenance_windows": [OPEN]})).status_code == 200
    planned = datetime.fromisoformat((await api.get(f"{SCHEDULES}/{schedule_id}")).json()["next_scan_at"])
    clock.set(planned - timedelta(seconds=1))
    status = await paused(schedule_id)
    assert status["message"].endswith(f"until {planned:%Y-%m-%d}T17:00:00Z.")
    shown = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
    assert datetime.fromisoformat(shown["next_scan_at"]) == planned + timedelta(weeks=2)
    async with database.session() as session:
        assert (await session.scalars(text("SELECT outcome FROM occurrence"))).all() == ["started"]


@pytest.mark.usefixtures("opening", "worker")
async def test_a_running_scan_pauses_between_stages_and_goes_on(
    api, network, make_schedule, paused, until, clock, database
):
    schedule_id = await make_schedule()
    async with device(network[1]):
        await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
        status = await paused(schedule_id)
        assert status["status"] == "running"
        assert status["message"] == (
            f"0 of 1 site(s) done. The scan waits for a maintenance window to end, until {SAID}."
        )
        async with database.session() as session:
            [site_scan] = await session.scalars(select(SiteScan))
            assert (site_scan.state, site_scan.attempt) == ("pending", 1)
            doing = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")
            for _ in range(100):  # the job ends a moment after it said so
                if await session.scalar(doing) == 0:
                    break
                await asyncio.sleep(0.05)
            assert await session.scalar(doing) == 0
        clock.set(ENDS)
        assert (await until(schedule_id, "completed", "failed"))["status"] == "completed"
    report = (await api.get(f"/scans/cve/{status['id']}")).json()
    assert (report["hosts_scanned"], report["open_ports"], report["hosts_with_cves"]) == (1, 1, 1)
    log = (await api.get(report["log_url"])).text
    assert log.count("site_paused") == 1
    assert log.count("site_started") == 2


async def test_hosts_that_were_finished_are_not_probed_again(
    api, worker, network, make_schedule, paused, until, clock, database
):
    """The first attempt's host stands in the database as another one saw it, and stays as it is."""
    schedule_id = await make_schedule(maintenance_windows=[OPEN])
    async with device(network[1]):
        await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
        await paused(schedule_id)
        async with database.transaction() as session:
            await session.execute(
                text("""
                INSERT INTO host (site_scan_id, scan_id, organisation_id, site_id, address, reason, identified,
                                  observed_at, hostname)
                SELECT id, scan_id, organisation_id, site_id, CAST(:address AS inet), 'syn-ack', true, now(), 'kept'
                FROM site_scan"""),
                {"address": network[1]},
            )
            await session.execute(text("UPDATE site_scan SET attempt = 1"))
        clock.set(ENDS)
        status = await until(schedule_id, "completed", "failed")
    [host] = (await api.get(f"/scans/cve/{status['id']}/hosts")).json()
    assert host["hostname"] == "kept"


async def test_a_stop_ends_a_scan_that_waits_at_once(api, worker, make_schedule, paused, until, database):
    schedule_id = await make_schedule(maintenance_windows=[OPEN])
    await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
    await paused(schedule_id)
    assert (await api.delete(f"{SCHEDULES}/{schedule_id}/invoke")).status_code == 200
    status = await until(schedule_id, "stopped", "completed", "failed", patience=5)
    assert status["status"] == "stopped"
    assert await jobs(database) == []


@pytest.mark.parametrize("of", ["site", "schedule"])
async def test_a_window_that_is_edited_lets_go_what_waits(
    api, worker, make_schedule, paused, until, database, of
):
    schedule_id = await make_schedule()
    path = SITE if of == "site" else f"{SCHEDULES}/{schedule_id}"
    await api.patch(path, json={"maintenance_windows": [OPEN]})
    await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
    await paused(schedule_id)
    await api.patch(path, json={"maintenance_windows": [{**OPEN, "to": "18:00"}]})
    for _ in range(100):
        if "18:00" in (await paused(schedule_id))["message"]:
            break
        await asyncio.sleep(0.05)
    [(_, _, at)] = await jobs(database)
    assert at == MONDAY.replace(hour=18)
    await api.patch(path, json={"maintenance_windows": []})
    assert (await until(schedule_id, "completed", "failed"))["status"] == "completed"


async def test_a_job_that_came_back_from_a_dead_worker_does_not_wait_twice(api, database, waiting):
    assert await put_off(database, waiting, 1) is False  # no window
    assert (await api.patch(SITE, json={"maintenance_windows": [OPEN]})).status_code == 200
    async with database.session() as session:
        job_id = await session.scalar(select(SiteScan.job_id))
    assert await put_off(database, waiting, job_id) is True
    assert await put_off(database, waiting, job_id) is True
    assert [name for name, _, _ in await jobs(database)].count("scans.make_site_scan_ready") == 1


async def test_only_the_newest_attempt_may_pause_and_a_stop_wins(api, database, waiting):
    old = await writes.begin(database, waiting)
    run = await writes.begin(database, waiting)
    with pytest.raises(Superseded):
        async with database.transaction() as session:
            await pause(session, old, ENDS)
    async with database.transaction() as session:
        await session.execute(text("UPDATE scan SET stop_requested_at = now()"))
    with pytest.raises(StopWins):
        async with database.transaction() as session:
            await pause(session, run, ENDS)
    assert (await api.patch(SITE, json={"maintenance_windows": [OPEN]})).status_code == 200
    assert await put_off(database, waiting, None) is False
    async with database.session() as session:
        assert (await session.scalars(select(SiteScan.state))).all() == ["running"]


async def test_a_stage_may_end_but_not_take_for_ever(api, database, waiting):
    run = await writes.begin(database, waiting)
    patient, hasty = WindowWatch(database, run), WindowWatch(database, run, patience=0)
    for watch in (patient, hasty):
        await watch.look("sweep")
    assert (await api.patch(SITE, json={"maintenance_windows": [OPEN]})).status_code == 200
    await patient.look("sweep")
    with pytest.raises(InWindow) as caught:
        await patient.look("identify")
    assert caught.value.until == ENDS
    await hasty.look("sweep")
    with pytest.raises(InWindow):
        await hasty.look("sweep")
    await hasty.look("done")  # nothing is left to pause


async def test_windows_of_site_and_schedule_make_one_chain(api, worker, make_schedule, paused):
    schedule_id = await make_schedule(
        timezone="Asia/Tokyo",
        maintenance_windows=[{"days": [2], "from": "01:30", "to": "04:00"}],  # Monday 16:30 to 19:00 in UTC
    )
    await api.patch(SITE, json={"maintenance_windows": [OPEN]})
    await api.post(f"{SCHEDULES}/{schedule_id}/invoke")
    assert "2030-01-07T19:00:00Z" in (await paused(schedule_id))["message"]
