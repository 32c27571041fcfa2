"""Affected ranges in plain words."""

from __future__ import annotations

import pytest

from netvigil.matching.cpe import parse_cpe
from netvigil.matching.ranges import AffectedRange
from netvigil.matching.wording import describe_range, display_name, version_text


@pytest.mark.parametrize(
    ("name", "bounds", "words"),
    [
        (
            "o:mikrotik:routeros",
            {"start_including": "6.29", "end_including": "6.42"},
            "from 6.29 through 6.42",
        ),
        ("o:mikrotik:routeros", {"end_excluding": "7.5"}, "before 7.5"),
        ("o:mikrotik:routeros", {"start_excluding": "6.1", "end_excluding": "7.5"}, "after 6.1 before 7.5"),
        ("o:mikrotik:routeros", {"start_including": "6.1"}, "from 6.1 on"),
        ("o:mikrotik:routeros:6.46.8", {}, "exactly 6.46.8"),
        ("a:openbsd:openssh:8.3:p1", {}, "exactly 8.3p1"),
        ("o:mikrotik:routeros", {}, "all versions"),
        ("h:hp:j9v82a:-", {}, "no version named"),
        ("o:mikrotik:routeros:*:*:*:*:ltr", {"end_excluding": "6.42.7"}, "before 6.42.7 (long-term channel)"),
        ("a:redislabs:redis:*:*:*:*:*:*:x84", {"end_excluding": "6.0.14"}, "before 6.0.14 (hardware x84)"),
        ("a:samba:samba:*:p2", {"end_including": "1.9.17"}, "through 1.9.17 (update p2)"),
        ("o:cisco:ios", {"end_including": r"12.2\(55\)se"}, "through 12.2(55)se"),
    ],
)
def test_ranges_in_words(name, bounds, words):
    assert describe_range(AffectedRange(parse_cpe(f"cpe:2.3:{name}"), **bounds)) == words


def test_versions_and_names_in_words():
    assert version_text(parse_cpe("cpe:2.3:a:x:y:9.2:p1")) == "9.2p1"
    assert version_text(parse_cpe("cpe:2.3:a:x:y:1.8.0:update_45")) == "1.8.0 update_45"
    assert version_text(parse_cpe("cpe:2.3:a:x:y")) == ""
    assert display_name(parse_cpe("cpe:2.3:a:apache:http_server")) == "apache http server"
