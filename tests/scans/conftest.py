"""A running worker, small devices on loopback, and a schedule that scans them."""

import asyncio
import os

import pytest

from netvigil.app.service import run_jobs
from netvigil.catalogue.importer import import_starter


@pytest.fixture
def network():
    """A /30 of loopback of this test process's own: one device's address and the subnet."""
    number = os.getpid() % 60000
    base = f"127.79.{number // 250}.{number % 62 * 4}"
    return f"{base}/30", base.rsplit(".", 1)[0] + f".{int(base.rsplit('.', 1)[1]) + 1}"


@pytest.fixture
async def worker(service):
    """A worker and the recovery, as `netvigil serve` runs them."""
    await import_starter(service.database.engine)
    async with run_jobs(service):
        yield


@pytest.fixture
def make_schedule(api, network):
    """Creates a schedule through the API; keyword arguments replace fields."""

    async def make(**fields):
        body = {
            "description": "A test",
            "day_of_week": 1,
            "time_of_day": "02:00",
            "every_n_weeks": 2,
            "timezone": "UTC",
            "min_cvss": 0,
            "warning_threshold": 9,
            "notification_group": "nobody",
            "sites": [{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": network[0]}],
            **fields,
        }
        answer = await api.post("/scans/cve/scheduled", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    return make


@pytest.fixture
def until(api):
    """Waits until the latest scan of a schedule has one of the statuses, and returns its ScanStatus."""

    async def wait(schedule_id, *statuses, patience=60):
        for _ in range(patience * 10):
            status = (await api.get(f"/scans/cve/{schedule_id}/status")).json()
            if status and status["status"] in statuses:
                return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"still {status}")

    return wait
