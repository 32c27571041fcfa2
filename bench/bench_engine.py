"""The engine: site scans of no work a second over four worker processes, enqueue to start, and an idle service.

Everything is real: rows, jobs, worker processes of the installed command, the transactions that begin and end a run,
matching and reports. The one thing spared is the probe itself: each site is one address, and its schedule excludes
that, so that there is nothing to look at, as in a run that goes on after everything was recorded.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import select, text

import netvigil.app.factory  # noqa: F401 - all tables and tasks
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.migrate import migrate
from netvigil.db.session import Database
from netvigil.jobs import apply_schema
from netvigil.scans.models import SiteScan
from netvigil.scans.service import start_scan
from netvigil.scans.states import Trigger
from netvigil.schedules.models import ScanSchedule, ScheduleSite
from netvigil.schedules.service import plan_job
from netvigil.sites.models import Site

COMMAND = Path(sys.executable).with_name("netvigil")
WORKERS = 4
SITE_SCANS = 1000
SHAPES = (
    (10, 100),
    (100, 10),
)  # scans and the sites of each: with few scans it is the engine, with many also reports
ORGANISATIONS = 10
RATE_WANTED, LATENCY_WANTED, CPU_WANTED, MEMORY_WANTED = 200, 0.050, 2.0, 250.0
IDLE_SECONDS = 60
NEXT = datetime.now(UTC) + timedelta(days=7)


async def add_schedules(database, number, sites):
    """So many schedules of so many sites each, of ten organisations in turn."""
    async with database.transaction() as session:
        organisations = [uuid4() for _ in range(ORGANISATIONS)]
        for organisation_id in organisations:
            key = {"id": organisation_id, "key": f"org-{organisation_id}"}
            await session.execute(text("INSERT INTO organisation (id, key) VALUES (:id, :key)"), key)
        made = [
            add_schedule(session, organisations[index % ORGANISATIONS], index, sites)
            for index in range(number)
        ]
        await session.flush()
        for schedule in made:
            await plan_job(session, schedule)
    return made


def add_schedule(session, organisation_id, number, sites):
    """A schedule with sites of one address, which it excludes."""
    addresses = [IPv4Address("10.0.0.0") + number * sites + index for index in range(sites)]
    schedule = ScanSchedule(
        organisation_id=organisation_id, description="bench", day_of_week=1, time_of_day=clock(2), every_n_weeks=2,
        timezone="UTC", min_cvss=0, warning_threshold=7, ignore_offline_sites=False, notification_group="nobody",
        notify=None, planned_date=NEXT.date(), next_scan_at=NEXT,
        exclusions={"addresses": [str(address) for address in addresses]},
    )  # fmt: skip
    for position, address in enumerate(addresses):
        site = Site(
            organisation_id=organisation_id, id=UUID(int=int(address)), name=f"Site {address}", registration="person",
            networks=[IPv4Network(address)], vantage={"type": "local"},
        )  # fmt: skip
        session.add(site)
        schedule.sites.append(
            ScheduleSite(
                position=position,
                organisation_id=organisation_id,
                site_id=site.id,
                subnet=IPv4Network(address),
            )
        )
    session.add(schedule)
    return schedule


async def start_workers(url, folder):
    environment = {**os.environ, "NETVIGIL_DATABASE_URL": url, "NETVIGIL_FEED_SYNC": "false"}
    started = []
    for number in range(WORKERS):
        with (folder / f"worker-{number}.log").open("wb") as log:
            command = [COMMAND, "worker", "--data-dir", str(folder / "data")]
            started.append(
                await asyncio.create_subprocess_exec(*command, env=environment, stderr=log, stdout=log)
            )
        await asyncio.sleep(2)  # the first makes the keys
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()[0] < WORKERS:
            await asyncio.sleep(0.1)
    await asyncio.sleep(3)
    return started


LEFT = text("""
SELECT count(*) FILTER (WHERE state IN ('pending', 'running')), count(*) FILTER (WHERE state IN ('failed', 'stopped')),
       max(finished_at), (SELECT count(*) FROM scan WHERE state IN ('pending', 'running', 'processing')),
       (SELECT max(finished_at) FROM scan)
