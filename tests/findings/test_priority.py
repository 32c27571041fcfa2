"""What to do first, and why."""

from datetime import date
from itertools import pairwise

import pytest

from netvigil.findings.priority import Facts, prioritise

BAD = Facts(score=9.8, cvss_version="3.1", confidence="exact", ports=("tcp/8291",))


def test_the_reason_names_every_part():
    facts = Facts(
        score=9.8, cvss_version="3.1", confidence="exact", ports=("tcp/8291", "tcp/80"), epss=0.971,
        epss_date=date(2026, 11, 20), exploited=True, exploited_since=date(2021, 11, 3), ransomware=True,
    )  # fmt: skip
    assert prioritise(facts).reason == (
        "Known to be exploited since 2021-11-03, also by ransomware; EPSS 97 % of 2026-11-20; CVSS 9.8 (3.1); "
        "on a management port (tcp/8291) and 1 other service; seen exactly"
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (Facts(0, None, "possible"), "no CVSS score yet; possible: a part is unknown"),
        (Facts(7.2, "2.0", "likely"), "CVSS 7.2 (2.0); likely: one step was inferred"),
        (
            Facts(5.0, "4.0", "exact", ("tcp/502",), epss=0.0004),
            "EPSS under 1 %; CVSS 5.0 (4.0); on a port of a machine's control (tcp/502); seen exactly",
        ),
        (
            Facts(5.0, "3.0", "exact", ("tcp/445",)),
            "CVSS 5.0 (3.0); on a port that serves files or data (tcp/445); seen exactly",
        ),
    ],
)
def test_what_is_not_known_is_not_said(facts, words):
    assert prioritise(facts).reason == words


def test_the_order():
    """Exploited before likely before bad; a machine's control before an odd port; the certain before the doubtful."""
    order = [
        Facts(7.5, "3.1", "exact", exploited=True, ransomware=True),
        Facts(7.5, "3.1", "exact", exploited=True),
        Facts(9.8, "3.1", "exact", ("tcp/8291",), epss=0.9),
        Facts(9.8, "3.1", "exact", ("tcp/8291",), epss=0.01),
        BAD,
        Facts(9.8, "3.1", "exact", ("tcp/4711",)),
        Facts(9.8, "3.1", "exact"),
        Facts(9.8, "3.1", "likely"),
        Facts(9.8, "3.1", "possible"),
        Facts(0, None, "possible"),
    ]
    numbers = [prioritise(one).number for one in order]
    assert all(before > after for before, after in pairwise(numbers)), numbers


def test_the_worst_of_all_is_a_hundred():
    worst = Facts(10, "3.1", "exact", ("tcp/502", "tcp/22"), epss=1.0, exploited=True, ransomware=True)
    assert prioritise(worst).number == 100.0
