"""A service that is killed, doubled, stopped and started again."""

import asyncio
import json

from running import COMMAND, create_schedule, expected_cves, processes_of, wait_for


async def test_killed_in_mid_scan_and_started_again(serve, lab, data_dir):
    async with serve() as first:
        schedule_id = await create_schedule(first.api, lab.subnet)
        invoked = await first.api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        for _ in range(600):
            report = (await first.api.get(f"/scans/cve/{invoked.json()['scan_id']}")).json()
            if report["hosts_scanned"] >= 1:
                break
            await asyncio.sleep(0.05)
        first.kill()
        await first.process.wait()
    for _ in range(100):
        if not processes_of(data_dir):
            break
        await asyncio.sleep(0.1)
    assert processes_of(data_dir) == []

    async with serve() as second:
        status = await wait_for(second.api, schedule_id, "completed", "failed", "stopped")
        assert status["status"] == "completed"
        report = (await second.api.get(f"/scans/cve/{invoked.json()['scan_id']}")).json()
        content = (await second.api.get(report["json_url"])).json()
        found = [(one["host"]["ip_address"], one["cve_id"]) for one in content["findings"]]
        assert len(found) == len(set(found))
        sure = {
            (one["host"]["ip_address"], one["cve_id"])
            for one in content["findings"]
            if one["confidence"] != "possible"
        }
        assert sure == expected_cves(lab)
        assert report["hosts_scanned"] == len(lab.truth()["hosts"])
        assert len((await second.api.get("/scans/cve")).json()) == 1


async def test_terminated_in_mid_scan_goes_on_later(serve, lab, data_dir):
    async with serve() as first:
        schedule_id = await create_schedule(first.api, lab.subnet)
        await first.api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
        await wait_for(first.api, schedule_id, "running")
        assert await first.terminate() == 0
    assert processes_of(data_dir) == []
    async with serve() as second:
        assert (await wait_for(second.api, schedule_id, "completed", "failed"))["status"] == "completed"


async def test_second_start_says_who_holds_the_directory(serve, netvigil):
    async with serve() as server:
        status, out, err = await netvigil("serve", "--port", "0")
        assert (status, out) == (1, "")
        assert f"process {server.process.pid}" in err
        assert "netvigil serve" in err
        # commands that only need the database use the running one
        status, out, _ = await netvigil("feeds", "status", "--json")
        assert status == 0
        assert json.loads(out)["starter_only"] is True


async def test_busy_port_is_one_sentence(serve, netvigil):
    async with serve() as server:
        port = server.api.base_url.port
        status, _, err = await netvigil("serve", "--port", str(port))
        assert status == 1
        assert f"port {port}" in err
        assert "Traceback" not in err


async def test_worker_beside_a_running_service(serve, lab, data_dir):
    """One more process takes jobs of the same database, and leaves the service alone when it ends."""
    async with serve() as server:
        worker = await asyncio.create_subprocess_exec(
            COMMAND, "worker", "--data-dir", str(data_dir), stderr=asyncio.subprocess.PIPE
        )
        line = await asyncio.wait_for(worker.stderr.readline(), 30)
        while b"worker runs" not in line:
            line = await asyncio.wait_for(worker.stderr.readline(), 30)
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), 15) == 0
        assert (await server.api.get("/readyz")).status_code == 200