FROM site_scan""")


async def run_all(database, schedules):
    """All scans enqueued in one transaction; returns seconds until the last site scan, and the last report."""
    async with database.transaction() as session:
        for schedule in schedules:
            again = await session.get_one(ScanSchedule, schedule.id)
            await start_scan(session, again, Trigger.MANUAL, now=datetime.now(UTC))
    at = datetime.now(UTC)
    while True:
        async with database.session() as session:
            left, wrong, sites_end, unfinished, reports_end = (await session.execute(LEFT)).one()
        if wrong:
            raise SystemExit("a site scan failed")
        if left + unfinished == 0:
            return (sites_end - at).total_seconds(), (reports_end - at).total_seconds()
        await asyncio.sleep(0.2)


async def run_one(database, schedule):
    """Milliseconds from the commit of one scan of ten sites to each of their starts."""
    async with database.transaction() as session:
        again = await session.get_one(ScanSchedule, schedule.id)
        scan = await start_scan(session, again, Trigger.MANUAL, now=datetime.now(UTC))
    at = datetime.now(UTC)
    while True:
        async with database.session() as session:
            state = await session.scalar(text("SELECT state FROM scan WHERE id = :id"), {"id": scan.id})
            rows = list(await session.scalars(select(SiteScan.started_at).where(SiteScan.scan_id == scan.id)))
        if state == "completed":
            return [max((row - at).total_seconds(), 0) for row in rows]
        await asyncio.sleep(0.02)


async def measure_scans(folder):
    server = EmbeddedServer(folder / "database")
    url = await server.start()
    await migrate(url, then=apply_schema)
    database = Database(url)
    workers = []
    try:
        shapes = [await add_schedules(database, *shape) for shape in SHAPES]
        workers = await start_workers(url, folder)
        for schedules in shapes:
            await run_all(database, schedules[:2])  # connections and prepared statements
            for _ in range(3):
                sites, reports = await run_all(database, schedules)
                print(
                    f"{SITE_SCANS} site scans of no work in {len(schedules)} scans, over {WORKERS} workers: "
                    f"{SITE_SCANS / sites:.0f} a second, {SITE_SCANS / sites / RATE_WANTED:.2f} of the {RATE_WANTED} "
                    f"wanted; until the last report {SITE_SCANS / reports:.0f} a second"
                )
        latencies = []
        for schedule in schedules[:30]:
            latencies += (await run_one(database, schedule))[:1]
        median = statistics.median(latencies)
        print(
            f"enqueue to start: median {median * 1000:.1f} ms, 95th percentile "
            f"{statistics.quantiles(latencies, n=20)[-1] * 1000:.1f} ms, that is {median / LATENCY_WANTED:.2f} of the "
            f"limit of {LATENCY_WANTED * 1000:.0f} ms"
        )
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            await worker.wait()
        await database.close()
        await server.stop()


def tree(pid):
    """The process and everything below it."""
    found, new = {pid}, {pid}
    while new:
        new = {
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and parent_of(entry) in found and int(entry.name) not in found
        }
        found |= new
    return found


def parent_of(entry):
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])  # with children that were waited for
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pids):
    """Proportional set size in MB: what is shared is counted once."""
    kilobytes = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


async def measure_idle(folder):
    environment = {**os.environ, "NETVIGIL_FEED_SYNC": "false"}
    with (folder / "serve.log").open("wb") as log:
        command = [COMMAND, "serve", "--port", "0", "--data-dir", str(folder / "idle")]
        service = await asyncio.create_subprocess_exec(
            *command, env=environment, stderr=log, stdout=subprocess.DEVNULL
        )
    try:
        await asyncio.sleep(25)  # the first start, and its first turns of everything
        pids = tree(service.pid)
        before, at = cpu_seconds(pids), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        pids |= tree(service.pid)
        percent = (cpu_seconds(pids) - before) / (time.monotonic() - at) * 100
        used = memory(pids)
    finally:
        service.terminate()
        await service.wait()
    print(
        f"idle service with the embedded database, {IDLE_SECONDS} s: {percent:.2f} % of a core, that is "
        f"{percent / CPU_WANTED:.2f} of the limit; {used:.0f} MB, {used / MEMORY_WANTED:.2f} of the limit"
    )


async def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - nothing runs yet
        await measure_scans(folder)
        await measure_idle(folder)


if __name__ == "__main__":
    asyncio.run(main())
