"""`/feeds` and the plan behind it: who may look, who may refresh, and that a tick never counts twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from feed_server import Answer, FeedServer
from sqlalchemy import select, text

from netvigil.app.factory import create_app
from netvigil.app.service import run_jobs
from netvigil.catalogue import routes
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.jobs import sync_feeds
from netvigil.catalogue.models_enrichment import FeedPlan, FeedSource
from netvigil.catalogue.sync.planning import SYNC_JOB, next_sync, plan_sync, request_sync, tick
from netvigil.catalogue.sync.settings import FeedSettings
from netvigil.catalogue.sync.sources import SOURCES
from netvigil.errors import Conflict

NOW = datetime(2026, 8, 22, 12, 0, 0, 123456, tzinfo=UTC)
DEAD_AFTER = 8.0
EPSS = "#model_version:v1,score_date:{}T00:00:00Z\ncve,epss,percentile\nCVE-2018-14847,0.9,0.5\n"


@pytest.fixture
def feeds():
    return FeedSettings()


@pytest.fixture
async def api(service, make_token, feeds):
    app = create_app(service)
    app.state.feed_settings = feeds
    if not any(getattr(route, "path", "") == "/feeds" for route in app.routes):
        app.include_router(routes.router)
    headers = {"Authorization": f"Bearer {make_token()}"}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://netvigil.test", headers=headers
    ) as client:
        yield client


async def plan_of(database):
    async with database.session() as session:
        return (await session.scalars(select(FeedPlan))).one()


async def waiting(database, name=SYNC_JOB):
    async with database.session() as session:
        return await session.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :name AND status = 'todo'"),
            {"name": name},
        )


# --------------------------------------------------------------------- state
async def test_an_empty_catalogue_says_so(api):
    state = (await api.get("/feeds")).json()
    assert (state["cves"], state["catalogue_version"], state["stale"], state["running"]) == (
        0,
        "0",
        True,
        False,
    )
    assert state["next_sync_at"] is None
    assert [one["source"] for one in state["sources"]] == [source.name for source in SOURCES]
    assert all(one["stale"] and one["enabled"] and one["last_success_at"] is None for one in state["sources"])
    assert all(one["url"].startswith("https://") for one in state["sources"])


async def test_each_source_tells_its_records_age_and_error(api, database, tmp_path):
    path = tmp_path / "epss.csv"
    path.write_text(EPSS.format("2026-08-16"))
    await import_paths(database.engine, [path])
    async with database.transaction() as session:
        session.add(
            FeedSource(
                source="epss", url="x", url_digest="x", last_success_at=datetime.now(UTC), last_attempt_at=NOW
            )
        )
        session.add(
            FeedSource(
                source="kev", url="x", url_digest="x", last_attempt_at=NOW, last_error="It answers 404."
            )
        )
    sources = {one["source"]: one for one in (await api.get("/feeds")).json()["sources"]}
    epss, kev = sources["epss"], sources["kev"]
    assert (epss["records"], epss["data_date"], epss["stale"]) == (1, "2026-08-16T00:00:00Z", False)
    assert epss["age_seconds"] == pytest.approx(
        (datetime.now(UTC) - datetime(2026, 8, 16, tzinfo=UTC)).total_seconds(), abs=60
    )
    assert (kev["records"], kev["last_error"], kev["stale"]) == (0, "It answers 404.", True)
    assert kev["last_attempt_at"] == "2026-08-22T12:00:00Z"


async def test_who_may_look_and_who_may_refresh(api, make_token):
    def bearer(*scopes):
        return {"Authorization": f"Bearer {make_token(*scopes)}"}

    assert (await api.get("/feeds", headers=bearer("cve:view"))).status_code == 200
    for answer in (
        await api.get("/feeds", headers=bearer("feeds:manage")),
        await api.post("/feeds/sync", headers=bearer("cve:view")),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert (await api.post("/feeds/sync", headers=bearer("feeds:manage"))).status_code == 202


async def test_a_refresh_is_asked_for_once(api, database):
    answer = await api.post("/feeds/sync")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    again = await api.post("/feeds/sync")
    assert (again.status_code, again.json()["code"]) == (409, "sync_running")
    assert await waiting(database) == 1
    assert (await api.get("/feeds")).json()["running"] is True


# --------------------------------------------------------------------- plan
async def test_the_first_sync_is_soon_but_not_at_once_and_planned_once(database, feeds):
    for _ in range(3):
        async with database.transaction() as session:
            at = await plan_sync(session, feeds, now=NOW, dead_after=DEAD_AFTER, chance=lambda: 0.5)
    assert at == NOW + timedelta(minutes=10)
    assert await waiting(database, "catalogue.start_sync") == 1
    async with database.session() as session:
        assert await next_sync(session) == at


async def test_a_tick_asks_for_the_sync_and_plans_the_next_and_counts_once(database, feeds):
    async with database.transaction() as session:
        at = await plan_sync(session, feeds, now=NOW, dead_after=DEAD_AFTER)
    told = []
    for _ in range(2):
        async with database.transaction() as session:
            told.append(await tick(session, feeds, at, now=at, dead_after=DEAD_AFTER, chance=lambda: 1.0))
    assert told == [True, False]
    assert await waiting(database) == 1
    assert (await plan_of(database)).next_sync_at == at + timedelta(hours=25.2)


async def test_a_lost_or_far_plan_is_made_anew_and_off_withdraws_it(database, feeds):
    async with database.transaction() as session:
        await plan_sync(session, feeds, now=NOW, dead_after=DEAD_AFTER)
        await session.execute(text("DELETE FROM procrastinate_jobs"))
    async with database.transaction() as session:
        again = await plan_sync(session, feeds, now=NOW + timedelta(hours=1), dead_after=DEAD_AFTER)
    assert again > NOW + timedelta(hours=1)
    off = FeedSettings(scheduled=False)
    async with database.transaction() as session:
        assert await plan_sync(session, off, now=NOW, dead_after=DEAD_AFTER) is None
    assert await waiting(database, "catalogue.start_sync") == 0
    async with database.transaction() as session:
        assert not await tick(session, off, again, now=again, dead_after=DEAD_AFTER)
    assert await waiting(database) == 0


async def test_a_request_beside_a_sync_of_the_command_line_is_refused(database):
    async with database.engine.connect() as other:
        await other.execute(text("SELECT pg_advisory_lock(:n)"), {"n": 0x6E76_7379_6E63})
        async with database.session() as session:
            with pytest.raises(Conflict):
                await request_sync(session, dead_after=DEAD_AFTER)
        await other.rollback()
        await other.execute(text("SELECT pg_advisory_unlock_all()"))


async def test_a_worker_carries_a_request_to_its_end(service, database, api, monkeypatch):
    assert sync_feeds.name == SYNC_JOB
    async with FeedServer() as server:
        server.pages["/epss"] = Answer(EPSS.format("2026-08-16").encode())
        for source in SOURCES:
            monkeypatch.setenv(source.setting, "off")
        monkeypatch.setenv("NETVIGIL_FEED_EPSS_URL", server.url("/epss"))
        async with run_jobs(service):
            assert (await api.post("/feeds/sync")).status_code == 202
            for _ in range(150):
                state = (await api.get("/feeds")).json()
                if not state["running"]:
                    break
                await asyncio.sleep(0.1)
    [epss] = [one for one in state["sources"] if one["source"] == "epss"]
    assert (epss["records"], epss["last_error"]) == (1, None)
    assert epss["last_success_at"] is not None
    assert state["running"] is False
