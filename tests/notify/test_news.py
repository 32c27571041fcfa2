"""What is worth telling, decided without a database."""

from uuid import UUID, uuid4

import pytest

from netvigil.findings.states import Change
from netvigil.notify.news import TOLD_MOST, ChangeSeen, Ended, Rules, Severity, SitePart, pick

HERE, THERE = UUID(int=1), UUID(int=2)
FINE = Ended(failed=False, sites=(SitePart(HERE, "Main office"),))


def seen(
    *,
    score=9.8,
    severity=Severity.CRITICAL,
    change=Change.NEW,
    kev=False,
    site=HERE,
    threshold=7.0,
    priority=50.0,
):
    return ChangeSeen(uuid4(), site, change, "CVE-2099-0001", severity, score, kev, priority, threshold)


@pytest.mark.parametrize(
    ("one", "rules", "told"),
    [
        (seen(), Rules(), True),
        (seen(score=6.9, severity=Severity.MEDIUM), Rules(), False),
        (seen(score=7.0, severity=Severity.HIGH), Rules(), True),
        (seen(score=7.0, severity=Severity.HIGH), Rules(min_severity=Severity.CRITICAL), False),
        (seen(score=2, severity=Severity.LOW, kev=True), Rules(min_severity=Severity.CRITICAL), True),
        (seen(score=2, severity=Severity.LOW, kev=True), Rules(kev_always=False), False),
        (seen(), Rules(sites=frozenset({THERE})), False),
        (seen(site=THERE), Rules(sites=frozenset({THERE})), True),
        (seen(change=Change.REGRESSED), Rules(), True),
        (seen(change=Change.RESOLVED), Rules(), True),
        (seen(change=Change.WITHDRAWN, score=1), Rules(), False),
    ],
)
def test_rules_let_through(one, rules, told):
    both = Ended(failed=False, sites=(SitePart(HERE, "a"), SitePart(THERE, "b")))
    assert (pick([one], rules, both) is not None) is told
    assert (pick([one], rules) is not None) is told


def test_nothing_new_is_told_to_those_who_want_every_report():
    assert pick([], Rules(), FINE) is None
    news = pick([], Rules(only_news=False), FINE)
    assert news is not None
    assert (news.worse, news.better_count, news.failed_sites) == (0, 0, ())
    assert pick([], Rules(only_news=False)) is None  # a data update that changed nothing is no report
    assert pick([], Rules(only_news=False, sites=frozenset({THERE})), FINE) is None


@pytest.mark.parametrize(
    ("offline", "usual", "failed", "sites", "told"),
    [
        (True, False, True, (), True),
        (True, True, False, (), False),  # the schedule ignores offline sites
        (False, True, True, (), True),  # but not that probing broke
        (True, False, True, (THERE,), False),
        (True, False, True, (HERE,), True),
    ],
)
def test_sites_that_could_not_be_scanned(offline, usual, failed, sites, told):
    broken = SitePart(HERE, "Main office", failed=True, offline=offline, reason="Nothing answers.")
    ended = Ended(failed=failed, sites=(broken, SitePart(THERE, "b")), offline_is_usual=usual)
    news = pick([], Rules(sites=frozenset(sites)), ended)
    assert (news is not None) is told
    assert news is None or news.failed_sites == (broken,)


def test_scan_that_failed_by_itself_is_news():
    news = pick([], Rules(), Ended(failed=True, sites=(SitePart(HERE, "a"),)))
    assert news is not None
    assert news.failed


def test_most_urgent_come_first_and_all_are_counted():
    many = [seen(priority=float(n % 100), kev=n % 10 == 0) for n in range(200)]
    news = pick([*many, seen(change=Change.RESOLVED)], Rules(), FINE)
    assert [one.priority for one in news.top] == sorted((one.priority for one in many), reverse=True)[
        :TOLD_MOST
    ]
    assert (news.worse, news.kev, news.better_count) == (200, 20, 1)
    assert news.counts[Change.NEW] == {Severity.CRITICAL: 200}
