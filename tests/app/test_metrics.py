"""`/metrics`: figures that are true, labels that are few, and a page that costs little."""

import dataclasses
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, text

from netvigil.access.service import get_organisation_id
from netvigil.app.factory import create_app
from netvigil.app.measuring import LABELS_MAX, REST
from netvigil.catalogue.importer import import_starter
from netvigil.db.session import Database
from netvigil.jobs import enqueue
from netvigil.probing.progress import Stage
from netvigil.scans import run as writes
from netvigil.scans.events import record_seconds
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.service import record_event
from netvigil.scans.states import FailureKind, SiteScanState
from netvigil.schedules.schemas import EXAMPLE
from netvigil.sites.models import Site


def client_of(service, **headers):
    transport = httpx.ASGITransport(app=create_app(service))
    return httpx.AsyncClient(transport=transport, base_url="http://netvigil.test", headers=headers)


async def scrape(client):
    """The page as values: (name, labels) → value."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(page, name, **labels):
    return page.get((name, tuple(sorted(labels.items()))))


@pytest.fixture
async def site_scans(database):
    """Makes a scan of so many sites in the database: the ids of its site scans."""

    async def make(number):
        async with database.transaction() as session:
            organisation = await get_organisation_id(session, "acme")
            scan = Scan(
                organisation_id=organisation, human_id=str(uuid4())[:11], trigger="manual", state="pending",
                description="x", min_cvss=0, warning_threshold=9, ignore_offline_sites=False,
                started_at=datetime.now(UTC),
            )  # fmt: skip
            session.add(scan)
            await session.flush()
            parts = [
                SiteScan(
                    scan_id=scan.id, organisation_id=organisation, site_id=uuid4(), site_name="x", position=place,
                    targets=[IPv4Network("192.168.88.0/30")], vantage="local", state="pending",
                )
                for place in range(number)
            ]  # fmt: skip
            session.add_all(parts)
            session.add_all(
                Site(
                    organisation_id=organisation, id=part.site_id, name="x", vantage={"type": "local"},
                    networks=[IPv4Network("192.168.88.0/24")], registration="auto",
                )
                for part in parts
            )  # fmt: skip
            await session.flush()
            return [part.id for part in parts]

    return make


async def test_requests_by_route_and_never_by_id(service, make_token):
    async with client_of(service, Authorization=f"Bearer {make_token()}") as client:
        made = (await client.post("/scans/cve/scheduled", json=EXAMPLE)).json()
        for _ in range(3):
            await client.get(f"/scans/cve/scheduled/{made['id']}")
        await client.get(f"/scans/cve/{uuid4()}")
        await client.get(f"/nowhere/{uuid4()}")
        await client.request("BREW", "/scans/cve")
        page = await scrape(client)
        one = "/scans/cve/scheduled/{scanScheduleId}"
        assert of(page, "netvigil_http_requests_total", method="GET", route=one, status="200") == 3
        assert of(page, "netvigil_http_request_seconds_count", method="GET", route=one) == 3
        scan = of(
            page, "netvigil_http_requests_total", method="GET", route="/scans/cve/{scan_id}", status="404"
        )
        assert scan == 1
        assert of(page, "netvigil_http_requests_total", method="GET", route="unmatched", status="404") == 1
        assert {dict(labels).get("method") for _, labels in page} <= {None, "GET", "POST", "OTHER"}
        text_ = (await client.get("/metrics")).text
    for id_ in (made["id"], *(site["id"] for site in made["sites"])):
        assert id_ not in text_


async def test_two_applications_share_nothing(service, make_token):
    async with client_of(service) as first, client_of(service) as second:
        await first.get("/healthz")
        pages = [await scrape(first), await scrape(second)]
    found = [
        of(page, "netvigil_http_requests_total", method="GET", route="/healthz", status="200")
        for page in pages
    ]
    assert found == [1, None]


async def test_queue_and_lag(service, database):
    async with database.transaction() as session:
        for queue, when in (("vantage:local", None), ("vantage:local", None), ("default", timedelta(hours=1)),
                            ("default", timedelta(seconds=-90))):  # fmt: skip
            at = None if when is None else datetime.now(UTC) + when
            await enqueue(session, "some.job", queue=queue, schedule_at=at)
        await session.execute(text("UPDATE procrastinate_events SET at = now() - interval '42 s'"))
    async with database.transaction() as session:
        done = await enqueue(session, "some.job", queue="default")
        await session.execute(
            text("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = :id"), {"id": done}
        )
    async with client_of(service) as client:
        page = await scrape(client)
    assert of(page, "netvigil_jobs", queue="vantage:local", state="ready") == 2
    assert of(page, "netvigil_jobs", queue="default", state="ready") == 1
    assert of(page, "netvigil_jobs", queue="default", state="planned") == 1
    assert of(page, "netvigil_jobs", queue="default", state="failed") == 1
    assert of(page, "netvigil_jobs", queue="default", state="running") == 0
    assert of(page, "netvigil_queue_lag_seconds", queue="vantage:local") == pytest.approx(42, abs=5)
    assert of(page, "netvigil_queue_lag_seconds", queue="default") == pytest.approx(90, abs=5)


async def test_queues_that_people_name_are_bounded(service, database):
    async with database.transaction() as session:
        for number in range(LABELS_MAX + 20):
            await enqueue(session, "some.job", queue=f"vantage:netns:{number}")
    async with client_of(service) as client:
        page = await scrape(client)
    queues = {dict(labels)["queue"] for name, labels in page if name == "netvigil_jobs"}
    assert len(queues) == LABELS_MAX + 1
    assert of(page, "netvigil_jobs", queue=REST, state="ready") == 20
    assert of(page, "netvigil_queue_lag_seconds", queue=REST) >= 0


async def test_scans_going_on_and_ended(service, database, site_scans):
    first, second, third, _ = await site_scans(4)
    async with client_of(service) as client:
        page = await scrape(client)
        assert of(page, "netvigil_site_scans", state="pending") == 4
        assert of(page, "netvigil_scans", state="pending") == 1
        assert of(page, "netvigil_site_scans_ended_total", state="scanned") == 0
        run = await writes.begin(database, first)
        await record_seconds(database, run, {Stage.REACH: 0.05, Stage.SWEEP: 3.5})
        await writes.end(database, run, SiteScanState.SCANNED)
        await writes.begin(database, second)
        again = await writes.begin(database, second)
        await writes.end(database, again, SiteScanState.FAILED, failure=FailureKind.OFFLINE, error="Silence.")
        await writes.begin(database, third)
        for _ in range(2):  # what has ended is counted once however often one looks
            page = await scrape(client)
        assert of(page, "netvigil_scans", state="running") == 1
        assert of(page, "netvigil_site_scans", state="pending") == 1
        assert of(page, "netvigil_site_scans", state="running") == 1
        assert of(page, "netvigil_site_scans_ended_total", state="scanned") == 1
        assert of(page, "netvigil_site_scans_ended_total", state="failed") == 1
        assert of(page, "netvigil_site_scan_failures_total", reason="offline") == 1
        assert of(page, "netvigil_site_scan_failures_total", reason="fault") == 0
        assert of(page, "netvigil_site_scan_takeovers_total") == 1
        assert of(page, "netvigil_stage_seconds_sum", stage="sweep") == 3.5
        assert of(page, "netvigil_stage_seconds_count", stage="reach") == 1
        assert of(page, "netvigil_stage_seconds_count", stage="identify") == 0
        async with database.transaction() as session:
            scan = await session.scalar(select(Scan))
            scan.state = "failed"
            record_event(session, scan.id, "scan_failed", "It did.")
        page = await scrape(client)
        assert of(page, "netvigil_scans_ended_total", state="failed") == 1
        assert of(page, "netvigil_scans", state="running") == 0


async def test_an_end_that_is_committed_late_is_counted(service, database, site_scans):
    await site_scans(1)
    async with database.session() as session:
        scan_id = await session.scalar(select(Scan.id))
    write = "INSERT INTO scan_event (scan_id, kind, message) VALUES (%s, 'scan_stopped', 'x')"
    async with client_of(service) as client:
        await scrape(client)
        async with await psycopg.AsyncConnection.connect(database.url) as slow:
            await slow.execute(write, (scan_id,))
            async with await psycopg.AsyncConnection.connect(database.url) as quick:
                await quick.execute(write, (scan_id,))
            assert of(await scrape(client), "netvigil_scans_ended_total", state="stopped") == 1
        for _ in range(2):
            assert of(await scrape(client), "netvigil_scans_ended_total", state="stopped") == 2


async def test_catalogue_process_pool_and_build(service, database):
    await import_starter(database.engine)
    async with client_of(service) as client:
        page = await scrape(client)
    assert of(page, "netvigil_catalogue_cves", source="starter") > 10
    assert of(page, "netvigil_catalogue_age_seconds", source="starter") > 0
    assert of(page, "process_resident_memory_bytes") > 10_000_000
    assert of(page, "process_cpu_seconds_total") > 0
    assert of(page, "netvigil_database_up") == 1
    assert of(page, "netvigil_database_connections", state="idle") >= 1
    assert [value for (name, _), value in page.items() if name == "netvigil_build_info"] == [1]


async def test_workers_by_vantage(service, database):
    async with database.transaction() as session:
        await session.execute(
            text("""
            CREATE TABLE IF NOT EXISTS worker (id uuid PRIMARY KEY, host text NOT NULL, pid int NOT NULL,
              started_at timestamptz NOT NULL, seen_at timestamptz NOT NULL, vantages text[] NOT NULL)""")
        )
        for vantages, age in ((["local", "netns:a"], 0), (["local"], 1), (["local", "vrf:b"], 60)):
            await session.execute(
                text("""
                INSERT INTO worker (id, host, pid, started_at, seen_at, vantages)
                VALUES (:id, 'h', 7, now(), now() - make_interval(secs => :age), :vantages)"""),
                {"id": uuid4(), "age": age, "vantages": vantages},
            )
    async with client_of(service) as client:
        page = await scrape(client)
    assert of(page, "netvigil_workers", vantage="local") == 2
    assert of(page, "netvigil_workers", vantage="netns:a") == 1
    assert of(page, "netvigil_workers", vantage="vrf:b") is None


async def test_without_the_database_the_rest_is_there(service, settings):
    away = Database("postgresql://nobody@127.0.0.1:9/none")
    async with client_of(dataclasses.replace(service, database=away)) as client:
        page = await scrape(client)
    assert of(page, "netvigil_database_up") == 0
    assert of(page, "process_resident_memory_bytes") > 0
    assert of(page, "netvigil_scans", state="running") is None
    await away.close()


async def test_who_may_read_it(service, settings):
    closed = dataclasses.replace(settings, metrics_token="s3cret-metrics-token")
    async with client_of(dataclasses.replace(service, settings=closed)) as client:
        for header in (
            "",
            "Bearer",
            "Bearer wrong",
            "Basic s3cret-metrics-token",
            "Bearer s3cret-metrics-tokén",
        ):
            answer = await client.get("/metrics", headers={"Authorization": header.encode()})
            assert (answer.status_code, answer.json()["type"]) == (401, "authentication_error")
        right = {"Authorization": "Bearer s3cret-metrics-token"}
        assert (await client.get("/metrics", headers=right)).status_code == 200
    assert "s3cret" not in repr(closed)
    off = dataclasses.replace(settings, metrics=False)
    async with client_of(dataclasses.replace(service, settings=off)) as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_a_scrape_is_quick_with_a_hundred_thousand_schedules(service, database):
    """Each has its future job; nothing that is read at every scrape may depend on how many there are."""
    async with database.transaction() as session:
        await session.execute(
            text("""
            INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)
            SELECT 'default', 'scans.start_due', 'schedule:' || gen_random_uuid(),
                   jsonb_build_object('schedule_id', gen_random_uuid(), 'planned_at', now()::text),
                   now() + interval '1 h' + n * interval '7 s' FROM generate_series(1, 100000) n""")
        )
    async with client_of(service) as client:
        page = await scrape(client)
        assert of(page, "netvigil_jobs", queue="default", state="planned") == 100_000
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            await client.get("/metrics")
            took.append(time.perf_counter() - begun)
    assert sorted(took)[2] < 0.15, took  # 50 ms on a machine that does nothing else
