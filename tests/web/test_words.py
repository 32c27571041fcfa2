"""Numbers and times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from netvigil.web.words import ago, count, delta, page_number, percent, shown, when

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "just now"),
        (60, "1 minute ago"),
        (7300, "2 hours ago"),
        (86400 * 9, "9 days ago"),
        (86400 * 400, "1 year ago"),
        (-90, "in 1 minute"),
    ],
)
def test_how_long_ago(seconds, words):
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_never():
    assert (ago(None), when(None)) == ("never", "never")


@pytest.mark.parametrize(
    ("now", "before", "words"), [(5, 3, "+2"), (3, 5, "-2"), (3, 3, "same as before"), (3, None, "")]
)
def test_change(now, before, words):
    assert delta(now, before) == words


def test_counts_and_shares():
    assert [count(1, "host"), count(1204, "host"), count(0, "CVE")] == ["1 host", "1,204 hosts", "0 CVEs"]
    assert [percent(0.94), percent(0.012), percent(0.00001)] == ["94 %", "1.2 %", "< 0.1 %"]


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("0", 1), ("-1", 1), ("x", 1), ("", 1), ("9" * 5000, 1), ("²", 1)]
)
def test_page_of_an_address(text, number):
    assert page_number(text) == number


def test_text_that_hides_is_shown():
    assert shown("a\u202eb\x00c\u200bd\ufeffe") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    assert shown("line\n\ttab é 中") == "line\n\ttab é 中"
    assert shown(5) == 5
