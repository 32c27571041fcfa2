"""The CVE List: the archive once, then only what its log names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from feed_server import Answer, FakeTime, FeedServer
from sqlalchemy import select
from test_sync_run import zip_of

from netvigil.catalogue.feeds.base import DamagedFile
from netvigil.catalogue.models import Cve
from netvigil.catalogue.models_enrichment import FeedSource
from netvigil.catalogue.sync import cvelist
from netvigil.catalogue.sync.cvelist import read_changes, record_url
from netvigil.catalogue.sync.run import Outcome, sync_all
from netvigil.catalogue.sync.settings import FeedSettings
from netvigil.catalogue.sync.sources import SOURCES
from netvigil.catalogue.sync.waits import Waits
from netvigil.db.session import Database

NOW = datetime(2026, 8, 22, 12, tzinfo=UTC)


def record(name, *, updated="2026-08-22T10:00:00.000Z"):
    return {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {
            "cveId": name,
            "assignerOrgId": "00000000-0000-4000-9000-000000000000",
            "assignerShortName": "acme",
            "state": "PUBLISHED",
            "datePublished": "2024-01-01T00:00:00.000Z",
            "dateUpdated": updated,
        },
        "containers": {
            "cna": {
                "providerMetadata": {"orgId": "00000000-0000-4000-9000-000000000000", "dateUpdated": updated},
                "descriptions": [{"lang": "en", "value": "Made up for a test."}],
                "affected": [
                    {
                        "vendor": "acme",
                        "product": "box",
                        "versions": [{"version": "1.0", "status": "affected"}],
                    }
                ],
                "references": [{"url": "https://example.com/a"}],
            }
        },
    }


def log_of(*entries):
    """Newest first, as the list has it: (time, new names, updated names)."""
    return json.dumps(
        [
            {
                "fetchTime": when.isoformat(),
                "numberOfChanges": len(new) + len(updated),
                "new": [{"cveId": name, "githubLink": "https://elsewhere.example/x"} for name in new],
                "updated": [{"cveId": name, "dateUpdated": when.isoformat()} for name in updated],
                "error": [],
            }
            for when, new, updated in entries
        ]
    ).encode()


@pytest.fixture
async def server():
    async with FeedServer() as server:
        members = {
            "list__cves__2024__1xxx__CVE-2024-1001.json": json.dumps(record("CVE-2024-1001"), indent=1)
        }
        members |= {"list__cves__deltaLog.json": "[]", "list__README.md": "x"}
        server.pages["/cvelist"] = Answer(zip_of(**members))
        server.pages["/cves/deltaLog.json"] = Answer(
            log_of((NOW, [], []), (NOW - timedelta(days=30), [], []))
        )
        yield server


@pytest.fixture
async def database(url):
    database = Database(url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
def sync(database, tmp_path, server):
    async def run():
        time = FakeTime()
        server.requests.clear()
        feeds = FeedSettings(
            urls={source.name: server.url(f"/{source.name}") for source in SOURCES},
            cvelist_changes_url=server.url("/cves"),
        )
        waits = Waits(time.clock, time.sleep, lambda: 1.0)
        [result] = await sync_all(database, tmp_path, feeds, only=["cvelist"], waits=waits)
        return result, [one.path for one in server.requests]

    return run


async def cves(database):
    async with database.session() as session:
        return list(await session.scalars(select(Cve.cve_id).order_by(Cve.cve_id)))


async def cursor(database):
    async with database.session() as session:
        return (await session.get(FeedSource, "cvelist")).cursor


async def test_the_archive_comes_first_and_then_single_records(sync, server, database):
    result, asked = await sync()
    assert (result.outcome, result.records, result.error) == (Outcome.UPDATED, 1, None)
    assert asked == ["/cves/deltaLog.json", "/cvelist"]
    assert await cursor(database) == NOW
    later = NOW + timedelta(days=1)
    server.pages["/cves/deltaLog.json"] = Answer(
        log_of(
            (later, ["CVE-2024-12345"], ["CVE-2024-1001"]), (NOW - timedelta(days=29), ["CVE-2024-0007"], [])
        )
    )
    for name, path in (("CVE-2024-12345", "/cves/2024/12xxx"), ("CVE-2024-1001", "/cves/2024/1xxx")):
        server.pages[f"{path}/{name}.json"] = Answer(json.dumps(record(name), indent=1).encode())
    result, asked = await sync()
    assert (result.outcome, result.records, result.error) == (Outcome.UPDATED, 2, None)
    assert len(asked) == 3
    assert "/cvelist" not in asked
    assert await cves(database) == ["CVE-2024-1001", "CVE-2024-12345"]
    assert await cursor(database) == later


async def test_nothing_changed_is_one_question(sync, server):
    await sync()
    server.pages["/cves/deltaLog.json"] = Answer(
        log_of((NOW, [], []), (NOW - timedelta(days=30), ["CVE-2024-0007"], []))
    )
    result, asked = await sync()
    assert (result.outcome, asked) == (Outcome.UNCHANGED, ["/cves/deltaLog.json"])


async def test_who_was_away_too_long_fetches_the_archive_again(sync, server):
    await sync()
    server.pages["/cves/deltaLog.json"] = Answer(log_of((NOW + timedelta(days=50), ["CVE-2024-0007"], [])))
    result, asked = await sync()
    assert (result.outcome, asked) == (Outcome.UPDATED, ["/cves/deltaLog.json", "/cvelist"])


async def test_a_record_that_is_not_there_leads_to_the_archive(sync, server):
    await sync()
    server.pages["/cves/deltaLog.json"] = Answer(
        log_of((NOW + timedelta(days=1), ["CVE-2024-0007"], []), (NOW - timedelta(days=29), [], []))
    )
    result, asked = await sync()
    assert result.outcome is Outcome.UPDATED
    assert asked == ["/cves/deltaLog.json", "/cves/2024/0xxx/CVE-2024-0007.json", "/cvelist"]


async def test_a_broken_log_leaves_everything_as_it_was(sync, server, database):
    await sync()
    server.pages["/cves/deltaLog.json"] = Answer(b"[{]")
    result, _ = await sync()
    assert result.outcome is Outcome.FAILED
    assert "no log of the CVE List" in result.error
    assert await cursor(database) == NOW
    assert await cves(database) == ["CVE-2024-1001"]


def test_names_that_are_none_are_left_out_and_too_many_mean_all(tmp_path):
    path = tmp_path / "log"
    old = (NOW - timedelta(days=30), [], [])
    path.write_bytes(log_of((NOW, ["CVE-2024-0007", "../../x", "CVE-2024-7/../x"], []), old))
    assert read_changes(path, NOW).names == ("CVE-2024-0007",)
    path.write_bytes(log_of((NOW, [f"CVE-2024-{n:05}" for n in range(cvelist.MOST_CHANGES + 1)], []), old))
    assert read_changes(path, NOW).names is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", '[{"fetchTime":"soon"}]', "[" * 99999])
def test_what_is_no_log_is_damaged(tmp_path, text):
    path = tmp_path / "log"
    path.write_text(text)
    with pytest.raises(DamagedFile):
        read_changes(path, NOW)


@pytest.mark.parametrize(
    ("name", "place"),
    [("CVE-1999-0001", "1999/0xxx"), ("CVE-2024-12345", "2024/12xxx"), ("CVE-2024-1234567", "2024/1234xxx")],
)
def test_where_a_record_lies(name, place):
    assert record_url("https://list.example/cves", name) == f"https://list.example/cves/{place}/{name}.json"
