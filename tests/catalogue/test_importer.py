"""Imports into a real database: newest wins, one visible step, all or nothing."""

from __future__ import annotations

import asyncio
import json

import psycopg
import pytest

from netvigil.catalogue.importer import _LOCK, import_paths, import_starter
from netvigil.catalogue.queries import catalogue_state, find_candidates, get_cves
from netvigil.errors import DatabaseFault, FeedError

ROUTEROS = "cpe:2.3:o:mikrotik:routeros:6.41:*:*:*:*:*:*:*"
SAMBA = "cpe:2.3:a:samba:samba:4.7.0:*:*:*:*:*:*:*"
ROUTEROS_NAME = ("o", "mikrotik", "routeros")
SAMBA_NAME = ("a", "samba", "samba")


@pytest.fixture
def feed(tmp_path):
    def write(*cves, name="feed.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in cves))
        return path

    return write


async def named(session, *names):
    found = [candidate.cve_id for candidate in await find_candidates(session, names)]
    await session.rollback()
    return found


async def test_an_import_counts_and_is_found(url, session, feed, make_cve):
    path = feed(
        make_cve("CVE-2018-0001", ROUTEROS), make_cve("CVE-2018-0002", SAMBA), {"id": "CVE-2018-0003"}
    )
    [result] = await import_paths(url, [path])
    assert (result.source, result.records, result.skipped, result.catalogue_version) == ("nvd", 2, 1, 1)
    assert await named(session, ROUTEROS_NAME) == ["CVE-2018-0001"]
    assert await named(session, ROUTEROS_NAME, SAMBA_NAME) == ["CVE-2018-0001", "CVE-2018-0002"]
    assert await named(session, ("a", "acme", "none")) == []


async def test_every_column_comes_back_as_it_went_in(engine, session, feed, make_cve):
    scored = make_cve("CVE-2018-0001", ROUTEROS)
    bare = make_cve("CVE-2018-0002", metrics={}, vulnStatus="Awaiting Analysis")
    await import_paths(engine, [feed(scored, bare)])
    records = await get_cves(
        session, ["CVE-2018-0001", "CVE-2018-0002", "CVE-1999-0001"], with_configurations=True
    )
    assert sorted(records) == ["CVE-2018-0001", "CVE-2018-0002"]
    record = records["CVE-2018-0001"]
    assert record.published.isoformat() == "2018-08-02T07:29:00.280000+00:00"
    assert str(record.configurations[0].nodes[0].ranges[0].criteria) == ROUTEROS
    assert records["CVE-2018-0002"].status == "Awaiting Analysis"
    [candidate] = await find_candidates(session, [ROUTEROS_NAME])
    assert (candidate.score, candidate.severity, candidate.cvss_version) == (9.1, "CRITICAL", "3.1")
    assert candidate.vector.startswith("CVSS:3.1/AV:N")


async def test_the_newest_wins_and_stale_criteria_vanish(url, session, feed, make_cve):
    old = make_cve("CVE-2018-0001", ROUTEROS, modified="2020-01-01T00:00:00.000")
    new = make_cve("CVE-2018-0001", SAMBA, modified="2021-01-01T00:00:00.000")
    await import_paths(url, [feed(old)])
    await import_paths(url, [feed(new)])
    assert await named(session, ROUTEROS_NAME) == []
    assert await named(session, SAMBA_NAME) == ["CVE-2018-0001"]
    [again] = await import_paths(url, [feed(old)])
    assert (again.records, again.catalogue_version) == (1, 3)
    assert await named(session, ROUTEROS_NAME) == []


async def test_within_a_call_the_newest_wins_in_any_order(url, session, feed, make_cve):
    old = make_cve("CVE-2018-0001", ROUTEROS, modified="2020-01-01T00:00:00.000")
    new = make_cve("CVE-2018-0001", SAMBA, modified="2021-01-01T00:00:00.000")
    await import_paths(url, [feed(new, old, name="1.jsonl"), feed(old, name="2.jsonl")])
    assert await named(session, ROUTEROS_NAME, SAMBA_NAME) == ["CVE-2018-0001"]
    assert await named(session, ROUTEROS_NAME) == []


async def test_rejected_vanishes_and_deferred_stays(url, session, feed, make_cve):
    later = {"modified": "2026-01-01T00:00:00.000"}
    await import_paths(url, [feed(make_cve("CVE-2018-0001", ROUTEROS), make_cve("CVE-2018-0002", ROUTEROS))])
    rejected = make_cve("CVE-2018-0001", ROUTEROS, vulnStatus="Rejected", **later)
    deferred = make_cve("CVE-2018-0002", ROUTEROS, vulnStatus="Deferred", **later)
    await import_paths(url, [feed(rejected, deferred)])
    assert await named(session, ROUTEROS_NAME) == ["CVE-2018-0002"]
    assert (await get_cves(session, ["CVE-2018-0001"]))["CVE-2018-0001"].status == "Rejected"


@pytest.mark.parametrize("damage", ['{"id": "CVE-2018-0009", ', '{"x":' * 5000, '{"id": 1}'])
async def test_a_damaged_file_changes_nothing_of_the_whole_call(url, session, feed, make_cve, damage):
    good = feed(make_cve("CVE-2018-0001", ROUTEROS), name="good.jsonl")
    bad = feed(make_cve("CVE-2018-0002", ROUTEROS), damage, name="bad.jsonl")
    if damage == '{"id": 1}':  # one odd record is skipped, a file of nothing else is refused
        bad = feed(make_cve("CVE-2018-0002", ROUTEROS, published=None), name="bad.jsonl")
    with pytest.raises(FeedError, match=r"bad\.jsonl.*Nothing was imported"):
        await import_paths(url, [good, bad])
    assert await named(session, ROUTEROS_NAME) == []
    assert (await catalogue_state(session)).version == "0"


async def test_a_folder_gives_its_feeds_and_passes_over_the_rest(url, feed, make_cve, tmp_path):
    feed(make_cve("CVE-2018-0001", ROUTEROS))
    (tmp_path / "README.md").write_text("no feed")
    [result] = await import_paths(url, [tmp_path])
    assert result.path.name == "feed.jsonl"
    with pytest.raises(FeedError, match=r"README\.md"):
        await import_paths(url, [tmp_path / "README.md"])


async def test_nothing_to_import_is_said(url, tmp_path):
    with pytest.raises(FeedError, match="no feed file"):
        await import_paths(url, [tmp_path])
    with pytest.raises(FeedError, match="There is no file"):
        await import_paths(url, [tmp_path / "missing"])


async def test_two_imports_at_once_run_one_after_the_other(url, session, feed, make_cve):
    paths = [feed(make_cve(f"CVE-2018-000{n}", ROUTEROS), name=f"{n}.jsonl") for n in (1, 2)]
    results = await asyncio.gather(*(import_paths(url, [path]) for path in paths))
    assert sorted(result.catalogue_version for [result] in results) == [1, 2]
    assert await named(session, ROUTEROS_NAME) == ["CVE-2018-0001", "CVE-2018-0002"]


async def test_an_import_that_waits_shows_the_old_catalogue_until_it_is_whole(url, session, feed, make_cve):
    await import_paths(url, [feed(make_cve("CVE-2018-0001", ROUTEROS))])
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as other:
        await other.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        waiting = asyncio.create_task(import_paths(url, [feed(make_cve("CVE-2018-0002", ROUTEROS))]))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        assert await named(session, ROUTEROS_NAME) == ["CVE-2018-0001"]
        await other.rollback()
    await waiting
    assert await named(session, ROUTEROS_NAME) == ["CVE-2018-0001", "CVE-2018-0002"]


async def test_a_database_that_is_not_there_is_a_named_error(feed, make_cve):
    with pytest.raises(DatabaseFault):
        await import_paths("postgresql://nobody@127.0.0.1:9/none", [feed(make_cve())])


async def test_the_starter_fills_an_empty_catalogue_once_and_gives_way(url, session, feed, make_cve):
    results = await import_starter(url)
    assert sum(result.records for result in results) > 0
    assert sum(result.skipped for result in results) == 0
    state = await catalogue_state(session)
    assert state.starter_only
    assert [source.source for source in state.sources] == ["starter"]
    await session.rollback()
    assert await import_starter(url) == []
    [first, *_] = await named(session, ROUTEROS_NAME)
    # older than the starter's, and still it wins, because it is the real one
    await import_paths(url, [feed(make_cve(first, SAMBA, modified="2001-01-01T00:00:00.000"))])
    assert first not in await named(session, ROUTEROS_NAME)
    assert not (await catalogue_state(session)).starter_only


async def test_a_large_file_goes_through_processes(url, session, feed, make_cve):
    cves = [make_cve(f"CVE-2019-{n:05}", ROUTEROS.replace("6.41", f"6.{n}")) for n in range(2500)]
    path = feed(*cves)
    assert path.stat().st_size > 1 << 20
    [result] = await import_paths(url, [path])
    assert result.records == 2500
    assert len(await named(session, ROUTEROS_NAME)) == 2500


async def test_the_state_tells_version_age_and_counts(url, session, feed, make_cve):
    assert (await catalogue_state(session)).starter_only
    await session.rollback()
    await import_paths(
        url, [feed(make_cve("CVE-2018-0001"), make_cve("CVE-2018-0002", modified="2026-02-03T04:05:06"))]
    )
    state = await catalogue_state(session)
    assert (state.version, state.cves, state.starter_only) == ("1.2026-02-03", 2, False)
    assert state.data_date.isoformat() == "2026-02-03T04:05:06+00:00"
    assert [(one.source, one.records, one.skipped) for one in state.sources] == [("nvd", 2, 0)]


async def test_a_newer_packages_starter_replaces_an_older_one(url, session):
    await import_starter(url)
    whole = await named(session, ROUTEROS_NAME)
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as other:
        # as an older package left it: another file, a record that is in it no more, one that was told otherwise
        await other.execute("UPDATE feed_import SET digest = 'another'")
        await other.execute("UPDATE cve_part SET cve_id = 'CVE-1999-9999' WHERE cve_id = %s", [whole[0]])
        await other.execute("UPDATE cve SET cve_id = 'CVE-1999-9999' WHERE cve_id = %s", [whole[0]])
    await import_starter(url)
    assert await named(session, ROUTEROS_NAME) == whole
    assert await get_cves(session, ["CVE-1999-9999"]) == {}
    assert await import_starter(url) == []


async def test_record_from_the_future_is_skipped(engine, session, feed, make_cve):
    """It would win over every later word of NVD, and make old data look fresh."""
    tomorrows = make_cve("CVE-2020-2222", modified="2099-01-01T00:00:00.000")
    [result] = await import_paths(engine, [feed(make_cve("CVE-2020-1111"), tomorrows)])
    assert (result.records, result.skipped) == (1, 1)
    assert set(await get_cves(session, ["CVE-2020-1111", "CVE-2020-2222"])) == {"CVE-2020-1111"}
    assert (await catalogue_state(session)).data_date.year == 2025
