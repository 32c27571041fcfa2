"""A worker that was thought dead cannot write, and what no living job carries is carried on."""

from datetime import UTC, datetime
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from netvigil.errors import Superseded
from netvigil.inventory.models import Host
from netvigil.probing.observations import HostObservation
from netvigil.scans import run as writes
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.recovery import recover_scans, recover_schedules
from netvigil.scans.states import SiteScanState


def host(address):
    return HostObservation(address=IPv4Address(address), observed_at=datetime.now(UTC), reason="syn-ack")


@pytest.fixture
async def site_scan_id(api, make_schedule, database):
    """A site scan that waits; no worker runs."""
    schedule_id = await make_schedule()
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    async with database.session() as session:
        return await session.scalar(select(SiteScan.id))


async def test_zombie_cannot_write(database, network, site_scan_id):
    frozen = await writes.begin(database, site_scan_id)
    successor = await writes.begin(database, site_scan_id)
    assert (frozen.attempt, successor.attempt) == (1, 2)
    await writes.record_host(database, successor, host(network[1]), identified=True)
    with pytest.raises(Superseded):
        await writes.record_host(database, frozen, host(network[1]), identified=True)
    with pytest.raises(Superseded):
        await writes.record_progress(database, frozen, stage="sweep", hosts_total=1, percent=50)
    with pytest.raises(Superseded):
        await writes.end(database, frozen, SiteScanState.SCANNED)
    await writes.end(database, successor, SiteScanState.SCANNED)
    with pytest.raises(Superseded):
        await writes.end(database, successor, SiteScanState.SCANNED)
    async with database.session() as session:
        assert (await session.scalars(select(Scan.state))).all() == ["processing"]


async def test_next_attempt_knows_what_is_recorded(database, network, site_scan_id):
    first = await writes.begin(database, site_scan_id)
    await writes.record_host(database, first, host("127.79.0.1"), identified=True)
    await writes.record_host(database, first, host("127.79.0.2"), identified=False)
    await writes.record_host(database, first, host("127.79.0.1"), identified=True)
    second = await writes.begin(database, site_scan_id)
    assert second.recorded == {IPv4Address("127.79.0.1")}
    async with database.session() as session:
        assert await session.scalar(select(func.count()).select_from(Host)) == 2


async def test_recovery_requeues_what_no_job_carries(database, site_scan_id):
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'"))
    await recover_scans(database, 8)
    async with database.session() as session:
        jobs = await session.execute(
            text(
                "SELECT args FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan' AND status = 'todo'"
            )
        )
        assert [UUID(row.args["site_scan_id"]) for row in jobs] == [site_scan_id]
    await recover_scans(database, 8)
    async with database.session() as session:
        waiting = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'")
        assert await session.scalar(waiting) == 1


async def test_recovery_takes_over_from_a_dead_worker(database, site_scan_id):
    async with database.transaction() as session:
        await session.execute(
            text("""
            WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)
                          VALUES (now() - interval '1 minute') RETURNING id)
            UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)
            WHERE task_name = 'scans.run_site_scan'""")
        )
        await session.execute(update(SiteScan).values(state="running", attempt=1))
    await recover_scans(database, 8)
    async with database.session() as session:
        status = text("SELECT status::text FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'")
        assert (await session.scalars(status)).all() == ["todo"]


async def test_stop_of_a_dead_workers_scan_ends_it(api, database, site_scan_id):
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'"))
        await session.execute(update(SiteScan).values(state="running", attempt=1))
        await session.execute(update(Scan).values(state="running", stop_requested_at=func.now()))
    await recover_scans(database, 8)
    async with database.session() as session:
        assert (await session.scalars(select(SiteScan.state))).all() == ["stopped"]
        assert (await session.scalars(select(Scan.state))).all() == ["processing"]


async def test_recovery_plans_a_lost_schedule_job(database, make_schedule):
    schedule_id = await make_schedule()
    planned = text("SELECT queueing_lock FROM procrastinate_jobs WHERE task_name = 'scans.start_due'")
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'scans.start_due'"))
    await recover_schedules(database)
    await recover_schedules(database)
    async with database.session() as session:
        assert (await session.scalars(planned)).all() == [f"schedule:{schedule_id}"]


async def test_network_that_was_taken_away_is_not_scanned(api, database, make_schedule):
    """Neither by a new scan nor by one that waits: the site's networks decide when the packets would leave."""
    schedule_id = await make_schedule()
    site = "/sites/9c3c1392-7f36-4240-85f2-273573c0384a"
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    narrowed = await api.patch(site, json={"networks": ["10.0.0.0/24"]})
    assert narrowed.status_code == 200
    async with database.session() as session:
        waiting = await session.scalar(select(SiteScan.id))
    assert await writes.begin(database, waiting) is None
    async with database.session() as session:
        [site_scan] = await session.scalars(select(SiteScan))
        assert (site_scan.state, site_scan.failure) == ("failed", "fault")
    async with database.transaction() as session:
        await session.execute(update(Scan).values(state="failed"))
    assert (await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).status_code == 202
    status = (await api.get(f"/scans/cve/{schedule_id}/status")).json()
    assert (status["status"], len(status["failed"])) == ("processing", 1)
    assert "no longer among the site's networks" in next(iter(status["errors"].values()))


async def test_job_that_died_after_planning_its_successor_stays_dead(database, make_schedule):
    """Both carry the schedule's queueing lock: bringing the dead one back would block all recovery."""
    await make_schedule()
    async with database.transaction() as session:
        await session.execute(
            text("""
            WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)
                          VALUES (now() - interval '1 minute') RETURNING id)
            INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, worker_id)
            SELECT queue_name, task_name, queueing_lock, 'doing', (SELECT id FROM dead)
            FROM procrastinate_jobs WHERE task_name = 'scans.start_due'""")
        )
    await recover_scans(database, 8)
    async with database.session() as session:
        status = text(
            "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'scans.start_due' ORDER BY status"
        )
        assert (await session.scalars(status)).all() == ["failed", "todo"]
