"""Maintenance windows and longest durations of schedules and sites through the API."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from netvigil.schedules.schemas import EXAMPLE

SCHEDULES = "/scans/cve/scheduled"
OFFICE = {"name": "Office", "networks": ["192.168.88.0/24"]}
GIVEN = [
    {"days": [5, 1, 1, 3], "from": "8:00", "to": "18:00", "timezone": "Europe/Berlin", "unknown": 1},
    {"days": [6], "from": "22:00", "to": "06:00"},
]
NORMAL = [
    {"days": [1, 3, 5], "from": "08:00", "to": "18:00", "timezone": "Europe/Berlin"},
    {"days": [6], "from": "22:00", "to": "06:00", "timezone": None},
]
ONE = NORMAL[1]
ALWAYS = {"days": [0, 1, 2, 3, 4, 5, 6], "from": "12:00", "to": "12:00"}


@pytest.fixture(params=["schedule", "site"])
async def place(api, request):
    """(where to create, the smallest body, the path of one that exists)."""
    where, body = (SCHEDULES, EXAMPLE) if request.param == "schedule" else ("/sites", OFFICE)
    made = await api.post(where, json=body)
    assert made.status_code == 201, made.text
    assert made.json()["maintenance_windows"] == []
    return where, body, f"{where}/{made.json()['id']}"


async def test_answered_back_in_normal_form_replaced_by_put_and_kept_by_patch(api, place):
    where, body, path = place
    made = await api.post(where, json={**body, "maintenance_windows": GIVEN})
    assert (made.status_code, made.json()["maintenance_windows"]) == (201, NORMAL)
    changed = (await api.patch(path, json={"maintenance_windows": GIVEN})).json()
    assert changed["maintenance_windows"] == NORMAL
    shown = (await api.get(path)).json()
    again = (await api.put(path, json=shown)).json()
    assert {**again, "updated_at": shown["updated_at"]} == shown
    assert NORMAL in [one["maintenance_windows"] for one in (await api.get(where)).json()]
    name = "name" if where == "/sites" else "description"
    assert (await api.patch(path, json={name: "x"})).json()["maintenance_windows"] == NORMAL
    assert (await api.put(path, json=body)).json()["maintenance_windows"] == []


@pytest.mark.parametrize(
    ("field", "windows"),
    [
        ("maintenance_windows", None),
        ("maintenance_windows", {}),
        ("maintenance_windows", [ONE] * 33),
        ("maintenance_windows", [ALWAYS]),
        ("maintenance_windows", [{**ALWAYS, "to": "00:00"}, {**ALWAYS, "from": "0:00"}]),
        ("maintenance_windows.0", [None]),
        ("maintenance_windows.0.days", [{**ONE, "days": []}]),
        ("maintenance_windows.0.days", [{**ONE, "days": [1] * 8}]),
        ("maintenance_windows.0.days.1", [{**ONE, "days": [1, 7]}]),
        ("maintenance_windows.0.days.0", [{**ONE, "days": ["1"]}]),
        ("maintenance_windows.0.days.0", [{**ONE, "days": [True]}]),
        ("maintenance_windows.1.from", [ONE, {**ONE, "from": "24:00"}]),
        ("maintenance_windows.0.to", [{**ONE, "to": 6}]),
        ("maintenance_windows.0.from", [{"days": [1], "to": "06:00"}]),
        ("maintenance_windows.0.timezone", [{**ONE, "timezone": "Mars/Phobos"}]),
    ],
)
async def test_bounds(api, place, field, windows):
    where, body, path = place
    for answer in (
        await api.post(where, json={**body, "maintenance_windows": windows}),
        await api.patch(path, json={"maintenance_windows": windows}),
    ):
        assert answer.status_code == 422, answer.text
        assert list(answer.json()["errors"]) == [field]
    assert (await api.get(path)).json()["maintenance_windows"] == []


async def test_thirty_two_windows_are_fine(api, place):
    _, _, path = place
    assert (await api.patch(path, json={"maintenance_windows": [ONE] * 32})).status_code == 200


async def test_a_schedules_own_zone_counts_for_what_covers_the_week(api):
    """Half a day by one clock and the other half by another leaves a gap, or does not."""
    halves = [
        {**ALWAYS, "to": "00:00", "timezone": None},
        {**ALWAYS, "from": "00:00", "timezone": "Asia/Tokyo"},
    ]
    for zone, status in (("Asia/Tokyo", 422), ("Asia/Seoul", 422), ("Europe/Berlin", 201)):
        body = {**EXAMPLE, "timezone": zone, "maintenance_windows": halves}
        assert (await api.post(SCHEDULES, json=body)).status_code == status, zone


async def test_longest_duration(api):
    made = (await api.post(SCHEDULES, json=EXAMPLE)).json()
    path = f"{SCHEDULES}/{made['id']}"
    assert made["max_duration_minutes"] is None
    for bad in (0, -1, 10_081, 1.5, "60", True):
        answer = await api.patch(path, json={"max_duration_minutes": bad})
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["max_duration_minutes"]), bad
    for good in (1, 10_080, None):
        changed = (await api.patch(path, json={"max_duration_minutes": good})).json()
        assert changed["max_duration_minutes"] == good
        assert changed["next_scan_at"] == made["next_scan_at"]


async def test_a_windows_zone_that_is_gone_is_a_warning(api, database):
    made = (await api.post(SCHEDULES, json={**EXAMPLE, "maintenance_windows": [ONE]})).json()
    path = f"{SCHEDULES}/{made['id']}"
    gone = '[{"days": [6], "from": "22:00", "to": "06:00", "timezone": "Mars/Phobos"}]'
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE scan_schedule SET maintenance_windows = CAST(:gone AS jsonb)"), {"gone": gone}
        )
    shown = (await api.get(path)).json()
    assert shown["maintenance_windows"][0]["timezone"] == "Mars/Phobos"
    assert any("Mars/Phobos" in warning for warning in shown["warnings"])
    assert (await api.post(f"{path}/invoke")).status_code == 202


async def test_the_document_describes_them(api):
    document = (await api.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    window = schemas["MaintenanceWindow"]["properties"]
    assert set(window) == {"days", "from", "to", "timezone"}
    assert all(field["description"] and field["examples"] for field in window.values())
    for name in ("ScanScheduleWrite", "ScanSchedule", "SiteWrite", "Site"):
        field = schemas[name]["properties"]["maintenance_windows"]
        assert field["items"]["$ref"].endswith("/MaintenanceWindow"), name
        assert field["examples"], name
        assert field["description"], name
    bounds = schemas["ScanScheduleWrite"]["properties"]["max_duration_minutes"]["anyOf"][0]
    assert (bounds["minimum"], bounds["maximum"]) == (1, timedelta(weeks=1) // timedelta(minutes=1))
