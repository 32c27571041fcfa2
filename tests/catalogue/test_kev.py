"""CISA's list: known by its content, whole or refused, and each import replaces the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from netvigil.catalogue.enrichment import get_enrichment
from netvigil.catalogue.feeds.detect import recognise
from netvigil.catalogue.feeds.kev import Kev
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.models_enrichment import KnownExploitedCve
from netvigil.errors import FeedError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def entry(cve_id="CVE-2018-14847", **fields):
    return {
        "cveID": cve_id,
        "vendorProject": "MikroTik",
        "product": "RouterOS",
        "vulnerabilityName": "A name of ours",
        "dateAdded": "2021-12-01",
        "shortDescription": "Made up for a test.",
        "requiredAction": "Act.",
        "dueDate": "2022-06-01",
        "knownRansomwareCampaignUse": "Known",
        "notes": "",
        "cwes": ["CWE-22"],
        **fields,
    }


def kev_of(*entries, released="2026-08-21T17:46:43.6019Z", **fields):
    return {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": "2026.08.21",
        "dateReleased": released,
        "count": len(entries),
        "vulnerabilities": list(entries),
        **fields,
    }


@pytest.fixture
def write(tmp_path):
    def write_file(document, name="kev.json"):
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
        return path

    return write_file


async def known(session):
    rows = await session.scalars(select(KnownExploitedCve).order_by(KnownExploitedCve.cve_id))
    found = {row.cve_id: row for row in rows}
    session.expunge_all()
    await session.rollback()
    return found


async def test_every_field_comes_in(url, session, write):
    path = write(kev_of(entry(), entry("CVE-2020-0001", knownRansomwareCampaignUse="Unknown", dueDate="")))
    assert recognise(path).name == "kev"
    [result] = await import_paths(url, [path])
    assert (result.source, result.records, result.skipped) == ("kev", 2, 0)
    found = await get_enrichment(session, ["CVE-2018-14847", "CVE-2020-0001", "CVE-1999-0001"])
    kev = found["CVE-2018-14847"].kev
    assert (kev.date_added.isoformat(), kev.due_date.isoformat(), kev.ransomware) == (
        "2021-12-01",
        "2022-06-01",
        True,
    )
    assert (kev.name, kev.required_action) == ("A name of ours", "Act.")
    other = found["CVE-2020-0001"].kev
    assert (other.due_date, other.ransomware) == (None, False)
    assert (found["CVE-1999-0001"].kev, found["CVE-1999-0001"].epss) == (None, None)
    assert await get_enrichment(session, []) == {}


async def test_the_next_list_replaces_this_one_and_an_older_one_does_not(url, session, write):
    await import_paths(url, [write(kev_of(entry("CVE-2020-0001"), entry("CVE-2020-0002")))])
    newer = write(
        kev_of(
            entry("CVE-2020-0002", dueDate="2030-01-01"),
            entry("CVE-2020-0003"),
            released="2026-08-22T00:00:00Z",
        )
    )
    await import_paths(url, [newer])
    found = await known(session)
    assert list(found) == ["CVE-2020-0002", "CVE-2020-0003"]
    assert found["CVE-2020-0002"].due_date.year == 2030
    await import_paths(url, [write(kev_of(entry("CVE-2020-0001")))])
    assert list(await known(session)) == ["CVE-2020-0002", "CVE-2020-0003"]
    await import_paths(url, [newer])
    assert len(await known(session)) == 2


async def test_of_two_lists_in_one_call_the_newer_counts(url, session, write):
    newer = write(kev_of(entry("CVE-2020-0002"), released="2026-08-22T00:00:00Z"), "1.json")
    older = write(kev_of(entry("CVE-2020-0001")), "2.json")
    await import_paths(url, [newer, older])
    assert list(await known(session)) == ["CVE-2020-0002"]


async def test_a_cve_named_twice_is_one(url, session, write):
    await import_paths(url, [write(kev_of(entry(dateAdded="2022-01-01"), entry(dateAdded="2021-01-01")))])
    assert (await known(session))["CVE-2018-14847"].date_added.year == 2021


@pytest.mark.parametrize(
    "damaged",
    [
        kev_of(),
        kev_of(entry(), count=3),
        kev_of(entry(), dateReleased="soon"),
        kev_of(entry(), vulnerabilities={"a": 1}),
        kev_of(entry(cveID=7)),
        kev_of(entry(dateAdded="someday")),
        json.dumps(kev_of(entry()))[:-30],
    ],
    ids=["empty", "count", "date", "no-list", "no-id", "no-day", "cut"],
)
async def test_a_damaged_list_leaves_the_old_one_in_force(url, session, write, damaged):
    await import_paths(url, [write(kev_of(entry()))])
    with pytest.raises(FeedError, match=r"kev\.json"):
        await import_paths(url, [write(damaged)])
    assert list(await known(session)) == ["CVE-2018-14847"]


@pytest.mark.parametrize(
    "odd",
    [
        {"cveID": "CVE-1"},
        entry(dateAdded=None),
        entry(requiredAction=["x"]),
        entry(vulnerabilityName="a\0b"),
        [],
        "x",
    ],
    ids=["id", "date", "type", "nul", "list", "text"],
)
async def test_an_odd_entry_is_counted_and_keeps_no_other_out(url, session, write, odd):
    [result] = await import_paths(
        url, [write(kev_of(entry("CVE-2020-0001"), odd, entry("CVE-2020-0003", later={"new": 1})))]
    )
    assert (result.records, result.skipped) == (2, 1)
    assert list(await known(session)) == ["CVE-2020-0001", "CVE-2020-0003"]


@pytest.mark.parametrize(
    "head", [b"", b"{}", b"[", b'{"title":"KEV","vulnerabilities":[]}', b'{"dateReleased":"2026"}']
)
def test_other_beginnings_are_not_recognised(head):
    assert not Kev().recognises(head)


@pytest.mark.shared
async def test_the_whole_list_comes_in(url, session):
    [result] = await import_paths(url, [SHARED / "kev"])
    assert (result.source, result.records, result.skipped) == ("kev", 1674, 0)
    ransomware = select(func.count()).where(KnownExploitedCve.ransomware)
    assert await session.scalar(ransomware) == 352
