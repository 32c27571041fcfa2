"""Due runs on a real worker while the clock of the database is set: on time, once, and never silent after."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from clock import Clock
from sqlalchemy import text

from netvigil.scans.recovery import recover_schedules

SCHEDULES = "/scans/cve/scheduled"
PERIOD = timedelta(weeks=2)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def clock(database_url):
    clock = Clock(database_url)
    yield clock
    clock.close()


@pytest.fixture
async def planned(api, make_schedule):
    """(schedule id, the time of its first run)."""
    schedule_id = await make_schedule()
    shown = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
    return schedule_id, datetime.fromisoformat(shown["next_scan_at"])


@pytest.fixture
def read(api, database):
    """(next run, outcomes by planned time, waiting jobs' times) of a schedule."""

    async def run(schedule_id):
        shown = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
        async with database.session() as session:
            rows = await session.execute(
                text("SELECT planned_at, outcome FROM occurrence WHERE schedule_id = :id"),
                {"id": UUID(schedule_id)},
            )
            outcomes = {at.astimezone(UTC): outcome for at, outcome in rows.all()}
            jobs = await session.scalars(
                text(
                    "SELECT scheduled_at FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'"
                ),
                {"lock": f"schedule:{schedule_id}"},
            )
            return datetime.fromisoformat(shown["next_scan_at"]), outcomes, list(jobs)

    return run


@pytest.fixture
def decided(read):
    """Waits until the run planned for a time has an outcome; gives what `read` gives."""

    async def wait(schedule_id, at, patience=15):
        for _ in range(patience * 20):
            seen = await read(schedule_id)
            if at in seen[1] and seen[2]:
                # again: it may have been decided between the queries of the first look
                return await read(schedule_id)
            await asyncio.sleep(0.05)
        raise AssertionError(f"nothing decided about {at}: {seen}")

    return wait


async def test_it_starts_within_two_seconds_of_its_time(clock, worker, planned, decided, until, database):
    schedule_id, at = planned
    clock.set(at - timedelta(seconds=8))
    await asyncio.sleep(5)  # a step of the clock ages all heartbeats, and is not what is measured here
    coming, outcomes, jobs = await decided(schedule_id, at)
    assert (coming, outcomes, jobs) == (at + PERIOD, {at: "started"}, [at + PERIOD])
    async with database.session() as session:
        started = await session.scalar(text("SELECT started_at FROM scan"))
    assert timedelta(0) <= started - at < timedelta(seconds=2)
    assert (await until(schedule_id, "completed"))["status"] == "completed"


async def test_a_clock_that_is_set_back_runs_nothing_twice(clock, worker, planned, decided, read, until, api):
    schedule_id, at = planned
    clock.set(at)
    await decided(schedule_id, at)
    await until(schedule_id, "completed")
    clock.set(at - timedelta(seconds=2))  # the same time comes a second time
    await asyncio.sleep(4)
    assert clock.now() > at
    assert await read(schedule_id) == (at + PERIOD, {at: "started"}, [at + PERIOD])
    assert len((await api.get("/scans/cve")).json()) == 1
    clock.set(at + PERIOD)
    await decided(schedule_id, at + PERIOD)
    assert len((await api.get("/scans/cve")).json()) == 2


async def test_a_job_whose_time_lies_ahead_again_leaves_another_one(
    clock, worker, planned, read, database, decided
):
    """The clock was set back between the moment the queue gave the job out and the moment it looked."""
    schedule_id, at = planned
    clock.set(at - HOUR)
    async with database.transaction() as session:
        given_out = "UPDATE procrastinate_jobs SET scheduled_at = :past WHERE task_name = 'scans.start_due' RETURNING id"
        job_id = await session.scalar(text(given_out), {"past": at - 2 * HOUR})
    for _ in range(100):
        async with database.session() as session:
            last = await session.scalar(text("SELECT max(id) FROM procrastinate_jobs"))
        if last != job_id:
            break
        await asyncio.sleep(0.05)
    assert await read(schedule_id) == (at, {}, [at])
    clock.set(at)
    assert (await decided(schedule_id, at))[1] == {at: "started"}


@pytest.mark.parametrize(
    ("jump", "newest", "outcome"),
    [
        (3 * PERIOD + HOUR, 3 * PERIOD, "started"),
        (3 * PERIOD + 7 * HOUR, 3 * PERIOD, "missed"),
        (6 * HOUR + timedelta(seconds=1), 0 * PERIOD, "missed"),
    ],
)
async def test_a_clock_that_is_set_forward_is_a_downtime(
    clock, worker, planned, decided, api, jump, newest, outcome
):
    schedule_id, at = planned
    clock.set(at + jump)
    coming, outcomes, jobs = await decided(schedule_id, at + newest)
    assert outcomes.pop(at + newest) == outcome
    assert set(outcomes.values()) <= {"missed"}
    assert len(outcomes) == newest // PERIOD
    assert (coming, jobs) == (at + newest + PERIOD, [at + newest + PERIOD])
    assert len((await api.get("/scans/cve")).json()) == (outcome == "started")


async def test_a_clock_that_was_wrong_by_a_year_leaves_no_silent_year(
    clock, worker, planned, decided, read, database
):
    schedule_id, at = planned
    wrong = at + 26 * PERIOD + timedelta(days=3)
    clock.set(wrong)
    coming, outcomes, _ = await decided(schedule_id, at + 26 * PERIOD)
    assert (coming, set(outcomes.values())) == (at + 27 * PERIOD, {"missed"})
    clock.set(at - HOUR)
    await recover_schedules(database)
    coming, _, jobs = await read(schedule_id)
    assert (coming, jobs) == (at, [at])
    clock.set(at)
    for _ in range(300):
        coming, outcomes, jobs = await read(schedule_id)
        if coming > at:
            break
        await asyncio.sleep(0.05)
    assert (coming, outcomes[at], jobs) == (at + PERIOD, "started", [at + PERIOD])


async def test_a_run_that_was_had_is_not_had_again(clock, planned, read, database, worker):
    """A wrong clock planned the series anew for a time at which its run had begun."""
    schedule_id, at = planned
    async with database.transaction() as session:
        await session.execute(
            text("INSERT INTO occurrence (schedule_id, planned_at, outcome) VALUES (:id, :at, 'started')"),
            {"id": UUID(schedule_id), "at": at},
        )
    clock.set(at)
    for _ in range(300):
        coming, outcomes, jobs = await read(schedule_id)
        if coming > at:
            break
        await asyncio.sleep(0.05)
    assert (coming, outcomes, jobs) == (at + PERIOD, {at: "started"}, [at + PERIOD])
    async with database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM scan")) == 0


async def test_a_scan_that_cannot_be_created_does_not_hold_the_series_up(
    clock, planned, decided, database, worker
):
    schedule_id, at = planned
    async with database.transaction() as session:
        await session.execute(
            text("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE 'no scan today'; END $$""")
        )
        await session.execute(
            text("CREATE TRIGGER refuse BEFORE INSERT ON scan FOR EACH ROW EXECUTE FUNCTION refuse()")
        )
        # the last of its tries
        await session.execute(text("UPDATE procrastinate_jobs SET attempts = 10"))
    clock.set(at)
    coming, outcomes, jobs = await decided(schedule_id, at)
    assert (coming, outcomes, jobs) == (at + PERIOD, {at: "failed"}, [at + PERIOD])


async def test_a_changed_zone_plans_anew(clock, worker, planned, read, decided, api):
    schedule_id, at = planned
    path = f"{SCHEDULES}/{schedule_id}"
    changed = (await api.patch(path, json={"timezone": "Pacific/Kiritimati"})).json()  # UTC+14
    coming = datetime.fromisoformat(changed["next_scan_at"])
    assert (coming.utcoffset(), coming.hour) == (14 * HOUR, 2)
    assert coming in {at - 14 * HOUR, at - 14 * HOUR + PERIOD / 2}
    assert (await read(schedule_id))[2] == [coming]
    clock.set(coming)
    following, outcomes, jobs = await decided(schedule_id, coming)
    assert (following, outcomes, jobs) == (coming + PERIOD, {coming: "started"}, [coming + PERIOD])
