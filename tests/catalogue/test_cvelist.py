"""The CVE list's records: which versions they mean, by which names, and how sure that is."""

from __future__ import annotations

import json

import pytest

from netvigil.catalogue.feeds.cvelist import CveList
from netvigil.catalogue.feeds.cvelist_versions import Change, Span, Version, affected_spans
from netvigil.catalogue.merging import merge_parts
from netvigil.catalogue.parts import StoredPart
from netvigil.errors import FeedError


def record(*affected, state="PUBLISHED", **cna):
    return {
        "dataType": "CVE_RECORD",
        "cveMetadata": {
            "cveId": "CVE-2024-0001",
            "state": state,
            "dateUpdated": "2024-09-24T13:28:44.669Z",
            "assignerShortName": "acme",
        },
        "containers": {
            "cna": {
                "descriptions": [{"lang": "en", "value": "Made up."}],
                "affected": list(affected),
                "providerMetadata": {"shortName": "acme"},
                **cna,
            },
            "adp": [
                {"providerMetadata": {"shortName": "CISA-ADP"}, "metrics": [{"other": {"type": "ssvc"}}]}
            ],
        },
    }


def read(value):
    [row] = CveList().read(json.dumps(value).encode(), "").rows
    return merge_parts([StoredPart(*row)])


def ranges(value):
    return [one for part in read(value).configurations for node in part.nodes for one in node.ranges]


@pytest.mark.parametrize(
    ("versions", "default", "expected"),
    [
        ([Version("1.0", lessThan="1.4")], "unaffected", [Span("1.0", "1.4")]),
        ([Version("0", lessThanOrEqual="1.4")], None, [Span(None, "1.4", end_included=True)]),
        ([Version("2.0", lessThan="*")], None, [Span("2.0")]),
        ([Version("v1.2")], "unaffected", [Span(only="1.2")]),
        ([Version("3.2.x")], None, [Span(only="3.2.*")]),
        ([Version("< 1.2.3")], None, [Span(end="1.2.3")]),
        ([Version(">= 1.0, < 1.2.3")], None, [Span("1.0", "1.2.3")]),
        ([Version("1.49 and prior")], None, [Span(end="1.49", end_included=True)]),
        ([Version("All versions prior to 2.1")], None, [Span(end="2.1")]),
        ([Version("all versions")], None, [Span()]),
        ([Version("a firmware of some day")], None, []),
        ([Version("n/a")], None, []),
        ([Version("74e19ef0ff8061ef55957c3abd71614ef0f42f47", versionType="git")], None, []),
        ([Version("0:3.1.1-1.el7", "unaffected", "rpm", lessThan="*")], "affected", []),
        ([], "affected", [Span()]),
        ([], "unknown", []),
        ([Version("2.0", "unaffected", lessThan="*")], "affected", [Span(None, "2.0")]),
        (
            [Version("3.4.2", "unaffected"), Version("3.6.0", "unaffected")],
            "affected",
            [Span(None, "3.4.2"), Span("3.4.2", "3.6.0", start_excluded=True)],
        ),
        (
            [Version("1.0", lessThan="*", changes=[Change("1.5", "unaffected"), Change("2.0", "affected")])],
            None,
            [Span("1.0", "1.5"), Span("2.0")],
        ),
        ([Version("1.0", lessThan="*"), Version("1.8", "unaffected")], None, [Span("1.0", "1.8")]),
    ],
)
def test_versions_mean_these_spans(versions, default, expected):
    assert affected_spans(versions, default) == expected


def test_given_cpes_name_the_product_and_the_versions_bound_it():
    entry = {
        "vendor": "PureStorage",
        "product": "FlashArray",
        "cpes": [
            "cpe:2.3:a:purestorage:flasharray:5.3.17:*:*:*:*:*:*:*",
            "cpe:2.3:h:purestorage:box:-:*:*:*:*:*:*:*",
        ],
        "versions": [{"version": "5.3.17", "status": "affected", "lessThanOrEqual": "5.3.21"}],
    }
    [one] = ranges(record(entry))
    assert one.criteria.name == ("a", "purestorage", "flasharray")
    assert (one.criteria.version, one.start_including, one.end_including) == ("*", "5.3.17", "5.3.21")


def test_names_without_cpes_are_guessed_as_software_and_system():
    entry = {
        "vendor": "Acme, Inc.",
        "product": "Acme Web Server",
        "versions": [{"version": "1.0", "status": "affected"}],
    }
    names = {one.criteria.name for one in ranges(record(entry))}
    assert {("a", "acme", "web_server"), ("o", "acme", "web_server")} <= names


@pytest.mark.parametrize("vendor", [None, "n/a", "Unknown"])
def test_nobodys_product_is_no_product(vendor):
    assert (
        ranges(
            record({"vendor": vendor, "product": "x", "versions": [{"version": "1", "status": "affected"}]})
        )
        == []
    )


def test_rejected_means_nothing_is_affected():
    entry = {"vendor": "acme", "product": "web", "defaultStatus": "affected"}
    rejected = read(record(entry, state="REJECTED"))
    assert (rejected.status, rejected.configurations) == ("Rejected", ())


def test_scores_weaknesses_and_origins():
    scores = [
        {
            "cvssV3_1": {
                "version": "3.1",
                "vectorString": "CVSS:3.1/AV:N",
                "baseScore": 7.5,
                "baseSeverity": "HIGH",
            }
        }
    ]
    problems = [{"descriptions": [{"lang": "en", "cweId": "CWE-79", "description": "x"}]}]
    one = read(record(metrics=scores, problemTypes=problems))
    assert (one.best_metric.base_score, one.best_metric.source, one.best_metric.primary) == (
        7.5,
        "acme",
        False,
    )
    assert one.cwes == ("CWE-79",)
    assert dict(one.origins)["description"] == "cvelist"


@pytest.mark.parametrize(
    "change", [{"cveMetadata": {}}, {"containers": {}}, {"cveMetadata": {"cveId": "x", "state": "PUBLISHED"}}]
)
def test_another_shape_is_one_named_error(change):
    with pytest.raises(FeedError):
        read({**record(), **change})
