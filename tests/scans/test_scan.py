"""A scan from invoke to report, on a real worker, a real database and real nmap."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from devices import device
from sqlalchemy import select

from netvigil.scans.models import SiteScan
from netvigil.schedules.models import ScanSchedule
from netvigil.schedules.service import plan_job


async def test_invoke_to_report(api, worker, network, make_schedule, until):
    _, address = network
    schedule_id = await make_schedule(min_cvss=9, warning_threshold=9.5)
    async with device(address):
        invoked = await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        assert invoked.status_code == 202
        status = await until(schedule_id, "completed", "failed")
    assert status["status"] == "completed"
    report = (await api.get(f"/scans/cve/{invoked.json()['scan_id']}")).json()
    assert (await api.get(f"/scans/cve/{report['scan_id']}")).json()["id"] == report["id"]
    assert report["state"] == "completed"
    assert (report["hosts_scanned"], report["open_ports"], report["hosts_with_cves"]) == (1, 1, 1)
    assert report["highest_score"] == 9.8
    assert report["warning_count"] == report["cve_count"] == report["new_count"] >= 1

    content = (await api.get(report["json_url"], headers={"Authorization": ""})).json()
    [host] = content["hosts"]
    assert host["ip_address"] == address
    [service] = host["services"]
    assert (service["port"], service["product"], service["version"]) == (2121, "vsftpd", "2.3.4")
    found = {one["cve_id"]: one for one in content["findings"]}
    backdoor = found["CVE-2011-2523"]
    assert backdoor["service"]["port"] == 2121
    assert backdoor["confidence"] in {"exact", "likely"}
    assert "2.3.4" in backdoor["evidence"]["seen"]
    assert all(one["score"] >= 9 for one in content["findings"])
    assert any("starter" in warning for warning in content["warnings"])
    log = (await api.get(report["log_url"], headers={"Authorization": ""})).text
    assert "scan_completed" in log


async def test_second_scan_counts_against_the_first(api, worker, network, make_schedule, until):
    schedule_id = await make_schedule()
    async with device(network[1]):
        await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        await until(schedule_id, "completed")
    first = (await api.get("/scans/cve")).json()[0]
    async with device(network[1], greeting=b"220 (vsFTPd 3.0.5)\r\n"):
        await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        await until(schedule_id, "completed")
    second = (await api.get("/scans/cve")).json()[0]
    assert second["id"] != first["id"]
    assert second["resolved_count"] + second["cve_count"] - second["new_count"] == first["cve_count"]
    assert second["resolved_count"] >= 1


async def test_stop_keeps_what_was_seen(api, worker, network, make_schedule, until, service):
    schedule_id = await make_schedule()
    # a port that never speaks keeps the identification busy for long enough to be stopped in it
    async with device(network[1], greeting=b""):
        await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        for _ in range(600):
            async with service.database.session() as session:
                stage = await session.scalar(select(SiteScan.stage))
            if stage == "identify":
                break
            await asyncio.sleep(0.05)
        stopped = await api.delete(f"/scans/cve/scheduled/{schedule_id}/invoke")
        assert (stopped.status_code, stopped.json()["status"]) == (200, "stopping")
        status = await until(schedule_id, "stopped", "completed", "failed")
    assert status["status"] == "stopped"
    report = (await api.get("/scans/cve")).json()[0]
    assert report["state"] == "stopped"
    assert (report["hosts_scanned"], report["open_ports"]) == (1, 1)
    assert report["json_url"] is not None
    again = await api.delete(f"/scans/cve/scheduled/{schedule_id}/invoke")
    assert (again.status_code, again.json()["code"]) == (409, "no_scan_running")


async def test_empty_network_is_a_completed_scan(api, worker, make_schedule, until):
    schedule_id = await make_schedule()
    await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
    status = await until(schedule_id, "completed", "failed")
    assert status["status"] == "completed"
    assert (await api.get("/scans/cve")).json()[0]["hosts_scanned"] == 0


async def test_schedule_shows_its_last_scan(api, worker, network, make_schedule, until):
    schedule_id = await make_schedule()
    await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
    during = (await api.get(f"/scans/cve/scheduled/{schedule_id}")).json()
    assert during["running"] is True
    assert during["status"] in {"starting", "running", "processing"}
    assert (await api.delete(f"/scans/cve/scheduled/{schedule_id}")).json()["code"] == "schedule_running"
    await until(schedule_id, "completed")
    after = (await api.get(f"/scans/cve/scheduled/{schedule_id}")).json()
    assert (after["running"], after["status"]) == (False, "ready")
    assert after["latest_scan"]["state"] == "completed"
    assert after["last_run_at"] is not None
    assert (await api.delete(f"/scans/cve/scheduled/{schedule_id}")).status_code == 204
    assert (await api.get("/scans/cve")).json()[0]["scan_schedule_id"] is None


async def test_hosts_and_findings_are_listed(api, worker, network, make_schedule, until):
    schedule_id = await make_schedule()
    async with device(network[1]):
        await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        await until(schedule_id, "completed")
    scan = (await api.get("/scans/cve")).json()[0]
    [host] = (await api.get(f"/scans/cve/{scan['scan_id']}/hosts")).json()
    assert (host["ip_address"], host["cve_count"]) == (network[1], scan["cve_count"])
    seen, path = [], f"/scans/cve/{scan['id']}/findings?limit=2"
    while path:
        answer = await api.get(path)
        seen += [one["cve_id"] for one in answer.json()]
        path = answer.links.get("next", {}).get("url")
    content = (await api.get(scan["json_url"])).json()
    assert sorted(seen) == sorted(one["cve_id"] for one in content["findings"])
    assert len(seen) == scan["cve_count"] > 2


async def test_clock_starts_a_scan_and_plans_the_next(api, worker, database, make_schedule, until):
    """The schedule's time came a moment ago: its job starts a scan by itself, every two weeks."""
    due = datetime.now(UTC).replace(second=0, microsecond=0)
    schedule_id = await make_schedule(day_of_week=due.isoweekday() % 7, time_of_day=f"{due:%H:%M}")
    async with database.transaction() as session:
        schedule = await session.get_one(ScanSchedule, UUID(schedule_id))
        schedule.planned_date, schedule.next_scan_at = due.date(), due
        await session.flush()
        await plan_job(session, schedule)
    status = await until(schedule_id, "completed", "failed")
    assert status["status"] == "completed"
    [report] = (await api.get("/scans/cve")).json()
    assert report["trigger"] == "schedule"
    shown = (await api.get(f"/scans/cve/scheduled/{schedule_id}")).json()
    assert datetime.fromisoformat(shown["next_scan_at"]) == due + timedelta(weeks=2)
    assert shown["last_run_at"] is not None
