"""Several sources of one CVE: who is heard, in whatever order their files came."""

from __future__ import annotations

import itertools
import json

import pytest
from sqlalchemy import text

from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.queries import catalogue_state, find_candidates, get_cves
from netvigil.catalogue.service import match_inventory
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.products import Confidence, Product

ONE, TWO, THREE = "CVE-2024-0001", "CVE-2024-0002", "CVE-2024-0003"
WEB = "cpe:2.3:a:acme:web:1.0:*:*:*:*:*:*:*"


def nvd11(cve_id, *criteria, modified="2020-01-01T10:00Z"):
    matches = [{"vulnerable": True, "cpe23Uri": one, "cpe_name": []} for one in criteria]
    nodes = [{"operator": "OR", "children": [], "cpe_match": matches}] if matches else []
    described = {"description_data": [{"lang": "en", "value": "In the old form."}]}
    v3 = {"version": "3.1", "vectorString": "CVSS:3.1/AV:L", "baseScore": 5.0, "baseSeverity": "MEDIUM"}
    return {
        "cve": {"CVE_data_meta": {"ID": cve_id, "ASSIGNER": "a@example.com"}, "description": described},
        "configurations": {"nodes": nodes},
        "impact": {"baseMetricV3": {"cvssV3": v3}},
        "publishedDate": "2018-01-01T10:00Z",
        "lastModifiedDate": modified,
    }


def override(cve_id, criteria):
    node = {"operator": "OR", "cpeMatch": [{"criteria": criteria, "vulnerable": True}]}
    return {
        "_annotation": {"cve_id": cve_id, "modified": "2024-01-01T00:00:00+00:00"},
        "cve": {"configurations": [{"nodes": [node]}]},
    }


def listed(cve_id, product="web", state="PUBLISHED", **entry):
    affected = {
        "vendor": "acme",
        "product": product,
        "versions": [{"version": "1.0", "status": "affected"}],
        **entry,
    }
    return {
        "dataType": "CVE_RECORD",
        "cveMetadata": {"cveId": cve_id, "state": state, "dateUpdated": "2024-05-01T00:00:00Z"},
        "containers": {
            "cna": {"descriptions": [{"lang": "en", "value": "As listed."}], "affected": [affected]}
        },
    }


@pytest.fixture
def write(tmp_path):
    def write_file(name, *records):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, records)))
        return path

    return write_file


@pytest.fixture
def files(write, make_cve):
    unanalysed = {"modified": "2024-02-01T00:00:00.000", "vulnStatus": "Awaiting Analysis"}
    return [
        write("nvd", make_cve(ONE, WEB, modified="2024-02-01T00:00:00.000"), make_cve(TWO, **unanalysed)),
        write("later", make_cve(ONE, WEB.replace("1.0", "1.1"), modified="2024-03-01T00:00:30.000")),
        write("old", nvd11(ONE, WEB.replace("1.0", "0.9"), modified="2024-03-01T00:00Z"), nvd11(THREE, WEB)),
        write("overrides", override(ONE, WEB.replace("1.0", "7")), override(TWO, WEB.replace("1.0", "2.0"))),
        write("list", listed(ONE), listed(TWO), listed(THREE, state="REJECTED")),
    ]


async def contents(session):
    query = text(
        "SELECT cve_id, status, published, modified, score, severity, product_keys, configured_by, starter "
        "FROM cve ORDER BY cve_id"
    )
    rows = (await session.execute(query)).all()
    records = await get_cves(session, [ONE, TWO, THREE], with_configurations=True)
    await session.rollback()
    return [tuple(row) for row in rows], records


async def test_the_order_of_imports_does_not_matter(url, session, files):
    seen = []
    for order in list(itertools.permutations(files))[::11]:
        for path in order:
            await import_paths(url, [path])
        seen.append(await contents(session))
        await session.execute(text("TRUNCATE cve, cve_part, feed_import"))
        await session.commit()
    await import_paths(url, files)
    seen.append(await contents(session))
    assert len(seen) > 10
    assert all(one == seen[0] for one in seen)
    rows, records = seen[0]
    assert [(row[0], row[1], row[7]) for row in rows] == [
        (ONE, "Analyzed", "nvd"),
        (TWO, "Awaiting Analysis", "overrides"),
        (THREE, "Rejected", None),
    ]
    [node] = records[ONE].configurations[0].nodes
    assert node.ranges[0].criteria.version == "1.1"
    assert dict(records[TWO].origins)["configurations"] == "overrides"


async def test_the_columns_are_what_the_record_says(url, session, files):
    await import_paths(url, files)
    rows, records = await contents(session)
    for cve_id, status, published, modified, score, severity, *_ in rows:
        record = records[cve_id]
        best = record.best_metric
        assert (record.status, record.published, record.modified) == (status, published, modified)
        assert (best and best.base_score, best and best.severity) == (score, severity)


async def test_importing_again_changes_nothing_and_counts_nothing_twice(url, session, files):
    await import_paths(url, files)
    before = (await session.execute(text("SELECT sum(catalogue_version) FROM cve"))).scalar_one()
    await session.rollback()
    await import_paths(url, files)
    assert (await session.execute(text("SELECT sum(catalogue_version) FROM cve"))).scalar_one() == before
    state = await catalogue_state(session)
    assert {one.source: one.records for one in state.sources} == {
        "nvd": 2,
        "nvd11": 1,
        "overrides": 2,
        "cvelist": 3,
    }


async def test_the_list_alone_is_possible_and_likely_where_the_name_is_known(url, session, write, make_cve):
    product = Product(parse_cpe(WEB), Confidence.EXACT, "seen in a test", 80)
    await import_paths(url, [write("list", listed(ONE))])
    [found] = await match_inventory(session, [product])
    assert (found.match.confidence, found.cve.configured_by) == (Confidence.POSSIBLE, "cvelist")
    await session.rollback()
    await import_paths(url, [write("nvd", make_cve(TWO, WEB.replace("1.0", "0.1")))])
    [found] = await match_inventory(session, [product])
    assert (found.cve.cve_id, found.match.confidence) == (ONE, Confidence.LIKELY)
    assert any("CVE list" in reason for reason in found.match.reasons)


async def test_only_what_changed_is_looked_at_on_request(url, session, write, make_cve):
    await import_paths(url, [write("one", make_cve(ONE, WEB))])
    await import_paths(url, [write("two", make_cve(TWO, WEB))])
    found = await find_candidates(session, [("a", "acme", "web")], changed_since=1)
    assert [one.cve_id for one in found] == [TWO]
