"""NVD's `cve` objects become records, or one named error."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from netvigil.catalogue.feeds import nvd
from netvigil.catalogue.parts import CVE_PARTS
from netvigil.catalogue.records import Reference
from netvigil.errors import FeedError
from netvigil.matching.ranges import Operator


def parse_cve(value):
    return nvd.parse_cve(json.dumps(value).encode())


def read_cve(value):
    return nvd.read_cve(json.dumps(value).encode())


ROUTEROS = "cpe:2.3:o:mikrotik:routeros:*:*:*:*:*:*:*:*"


def test_a_whole_record(make_cve):
    raw = make_cve(
        "CVE-2018-14847",
        (ROUTEROS, {"versionStartIncluding": "6.29", "versionEndExcluding": "6.40.8"}),
        "cpe:2.3:o:mikrotik:routeros:6.41:*:*:*:*:*:*:*",
        cisaExploitAdd="2021-12-01",
        cisaActionDue="2022-06-01",
        cisaVulnerabilityName="Made up",
        cisaRequiredAction="Update.",
    )
    record = parse_cve({"cve": raw})
    assert record.published == datetime(2018, 8, 2, 7, 29, 0, 280000, tzinfo=UTC)
    assert record.description == "Made up for a test."
    assert record.cwes == ("CWE-22",)
    assert record.references == (Reference("https://example.com/a", ("Vendor Advisory",)),)
    assert record.known_exploited.date_added == date(2021, 12, 1)
    assert (record.best_metric.base_score, record.best_metric.severity) == (9.1, "CRITICAL")
    [configuration] = record.configurations
    [node] = configuration.nodes
    assert (configuration.operator, node.operator, node.negate) == (Operator.OR, Operator.OR, False)
    bounded, plain = node.ranges
    assert str(bounded.criteria) == ROUTEROS
    assert (bounded.start_including, bounded.end_excluding, bounded.end_including) == ("6.29", "6.40.8", None)
    assert (plain.criteria.version, plain.vulnerable, plain.end_excluding) == ("6.41", True, None)


def test_the_tree_keeps_and_or_negate_and_surroundings(make_cve):
    firmware = {"vulnerable": True, "criteria": "cpe:2.3:o:dahua:ipc_firmware:*:*:*:*:*:*:*:*"}
    hardware = {"vulnerable": False, "criteria": "cpe:2.3:h:dahua:ipc:-:*:*:*:*:*:*:*"}
    nodes = [
        {"operator": "OR", "negate": False, "cpeMatch": [firmware]},
        {"operator": "AND", "negate": True, "cpeMatch": [hardware]},
    ]
    raw = make_cve(configurations=[{"operator": "AND", "nodes": nodes}])
    [configuration] = parse_cve(raw).configurations
    assert configuration.operator is Operator.AND
    assert [(node.operator, node.negate) for node in configuration.nodes] == [
        (Operator.OR, False),
        (Operator.AND, True),
    ]
    assert [node.ranges[0].vulnerable for node in configuration.nodes] == [True, False]


def test_escaped_criteria_are_split_where_their_product_ends(make_cve):
    criteria = r"cpe:2.3:a:acme\:co:web\\:1.0\:2:p1:*:*:*:*:*:*"
    [configuration] = parse_cve(make_cve("CVE-2020-0001", criteria)).configurations
    assert configuration.nodes[0].ranges[0].criteria.vendor == r"acme\:co"
    assert configuration.nodes[0].ranges[0].criteria.version == r"1.0\:2"


def test_a_rejected_record_has_no_criteria_and_a_deferred_one_has(make_cve):
    assert parse_cve(make_cve("CVE-2020-0001", ROUTEROS, vulnStatus="Rejected")).configurations == ()
    assert read_cve(make_cve("CVE-2020-0001", ROUTEROS, vulnStatus="Rejected")).product_keys == ()
    assert parse_cve(make_cve("CVE-2020-0001", ROUTEROS, vulnStatus="Deferred")).configurations != ()


def test_a_link_of_two_sources_stands_once_with_all_its_tags(make_cve):
    links = [{"url": "https://example.com/a", "tags": ["Exploit"]}, {"url": "https://example.com/a"}]
    links.append({"url": "https://example.com/a", "tags": ["Exploit", "Patch"]})
    record = parse_cve(make_cve(references=links))
    assert record.references == (Reference("https://example.com/a", ("Exploit", "Patch")),)


def test_fields_of_the_future_and_lacking_optional_ones_do_no_harm(make_cve):
    raw = make_cve(affected=[{"x": 1}], somethingNew={"deep": [1]})
    raw["metrics"]["ssvcV203"] = [{"anything": True}]
    del raw["weaknesses"], raw["references"], raw["sourceIdentifier"]
    record = parse_cve(raw)
    assert (record.cwes, record.references, record.assigner) == ((), (), "")
    raw["metrics"] = {}
    assert parse_cve(raw).best_metric is None


def test_a_score_of_2_0_has_its_severity_outside_of_the_data(make_cve):
    old = {"source": "nvd@nist.gov", "type": "Primary", "baseSeverity": "MEDIUM"}
    data = {"version": "2.0", "vectorString": "AV:N/AC:L/Au:N/C:P/I:P/A:N", "baseScore": 6.4}
    best = parse_cve(make_cve(metrics={"cvssMetricV2": [{**old, "cvssData": data}]})).best_metric
    assert (best.cvss_version, best.severity, best.primary) == ("2.0", "MEDIUM", True)


def test_a_text_may_talk_of_nul_but_not_hold_one(make_cve):
    said = [{"lang": "en", "value": "A \\u0000 in the request"}]
    assert parse_cve(make_cve(descriptions=said)).description == "A \\u0000 in the request"
    with pytest.raises(FeedError, match="NUL"):
        parse_cve(make_cve(descriptions=[{"lang": "en", "value": "a\0b"}]))
    with pytest.raises(ValueError, match="NUL"):
        CVE_PARTS.encode(read_cve(make_cve(vulnStatus="Ana\0lyzed")))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "not-a-cve"},
        {"id": None},
        {"published": "yesterday"},
        {"lastModified": 5},
        {"lastModified": "0001-01-01T00:00:00+14:00"},
        {"vulnStatus": None},
        {"descriptions": "none"},
        {"descriptions": [{"lang": "en"}]},
        {"metrics": []},
        {
            "metrics": {
                "cvssMetricV31": [{"cvssData": {"version": "3.1", "vectorString": "", "baseScore": "9"}}]
            }
        },
        {
            "metrics": {
                "cvssMetricV31": [{"cvssData": {"version": "3.1", "vectorString": "", "baseScore": 11}}]
            }
        },
        {
            "metrics": {
                "cvssMetricV31": [{"cvssData": {"version": "9.9", "vectorString": "", "baseScore": 1}}]
            }
        },
        {"references": [{"url": 1}]},
        {"configurations": [{"nodes": None}]},
        {"configurations": [{"nodes": [{"operator": "XOR", "cpeMatch": []}]}]},
        {"configurations": [{"nodes": [{"cpeMatch": [{"criteria": "routeros", "vulnerable": True}]}]}]},
        {"configurations": [{"nodes": [{"cpeMatch": [{"criteria": 7, "vulnerable": True}]}]}]},
        {"cisaExploitAdd": "soon"},
    ],
)
def test_a_wrong_shape_is_one_named_error(make_cve, change):
    with pytest.raises(FeedError):
        parse_cve(make_cve(**change) if "id" not in change else {**make_cve(), **change})


@pytest.mark.parametrize("value", [None, [], "text", 1, {}, {"cve": []}])
def test_something_else_is_one_named_error(value):
    with pytest.raises(FeedError):
        parse_cve(value)
