"""Version order: known pairs of every kind, and the laws of an order on generated versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.matching.versions import Order, compare, parse_version

ASCENDING = [
    ("1.9", "1.10"),
    ("6.49.9", "6.49.10"),
    ("6.47.1", "6.47.10"),
    ("7.4beta4", "7.4rc1"),
    ("7.4rc1", "7.4"),
    ("7.4", "7.4.1"),
    ("9.2", "9.2p1"),
    ("9.2p1", "9.2p2"),
    ("9.2p1", "9.2.1"),
    ("1.0.1f", "1.0.1g"),
    ("1.0.1", "1.0.1a"),
    ("0.9.8z", "0.9.8za"),
    ("1707d", "1708d"),
    ("4.2.8p1-rc1", "4.2.8p1"),
    ("4.0 sp1", "4.0 sp2"),
    ("2.5.stable4", "2.5.stable10"),
    ("6.1.7-15284", "6.1.7-15284-2"),
    ("6.2-23739", "6.2.1-23824"),
    ("2005-06-05", "2005-10-26"),
    ("2012.55", "2022.83"),
    ("12.2(55)se2", r"12.2\(55\)se3"),
    ("12.2(50)se", "12.2(55)sy"),
    ("7.0(3)i4(1)", "7.0(3)i7(1)"),
    ("1.0.0-m3", "1.0.0-rc1"),
    ("9.9.0a1", "9.9.0b1"),
    ("1.0b2", "1.0"),
    ("1.8.0_45", "1.8.0_101"),
    ("4.7.x", "4.8"),
    ("4.6.9", "4.7.x"),
    ("v200r001c00", "v200r002c00"),
    ("v200r001c00", "v200r001c00spc600"),
    ("1.0.1-b20150320", "1.0.1-b20150707"),
]
EQUAL = [
    ("1.2", "1.2.0"),
    ("1.2.0rc1", "1.2-rc1"),
    ("v4.0d", "4.0d"),
    ("8.3p1", "8.3-p1"),
    ("2.0", "2.0 final"),
    ("1.0u5", "1.0 update5"),
]
UNKNOWN = [
    ("r27", "x5"),
    ("1.2", "current"),
    ("*", "1"),
    ("-", "-"),
    ("", ""),
    ("12.2(50)se", "12.2(50)sy"),
    ("1.0p1", "1.0sp1"),
    ("4.7.x", "4.7.2a"),
    ("1.0", "1.0squeeze3"),
    ("1.0\x00", "1.0"),
    ("1" * 500, "1"),
]


@pytest.mark.parametrize(("older", "newer"), ASCENDING)
def test_older_and_newer(older, newer):
    assert compare(older, newer) is Order.OLDER
    assert compare(newer, older) is Order.NEWER


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal(one, other):
    assert compare(one, other) is Order.EQUAL


@pytest.mark.parametrize(("one", "other"), UNKNOWN)
def test_unknown(one, other):
    assert compare(one, other) is Order.UNKNOWN
    assert compare(other, one) is Order.UNKNOWN


@pytest.mark.parametrize(
    ("version", "update", "as_one"),
    [
        ("9.2", "p1", "9.2p1"),
        ("1.3.3", "c", "1.3.3c"),
        ("1.8.0", "update_45", "1.8.0update45"),
        ("9.2", "-", "9.2"),
        ("9.2", "*", "9.2"),
    ],
)
def test_the_update_attribute_is_part_of_the_version(version, update, as_one):
    split, whole = parse_version(version, update), parse_version(as_one)
    assert split is not None
    assert whole is not None
    assert (split.prefix, split.release, split.items) == (whole.prefix, whole.release, whole.items)


def test_patches_and_candidates_are_tags_letters_and_builds_are_not():
    for text, tags in (("9.2p1", 1), ("7.5rc1", 1), ("1.0.1g", 0), ("6.1.7-15284", 0)):
        version = parse_version(text)
        assert version is not None
        assert len(version.tags) == tags
        assert version.base.tags == ()


PIECES = st.sampled_from(
    [
        "rc1",
        "rc2",
        "beta",
        "beta3",
        "alpha1",
        "p1",
        "p2",
        "sp1",
        "a",
        "b",
        "z",
        "za",
        "-3",
        "-15284",
        "(4)",
        "se2",
        "sy",
        "u1",
        "build7",
        "dev",
        ".x",
    ]
)
VERSIONS = st.builds(
    lambda prefix, numbers, pieces: prefix + ".".join(map(str, numbers)) + "".join(pieces),
    st.sampled_from(["", "", "", "v", "r"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.lists(PIECES, max_size=2),
)
OPPOSITE = {
    Order.OLDER: Order.NEWER,
    Order.NEWER: Order.OLDER,
    Order.EQUAL: Order.EQUAL,
    Order.UNKNOWN: Order.UNKNOWN,
}


@given(VERSIONS)
def test_every_version_equals_itself(version):
    assert compare(version, version) is Order.EQUAL


@given(VERSIONS, VERSIONS)
def test_the_order_is_antisymmetric(one, other):
    assert compare(one, other) is OPPOSITE[compare(other, one)]


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_transitive(one, two, three):
    first, second = compare(one, two), compare(two, three)
    if first is Order.EQUAL:
        assert compare(one, three) is second
    elif first is second and first is not Order.UNKNOWN:
        assert compare(one, three) is first


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5), st.lists(st.integers(0, 30), min_size=1, max_size=5)
)
def test_dotted_numbers_are_never_unknown(one, other):
    width = max(len(one), len(other))
    left, right = ([*numbers, *[0] * (width - len(numbers))] for numbers in (one, other))
    expected = Order.EQUAL if left == right else Order.OLDER if left < right else Order.NEWER
    assert compare(".".join(map(str, one)), ".".join(map(str, other))) is expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_has_an_answer(one, other):
    assert compare(one, other) is OPPOSITE[compare(other, one)]
