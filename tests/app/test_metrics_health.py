"""`/readyz` says why the service cannot work."""

import dataclasses

import httpx
from sqlalchemy import text

from netvigil.app.factory import create_app
from netvigil.app.health import newest_revision
from netvigil.db.session import Database


async def ask(service, **given):
    transport = httpx.ASGITransport(app=create_app(service, **given))
    async with httpx.AsyncClient(transport=transport, base_url="http://netvigil.test") as client:
        return await client.get("/readyz"), await client.get("/healthz")


async def test_ready(service):
    ready, alive = await ask(service)
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})


async def test_the_database_is_away(service):
    away = Database("postgresql://nobody:hunter2@127.0.0.1:9/none")
    ready, alive = await ask(dataclasses.replace(service, database=away))
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "reason": "the database does not answer"}
    assert alive.status_code == 200
    await away.close()


async def test_the_database_is_of_another_version(service, database):
    for other in ("0001", "9999"):
        async with database.transaction() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :other"), {"other": other})
        ready, _ = await ask(service)
        assert ready.status_code == 503
        assert f"revision {other} " in ready.json()["reason"]
        assert f" {newest_revision()}:" in ready.json()["reason"]


async def test_the_worker_is_down(service):
    why = ["the worker ended: no space left on device"]
    ready, alive = await ask(service, why_idle=lambda: why[0])
    assert (ready.status_code, ready.json()["reason"]) == (503, why[0])
    assert alive.status_code == 200
    why[0] = None
    assert (await ask(service, why_idle=lambda: why[0]))[0].status_code == 200
