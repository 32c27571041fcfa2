"""Fix data in the database, and hosts judged by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from netvigil.catalogue.distributions import find_fixes
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.queries import latest_version
from netvigil.catalogue.service import match_hosts, match_inventory
from netvigil.matching.backports import Standing, judge_backport
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.products import Confidence, Product

OSV = Path(__file__).parents[3] / "shared" / "data" / "osv" / "debian-advisories-to-2023-04.osv.jsonl.zst"
OPENSSH = "cpe:2.3:a:openbsd:openssh:*:*:*:*:*:*:*:*"
CVE = "CVE-2024-6387"


def advisory(name, fixed, *, modified="2024-07-01T00:00:00Z", **fields):
    place = {
        "package": {"ecosystem": "Debian:12", "name": "openssh"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
    }
    return {"id": name, "modified": modified, "upstream": [CVE], "affected": [place], **fields}


def server(distribution, version="9.2", port=22):
    cpe = parse_cpe(f"cpe:2.3:a:openbsd:openssh:{version}:p1")
    return Product(cpe, Confidence.EXACT, "SSH-2.0", port, "tcp", distribution)


@pytest.fixture
def load(url, tmp_path):
    async def run(*values):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        path.write_text("\n".join(map(json.dumps, values)))
        return await import_paths(url, [path])

    return run


@pytest.fixture
async def catalogue(load, make_cve):
    await load(
        make_cve(CVE, (OPENSSH, {"versionStartIncluding": "8.5", "versionEndExcluding": "9.8"})),
        make_cve("CVE-2023-51385", (OPENSSH, {"versionEndExcluding": "9.6"})),
    )


@pytest.mark.usefixtures("catalogue")
async def test_hosts_are_judged_by_their_packagers(session, load):
    await load(advisory("DSA-5724-1", "1:9.2p1-2+deb12u3"))
    fixed, older, foreign = await match_hosts(
        session, [[server("Debian 2+deb12u10")], [server("Debian 2+deb12u2")], [server(None)]]
    )
    assert [one.cve.cve_id for one in fixed.matches] == ["CVE-2023-51385"]
    assert fixed.matches[0].match.confidence is Confidence.POSSIBLE
    assert "do not mention CVE-2023-51385" in fixed.matches[0].match.reasons[-1]
    [silent] = fixed.not_affected
    assert (silent.cve_id, silent.fixed_in, silent.advisory) == (CVE, "1:9.2p1-2+deb12u3", "DSA-5724-1")
    found = older.matches[1].match
    assert (found.confidence, found.fixed_in) == (Confidence.EXACT, "1:9.2p1-2+deb12u3")
    assert older.not_affected == foreign.not_affected == []
    assert [one.match.confidence for one in foreign.matches] == [Confidence.EXACT, Confidence.EXACT]


@pytest.mark.usefixtures("catalogue")
async def test_without_fix_data_nothing_is_silenced(session):
    found = await match_inventory(session, [server("Debian 2+deb12u10")])
    assert [one.match.confidence for one in found] == [Confidence.POSSIBLE] * 2
    assert found[0].match.reasons[-1] == "no fix data of Debian for openssh are loaded"


@pytest.mark.usefixtures("catalogue")
async def test_a_newer_record_replaces_an_older_one_and_never_the_other_way(session, load):
    newer = advisory("DSA-5724-1", "1:9.2p1-2+deb12u4", modified="2024-07-02T00:00:00Z")
    older = advisory("DSA-5724-1", "1:9.2p1-2+deb12u3")
    for values in ([newer, older], [older]):
        await load(*values)
        fixes = await find_fixes(session, {("Debian", "openssh"), ("Debian", "nginx")})
        verdict = judge_backport(server("Debian 2+deb12u3"), CVE, fixes)
        assert (verdict.standing, verdict.fixed_in) == (Standing.AFFECTED, "1:9.2p1-2+deb12u4")


@pytest.mark.usefixtures("catalogue")
async def test_a_withdrawn_record_vanishes_and_does_not_come_back(session, load):
    await load(advisory("DSA-5724-1", "1:9.2p1-2+deb12u3"))
    gone = advisory(
        "DSA-5724-1", "1:9.2p1-2+deb12u3", modified="2024-08-01T00:00:00Z", withdrawn="2024-08-01T00:00:00Z"
    )
    await load(gone)
    await load(advisory("DSA-5724-1", "1:9.2p1-2+deb12u3"))
    assert not await find_fixes(session, {("Debian", "openssh")})


@pytest.mark.usefixtures("catalogue")
async def test_only_what_changed_is_matched_again(session, load):
    before = await latest_version(session)
    await load(advisory("DSA-5724-1", "1:9.2p1-2+deb12u3"))
    [host] = await match_hosts(session, [[server("Debian 2+deb12u2")]], changed_since=before)
    assert [one.cve.cve_id for one in host.matches] == [CVE]
    before = await latest_version(session)
    await load(advisory("DSA-5724-1", "1:9.2p1-2+deb12u3", modified="2024-07-03T00:00:00Z"))
    [host] = await match_hosts(session, [[server("Debian 2+deb12u2")]], changed_since=before)
    assert (host.matches, host.not_affected) == ([], [])


async def test_a_cve_without_configurations_is_found_by_the_packagers_word(session, load, make_cve):
    await load(make_cve(CVE), make_cve("CVE-2024-0001", vulnStatus="Rejected"))
    await load(
        advisory("DSA-5724-1", "1:9.2p1-2+deb12u3"),
        advisory("DSA-1-1", "1:9.9p1-1", upstream=["CVE-2024-0001"]),
    )
    old, new, foreign = await match_hosts(
        session, [[server("Debian 2+deb12u2")], [server("Debian 2+deb12u3")], [server(None)]]
    )
    [found] = old.matches
    assert (found.cve.cve_id, found.cve.score, found.cve.configured_by) == (CVE, 9.1, "osv")
    assert (found.match.confidence, found.match.fixed_in) == (Confidence.LIKELY, "1:9.2p1-2+deb12u3")
    assert new.matches == new.not_affected == foreign.matches == []


async def test_nothing_wanted_is_nothing_asked(session):
    assert not await find_fixes(session, set())


@pytest.mark.shared
@pytest.mark.skipif(not OSV.exists(), reason="the data beside the checkout is not there")
async def test_debians_real_advisories(url, session):
    [result] = await import_paths(url, [OSV])
    assert (result.records, result.skipped) == (6408, 0)
    fixes = await find_fixes(session, {("Debian", "openssh"), ("Debian", "bind9")})
    old = judge_backport(server("Debian 10+deb9u5", "7.4"), "CVE-2019-6111", fixes)
    # the advisory's second part repaired what its first had left open
    assert (old.standing, old.fixed_in, old.advisory) == (
        Standing.AFFECTED,
        "1:7.4p1-10+deb9u6",
        "DSA-4387-2",
    )
    new = judge_backport(server("Debian 10+deb9u7", "7.4"), "CVE-2019-6111", fixes)
    assert new.standing is Standing.FIXED
    held = await session.scalar(text("SELECT count(*) FROM package_advisory WHERE NOT withdrawn"))
    assert held == 6408
