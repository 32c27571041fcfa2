"""A schedule's time has come: its run is started, skipped or missed, and never doubled."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from netvigil.scans.due import start_due

SCHEDULES = "/scans/cve/scheduled"
GRACE = timedelta(hours=6)
PERIOD = timedelta(weeks=2)
MOMENT = timedelta(milliseconds=1)


@pytest.fixture
async def planned(create):
    """(schedule id, the time its first run is planned for), in a zone without clock changes."""
    schedule = await create(timezone="UTC")
    return UUID(schedule["id"]), datetime.fromisoformat(schedule["next_scan_at"])


@pytest.fixture
def due(database):
    async def run(schedule_id, planned_at, now):
        async with database.transaction() as session:
            return await start_due(session, schedule_id, planned_at, now=now, grace=GRACE)

    return run


@pytest.fixture
def state(api, database):
    """(next run, scans, occurrences by time, planned times of waiting jobs) of a schedule."""

    async def read(schedule_id):
        schedule = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
        scans = (await api.get("/scans/cve", params={"schedule_id": str(schedule_id)})).json()
        async with database.session() as session:
            rows = await session.execute(
                text("SELECT planned_at, outcome FROM occurrence WHERE schedule_id = :id"),
                {"id": schedule_id},
            )
            occurrences = dict(rows.all())
            jobs = await session.execute(
                text(
                    "SELECT scheduled_at, args->>'planned_at' FROM procrastinate_jobs WHERE queueing_lock = :lock"
                ),
                {"lock": f"schedule:{schedule_id}"},
            )
            waiting = list(jobs)
        assert all(at == datetime.fromisoformat(planned_at) for at, planned_at in waiting)
        return datetime.fromisoformat(schedule["next_scan_at"]), scans, occurrences, [at for at, _ in waiting]

    return read


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=2), GRACE - MOMENT, GRACE])
async def test_on_time_or_within_the_grace_it_starts(api, planned, due, state, late):
    schedule_id, at = planned
    assert await due(schedule_id, at, at + late) == "started"
    coming, scans, occurrences, jobs = await state(schedule_id)
    assert (coming, jobs) == (at + PERIOD, [at + PERIOD])  # from the planned, not from the actual start
    assert [(scan["trigger"], scan["state"]) for scan in scans] == [("schedule", "pending")]
    assert occurrences == {at: "started"}
    schedule = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()
    assert schedule["last_run_at"] == (at + late).replace(microsecond=0).isoformat()


async def test_beyond_the_grace_it_is_missed(planned, due, state):
    schedule_id, at = planned
    assert await due(schedule_id, at, at + GRACE + MOMENT) == "missed"
    coming, scans, occurrences, jobs = await state(schedule_id)
    assert (coming, scans, occurrences, jobs) == (at + PERIOD, [], {at: "missed"}, [at + PERIOD])


async def test_after_a_long_downtime_only_the_newest_counts(planned, due, state):
    schedule_id, at = planned
    newest = at + 3 * PERIOD
    assert await due(schedule_id, at, newest + timedelta(hours=1)) == "started"
    coming, scans, occurrences, jobs = await state(schedule_id)
    assert (coming, jobs, len(scans)) == (newest + PERIOD, [newest + PERIOD], 1)
    assert (occurrences[at], occurrences[newest]) == ("missed", "started")


async def test_after_a_longer_downtime_none_counts(planned, due, state):
    schedule_id, at = planned
    assert await due(schedule_id, at, at + 3 * PERIOD + timedelta(days=8)) == "missed"
    coming, scans, occurrences, _ = await state(schedule_id)
    assert (coming, scans) == (at + 4 * PERIOD, [])
    assert set(occurrences.values()) == {"missed"}


async def test_while_a_scan_runs_it_is_skipped(api, planned, due, state):
    schedule_id, at = planned
    assert (await api.post(f"{SCHEDULES}/{schedule_id}/invoke")).status_code == 202
    assert await due(schedule_id, at, at) == "skipped"
    coming, scans, occurrences, jobs = await state(schedule_id)
    assert (coming, occurrences, jobs) == (at + PERIOD, {at: "skipped"}, [at + PERIOD])
    assert [scan["trigger"] for scan in scans] == ["manual"]


async def test_a_job_that_is_early_stale_or_of_nobody_does_nothing(api, planned, due, state):
    schedule_id, at = planned
    before = await state(schedule_id)
    for scheduled, now in (
        (at, at - MOMENT),
        (at - PERIOD, at),
        (at + PERIOD, at + PERIOD),
        (at + MOMENT, at + PERIOD),
    ):
        assert await due(schedule_id, scheduled, now) is None
    assert await due(uuid4(), at, at) is None
    assert await state(schedule_id) == before
    assert (await api.patch(f"{SCHEDULES}/{schedule_id}", json={"time_of_day": "04:00"})).status_code == 200
    assert await due(schedule_id, at, at) is None  # planned anew since the job was made
    assert (await state(schedule_id))[1:3] == ([], {})


async def test_the_same_job_twice_starts_once(planned, due, state):
    schedule_id, at = planned
    outcomes = await asyncio.gather(*(due(schedule_id, at, at + timedelta(seconds=n)) for n in range(10)))
    assert sorted(map(str, outcomes)) == ["None"] * 9 + ["started"]
    assert await due(schedule_id, at, at + timedelta(minutes=1)) is None
    coming, scans, _, jobs = await state(schedule_id)
    assert (coming, len(scans), jobs) == (at + PERIOD, 1, [at + PERIOD])


async def test_a_start_by_hand_at_the_same_moment_makes_one_scan(api, create, due, state):
    for _ in range(3):
        schedule = await create(timezone="UTC")
        schedule_id, at = UUID(schedule["id"]), datetime.fromisoformat(schedule["next_scan_at"])
        *started, outcome = await asyncio.gather(
            *(api.post(f"{SCHEDULES}/{schedule_id}/invoke") for _ in range(4)), due(schedule_id, at, at)
        )
        by_hand = sum(answer.status_code == 202 for answer in started)
        assert {answer.status_code for answer in started} <= {202, 409}
        assert (by_hand, str(outcome)) in {(1, "skipped"), (0, "started")}
        _, scans, occurrences, jobs = await state(schedule_id)
        assert (len(scans), len(occurrences), jobs) == (1, 1, [at + PERIOD])


async def test_a_long_series_keeps_its_wall_clock_time(create, due, api, database):
    schedule = await create(timezone="America/New_York", time_of_day="02:30", day_of_week=0)
    schedule_id, at = UUID(schedule["id"]), datetime.fromisoformat(schedule["next_scan_at"])
    offsets = set()
    for _ in range(26):  # a year: one Sunday may lack 02:30, another may have it twice
        assert await due(schedule_id, at.astimezone(UTC), at + timedelta(minutes=5)) == "started"
        async with database.transaction() as session:
            await session.execute(text("UPDATE scan SET state = 'completed', finished_at = now()"))
        following = (await api.get(f"{SCHEDULES}/{schedule_id}")).json()["next_scan_at"]
        at = datetime.fromisoformat(following)
        assert following[11:16] in {"02:30", "03:30"}
        assert at.isoweekday() == 7
        offsets.add(following[-6:])
    assert offsets == {"-04:00", "-05:00"}
    assert len((await api.get("/scans/cve")).json()) == 26
