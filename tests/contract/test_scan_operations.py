"""Operations 6, 7 and 10 to 12: start, stop, reports, status and signed links; no worker runs here."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from netvigil.access.links import signed_url
from netvigil.scans.service import fail_scan

SCHEDULES = "/scans/cve/scheduled"
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
NUMBER = (int, float)
REPORT = {
    "id": str, "scan_schedule_id": str, "scan_id": str, "targets": int, "target_sites": list, "started_at": str,
    "finished_at": type(None), "runtime": str, "running": bool, "state": str, "duration_cumulative": NUMBER,
    "duration_absolute": NUMBER, "average_score": NUMBER, "highest_score": NUMBER, "cve_count": int, "unique_cves": int,
    "cve_repeat_ratio": NUMBER, "open_ports": int, "unique_ports": int, "hosts_scanned": int, "hosts_with_cves": int,
    "sites_with_cves": int, "percentage_done": NUMBER, "percentage_failed": NUMBER, "warning_count": int,
    "json_url": type(None), "pdf_url": type(None), "log_url": str, "kev_count": int, "new_count": int,
    "resolved_count": int, "catalogue_version": (str, type(None)), "trigger": str, "error": type(None),
}  # fmt: skip
STATUS = {"scan_id", "id", "status", "targets", "scanned", "failed", "errors", "percentage_done", "started_at", "finished_at", "message"}  # fmt: skip


@pytest.fixture
def invoke(api):
    async def run(schedule_id, method="POST"):
        return await api.request(method, f"{SCHEDULES}/{schedule_id}/invoke")

    return run


def assert_conflict(answer, code):
    said = answer.json()
    assert (answer.status_code, said["type"], said["code"]) == (409, "conflict_error", code)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_start_and_stop(api, create, invoke, method, is_uuid):
    schedule = await create()
    assert_conflict(await invoke(schedule["id"], "DELETE"), "no_scan_running")
    started = await invoke(schedule["id"], method)
    assert started.status_code == 202
    body = started.json()
    assert set(body) == {"scan_id", "status", "message"}
    assert is_uuid(body["scan_id"])
    assert body["status"] == "pending"
    for again in ("POST", "GET"):
        assert_conflict(await invoke(schedule["id"], again), "scan_already_running")
    now = (await api.get(f"{SCHEDULES}/{schedule['id']}")).json()
    assert (now["running"], now["status"], now["next_scan_at"]) == (
        True,
        "starting",
        schedule["next_scan_at"],
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-0[45]:00", now["last_run_at"])
    assert datetime.now(UTC) - datetime.fromisoformat(now["last_run_at"]) < timedelta(minutes=1)
    assert now["latest_scan"] is None

    stopped = await invoke(schedule["id"], "DELETE")
    assert stopped.status_code == 200
    assert stopped.json() == {**stopped.json(), "scan_id": body["scan_id"], "status": "stopping"}
    assert set(stopped.json()) == {"scan_id", "status", "message"}
    report = (await api.get(f"/scans/cve/{body['scan_id']}")).json()
    assert (report["state"], report["running"]) == ("processing", True)
    assert (await api.get(f"{SCHEDULES}/{schedule['id']}")).json()["status"] == "stopping"
    assert (await invoke(schedule["id"], "DELETE")).json()["scan_id"] == body[
        "scan_id"
    ]  # asking twice is no error
    assert_conflict(await invoke(schedule["id"]), "scan_already_running")


async def test_a_running_schedule_is_changed_but_not_deleted(api, create, invoke, database):
    schedule = await create()
    scan = (await invoke(schedule["id"])).json()["scan_id"]
    path = f"{SCHEDULES}/{schedule['id']}"
    assert_conflict(await api.delete(path), "schedule_running")
    changed = (
        await api.patch(path, json={"min_cvss": 5, "sites": [{"id": SITE, "subnet": "10.0.0.0/24"}]})
    ).json()
    assert (changed["running"], changed["min_cvss"]) == (True, 5)
    await invoke(schedule["id"], "DELETE")
    async with database.transaction() as session:
        await fail_scan(session, UUID(scan), "A reason in a sentence.")
    now = (await api.get(path)).json()
    assert (now["running"], now["status"]) == (False, "ready")
    assert now["latest_scan"]["id"] == scan
    assert (await api.delete(path)).status_code == 204
    report = (await api.get(f"/scans/cve/{scan}")).json()  # its past reports stay
    assert (report["scan_schedule_id"], report["state"]) == (None, "failed")
    assert (report["error"], report["running"]) == ("A reason in a sentence.", False)
    assert report["finished_at"].endswith("Z")


async def test_a_report_has_every_field(api, create, invoke):
    other = str(uuid4())
    pairs = [(SITE, "10.0.0.0/24"), (other, "10.1.0.0/24"), (SITE, "10.2.0.0/24")]
    schedule = await create(sites=[{"id": site, "subnet": subnet} for site, subnet in pairs])
    scan = (await invoke(schedule["id"])).json()["scan_id"]
    report = (await api.get(f"/scans/cve/{scan}")).json()
    assert set(report) == set(REPORT)
    for field, kind in REPORT.items():
        assert isinstance(report[field], kind), field
    assert (report["id"], report["scan_schedule_id"]) == (scan, schedule["id"])
    assert re.fullmatch("[A-Z]{3}-[A-Z]{3}-[A-Z]{3}", report["scan_id"])
    assert (report["targets"], report["target_sites"]) == (2, [SITE, other])
    assert (report["state"], report["running"], report["trigger"]) == ("pending", True, "manual")
    assert report["runtime"].endswith(("second", "seconds"))
    assert report["started_at"].endswith("Z")
    assert (report["percentage_done"], report["cve_count"], report["highest_score"]) == (0, 0, 0)
    for name in (report["scan_id"], report["scan_id"].lower(), scan.upper()):
        again = (await api.get(f"/scans/cve/{name}")).json()
        assert again["id"] == scan


async def test_status_is_an_empty_array_before_any_scan(api, create, invoke):
    schedule = await create()
    path = f"/scans/cve/{schedule['id']}/status"
    assert ((await api.get(path)).status_code, (await api.get(path)).json()) == (200, [])
    scan = (await invoke(schedule["id"])).json()["scan_id"]
    status = (await api.get(path)).json()
    assert set(status) == STATUS
    assert (status["id"], status["status"], status["targets"]) == (scan, "pending", [SITE])
    assert (status["scanned"], status["failed"], status["errors"], status["finished_at"]) == (
        [],
        [],
        {},
        None,
    )
    assert status["message"].endswith(".")
    await invoke(schedule["id"], "DELETE")
    status = (await api.get(path)).json()
    assert (status["status"], status["scanned"], status["failed"]) == ("stopping", [SITE], [])


async def test_the_list_filters_and_pages(api, create, invoke):
    scans = []
    for number in range(3):
        site = str(uuid4())
        schedule = await create(sites=[{"id": site, "subnet": f"10.{number}.0.0/24"}])
        scans.append(((await invoke(schedule["id"])).json()["scan_id"], schedule["id"], site))
    await invoke(scans[0][1], "DELETE")
    newest_first = [scan for scan, *_ in reversed(scans)]

    async def listed(**only):
        answer = await api.get("/scans/cve", params=only)
        assert answer.status_code == 200, answer.text
        return [report["id"] for report in answer.json()]

    assert await listed() == newest_first
    scan, schedule, site = scans[1]
    assert await listed(schedule_id=schedule) == await listed(site_id=site) == [scan]
    assert await listed(schedule_id=schedule, site_id=scans[0][2]) == []
    assert await listed(state="processing") == [scans[0][0]]
    assert await listed(state="completed") == []
    assert await listed(since="2020-01-01") == await listed(until="2099-01-01T00:00:00+02:00") == newest_first
    assert await listed(until="2020-01-01") == await listed(since="2099-01-01T00:00:00Z") == []
    page = await api.get("/scans/cve", params={"limit": 2, "state": "pending"})
    assert [report["id"] for report in page.json()] == newest_first[:2]
    page = await api.get("/scans/cve", params={"limit": 1, "since": "2020-01-01T00:00:00+00:00"})
    second = await api.get(page.links["next"]["url"])
    assert [report["id"] for report in second.json()] == newest_first[1:2]
    assert "since=2020" in page.headers["Link"]


async def test_filters_that_cannot_be_meant(api):
    bad = {
        "schedule_id": ["x", "", "{{9c3c13927f36424085f2273573c0384a}}"],
        "site_id": ["1"],
        "state": ["done", "", "PENDING"],
        "since": ["yesterday", "", "2026-13-01", "0001-01-01T00:00:00+23:59", "9" * 5000, "\0"],
        "until": ["9999-12-31T23:59:59-23:59"],
    }
    for name, values in bad.items():
        for value in values:
            answer = await api.get("/scans/cve", params={name: value})
            assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid"), (
                name,
                value[:40],
            )
            assert list(answer.json()["errors"]) == [name]


async def test_signed_links_work_without_a_token_until_they_expire_or_are_touched(
    api, create, invoke, service
):
    schedule = await create()
    scan = (await invoke(schedule["id"])).json()["scan_id"]
    url = (await api.get(f"/scans/cve/{scan}")).json()["log_url"]
    nobody = {"Authorization": ""}
    answer = await api.get(url, headers=nobody)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert "scan_started" in answer.text

    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    expires, signature = query["expires"], query["signature"]
    other_path = parts.path.replace("log.txt", "report.json")
    touched = [
        (parts.path, {}), (parts.path, {"expires": expires}), (parts.path, {"signature": signature}),
        (parts.path, {**query, "expires": str(int(expires) + 1)}), (parts.path, {**query, "expires": "9" * 30}),
        (parts.path, {**query, "expires": "٣" * 10}), (parts.path, {**query, "expires": ""}), (parts.path, {**query, "expires": "-1"}),
        (parts.path, {**query, "signature": signature[:-1]}), (parts.path, {**query, "signature": "é"}),
        (parts.path, {**query, "signature": signature[:-1] + ("0" if signature[-1] != "0" else "1")}),
        (other_path, query), (parts.path.replace(scan, str(uuid4())), query),
    ]  # fmt: skip
    old = signed_url("", parts.path, key=service.keys.link, ttl=-1)
    foreign = signed_url("", parts.path, key=b"another key", ttl=60)
    for bad in [f"{path}?{urlencode(values)}" for path, values in touched] + [old, foreign]:
        answer = await api.get(bad)  # a token does not help either
        said = answer.json()
        assert (answer.status_code, said["type"], said["code"]) == (
            403,
            "permission_error",
            "link_invalid",
        ), bad
    unfinished = signed_url("", other_path, key=service.keys.link, ttl=60)
    assert ((await api.get(unfinished)).status_code, (await api.get(unfinished)).json()["code"]) == (
        404,
        "resource_missing",
    )


async def test_twenty_starts_at_once_start_one_scan(api, create, invoke, database):
    schedule = await create()
    answers = await asyncio.gather(*(invoke(schedule["id"], method) for method in ["POST", "GET"] * 10))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 19
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
        "scan_already_running"
    }
    assert len((await api.get("/scans/cve")).json()) == 1
    async with database.session() as session:
        jobs = await session.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'")
        )
    assert jobs == 1


async def test_starts_stops_and_a_delete_at_once_never_fail(api, create, invoke):
    schedule = await create()
    calls = [invoke(schedule["id"], method) for method in ["POST", "DELETE", "GET"] * 5]
    answers = await asyncio.gather(*calls, *(api.delete(f"{SCHEDULES}/{schedule['id']}") for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {200, 202, 204, 404, 409}
    assert sum(answer.status_code == 202 for answer in answers) <= 1
