"""Which score counts, and vectors in words."""

from __future__ import annotations

import pytest

from netvigil.catalogue.records import Metric, Reference, best_metric, parse_vector, severity_of


def score(version, base, *, primary):
    return Metric(version, "", base, severity_of(base, version), None, None, "", primary)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (("4.0", True), ("3.1", True)),
        (("3.1", True), ("3.1", False)),
        (("3.1", False), ("3.0", True)),
        (("3.0", False), ("4.0", False)),
        (("4.0", False), ("2.0", True)),
        (("2.0", True), ("2.0", False)),
    ],
)
def test_the_better_known_score_counts_however_low_it_is(better, worse):
    low = score(better[0], 2.0, primary=better[1])
    high = score(worse[0], 9.8, primary=worse[1])
    assert best_metric([high, low]) == best_metric([low, high]) == low


def test_among_equals_the_higher_score_counts():
    low, high = score("3.1", 5.0, primary=False), score("3.1", 7.5, primary=False)
    assert best_metric([low, high]) is high


def test_without_scores_there_is_none():
    assert best_metric([]) is None


@pytest.mark.parametrize(
    ("base", "version", "word"),
    [
        (0.0, "3.1", "NONE"),
        (3.9, "3.1", "LOW"),
        (4.0, "3.0", "MEDIUM"),
        (8.9, "4.0", "HIGH"),
        (9.0, "3.1", "CRITICAL"),
        (10.0, "2.0", "HIGH"),
        (0.0, "2.0", "LOW"),
    ],
)
def test_ratings(base, version, word):
    assert severity_of(base, version) == word


def test_a_vector_of_3_1_in_words():
    assert parse_vector("CVSS:3.1/AV:A/AC:H/PR:L/UI:R/S:C/C:H/I:L/A:N") == {
        "attack_vector": "ADJACENT_NETWORK",
        "attack_complexity": "HIGH",
        "privileges_required": "LOW",
        "user_interaction": "REQUIRED",
        "scope": "CHANGED",
        "confidentiality": "HIGH",
        "integrity": "LOW",
        "availability": "NONE",
    }


def test_a_vector_of_4_0_has_its_scope_from_the_systems_behind():
    words = parse_vector("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:H/VI:L/VA:N/SC:N/SI:L/SA:N")
    assert (words["scope"], words["user_interaction"]) == ("CHANGED", "REQUIRED")
    assert (words["confidentiality"], words["integrity"], words["availability"]) == ("HIGH", "LOW", "NONE")
    alone = parse_vector("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N")
    assert alone["scope"] == "UNCHANGED"


@pytest.mark.parametrize("vector", ["AV:L/AC:M/Au:S/C:P/I:C/A:N", "(AV:L/AC:M/Au:S/C:P/I:C/A:N)"])
def test_a_vector_of_2_0_leaves_open_what_it_cannot_say(vector):
    assert parse_vector(vector) == {
        "attack_vector": "LOCAL",
        "attack_complexity": "MEDIUM",
        "privileges_required": "LOW",
        "user_interaction": None,
        "scope": None,
        "confidentiality": "LOW",
        "integrity": "HIGH",
        "availability": "NONE",
    }


@pytest.mark.parametrize("vector", [None, "", "nonsense", "CVSS:3.1/AV:X"])
def test_a_vector_that_says_nothing_has_all_words_none(vector):
    assert set(parse_vector(vector).values()) == {None}
    assert len(parse_vector(vector)) == 8


def test_a_link_is_called_by_its_host_even_when_the_host_is_odd():
    assert Reference("https://example.com/advisory").name == "example.com"
    assert Reference("http://[broken").name == "http://[broken"
