"""Fixtures of all tests: a real PostgreSQL for each test process, a fresh migrated database for each test."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from scan_sequences import Scans

from netvigil.access.keys import load_keys
from netvigil.app.factory import create_app
from netvigil.app.service import Service, authority_of
from netvigil.catalogue.importer import import_paths
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.endpoint import SUPERUSER
from netvigil.db.migrate import migrate
from netvigil.db.session import Database
from netvigil.jobs import apply_schema
from netvigil.settings import Settings

# No test reaches the feeds' own servers: those that fetch name a server of their own.
os.environ.setdefault("NETVIGIL_FEED_SYNC", "false")

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say so, what this machine cannot run."""
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root for raw sockets and network namespaces"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="needs the data folder beside the checkout"))


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this test process with a migrated template database."""
    server = EmbeddedServer(tmp_path_factory.mktemp("postgres") / "data")

    async def start() -> str:
        url = await server.start()
        await migrate(url, then=apply_schema)
        return url

    # The server dies with the thread that starts it, so this runs here and not in a loop's helper thread.
    yield asyncio.run(start())
    asyncio.run(server.stop())


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """A fresh database of this test, as every table is after the migrations."""
    name = f"test_{uuid4().hex[:12]}"
    other = server_url.replace("netvigil@/netvigil?", f"{SUPERUSER}@/postgres?")
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE netvigil OWNER netvigil").format(sql.Identifier(name))
        )
    yield server_url.replace("/netvigil?", f"/{name}?")
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, with sessions."""
    database = Database(database_url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service on the test's database."""
    return Settings(data_dir=tmp_path / "data", database_url=database_url, max_rate=20_000)


@pytest.fixture
def service(settings: Settings, database: Database) -> Service:
    """A service without a worker."""
    keys = load_keys(settings.keys_dir)
    return Service(settings, database, keys, authority_of(settings, keys))


TokenMaker = Callable[..., str]


@pytest.fixture
def make_token(service: Service) -> TokenMaker:
    """A token of an organisation with scopes; by default of `acme` with all."""

    def make(*scopes: str, organisation: str = "acme", ttl: float = 3600) -> str:
        return service.authority.issue(
            organisation=organisation, scopes=scopes or ("*",), subject="tester", ttl=ttl
        )

    return make


@pytest.fixture
async def api(service: Service, make_token: TokenMaker) -> AsyncIterator[httpx.AsyncClient]:
    """The service's HTTP API, called as `acme` with every scope."""
    transport = httpx.ASGITransport(app=create_app(service), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {make_token()}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://netvigil.test", headers=headers
    ) as client:
        yield client


@pytest.fixture
def load(tmp_path, database):
    """Imports records made by `cve`."""

    async def load(*records):
        path = tmp_path / "feed.json"
        document = {"vulnerabilities": [{"cve": one} for one in records], "totalResults": len(records)}
        path.write_text(json.dumps(document))
        await import_paths(database.engine, [path])

    return load


@pytest.fixture
def scans(api, database):
    """Scans of a service without a worker."""
    return Scans(api, database)
