"""Fetching one answer: retries, Retry-After, limits, redirects, proxies, and no secret in any message."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from feed_server import CONNECTION_LOST, Answer, FakeTime, FeedServer

from netvigil.catalogue.feeds.base import DamagedFile
from netvigil.catalogue.sync.fetch import ATTEMPTS, Fetcher, Wanted, open_client
from netvigil.catalogue.sync.waits import Pace, Waits, pause_after, retry_after
from netvigil.errors import EnvironmentFault, FeedError, UsageError

BODY = b"abc" * 1000


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def waits(time):
    return Waits(time.clock, time.sleep, lambda: 1.0)


@pytest.fixture
async def server():
    async with FeedServer() as server:
        server.pages["/feed"] = Answer(
            BODY, headers={"ETag": '"v1"', "Last-Modified": "Sat, 22 Aug 2026 12:00:00 GMT"}
        )
        yield server


@pytest.fixture
def get(server, waits, tmp_path):
    async def fetch(path="/feed", *, pace=None, check=None, to=tmp_path / "file", **wanted):
        async with open_client() as client:
            url = wanted.pop("url", server.url(path))
            return await Fetcher(client, waits, pace).fetch(
                Wanted(url, **{"limit": 1 << 20, **wanted}), to, check=check
            )

    return fetch


async def test_an_answer_comes_into_the_file_with_its_validators(get, tmp_path):
    fetched = await get()
    assert (tmp_path / "file").read_bytes() == BODY
    assert (fetched.unchanged, fetched.etag, fetched.last_modified) == (
        False,
        '"v1"',
        "Sat, 22 Aug 2026 12:00:00 GMT",
    )


async def test_a_compressed_body_stays_compressed(get, server, tmp_path):
    server.pages["/feed"] = Answer(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
    await get()
    assert gzip.decompress((tmp_path / "file").read_bytes()) == BODY
    assert server.requests[0].headers["accept-encoding"] == "gzip"


async def test_unchanged_writes_nothing(get, server, tmp_path):
    server.pages["/feed"] = Answer(status=304)
    fetched = await get(headers={"If-None-Match": '"v1"'})
    assert fetched.unchanged
    assert server.requests[0].headers["if-none-match"] == '"v1"'
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=503),
        Answer(status=500),
        Answer(status=429),
        Answer(status=CONNECTION_LOST),
        Answer(BODY, cut=100),
        Answer(BODY, cut=0),
    ],
    ids=lambda fault: f"{fault.status}-{fault.cut}",
)
async def test_what_passes_is_tried_again_with_growing_pauses(get, server, time, tmp_path, fault):
    server.faults = [fault] * 3
    await get()
    assert (tmp_path / "file").read_bytes() == BODY
    assert time.slept == [2.0, 4.0, 8.0]


async def test_it_gives_up_with_one_sentence(get, server, time):
    server.faults = [Answer(status=503)] * 20
    with pytest.raises(FeedError, match=r"127\.0\.0\.1.*/feed: it answers 503"):
        await get()
    assert len(server.requests) == ATTEMPTS
    assert len(time.slept) == ATTEMPTS - 1


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_what_does_not_pass_is_not_tried_again(get, server, status):
    server.faults = [Answer(status=status)]
    with pytest.raises(FeedError, match=str(status)):
        await get()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_retry_after_is_honoured(get, server, time, status):
    server.faults = [Answer(status=status, headers={"Retry-After": "77"})]
    await get()
    assert time.slept == [77.0]


async def test_403_is_final_unless_the_server_means_too_fast(get, server, time, waits):
    server.faults = [Answer(status=403)]
    with pytest.raises(FeedError, match="403"):
        await get()
    server.faults = [Answer(status=403)]
    await get(throttled_by_403=True, pace=Pace(5, 31.0, waits))
    assert time.slept == [31.0]


async def test_who_asks_for_hours_is_left_alone(get, server, time):
    server.faults = [Answer(status=503, headers={"Retry-After": "86400"})]
    with pytest.raises(FeedError, match="86400 seconds"):
        await get()
    assert time.slept == []


async def test_a_date_in_retry_after_is_by_the_servers_clock():
    skewed = datetime(2031, 1, 1, tzinfo=UTC)
    later = skewed + timedelta(seconds=90)
    headers = {
        "date": format_datetime(skewed, usegmt=True),
        "retry-after": format_datetime(later, usegmt=True),
    }
    assert retry_after(headers) == 90.0
    assert retry_after({"retry-after": "-5"}) is None
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
    assert retry_after({"retry-after": "9" * 400}) == 999999999.0


async def test_more_than_the_limit_is_refused_stated_or_not(get, server):
    for answer in (Answer(BODY), Answer(BODY, stated=False)):
        server.pages["/feed"] = answer
        with pytest.raises(FeedError, match="more than 1000 bytes"):
            await get(limit=1000)
    assert len(server.requests) == 2


async def test_a_damaged_answer_is_asked_for_again(get, server, time):
    seen = []

    def check(path):
        seen.append(path.read_bytes())
        if len(seen) < 3:
            raise DamagedFile("half a page")

    await get(check=check)
    assert len(seen) == 3
    assert len(time.slept) == 2


async def test_redirects_are_followed_but_never_with_a_key(get, server, tmp_path):
    server.pages["/old"] = Answer(status=302, headers={"Location": "/feed"})
    await get("/old", headers={"If-None-Match": '"x"'})
    assert (tmp_path / "file").read_bytes() == BODY
    seen = len(server.requests)
    with pytest.raises(FeedError, match="302"):
        await get("/old", headers={"apiKey": "hush"})
    assert len(server.requests) == seen + 1


async def test_redirects_without_end_are_an_error(get, server):
    server.pages["/loop"] = Answer(status=302, headers={"Location": "/loop"})
    with pytest.raises(FeedError, match="leads elsewhere"):
        await get("/loop")


async def test_no_secret_in_messages(get, server):
    url = server.url("/feed").replace("http://", "http://user:pa55@") + "?token=hush"
    server.faults = [Answer(status=404, headers={"message": "Invalid apiKey: k3y."})]
    with pytest.raises(FeedError) as raised:
        await get(url=url, headers={"apiKey": "k3y"})
    assert "Invalid apiKey: (secret)" in str(raised.value)
    for secret in ("pa55", "user", "hush", "k3y"):
        assert secret not in str(raised.value)
    assert server.requests[0].params == {"token": "hush"}


async def test_a_server_that_is_not_there_is_one_sentence(get):
    with pytest.raises(FeedError, match="the connection failed"):
        await get(url="http://127.0.0.1:9/feed")


async def test_a_disk_that_cannot_be_written_is_named(get, tmp_path):
    with pytest.raises(EnvironmentFault, match="cannot be stored"):
        await get(to=tmp_path / "none" / "file")


async def test_the_environments_proxy_is_used(get, server, monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_PROXY", server.url(""))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    await get(url="http://feeds.example/feed")
    assert server.requests[0].target == "http://feeds.example/feed"
    assert (tmp_path / "file").read_bytes() == BODY


async def test_a_proxy_that_is_none_is_a_usage_error(get, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(UsageError, match="proxy"):
        await get()


async def test_the_pace_keeps_any_window(time, waits):
    pace = Pace(5, 30.0, waits)
    chance = random.Random(3)
    left = []
    for _ in range(60):
        await pace.turn()
        left.append(time.now)
        time.now += chance.choice((0.0, 0.2, 4.0, 40.0))
    for first in left:
        assert sum(first <= other < first + 30.0 for other in left) <= 5


def test_pauses_double_to_a_limit_and_differ_by_chance():
    low, high = Waits(chance=lambda: 0.0), Waits(chance=lambda: 1.0)
    assert [pause_after(n, high) for n in (1, 2, 3, 9)] == [2.0, 4.0, 8.0, 64.0]
    assert [pause_after(n, low) for n in (1, 2)] == [1.0, 2.0]
