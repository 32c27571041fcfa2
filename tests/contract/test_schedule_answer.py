"""The answer to a create: exactly the published fields, with their types and forms."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
WALL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")

# ScanSchedule of the published page, written down by hand: field → JSON type
PUBLISHED = {
    "id": str,
    "description": str,
    "day_of_week": int,
    "time_of_day": str,
    "every_n_weeks": int,
    "timezone": str,
    "min_cvss": float,
    "warning_threshold": float,
    "ignore_offline_sites": bool,
    "next_scan_at": str,
    "running": bool,
    "sites": list,
    "created_at": str,
    "updated_at": str,
    "status": str,
    "last_run_at": str,
    "notification_group": str,
}
ADDED = {
    "latest_scan",
    "notify",
    "warnings",
    "profile",
    "exclusions",
    "maintenance_windows",
    "max_duration_minutes",
}


async def test_the_published_example_is_answered_field_by_field(api, published_example, is_uuid):
    before = datetime.now(UTC).replace(microsecond=0)
    answer = await api.post("/scans/cve/scheduled", json=published_example)
    after = datetime.now(UTC)
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()

    assert set(body) == set(PUBLISHED) | ADDED
    for field, kind in PUBLISHED.items():
        if field != "last_run_at":
            assert type(body[field]) is kind, field
    for field, value in published_example.items():
        assert body[field] == value, field
    assert is_uuid(body["id"])
    assert (body["status"], body["running"], body["last_run_at"]) == ("ready", False, None)
    assert (body["latest_scan"], body["notify"]) == (None, None)
    assert (body["profile"], body["exclusions"]) == ("standard", {"addresses": [], "ports": [], "macs": []})
    assert "security-alerts" in " ".join(body["warnings"])
    assert [set(site) for site in body["sites"]] == [{"id", "subnet"}]

    assert UTC_TIME.fullmatch(body["created_at"])
    assert UTC_TIME.fullmatch(body["updated_at"])
    assert before <= datetime.fromisoformat(body["created_at"]) <= after
    assert WALL_TIME.fullmatch(body["next_scan_at"])


async def test_the_first_run_is_the_next_such_weekday_by_the_wall_clock_of_the_zone(create):
    for zone in ("America/New_York", "Asia/Kathmandu", "UTC", "Pacific/Kiritimati", "Australia/Lord_Howe"):
        for day in range(7):
            schedule = await create(timezone=zone, day_of_week=day, every_n_weeks=52)
            first = datetime.fromisoformat(schedule["next_scan_at"])
            local = first.astimezone(ZoneInfo(zone))
            assert local.isoformat() == schedule["next_scan_at"]
            assert (local.isoweekday() % 7, local.hour, local.minute, local.second) == (day, 2, 0, 0)
            assert timedelta(0) < first - datetime.now(UTC) <= timedelta(days=7, hours=1)


async def test_the_same_schedule_is_answered_alike_by_every_operation(api, create):
    made = await create()
    path = f"/scans/cve/scheduled/{made['id']}"
    assert (await api.get(path)).json() == made
    assert (await api.get("/scans/cve/scheduled")).json() == [made]
    changed = (await api.patch(path, json={})).json()
    assert {**changed, "updated_at": made["updated_at"]} == made


async def test_another_site_registers_itself_with_its_subnet(api, create):
    await create()
    sites = (await api.get("/sites")).json()
    assert [(s["id"], s["networks"], s["registration"]) for s in sites] == [
        ("9c3c1392-7f36-4240-85f2-273573c0384a", ["192.168.1.0/24"], "auto")
    ]
