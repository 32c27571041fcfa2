"""Zones that change their rules or vanish from the tz database while schedules go by them, and clock changes."""

import asyncio
import shutil
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from clock import Clock

from netvigil.scans.recovery import recover_schedules
from netvigil.schedules.models import ScanSchedule
from netvigil.schedules.service import plan_job
from netvigil.sites.wall_clock import reread_zones

SCHEDULES = "/scans/cve/scheduled"
ZONE = "Atlantis/Capital"
PERIOD = timedelta(weeks=2)


@pytest.fixture(autouse=True)
def clock(database_url):
    clock = Clock(database_url)
    yield clock
    clock.close()


class Zones:
    """A tz database with a made-up zone, which can go and come back with the rules of another."""

    def __init__(self, folder):
        self.file = folder / ZONE
        self.file.parent.mkdir()

    def put(self, like):
        source = next(Path(root) / like for root in zoneinfo.TZPATH if (Path(root) / like).is_file())
        shutil.copy(source, self.file)
        reread_zones()

    def remove(self):
        self.file.unlink()
        reread_zones()


@pytest.fixture
def zones(tmp_path):
    before = zoneinfo.TZPATH
    folder = tmp_path / "zones"
    folder.mkdir()
    zones = Zones(folder)
    zoneinfo.reset_tzpath([*before, str(folder)])
    zones.put("America/New_York")
    yield zones
    zoneinfo.reset_tzpath(before)
    reread_zones()


@pytest.fixture
def plan(make_schedule, database):
    """A schedule in the made-up zone on Sundays at 02:00, its next run planned for a date."""

    async def run(planned, at):
        schedule_id = await make_schedule(timezone=ZONE, day_of_week=0)
        async with database.transaction() as session:
            schedule = await session.get_one(ScanSchedule, UUID(schedule_id))
            schedule.planned_date, schedule.next_scan_at = planned, at
            await session.flush()
            await plan_job(session, schedule)
        return schedule_id

    return run


@pytest.fixture
def later(api):
    """Waits until a schedule's next run lies after a moment; gives the schedule as the API shows it."""

    async def wait(schedule_id, moment):
        for _ in range(300):
            shown = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
            if datetime.fromisoformat(shown["next_scan_at"]) > moment:
                return shown
            await asyncio.sleep(0.05)
        raise AssertionError(f"still planned for {shown['next_scan_at']}")

    return wait


# The last Sunday but one before New York goes forward in 2027 (14 March): 02:00 EST, and then 02:00 EDT
BEFORE, AT = date(2027, 3, 7), datetime(2027, 3, 7, 7, tzinfo=UTC)
BY_OFFSET, BY_ZONE = datetime(2027, 3, 21, 7, tzinfo=UTC), datetime(2027, 3, 21, 6, tzinfo=UTC)


async def test_a_zone_that_vanishes_stops_no_schedule_and_no_list(
    clock, zones, worker, plan, later, api, until, database
):
    schedule_id = await plan(BEFORE, AT)
    zones.remove()
    [shown] = (await api.get(SCHEDULES)).json()
    assert shown["next_scan_at"] == "2027-03-07T07:00:00+00:00"  # in UTC, which is true
    assert any(ZONE in warning for warning in shown["warnings"])
    clock.set(AT)
    shown = await later(schedule_id, AT)
    assert (
        datetime.fromisoformat(shown["next_scan_at"]) == BY_OFFSET
    )  # the clock change is not known any more
    assert [scan["trigger"] for scan in (await api.get("/scans/cve")).json()] == ["schedule"]
    await until(schedule_id, "completed")
    await recover_schedules(database)  # still gone: nothing changes
    assert datetime.fromisoformat((await later(schedule_id, AT))["next_scan_at"]) == BY_OFFSET

    zones.put("America/New_York")
    await recover_schedules(database)
    shown = await later(schedule_id, AT)
    assert datetime.fromisoformat(shown["next_scan_at"]) == BY_ZONE
    assert shown["next_scan_at"].endswith("T02:00:00-04:00")
    assert not any(ZONE in warning for warning in shown["warnings"])
    clock.set(BY_ZONE)
    assert datetime.fromisoformat((await later(schedule_id, BY_ZONE))["next_scan_at"]) == BY_ZONE + PERIOD
    assert len((await api.get("/scans/cve")).json()) == 2


async def test_a_vanished_zone_can_be_replaced_by_another(clock, zones, plan, api):
    schedule_id = await plan(BEFORE, AT)
    zones.remove()
    path = f"{SCHEDULES}/{schedule_id}"
    refused = await api.patch(path, json={"description": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "timezone_unknown")
    assert (await api.post(f"{path}/invoke")).status_code == 202  # by hand it runs as ever
    moved = await api.patch(path, json={"timezone": "Europe/Berlin"})
    assert moved.status_code == 200
    assert not any(ZONE in warning for warning in moved.json()["warnings"])


async def test_a_downtime_without_the_zone_counts_whole_periods(clock, zones, worker, plan, later, api):
    schedule_id = await plan(BEFORE, AT)
    zones.remove()
    clock.set(AT + 4 * PERIOD + timedelta(hours=1))
    shown = await later(schedule_id, AT)
    assert datetime.fromisoformat(shown["next_scan_at"]) == AT + 5 * PERIOD
    assert len((await api.get("/scans/cve")).json()) == 1


async def test_new_rules_that_move_the_run_later_do_not_run_it_twice(clock, zones, worker, plan, later, api):
    schedule_id = await plan(BEFORE, AT)
    zones.put("America/Chicago")  # 02:00 is an hour later now
    moved = AT + timedelta(hours=1)
    clock.set(AT)
    assert datetime.fromisoformat((await later(schedule_id, AT))["next_scan_at"]) == moved
    assert (await api.get("/scans/cve")).json() == []
    clock.set(moved)
    shown = await later(schedule_id, moved)
    assert shown["next_scan_at"] == "2027-03-21T02:00:00-05:00"
    assert len((await api.get("/scans/cve")).json()) == 1


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("planned", "at", "following"),
    [
        # 14 March has no 02:00: an hour later by UTC, and back in its place two weeks after
        (date(2027, 3, 14), datetime(2027, 3, 14, 7, tzinfo=UTC), "2027-03-28T02:00:00-04:00"),
        (date(2027, 2, 28), datetime(2027, 2, 28, 7, tzinfo=UTC), "2027-03-14T03:00:00-04:00"),
        # 7 November has 01:00 to 02:00 twice; 02:00 itself comes once
        (date(2027, 10, 24), datetime(2027, 10, 24, 6, tzinfo=UTC), "2027-11-07T02:00:00-05:00"),
    ],
)
async def test_days_on_which_the_clocks_change(clock, zones, plan, later, api, planned, at, following):
    schedule_id = await plan(planned, at)
    clock.set(at)
    assert (await later(schedule_id, at))["next_scan_at"] == following
    assert len((await api.get("/scans/cve")).json()) == 1
