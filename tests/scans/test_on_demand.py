"""Scans of single addresses: to the contract's letter, beside the schedule's own runs, with status, report and stop."""

import asyncio
from uuid import UUID, uuid4

import pytest
from devices import device

SINGLE = "/scans/cve/scheduled/single-ip"
MULTI = "/scans/cve/scan/multiple-ips"
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"


@pytest.fixture
def ended(api):
    """Waits until a scan has ended; its report."""

    async def wait(scan_id):
        for _ in range(600):
            report = (await api.get(f"/scans/cve/{scan_id}")).json()
            if not report["running"]:
                return report
            await asyncio.sleep(0.1)
        raise AssertionError(report)

    return wait


async def test_single_ip_from_request_to_report(api, worker, network, make_schedule, ended):
    schedule_id = await make_schedule()
    async with device(network[1]):
        body = {"schedule_id": schedule_id, "site_id": SITE, "ip_address": network[1], "unknown": 1}
        answer = await api.post(SINGLE, json=body)
        assert answer.status_code == 202
        started = answer.json()
        report = await ended(started["scan_id"])
    assert set(started) == {"scan_id", "status", "ip_address", "site_id", "created_at", "message"}
    assert (started["status"], started["ip_address"], started["site_id"]) == ("pending", network[1], SITE)
    assert started["message"] == "Scan initiated. Check back for results."
    assert started["created_at"].endswith("Z")
    assert (report["state"], report["trigger"], report["scan_schedule_id"]) == (
        "completed",
        "single-ip",
        schedule_id,
    )
    assert (report["hosts_scanned"], report["targets"]) == (1, 1)
    assert report["cve_count"] >= 1
    status = (await api.get(f"/scans/cve/{started['scan_id']}/status")).json()
    assert (status["id"], status["status"]) == (started["scan_id"], "completed")
    # the schedule itself never ran
    assert (await api.get(f"/scans/cve/{schedule_id}/status")).json() == []
    schedule = (await api.get(f"/scans/cve/scheduled/{schedule_id}")).json()
    assert (schedule["status"], schedule["latest_scan"], schedule["last_run_at"]) == ("ready", None, None)


async def test_several_ips_run_beside_the_schedules_own_scan(
    api, worker, network, make_schedule, ended, until
):
    schedule_id = await make_schedule()
    async with device(network[1]):
        whole = (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).json()["scan_id"]
        body = {"schedule_id": schedule_id, "site_id": SITE, "ips": [network[1], network[1]]}
        answer = await api.post(MULTI, json=body)
        assert answer.status_code == 202
        started = answer.json()
        report = await ended(started["scan_id"])
        status = await until(schedule_id, "completed")
    assert set(started) == {"scan_id", "scan_site_id", "target_ips", "message"}
    assert started["target_ips"] == [network[1]]
    assert started["message"] == "Scan started successfully"
    UUID(started["scan_site_id"])
    assert status["id"] == whole
    assert (report["trigger"], report["state"]) == ("multi-ip", "completed")
    # the same findings at the same address are no news
    assert (report["new_count"], report["resolved_count"]) == (0, 0)


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        (SINGLE, {"ip_address": "10.0.0.1"}, "ip_address"),
        (SINGLE, {"ip_address": "127.1"}, "ip_address"),
        (SINGLE, {"ip_address": 2130706433}, "ip_address"),
        (SINGLE, {"ip_address": None}, "ip_address"),
        (SINGLE, {"site_id": str(uuid4())}, "site_id"),
        (SINGLE, {"schedule_id": "x"}, "schedule_id"),
        (MULTI, {"ips": []}, "ips"),
        (MULTI, {"ips": "127.0.0.1"}, "ips"),
        (MULTI, {"ips": ["127.79.0.1"] * 1025}, "ips"),
        (MULTI, {"ips": ["10.0.0.1"]}, "ips.0"),
    ],
)
async def test_what_is_wrong_is_named(api, network, make_schedule, path, change, field):
    good = {
        "schedule_id": await make_schedule(),
        "site_id": SITE,
        "ip_address": network[1],
        "ips": [network[1]],
    }
    answer = await api.post(path, json=good | change)
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["errors"]
    assert (await api.get("/scans/cve")).json() == []


async def test_an_excluded_address_is_refused(api, network, make_schedule):
    schedule_id = await make_schedule(exclusions={"addresses": [network[1]]})
    body = {"schedule_id": schedule_id, "site_id": SITE, "ip_address": network[1]}
    answer = await api.post(SINGLE, json=body)
    assert answer.status_code == 422
    assert "excluded" in answer.json()["message"]


async def test_a_missing_field_and_a_missing_schedule(api, network, make_schedule):
    answer = await api.post(SINGLE, json={"site_id": SITE, "ip_address": network[1]})
    assert answer.json()["message"] == "The 'schedule_id' parameter is required for this request."
    body = {"schedule_id": str(uuid4()), "site_id": SITE, "ip_address": network[1]}
    assert (await api.post(SINGLE, json=body)).status_code == 404


async def test_any_scan_can_be_stopped_by_its_own_id(api, network, make_schedule):
    # no worker runs: it waits
    schedule_id = await make_schedule()
    body = {"schedule_id": schedule_id, "site_id": SITE, "ip_address": network[1]}
    scan_id = (await api.post(SINGLE, json=body)).json()["scan_id"]
    answer = await api.delete(f"/scans/cve/scheduled/{schedule_id}/invoke")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_scan_running")
    human = (await api.get(f"/scans/cve/{scan_id}")).json()["scan_id"]
    stopped = await api.post(f"/scans/cve/{human}/stop")
    assert (stopped.status_code, stopped.json()["status"]) == (200, "stopping")
    assert stopped.json()["scan_id"] == scan_id
    assert (await api.get(f"/scans/cve/{scan_id}/status")).json()["status"] in {"stopping", "processing"}
    assert (await api.post(f"/scans/cve/{uuid4()}/stop")).status_code == 404
