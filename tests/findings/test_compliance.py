"""Compliance tags: each rule's condition, and the page that documents them."""

from datetime import date, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netvigil.findings.compliance import RULES, Place, Subject, table, tags_of

TODAY = date(2026, 11, 24)
LAN, PUBLIC = IPv4Address("192.168.88.1"), IPv4Address("8.8.8.8")
PAGE = Path(__file__).parents[2] / "docs" / "compliance-tags.md"


def subject(score=5.0, address=LAN, **more):
    return Subject(score=score, address=address, today=TODAY, **more)


@pytest.mark.parametrize(
    ("tag", "holds", "fails"),
    [
        ("CISA-BOD-22-01", subject(exploited=True), subject()),
        (
            "CISA-BOD-22-01-OVERDUE",
            subject(exploited=True, due=TODAY - timedelta(days=1)),
            subject(exploited=True, due=TODAY),
        ),
        ("PCI-DSS-6.3.3", subject(9.0, fixed_in="7.1"), subject(9.0)),
        ("PCI-DSS-11.3.1", subject(7.0), subject(7.0, PUBLIC)),
        ("PCI-DSS-11.3.1.1", subject(6.9), subject(7.0)),
        ("PCI-DSS-11.3.2", subject(4.0, PUBLIC), subject(3.9, PUBLIC)),
        ("PCI-DSS-2.2.7", subject(places=[Place(23, "tcp")]), subject(places=[Place(22, "tcp", "ssh")])),
        (
            "CIS-4.6",
            subject(places=[Place(9999, "tcp", "http")]),
            subject(places=[Place(80, "tcp", "http", "ssl")]),
        ),
        ("CIS-7.7", subject(7.0), subject(6.9)),
        ("NIS2-21.2.e", subject(epss=0.1), subject(epss=0.09)),
        ("NIST-800-53-SI-2", subject(fixed_in="7.1"), subject()),
        ("IEC-62443-2-3", subject(places=[Place(502, "tcp")]), subject(places=[Place(503, "tcp")])),
    ],
)
def test_each_rule_at_its_edge(tag, holds, fails):
    assert tag in tags_of(holds)
    assert tag not in tags_of(fails)


def test_tags_are_in_the_tables_order_and_each_once():
    tags = [rule.tag for rule in RULES]
    assert len(set(tags)) == len(tags)
    everything = subject(
        10, exploited=True, due=TODAY - timedelta(days=9), epss=1.0, fixed_in="1", places=[Place(23, "tcp")]
    )
    assert tags_of(everything) == [tag for tag in tags if tag in tags_of(everything)]
    assert tags_of(subject(0)) == ["PCI-DSS-11.3.1.1", "ISO-27001-A.8.8"]


def test_the_page_says_what_the_table_says():
    assert table() in PAGE.read_text()
