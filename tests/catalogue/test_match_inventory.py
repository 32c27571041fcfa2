"""Inventories against the catalogue in the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.service import match_inventories, match_inventory
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.products import Confidence, Product

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nvd" / "2.0-full" / "2018.jsonl.zst"
NGINX = "cpe:2.3:a:f5:nginx:*:*:*:*:*:*:*:*"
VSFTPD = "cpe:2.3:a:vsftpd_project:vsftpd:2.3.4:*:*:*:*:*:*:*"


def product(cpe, port=None):
    return Product(parse_cpe(cpe), Confidence.EXACT, "seen in a test", port)


@pytest.fixture
async def catalogue(url, tmp_path, make_cve):
    cves = [
        make_cve("CVE-2011-2523", VSFTPD),
        make_cve(
            "CVE-2021-23017", (NGINX, {"versionStartIncluding": "0.6.18", "versionEndExcluding": "1.20.1"})
        ),
    ]
    path = tmp_path / "feed.jsonl"
    path.write_text("\n".join(map(json.dumps, cves)))
    await import_paths(url, [path])


@pytest.mark.usefixtures("catalogue")
async def test_each_host_has_its_own_answer(session):
    old = [product(VSFTPD, 21), product("cpe:2.3:a:f5:nginx:1.18.0:*:*:*:*:*:*:*", 80)]
    new = [product("cpe:2.3:a:f5:nginx:1.25.0:*:*:*:*:*:*:*", 80)]
    first, second, third = await match_inventories(session, [old, new, []])
    assert [found.cve.cve_id for found in first] == ["CVE-2011-2523", "CVE-2021-23017"]
    assert [found.match.product.port for found in first] == [21, 80]
    assert first[1].match.criterion.end_excluding == "1.20.1"
    assert (second, third) == ([], [])


@pytest.mark.usefixtures("catalogue")
async def test_another_name_of_the_same_software_is_looked_up_too(session):
    [found] = await match_inventory(
        session, [product("cpe:2.3:a:igor_sysoev:nginx:1.18.0:*:*:*:*:*:*:*", 80)]
    )
    assert found.cve.cve_id == "CVE-2021-23017"
    assert found.cve.score == 9.1


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the data beside the checkout is not there")
async def test_routeros_6_41_in_the_real_data_of_2018(url, session):
    [result] = await import_paths(url, [SHARED])
    assert (result.records, result.skipped) == (17636, 0)
    found = await match_inventory(session, [product("cpe:2.3:o:mikrotik:routeros:6.41:*:*:*:*:*:*:*")])
    by_name = {one.cve.cve_id: one for one in found}
    assert by_name["CVE-2018-14847"].match.confidence is Confidence.EXACT
    assert by_name["CVE-2018-14847"].cve.severity == "CRITICAL"
