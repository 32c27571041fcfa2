"""A whole sync against a server of our own: what fails stops no other and leaves the old data in force."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feed_server import Answer, FakeNvd, FakeTime, FeedServer
from sqlalchemy import select

from netvigil.catalogue.enrichment import get_cwe_names, get_enrichment
from netvigil.catalogue.models import Cve
from netvigil.catalogue.models_enrichment import FeedSource
from netvigil.catalogue.sync.fetch import ATTEMPTS
from netvigil.catalogue.sync.run import Outcome, sync_all, sync_runs
from netvigil.catalogue.sync.settings import FeedSettings
from netvigil.catalogue.sync.sources import SOURCES
from netvigil.catalogue.sync.waits import Waits
from netvigil.db.session import Database
from netvigil.errors import Conflict, EnvironmentFault, UsageError

NOW = datetime(2026, 8, 22, 12, tzinfo=UTC)
ROUTEROS = "cpe:2.3:o:mikrotik:routeros:6.41:*:*:*:*:*:*:*"
SHARED = Path(__file__).parents[3] / "shared" / "data"
EPSS = "#model_version:v1,score_date:2026-08-16T00:00:00Z\ncve,epss,percentile\nCVE-2018-14847,{},0.5\n"
XML = '<Weakness_Catalog Version="4.15"><Weaknesses><Weakness ID="22" Name="Path"/></Weaknesses></Weakness_Catalog>'


def kev_of(*names, released="2026-08-21T00:00:00Z"):
    entries = [{"cveID": name, "dateAdded": "2021-12-01"} for name in names]
    return json.dumps(
        {"catalogVersion": "1", "dateReleased": released, "count": len(names), "vulnerabilities": entries}
    ).encode()


def zip_of(**members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return data.getvalue()


@pytest.fixture
def nvd(make_cve):
    return FakeNvd([make_cve(f"CVE-2020-{n:04}", ROUTEROS) for n in range(1, 11)], now=NOW)


@pytest.fixture
async def server(nvd):
    async with FeedServer() as server:
        server.pages = {
            "/kev": Answer(kev_of("CVE-2018-14847"), headers={"ETag": '"k1"', "Last-Modified": "Sat"}),
            "/epss": Answer(EPSS.format(0.9).encode()),
            "/cwe": Answer(zip_of(**{"cwec_v4.15.xml": XML, "README": "x"})),
            "/nvd": nvd,
        }
        yield server


@pytest.fixture
async def database(url):
    database = Database(url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
def sync(database, tmp_path, server):
    async def run(*only, data_dir=tmp_path, **urls):
        time = FakeTime()
        served = {name: server.url(f"/{name}") for name in ("kev", "epss", "cwe", "nvd")}
        feeds = FeedSettings(urls={source.name: {**served, **urls}.get(source.name) for source in SOURCES})
        results = await sync_all(
            database, data_dir, feeds, only=only, waits=Waits(time.clock, time.sleep, lambda: 1.0)
        )
        return {one.source: one for one in results}

    return run


@pytest.fixture
def row(database):
    async def read(source):
        async with database.session() as session:
            return await session.get(FeedSource, source)

    return read


async def cves(session):
    found = list(await session.scalars(select(Cve.cve_id).order_by(Cve.cve_id)))
    await session.rollback()
    return found


async def kev(session):
    found = (await get_enrichment(session, ["CVE-2018-14847"]))["CVE-2018-14847"].kev
    session.expunge_all()
    await session.rollback()
    return found


async def test_everything_comes_in_and_nothing_stays_on_disk(sync, session, tmp_path, server):
    results = await sync()
    assert {name: one.outcome for name, one in results.items() if one.outcome != Outcome.OFF} == {
        "kev": Outcome.UPDATED,
        "epss": Outcome.UPDATED,
        "cwe": Outcome.UPDATED,
        "nvd": Outcome.UPDATED,
    }
    assert results["nvd"].records == 10
    assert len(await cves(session)) == 10
    enrichment = (await get_enrichment(session, ["CVE-2018-14847"]))["CVE-2018-14847"]
    assert enrichment.kev is not None
    assert enrichment.epss.score == 0.9
    assert await get_cwe_names(session, ["CWE-22"]) == {"CWE-22": "Path"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert server.requests[0].headers["user-agent"].startswith("netvigil/")


async def test_what_is_unchanged_is_not_sent_again(sync, server, session):
    await sync("kev")
    server.pages["/kev"] = Answer(status=304)
    result = (await sync("kev"))["kev"]
    assert (result.outcome, result.records) == (Outcome.UNCHANGED, 0)
    asked = server.requests[-1].headers
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"k1"', "Sat")
    row = await session.get(FeedSource, "kev")
    assert row.last_success_at > row.last_change_at
    assert await kev(session) is not None


async def test_another_url_is_asked_without_the_old_ones_validators(sync, server):
    await sync("kev")
    server.pages["/mirror"] = Answer(kev_of("CVE-2018-14847"))
    await sync("kev", kev=server.url("/mirror"))
    assert "if-none-match" not in server.requests[-1].headers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=404), "answers 404"),
        (Answer(b"<html>Log in</html>"), "no feed that netvigil can read"),
        (
            Answer(kev_of("CVE-2020-0002")[:-20], stated=False, headers={"ETag": '"half"'}),
            "damaged or cut off",
        ),
        (Answer(EPSS.format(0.1).encode()), "and not CISA KEV"),
        (Answer(b""), "no feed"),
        (Answer(zip_of(**{"a.txt": "x"})), "holds 0 files"),
        (Answer(zip_of(**{"a.json": "{}"})[:-30]), "damaged or cut off"),
        (Answer(zip_of(**{"a.json": '{"x'})), "no JSON"),
        (Answer(zip_of(**{"a.json": '"' + "x" * (20 << 20) + '"'})), "more than a feed"),
    ],
    ids=["404", "html", "cut", "other-feed", "empty", "empty-zip", "cut-zip", "zip-no-json", "zip-bomb"],
)
async def test_one_failure_stops_no_other_and_the_old_data_stays(sync, server, session, row, answer, reason):
    await sync("kev")
    server.pages["/kev"] = answer
    results = await sync()
    assert results["kev"].outcome is Outcome.FAILED
    assert reason in results["kev"].error
    assert results["epss"].outcome is Outcome.UPDATED
    assert results["nvd"].outcome is Outcome.UPDATED
    assert await kev(session) is not None
    failed = await row("kev")
    assert failed.last_error == results["kev"].error
    assert failed.etag == '"k1"'
    server.pages["/kev"] = Answer(kev_of("CVE-2020-0001", released="2026-08-23T00:00:00Z"))
    await sync("kev")
    assert (await row("kev")).last_error is None
    assert await kev(session) is None


async def test_an_archive_writes_nowhere_else(sync, server, session, tmp_path):
    outside = tmp_path / "data"
    evil = {"..__..__evil.json": kev_of("CVE-2018-14847"), "__tmp__evil.json": "[]"}
    server.pages["/kev"] = Answer(zip_of(**evil))
    await sync("kev", data_dir=outside)
    assert list(tmp_path.rglob("evil*")) == []


async def test_nvd_is_visible_only_when_it_is_whole_and_resumes(sync, server, session, row, nvd):
    server.faults = [None, None, None] + [Answer(status=503)] * ATTEMPTS
    result = (await sync("nvd"))["nvd"]
    assert result.outcome is Outcome.FAILED
    assert "503" in (await row("nvd")).last_error
    assert await cves(session) == []
    server.requests.clear()
    result = (await sync("nvd"))["nvd"]
    assert (result.outcome, result.records) == (Outcome.UPDATED, 10)
    assert server.requests[0].params["startIndex"] == "6"
    assert (await row("nvd")).cursor == NOW
    assert len(await cves(session)) == 10


async def test_a_sync_that_is_cancelled_goes_on_later(sync, server, session, nvd):
    reached = asyncio.Event()

    def answer(request):
        if request.params["startIndex"] == "6" and not reached.is_set():
            reached.set()
            return Answer(b"{", headers={"Retry-After": "600"}, status=503)
        return nvd(request)

    server.pages["/nvd"] = answer
    running = asyncio.create_task(sync("nvd"))
    await reached.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.requests.clear()
    assert (await sync("nvd"))["nvd"].records == 10
    assert server.requests[0].params["startIndex"] == "6"
    assert len(await cves(session)) == 10


async def test_the_next_day_brings_only_what_changed(sync, server, session, row, nvd, make_cve):
    await sync("nvd")
    nvd.now = datetime(2026, 8, 23, 12, tzinfo=UTC)
    nvd.cves.append(make_cve("CVE-2026-0001", ROUTEROS, modified="2026-08-22T20:00:00.000"))
    assert (await sync("nvd"))["nvd"].records == 1
    assert (await row("nvd")).cursor == nvd.now
    assert "CVE-2026-0001" in await cves(session)
    result = (await sync("nvd"))["nvd"]
    assert (result.outcome, result.records) == (Outcome.UNCHANGED, 0)


async def test_pages_that_cannot_be_imported_are_not_kept(sync, server, session, nvd, tmp_path):
    good, nvd.cves = nvd.cves, [{"id": "CVE-2020-0001", "odd": True}] * 3
    assert (await sync("nvd"))["nvd"].outcome is Outcome.FAILED
    assert not (tmp_path / "feeds" / "nvd").exists()
    nvd.cves = good
    assert (await sync("nvd"))["nvd"].records == 10


async def test_two_at_once_are_refused_and_the_place_is_free_again(sync, server, session, database, nvd):
    asked = asyncio.Event()
    waiting = []

    def answer(request):
        waiting.append(request)
        asked.set()
        return nvd(request)

    server.pages["/nvd"] = answer
    running = asyncio.create_task(sync("nvd"))
    await asked.wait()
    assert await sync_runs(session)
    with pytest.raises(Conflict) as raised:
        await sync("kev")
    assert raised.value.code == "sync_running"
    await running
    assert not await sync_runs(session)
    assert (await sync("kev"))["kev"].outcome is Outcome.UPDATED


async def test_what_cannot_be_is_said(sync, tmp_path):
    with pytest.raises(UsageError, match="no source nvdd; there are kev"):
        await sync("nvdd")
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        await sync("kev", data_dir=tmp_path / "file")


async def test_no_secret_of_a_mirror_is_kept_or_shown(sync, server, row):
    url = server.url("/kev").replace("http://", "http://user:pa55@") + "?token=hush"
    await sync("kev", kev=url)
    found = await row("kev")
    assert found.url == server.url("/kev")
    assert not any(secret in str(vars(found)) for secret in ("pa55", "hush"))


@pytest.mark.shared
async def test_recorded_answers_of_nvd_come_in_whole(sync, server, session):
    with tarfile.open(SHARED / "nvd" / "nvd-api-2.0-fixtures-vuls-data-update.tar.gz") as archive:
        pages = {
            member.name.rpartition("/")[2]: archive.extractfile(member).read()
            for member in archive
            if "/cve/testdata/fixtures/increase/" in member.name and member.isfile()
        }

    def answer(request):
        start, most = request.params["startIndex"], request.params["resultsPerPage"]
        if "lastModStartDate" in request.params:
            return FakeNvd([], now=datetime(2023, 11, 10, 9, tzinfo=UTC))(request)
        return Answer(pages[f"{start}-{'1' if most == '1' else '3'}.json"])

    server.pages["/nvd"] = answer
    result = (await sync("nvd"))["nvd"]
    assert (result.outcome, result.skipped, result.records) == (Outcome.UPDATED, 0, 8)
    assert len(await cves(session)) == 8
