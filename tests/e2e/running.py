"""What end-to-end tests share: a running service, its processes, and a schedule on the lab."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import httpx

COMMAND = Path(sys.executable).with_name("netvigil")


class Server:
    """A `netvigil serve` process and its API."""

    def __init__(self, process, api):
        self.process = process
        self.api = api

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    async def terminate(self):
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 15)


async def wait_ready(api, process, log):
    for _ in range(300):
        assert process.returncode is None, Path(log).read_text()
        try:
            if (await api.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(Path(log).read_text())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(data_dir):
    """Command lines of living processes that mention the data directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(str(data_dir).encode() in word for word in words):
                found.append(b" ".join(words).decode(errors="replace"))
    return found


async def create_schedule(api, subnet, **fields):
    body = {
        "description": "The lab",
        "day_of_week": 1,
        "time_of_day": "02:00",
        "every_n_weeks": 2,
        "timezone": "UTC",
        "min_cvss": 0,
        "warning_threshold": 7,
        "notification_group": "nobody",
        "sites": [{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": subnet}],
        **fields,
    }
    answer = await api.post("/scans/cve/scheduled", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def wait_for(api, schedule_id, *statuses, patience=120):
    for _ in range(patience * 5):
        status = (await api.get(f"/scans/cve/{schedule_id}/status")).json()
        if status and status["status"] in statuses:
            return status
        await asyncio.sleep(0.2)
    raise AssertionError(json.dumps(status))


def expected_cves(lab):
    """What the lab's ground truth says: (address, CVE) pairs that must be found."""
    return {(host["ip"], cve) for host in lab.truth()["hosts"] for cve in host["cves"]}
