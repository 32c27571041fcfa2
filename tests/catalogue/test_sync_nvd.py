"""The client of NVD's API against a server that answers like it: paging, windows, interruption, clock skew."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from feed_server import CONNECTION_LOST, Answer, FakeNvd, FakeTime, FeedServer

from netvigil.catalogue.sync.fetch import ATTEMPTS, Fetcher, open_client
from netvigil.catalogue.sync.nvd import OVERLAP, NvdApi
from netvigil.catalogue.sync.pages import PageStore
from netvigil.catalogue.sync.waits import Pace, Waits
from netvigil.errors import FeedError

NOW = datetime(2026, 8, 22, 12, tzinfo=UTC)
API = "/rest/json/cves/2.0"


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def nvd(make_cve):
    return FakeNvd(
        [make_cve(f"CVE-2020-{n:04}", modified="2020-02-01T00:00:00.000") for n in range(1, 11)], now=NOW
    )


@pytest.fixture
async def server(nvd):
    async with FeedServer() as server:
        server.pages[API] = nvd
        yield server


@pytest.fixture
def store(tmp_path):
    return PageStore(tmp_path / "nvd")


@pytest.fixture
def load(server, store, time):
    """Runs a sync and gives for each load the CVEs of its pages, and the cursor behind it."""

    async def run(cursor=None, *, pace=None, key=None, most=10):
        loads = []
        waits = Waits(time.clock, time.sleep, lambda: 1.0)
        async with open_client() as client:
            api = NvdApi(Fetcher(client, waits, pace), server.url(API), 1 << 20, key)
            async for one in api.loads(store, cursor):
                loads.append(([cve for path in one.paths for cve in names(path)], one.cursor))
                if len(loads) == most:
                    break
        return loads

    return run


def names(path):
    return [one["cve"]["id"] for one in json.loads(path.read_bytes())["vulnerabilities"]]


def windows(server):
    return [
        (one.params["lastModStartDate"][:16], one.params["lastModEndDate"][:16])
        for one in server.requests
        if one.params.get("startIndex") == "0" and "lastModStartDate" in one.params
    ]


async def test_the_first_load_has_every_page_and_then_a_window_closes_it(load, nvd, server, store):
    (full, cursor), (window, closed) = await load()
    assert full == [cve["id"] for cve in nvd.cves]
    assert (cursor, window, closed) == (NOW, [], NOW)
    assert windows(server) == [("2026-08-22T10:00", "2026-08-22T12:00")]
    assert not store.folder.exists()


async def test_a_year_away_is_read_in_windows_of_at_most_120_days(load, nvd, server, make_cve):
    days = ["2025-09-01", "2025-12-24", "2026-04-01", "2026-08-22"]
    nvd.cves += [make_cve(f"CVE-2026-{n:04}", modified=f"{day}T01:00:00.000") for n, day in enumerate(days)]
    start = datetime(2025, 8, 22, tzinfo=UTC)
    loads = await load(start)
    assert [cve for found, _ in loads for cve in found] == [f"CVE-2026-{n:04}" for n in range(4)]
    asked = [(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in windows(server)]
    assert all(last - first <= timedelta(days=120) for first, last in asked)
    assert asked[0][0] == datetime(2025, 8, 21, 22)  # noqa: DTZ001 - as the window says
    assert all(later[0] == earlier[1] - OVERLAP for earlier, later in pairwise(asked))
    assert asked[-1][1] == NOW.replace(tzinfo=None)
    assert loads[-1][1] == NOW


async def test_nothing_new_is_one_question_and_an_empty_load(load, server):
    [(found, cursor)] = await load(NOW - timedelta(days=1))
    assert (found, cursor) == ([], NOW)
    assert len(server.requests) == 2  # the clock, and the window


async def test_the_servers_clock_counts_and_not_ours(load, nvd, server):
    nvd.now = datetime(2031, 5, 5, 5, tzinfo=UTC)
    [(_, cursor)] = await load(nvd.now - timedelta(days=3))
    assert cursor == nvd.now
    nvd.now = datetime(2019, 1, 1, tzinfo=UTC)  # it was set back: the cursor lies in its future
    server.requests.clear()
    [(_, cursor)] = await load(NOW)
    assert cursor == nvd.now
    assert windows(server) == [("2018-12-31T22:00", "2019-01-01T00:00")]


async def test_a_clock_that_contradicts_itself_does_not_go_round_for_ever(load, nvd, server):
    def answer(request):
        nvd.now = datetime(2001, 1, 1, tzinfo=UTC) if "lastModStartDate" in request.params else NOW
        return nvd(request)

    server.pages[API] = answer
    with pytest.raises(FeedError, match="clock"):
        await load(NOW - timedelta(days=900))
    assert len(server.requests) < 20


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=403),
        Answer(status=429, headers={"Retry-After": "40"}),
        Answer(status=503),
        Answer(status=CONNECTION_LOST),
        Answer(b'{"resultsPerPage": 3, "startIndex": 3, "totalResults": 10, "vulner' * 20, cut=500),
        Answer(b'{"resultsPerPage": 3, "startIndex": 3, "totalResults": 10, "vulner', stated=False),
        Answer(b"<html>Busy</html>"),
        Answer(b"[" * 100_000),
        Answer(
            b'{"resultsPerPage":0,"startIndex":3,"totalResults":10,"timestamp":"2026-08-22T12:00:00.000","vulnerabilities":[]}'
        ),
        Answer(
            b'{"resultsPerPage":3,"startIndex":0,"totalResults":10,"timestamp":"2026-08-22T12:00:00.000","vulnerabilities":[{},{},{}]}'
        ),
        Answer(
            b'{"resultsPerPage":9,"startIndex":3,"totalResults":10,"timestamp":"2026-08-22T12:00:00.000","vulnerabilities":[{}]}'
        ),
    ],
    ids=["403", "429", "503", "reset", "mid-body", "truncated", "html", "deep", "empty", "other-page", "few"],
)
async def test_a_page_that_fails_is_asked_for_again(load, nvd, server, time, fault):
    server.faults = [None, None, fault, fault]
    (full, _), _ = await load()
    assert full == [cve["id"] for cve in nvd.cves]
    assert len(time.slept) == 2


async def test_too_fast_without_a_word_waits_out_the_whole_window(load, server, time):
    server.faults = [None, Answer(status=403)]
    await load(pace=Pace(50, 31.0, Waits(time.clock, time.sleep)))
    assert time.slept[0] == 31.0


async def test_an_interrupted_load_goes_on_where_it_was(load, nvd, server, store):
    server.faults = [None, None, None] + [Answer(status=503)] * ATTEMPTS
    with pytest.raises(FeedError, match="503"):
        await load()
    assert len(list(store.folder.glob("page-*"))) >= 2
    server.requests.clear()
    (full, cursor), _ = await load()
    assert full == [cve["id"] for cve in nvd.cves]
    assert server.requests[0].params["startIndex"] == "6"
    assert cursor == NOW


async def test_a_load_that_was_whole_but_not_imported_is_given_again(load, nvd, server):
    await load(most=1)
    server.requests.clear()
    (full, _), _ = await load()
    assert full == [cve["id"] for cve in nvd.cves]
    assert all(
        "lastModStartDate" in one.params or one.params["resultsPerPage"] == "1" for one in server.requests
    )


async def test_what_changes_while_a_load_rests_is_in_the_window_behind_it(load, nvd, server, make_cve):
    server.faults = [None, None, None] + [Answer(status=503)] * ATTEMPTS
    with pytest.raises(FeedError):
        await load()
    nvd.now = NOW + timedelta(hours=8)
    nvd.cves[0] = make_cve("CVE-2020-0001", modified="2026-08-22T13:00:00.000")
    (full, cursor), (window, closed) = await load()
    assert len(full) == 10
    assert (cursor, window, closed) == (NOW, ["CVE-2020-0001"], nvd.now)


@pytest.mark.parametrize("damage", ["lost", "short", "progress", "elsewhere", "cursor"])
async def test_pages_that_cannot_be_trusted_are_fetched_anew(load, nvd, server, store, damage):
    await load(most=1)
    server.requests.clear()
    first = store.folder / "page-00000"
    match damage:
        case "lost":
            first.unlink()
        case "short":
            first.write_bytes(first.read_bytes()[:-10])
        case "progress":
            (store.folder / "progress.json").write_text("{")
        case "elsewhere":
            server.pages["/other"] = Answer(status=404)
            shutil.move(store.folder, store.folder.with_name("gone"))
        case "cursor":
            [(found, _)] = await load(NOW - timedelta(hours=1))
            assert found == []
            return
    (full, _), _ = await load()
    assert full == [cve["id"] for cve in nvd.cves]
    assert any(one.params["startIndex"] == "3" for one in server.requests)


async def test_records_that_appear_and_vanish_between_pages(load, nvd, server, make_cve):
    asked = []

    def answer(request):
        asked.append(request)
        if len(asked) == 3:
            nvd.cves.append(make_cve("CVE-2020-0011", modified="2020-02-01T00:00:00.000"))
        if len(asked) == 4:
            del nvd.cves[0]  # everything moves up by one, so one record lies on a page that was read
        return nvd(request)

    server.pages[API] = answer
    (full, _), _ = await load()
    assert {cve["id"] for cve in nvd.cves} <= set(full)
    assert "CVE-2020-0011" in full


async def test_an_nvd_without_any_cve_is_a_fault_that_is_forgotten(load, nvd):
    cves, nvd.cves = nvd.cves, []
    with pytest.raises(FeedError, match="no CVEs at all"):
        await load()
    nvd.cves = cves
    assert len((await load())[0][0]) == 10


async def test_the_key_goes_in_its_header_only(load, server):
    await load(NOW, key="0123-abcd")
    assert {one.headers.get("apikey") for one in server.requests} == {"0123-abcd"}
    assert not any("0123" in one.target for one in server.requests)
    server.faults = [Answer(status=404, headers={"message": "Invalid apiKey."})]
    with pytest.raises(FeedError, match="Invalid apiKey"):
        await load(NOW, key="0123-abcd")


async def test_the_rate_is_kept_over_a_whole_load(load, server, time):
    server.pages[API].page = 1
    await load(pace=Pace(5, 31.0, Waits(time.clock, time.sleep)))
    assert len(server.requests) == 13
    assert sum(time.slept) == pytest.approx(62.0)
