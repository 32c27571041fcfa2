"""What the first page says, what it advises, and how addresses become a map."""

from ipaddress import IPv4Network

import pytest
from pdf_samples import make_finding, make_host, make_report

from netvigil.reports.pdf import heatmap
from netvigil.reports.pdf.document import build
from netvigil.reports.pdf.groups import by_cve, updates
from netvigil.reports.pdf.verdict import numbers, verdict


def report_of(*findings, hosts=2):
    report = make_report(hosts=0)
    report["hosts"] = [make_host(0, number, "10.0.0") for number in range(hosts)]
    report["scan"]["hosts_scanned"] = hosts
    report["findings"] = [{**make_finding(report["hosts"][0], n, serial=1), "kev": None, **one}
                          for n, one in enumerate(findings)]  # fmt: skip
    return report


@pytest.mark.parametrize(
    ("findings", "level", "sentence"),
    [
        ([], "none", "No known vulnerability was found on the 2 devices that answered."),
        ([{"kev": {"due_date": None}}], "critical", "1 of 2 devices has 1 vulnerability that attackers are known to use."),
        ([{"severity": "CRITICAL"}], "critical",
         "1 of 2 devices has 1 critical vulnerability; none of them is known to be exploited yet."),
        ([{"severity": "HIGH"}], "high", "1 of 2 devices has 1 serious vulnerability; nothing critical was found."),
        ([{"severity": "LOW"}] * 2, "low", "1 of 2 devices has 2 vulnerabilities of medium or low severity."),
        ([{"severity": "CRITICAL", "status": "accepted"}], "none",
         "Every one of the 1 finding on 2 devices has been accepted or mitigated."),
    ],
)  # fmt: skip
def test_verdict_is_one_plain_sentence(findings, level, sentence):
    said = verdict(report_of(*findings))
    assert (said["level"], said["sentence"]) == (level, sentence)


def test_numbers_are_held_against_the_previous_scan():
    report = make_report()
    assert numbers(report)[0] == {"label": "findings", "value": 20, "change": "▼ 3 fewer", "good": True}
    report["previous"] = None
    assert numbers(report)[0]["change"] == ""


def test_priority_of_the_life_goes_before_the_score():
    report = report_of(
        {"cve_id": "CVE-1", "score": 9.8, "priority": 10}, {"cve_id": "CVE-2", "score": 5.0, "priority": 90}
    )
    assert [group.cve_id for group in by_cve(report["findings"])] == ["CVE-2", "CVE-1"]


def test_update_names_the_newest_end_of_all_ranges():
    ends = [
        ("6.49.9", "before 6.49.9"),
        ("6.49.10", "before 6.49.10"),
        (None, "from 6.0 through 6.49.10"),
        (None, "all versions"),
    ]
    found = [
        {"cve_id": f"CVE-{n}", "fixed_in": fixed, "evidence": {"range": words, "product": "cpe:2.3:o:mikrotik:routeros:6.42:*:*:*:*:*:*:*"}}
        for n, (fixed, words) in enumerate(ends)
    ]  # fmt: skip
    [one] = updates(report_of(*found)["findings"])
    assert (one.product, str(one.fix), len(one.ended), len(one.cves)) == (
        "MikroTik RouterOS", "a version after 6.49.10", 3, 4,
    )  # fmt: skip


def test_map_has_a_cell_for_each_address_that_was_asked():
    blocks = heatmap.blocks_of(
        ["10.0.0.0/22"],
        {"10.0.0.1": ("CRITICAL", False), "10.0.1.7": (None, True)},
        missing=["10.0.2.9"],
        excluded=[IPv4Network("10.0.3.0/25")],
    )
    assert [str(block.base) for block in blocks] == ["10.0.0.0", "10.0.1.0", "10.0.2.0", "10.0.3.0"]
    assert sum(len(block.cells) for block in blocks) == 1022
    assert blocks[0].cells[1] == "CRITICAL"
    assert (blocks[1].cells[7], blocks[1].new) == (heatmap.LIVE, {7})
    assert blocks[2].cells[9] == heatmap.MISSING
    assert blocks[3].count(heatmap.EXCLUDED) == 128
    assert [block.quiet for block in blocks] == [False, False, False, True]


def test_single_addresses_share_a_map():
    [block] = heatmap.blocks_of(["10.0.0.5/32", "10.0.0.77/32"], {}, scanned=False)
    assert block.cells == {5: heatmap.UNKNOWN, 77: heatmap.UNKNOWN}
    assert heatmap.draw(block).count(">.") == 2  # two rows of sixteen


def test_decided_findings_are_told_apart():
    decision = {"justification": "It stands in a locked room.", "created_by": "a", "expiration_date": None}
    values = build(report_of({"status": "accepted", "decision": decision}, {"cve_id": "CVE-9"}))
    assert [one["cve_id"] for one in values["cards"]] == ["CVE-9"]
    assert [one["why"] for one in values["decided"]] == ["It stands in a locked room."]
