"""The API under load, and with 100,000 schedules in the database; an empty FastAPI route in the same run is the peer.

100 clients at once create, read and list schedules for a minute, each asking about once a second as a dashboard or a
script does (`--pace 0` asks as fast as answers come, to find the capacity). Then 100,000 schedules are put into the
database, and a page of them and the next due job are timed. `--seconds`, `--clients` and `--schedules` change the size.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psycopg
import uvicorn
from fastapi import FastAPI

from netvigil.db.embedded import connect_url

COMMAND = Path(sys.executable).with_name("netvigil")
PORT, EMPTY_PORT = 18971, 18972
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
SCHEDULE = {
    "description": "bench",
    "day_of_week": 1,
    "time_of_day": "02:00",
    "every_n_weeks": 2,
    "timezone": "UTC",
    "min_cvss": 4,
    "warning_threshold": 7,
    "notification_group": "nobody",
    "sites": [{"id": SITE, "subnet": "192.168.1.0/24"}],
}
MANY = """
WITH made AS (
  INSERT INTO scan_schedule (organisation_id, description, day_of_week, time_of_day, every_n_weeks, timezone, min_cvss,
    warning_threshold, ignore_offline_sites, notification_group, planned_date, next_scan_at)
  SELECT organisation_id, 'many', day_of_week, time_of_day, every_n_weeks, timezone, min_cvss, warning_threshold,
    ignore_offline_sites, notification_group, planned_date, next_scan_at
  FROM (SELECT * FROM scan_schedule LIMIT 1) one, generate_series(1, %s) RETURNING id, organisation_id, next_scan_at),
sites AS (INSERT INTO schedule_site (schedule_id, position, organisation_id, site_id, subnet)
  SELECT id, 0, organisation_id, %s, '192.168.1.0/24' FROM made)
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)
  SELECT 'due', 'scans.start_due', 'schedule:' || id, jsonb_build_object('schedule_id', id::text), next_scan_at FROM made
"""


def percentile(values, share):
    """The value that this share of the values stays below."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Load:
    """Many clients at once; latencies in seconds, answers that are no success counted."""

    def __init__(self, base, headers, pace):
        self.base, self.headers, self.pace = base, headers, pace
        self.latencies, self.errors, self.ids = [], {}, []

    async def run(self, clients, seconds, ask):
        async with AsyncExitStack() as stack:
            # made and connected before the clock starts: one alone costs its maker 30 ms
            apis = [await stack.enter_async_context(self.client()) for _ in range(clients)]
            for api in apis:
                (await ask(self, api)).raise_for_status()
            began = time.monotonic()
            await asyncio.gather(*(self.keep_asking(api, began + seconds, ask) for api in apis))
            return len(self.latencies) / (time.monotonic() - began)

    def client(self):
        """One client with one connection."""
        return httpx.AsyncClient(
            base_url=self.base,
            headers=self.headers,
            timeout=30,
            limits=httpx.Limits(max_connections=1),
            trust_env=False,
            verify=False,  # noqa: S501 - plain HTTP
        )

    async def keep_asking(self, api, end, ask):
        """Ask again and again, with the pace's pauses."""
        await asyncio.sleep(random.uniform(0, 2 * self.pace))
        while time.monotonic() < end:
            started = time.monotonic()
            answer = await ask(self, api)
            self.latencies.append(time.monotonic() - started)
            if answer.status_code >= 300:
                self.errors[answer.status_code] = self.errors.get(answer.status_code, 0) + 1
            await asyncio.sleep(random.uniform(0, 2 * self.pace))


async def mixed(load, api):
    """One request as clients send them: mostly reading, some listing, some creation."""
    dice = random.random()
    if dice < 0.15 or not load.ids:
        answer = await api.post("/scans/cve/scheduled", json=SCHEDULE)
        load.ids.append(answer.json().get("id"))
        return answer
    if dice < 0.4:
        return await api.get("/scans/cve/scheduled?limit=20")
    if dice < 0.6:
        return await api.get("/scans/cve?limit=20")
    return await api.get(f"/scans/cve/scheduled/{random.choice(load.ids)}")


async def empty(_, api):
    return await api.get("/empty")


def serve_empty():
    """A FastAPI route that does nothing: what the framework and this machine can do at best."""
    app = FastAPI()

    @app.get("/empty")
    async def route():
        return {}

    uvicorn.run(app, port=EMPTY_PORT, log_level="error")


async def measure_many(api, url, schedules):
    """A page of the list, and creation with its due job, among very many schedules."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(MANY, [schedules, SITE])
        for table in ("scan_schedule", "schedule_site", "procrastinate_jobs"):
            await connection.execute(f"ANALYZE {table}")
    pages, made = [], []
    for _ in range(200):
        started = time.monotonic()
        (await api.get("/scans/cve/scheduled?limit=20")).raise_for_status()
        pages.append(time.monotonic() - started)
        started = time.monotonic()
        (await api.post("/scans/cve/scheduled", json=SCHEDULE)).raise_for_status()
        made.append(time.monotonic() - started)
    print(f"with {schedules} schedules, 99th percentile (limit 50 ms each):")
    print(f"  a page of 20:                    {1000 * percentile(pages, 0.99):6.1f} ms")
    print(f"  a schedule with its next due job: {1000 * percentile(made, 0.99):6.1f} ms")


async def main(given):
    with tempfile.TemporaryDirectory(prefix="netvigil-bench-") as folder:
        data = ["--data-dir", folder]
        service = await asyncio.create_subprocess_exec(
            COMMAND, "serve", "--port", str(PORT), *data, stderr=subprocess.DEVNULL
        )
        peer = await asyncio.create_subprocess_exec(sys.executable, __file__, "--empty")
        try:
            await asyncio.sleep(8)
            made = await asyncio.create_subprocess_exec(
                COMMAND, "token", "create", "--org", "bench", "--scope", "*", *data, stdout=subprocess.PIPE
            )
            headers = {"Authorization": f"Bearer {(await made.communicate())[0].decode().strip()}"}
            ours = Load(f"http://127.0.0.1:{PORT}", headers, given.pace)
            rate = await ours.run(given.clients, given.seconds, mixed)
            best = Load(f"http://127.0.0.1:{EMPTY_PORT}", {}, given.pace)
            theirs = await best.run(given.clients, min(15, given.seconds), empty)
            for name, load, speed in (("netvigil", ours, rate), ("empty route", best, theirs)):
                print(
                    f"{name:12} {speed:7.1f} requests/s, p50 {1000 * percentile(load.latencies, 0.5):6.1f} ms, "
                    f"p99 {1000 * percentile(load.latencies, 0.99):6.1f} ms, errors {json.dumps(load.errors)}"
                )
            print(f"throughput as a share of the empty route's: {rate / theirs:.2f}; limit for p99: 250 ms")
            async with httpx.AsyncClient(
                base_url=ours.base, headers=headers, timeout=60, trust_env=False
            ) as api:
                await measure_many(api, connect_url(Path(folder)), given.schedules)
        finally:
            for process in (service, peer):
                process.terminate()
                await process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--empty", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between two requests of a client")
    parser.add_argument("--schedules", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.empty:
        serve_empty()
    else:
        asyncio.run(main(arguments))
