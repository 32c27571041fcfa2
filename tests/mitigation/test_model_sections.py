"""A page with a model's section: marked, kept, told public facts only, and never a reason to fail."""

import json
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address

import httpx
import pytest
from model_server import answers, dawdles, sends, serving
from sqlalchemy import func, select, text

from netvigil.app.factory import create_app
from netvigil.catalogue.importer import import_paths
from netvigil.findings.service import reconcile
from netvigil.mitigation.models import WrittenSection
from netvigil.mitigation.writer import Endpoint, SectionWriter
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.scans import run as writes
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.states import SiteScanState

CVE = "CVE-2099-0001"
PATH = f"/scans/cve/mitigation/{CVE}"
SECRETS = ("192.168.88", "4C:5E:0C", "core-router", "18291", "Main Office", "acme", "9c3c1392")


def record(description="A fault in WinBox.", modified="2026-01-02T00:00:00.000"):
    criteria = {
        "vulnerable": True,
        "criteria": "cpe:2.3:o:mikrotik:routeros:*:*:*:*:*:*:*:*",
        "matchCriteriaId": "0",
    }
    nodes = [{"operator": "OR", "negate": False, "cpeMatch": [{**criteria, "versionEndExcluding": "6.49.7"}]}]
    return {
        "id": CVE,
        "sourceIdentifier": "test",
        "published": "2026-01-01T00:00:00.000",
        "lastModified": modified,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": description}],
        "configurations": [{"nodes": nodes}],
        "references": [],
    }


@pytest.fixture
def load(tmp_path, database):
    async def run(*args):
        path = tmp_path / "feed.json"
        path.write_text(json.dumps({"vulnerabilities": [{"cve": record(*args)}], "totalResults": 1}))
        await import_paths(database.engine, [path])

    return run


@pytest.fixture
async def catalogue(load):
    await load()


async def add_router(api, database):
    """One router of the organisation `acme` that has the CVE, as a finished scan leaves it."""
    body = {
        "description": "Main Office", "day_of_week": 1, "time_of_day": "02:00", "every_n_weeks": 2, "timezone": "UTC", "min_cvss": 0,
        "warning_threshold": 9, "notification_group": "nobody",
        "sites": [{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": "192.168.88.0/30"}],
    }  # fmt: skip
    schedule = (await api.post("/scans/cve/scheduled", json=body)).json()["id"]
    await api.post(f"/scans/cve/scheduled/{schedule}/invoke")
    async with database.session() as session:
        run = await writes.begin(database, await session.scalar(select(SiteScan.id)))
    winbox = ServiceObservation(
        port=18291, protocol=Protocol.TCP, method=Method.NMAP, name="winbox", product="MikroTik RouterOS", version="6.42",
        cpes=("cpe:/o:mikrotik:routeros:6.42",),
    )  # fmt: skip
    seen = HostObservation(
        address=IPv4Address("192.168.88.1"), observed_at=datetime.now(UTC), reason="syn-ack", mac="4C:5E:0C:00:00:01",
        hostname="core-router", services=(winbox,),
    )  # fmt: skip
    await writes.record_host(database, run, seen, identified=True)
    await writes.end(database, run, SiteScanState.SCANNED)
    async with database.transaction() as session:
        scan = await session.get_one(Scan, run.scan_id)
        assert await reconcile(session, scan) == 1
        scan.state = "completed"


@pytest.fixture
async def with_model(service, make_token, catalogue):
    """The API of a service whose model is a server of this test."""
    async with serving() as model:
        app = create_app(service)
        app.state.section_writer = SectionWriter(Endpoint(model.url, "small *model*", timeout=2.5))
        headers = {"Authorization": f"Bearer {make_token()}"}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://netvigil.test", headers=headers
        ) as client:
            yield client, model


async def test_a_models_section_is_marked_and_kept(with_model, database):
    client, model = with_model
    model.behave = answers("Close WinBox.\n# Heading\n<b>bold</b>")
    first = (await client.get(PATH)).json()
    assert first["source"] == "netvigil (NVD), with a section by a language model"
    page, section = first["mitigation"].split("## Written by a language model, not verified")
    assert "small \\*model\\*" in section
    assert section.endswith("> Close WinBox.\n> **Heading**\n> bold\n")
    assert page.rstrip().endswith("rely on this page.**")
    again = (await client.get(PATH)).json()
    assert again["mitigation"] == first["mitigation"]
    assert len(model.requests) == 1
    async with database.session() as session:
        [kept] = await session.scalars(select(WrittenSection))
        assert (kept.cve_id, kept.model) == (CVE, "small *model*")


async def test_other_facts_ask_again(with_model, database, load):
    client, model = with_model
    await client.get(PATH)
    await load("Said better.", "2026-02-01T00:00:00.000")
    model.behave = answers("Newer advice.")
    assert "> Newer advice." in (await client.get(PATH)).json()["mitigation"]
    assert len(model.requests) == 2
    async with database.session() as session:
        assert [one.section for one in await session.scalars(select(WrittenSection))] == ["> Newer advice."]


@pytest.mark.parametrize(
    "behave", [sends(500, b""), sends(200, b"garbage"), dawdles(60), sends(200, b"x" * 10_000_000)]
)
async def test_a_model_that_fails_changes_nothing(with_model, behave):
    client, model = with_model
    model.behave = behave
    started = time.monotonic()
    answer = await client.get(PATH)
    assert time.monotonic() - started < 30  # before the model has answered
    assert answer.status_code == 200
    assert answer.json()["source"] == "netvigil (NVD)"
    assert "language model" not in answer.json()["mitigation"]
    assert len(model.requests) == 1


async def test_the_model_is_told_public_facts_only(with_model, database):
    client, model = with_model
    await add_router(client, database)
    assert "192.168.88.1" in (await client.get(PATH)).json()["mitigation"]
    [(_, headers, body)] = model.requests
    told = json.dumps(body) + json.dumps(headers)
    assert "6.49.7" in told
    assert [secret for secret in SECRETS if secret in told] == []


async def test_a_cache_that_cannot_be_written_costs_nothing(with_model, database):
    client, _ = with_model
    async with database.transaction() as session:
        await session.execute(text("ALTER TABLE written_section ADD CHECK (section = '')"))
    assert "> Close the port" in (await client.get(PATH)).json()["mitigation"]
    async with database.session() as session:
        assert await session.scalar(select(func.count()).select_from(WrittenSection)) == 0
