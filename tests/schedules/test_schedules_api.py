"""Operations 1 to 5: list and page, change, delete, and the one future job of each schedule."""

import asyncio
import base64
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from netvigil.schedules.schemas import EXAMPLE

SCHEDULES = "/scans/cve/scheduled"


@pytest.fixture
def create(api):
    async def run(**changes):
        answer = await api.post(SCHEDULES, json={**EXAMPLE, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return run


@pytest.fixture
def jobs(database):
    """The waiting jobs of a schedule as (time, arguments); all of them without an id."""

    async def run(schedule_id=None):
        query = "SELECT scheduled_at, args FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock "
        async with database.session() as session:
            rows = await session.execute(
                text(query + ("= :lock" if schedule_id else "LIKE 'schedule:%'")),
                {"lock": f"schedule:{schedule_id}"},
            )
            return [(at, args) for at, args in rows]

    return run


async def test_newest_first_and_every_row_once_while_rows_are_added(api, create):
    made = [(await create(description=f"{number}"))["description"] for number in range(7)]
    seen, url = [], f"{SCHEDULES}?limit=3&unknown=%26"
    while url:
        answer = await api.get(url)
        seen.append([schedule["description"] for schedule in answer.json()])
        url = answer.links["next"]["url"] if "Link" in answer.headers else None
        await create(description="added meanwhile")
    assert seen == [made[:3:-1], made[3:0:-1], made[:1]]


async def test_a_page_that_ends_with_the_list_has_no_next(api, create):
    for _ in range(2):
        await create()
    for limit, rows, more in ((1, 1, True), (2, 2, False), (500, 2, False)):
        answer = await api.get(SCHEDULES, params={"limit": limit})
        assert len(answer.json()) == rows
        assert ("Link" in answer.headers) is more
    link = (await api.get(f"{SCHEDULES}/?limit=1")).headers["Link"]
    assert link.startswith(f"<http://netvigil.test{SCHEDULES}?limit=1&cursor=")
    assert link.endswith('>; rel="next"')


async def test_an_empty_list_is_an_array(api):
    assert (await api.get(SCHEDULES)).json() == []


def cursor(at, row=None):
    return base64.urlsafe_b64encode(f"{at}|{row or uuid4()}".encode()).decode()


@pytest.mark.parametrize("name", ["limit", "cursor"])
async def test_paging_that_cannot_be_meant(api, name):
    bad = {
        "limit": ["0", "501", "-1", "1.0", "", "x", "\uff11", "٣", "+5", " 5", "0000005000", "000000500" + "9" * 5000],
        "cursor": [
            "x", "!!!!", "é", "\x00", cursor("2026-01-01T00:00:00"), cursor("x"), cursor("2026-01-01T00:00:00Z", "x"),
            cursor("0001-01-01T00:00:00+23:59"), cursor("9999-12-31T23:59:59-23:59"), base64.b64encode(b"\xff" * 9).decode(),
        ],
    }  # fmt: skip
    for value in bad[name]:
        answer = await api.get(SCHEDULES, params={name: value})
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid"), value[:40]
        assert list(answer.json()["errors"]) == [name]


async def test_put_replaces_everything_and_resets_what_is_not_given(api, create):
    made = await create(ignore_offline_sites=True, notify=[1, "u"])
    body = {**EXAMPLE, "description": "other", "sites": [{"id": str(uuid4()), "subnet": "10.9.0.0/24"}]}
    del body["ignore_offline_sites"]
    answer = await api.put(f"{SCHEDULES}/{made['id']}", json=body)
    assert answer.status_code == 200
    after = answer.json()
    assert (after["ignore_offline_sites"], after["notify"]) == (False, None)
    assert (after["description"], after["sites"]) == ("other", body["sites"])
    assert (after["id"], after["created_at"]) == (made["id"], made["created_at"])
    assert after == (await api.get(f"{SCHEDULES}/{made['id']}")).json()
    missing = await api.put(f"{SCHEDULES}/{made['id']}", json={"description": "only this"})
    assert (missing.status_code, missing.json()["code"]) == (422, "parameter_missing")


async def test_patch_changes_what_is_given(api, create):
    made = await create(ignore_offline_sites=True, notify=[1, "u"])
    path = f"{SCHEDULES}/{made['id']}"
    for change in (
        {"description": "new"},
        {"min_cvss": 6.5},
        {"notify": None},
        {"ignore_offline_sites": False},
    ):
        after = (await api.patch(path, json=change)).json()
        made.update(change)
        assert {**after, "updated_at": made["updated_at"]} == made
    for wrong, code in (
        ({"min_cvss": 7}, "threshold_order"),
        ({"warning_threshold": 6.5}, "threshold_order"),
        ({"description": None}, "parameter_invalid"),
        ({"sites": []}, "parameter_invalid"),
        ({"timezone": "Nowhere"}, "timezone_unknown"),
        ({"sites": [{"id": str(uuid4()), "subnet": "8.8.8.0/24"}]}, "subnet_out_of_scope"),
    ):
        answer = await api.patch(path, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert {**(await api.get(path)).json(), "updated_at": made["updated_at"]} == made


async def test_a_change_moves_updated_at_only(api, create, database):
    made = await create()
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE scan_schedule SET created_at = created_at - :d, updated_at = updated_at - :d"),
            {"d": timedelta(days=1)},
        )
    after = (await api.patch(f"{SCHEDULES}/{made['id']}", json={"description": "x"})).json()
    moved = datetime.fromisoformat(after["updated_at"]) - datetime.fromisoformat(after["created_at"])
    assert timedelta(days=1) <= moved < timedelta(days=1, minutes=1)


async def test_the_timing_replans_and_nothing_else_does(api, create, database, jobs):
    made = await create()
    path = f"{SCHEDULES}/{made['id']}"
    # a later run of the series, as if the first had been: replanning would bring the first one back
    later = datetime.fromisoformat(made["next_scan_at"]) + timedelta(weeks=2)
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE scan_schedule SET next_scan_at = :at, planned_date = planned_date + 14"),
            {"at": later},
        )
    for change in (
        {"description": "x"},
        {"sites": [{"id": str(uuid4()), "subnet": "10.0.0.0/24"}]},
        {"min_cvss": 1},
        {
            "day_of_week": 1,
            "time_of_day": "2:00",
            "every_n_weeks": 2,
            "timezone": "America/New_York",
        },  # as before
    ):
        after = (await api.patch(path, json=change)).json()
        assert datetime.fromisoformat(after["next_scan_at"]) == later, change
    for change in ({"time_of_day": "02:01"}, {"every_n_weeks": 3}, {"day_of_week": 2}, {"timezone": "UTC"}):
        after = datetime.fromisoformat((await api.patch(path, json=change)).json()["next_scan_at"])
        assert after < later - timedelta(days=6), change
        assert [at for at, _ in await jobs(made["id"])] == [after]


async def test_a_schedule_has_exactly_one_job_as_long_as_it_lives(api, create, jobs):
    made = await create()
    other = await create()
    path = f"{SCHEDULES}/{made['id']}"
    for change in (
        {},
        {"description": "x"},
        {"time_of_day": "03:00"},
        {"timezone": "UTC"},
        {"every_n_weeks": 5},
    ):
        now = (await api.patch(path, json=change)).json()
        ((at, args),) = await jobs(made["id"])
        assert at == datetime.fromisoformat(now["next_scan_at"]) == datetime.fromisoformat(args["planned_at"])
        assert args["schedule_id"] == made["id"]
    assert (await api.patch(path, json={"timezone": "Nowhere"})).status_code == 422
    assert len(await jobs(made["id"])) == 1
    answer = await api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await jobs(made["id"]) == []
    assert len(await jobs(other["id"])) == 1
    for method in ("GET", "DELETE"):
        assert (await api.request(method, path)).status_code == 404


async def test_a_refused_create_leaves_nothing_behind(api, jobs):
    sites = [{"id": str(uuid4()), "subnet": "10.0.0.0/24"}, {"id": str(uuid4()), "subnet": "8.8.8.0/24"}]
    answer = await api.post(SCHEDULES, json={**EXAMPLE, "sites": sites})
    assert (answer.status_code, answer.json()["code"]) == (422, "subnet_out_of_scope")
    assert list(answer.json()["errors"]) == ["sites.1.subnet"]
    assert (await api.get(SCHEDULES)).json() == []
    assert (await api.get("/sites")).json() == []
    assert await jobs() == []


async def test_changing_and_deleting_at_once_ends_in_one_of_two_ways(api, create, jobs):
    for _ in range(3):
        made = await create()
        path = f"{SCHEDULES}/{made['id']}"
        changes = [api.patch(path, json={"time_of_day": f"0{hour}:30"}) for hour in range(8)]
        *changed, deleted = await asyncio.gather(*changes, api.delete(path))
        assert deleted.status_code == 204
        assert {answer.status_code for answer in changed} <= {200, 404}
        assert await jobs(made["id"]) == []


async def test_changes_at_once_leave_one_job_at_the_time_the_schedule_shows(api, create, jobs):
    made = await create()
    path = f"{SCHEDULES}/{made['id']}"
    answers = await asyncio.gather(
        *(api.patch(path, json={"time_of_day": f"{hour}:00"}) for hour in range(12))
    )
    assert {answer.status_code for answer in answers} == {200}
    now = (await api.get(path)).json()
    assert [at for at, _ in await jobs(made["id"])] == [datetime.fromisoformat(now["next_scan_at"])]


async def test_a_client_that_sends_slowly_holds_nobody_up(api, create):
    made = await create()
    path = f"{SCHEDULES}/{made['id']}"
    go_on = asyncio.Event()

    async def slow_body():
        yield b'{"description": '
        await go_on.wait()
        yield b'"slow"}'

    for method in ("PATCH", "PUT"):
        go_on.clear()
        slow = asyncio.create_task(
            api.request(method, path, content=slow_body(), headers={"Content-Type": "application/json"})
        )
        await asyncio.sleep(0.05)
        quick = await asyncio.wait_for(api.patch(path, json={"description": "quick"}), timeout=5)
        assert quick.json()["description"] == "quick"
        go_on.set()
        assert (await slow).status_code == (200 if method == "PATCH" else 422)
    assert (await api.get(path)).json()["description"] == "quick"
