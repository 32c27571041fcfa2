"""Package versions: the policies' own examples, total order, and Debian's own tool as the judge."""

from __future__ import annotations

import random
import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.matching.package_versions import Scheme, compare_package, package_key, scheme_of, split_epoch
from netvigil.matching.versions import Order

DPKG = shutil.which("dpkg")
SIGNS = {"lt": Order.OLDER, "eq": Order.EQUAL, "gt": Order.NEWER}


@pytest.mark.parametrize(
    ("ecosystem", "ascending"),
    [
        # Debian Policy 5.6.12: ~~, ~~a, ~, the empty part, a
        ("Debian:12", ["1~~", "1~~a", "1~", "1", "1a", "1+", "1.", "1.1"]),
        ("Debian", ["1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-0.1", "1.0-1~bpo9+1", "1.0-1", "1.0-1+b1"]),
        ("Debian:12", ["1:9.2p1-2", "1:9.2p1-2+deb12u2", "1:9.2p1-2+deb12u3", "1:9.2p1-2+deb12u10"]),
        ("Ubuntu:22.04:LTS", ["1:8.9p1-3", "1:8.9p1-3ubuntu0.1", "1:8.9p1-3ubuntu0.10", "1:8.9p1-3ubuntu1"]),
        ("Debian", ["99", "1:0.1", "1:0.2"]),
        # from the manual page rpm-version
        ("Red Hat:9", ["1.0~rc1", "1.0~rc2", "1.0", "1.0^git1", "1.0^git1.1", "1.0.1"]),
        ("AlmaLinux:9", ["1.0a", "1.0b", "1.0.0", "1.0.1", "1.0.1a", "1.0.10", "1.1"]),
        ("Rocky Linux:8", ["8.0p1-4.el8", "8.0p1-4.el8_1", "8.0p1-19.el8_9.2", "1:7"]),
        # from the manual page apk-package
        ("Alpine:v3.18", ["1.0_alpha", "1.0_alpha1", "1.0_beta", "1.0_pre", "1.0_rc", "1.0_rc2", "1.0"]),
        ("Alpine:v3.18", ["1.0", "1.0-r0", "1.0-r1", "1.0-r10", "1.0_git20200101", "1.0_p1", "1.0_p1-r1"]),
        ("Alpine", ["1.0_p2", "1.0a", "1.0b", "1.0b-r1", "1.0.05", "1.0.1", "1.0.1a", "1.0.9", "1.0.10"]),
    ],
)
def test_ascending(ecosystem, ascending):
    for older, newer in pairwise(ascending):
        assert compare_package(ecosystem, older, newer) is Order.OLDER, (older, newer)
        assert compare_package(ecosystem, newer, older) is Order.NEWER


@pytest.mark.parametrize(
    ("ecosystem", "a", "b"),
    [
        ("Debian", "0:1.0", "1.0"),
        ("Debian", "1.0", "1.0-0"),
        ("Debian", "1.00-01", "1.0-1"),
        ("Red Hat", "0:1.0.1-2", "1_0.1-2"),
        ("Red Hat", "1.010", "1.10"),
        ("Alpine", "01", "1"),
    ],
)
def test_equal_though_written_otherwise(ecosystem, a, b):
    assert compare_package(ecosystem, a, b) is Order.EQUAL


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [
        ("Debian", "1.0_1"),
        ("Debian", ""),
        ("Debian", "x:1"),
        ("Debian", "1-"),
        ("Debian", "1" * 300),
        ("Debian", "\u0661"),
        ("Red Hat", "a b"),
        ("Red Hat", "x:1"),
        ("Alpine", "1.0-1"),
        ("Alpine", "1.0_foo"),
        ("Alpine", "v1"),
        ("PyPI", "1.0"),
        ("", "1.0"),
    ],
)
def test_what_is_no_version_there_is_unknown(ecosystem, version):
    assert compare_package(ecosystem, version, "1.0") is Order.UNKNOWN
    assert compare_package(ecosystem, "1.0", version) is Order.UNKNOWN


def test_ecosystems_and_epochs():
    assert scheme_of("Ubuntu:Pro:18.04:LTS") is Scheme.DEBIAN
    assert scheme_of("Red Hat:enterprise_linux:9::baseos") is Scheme.RPM
    assert scheme_of("npm") is None
    assert split_epoch("2:4.17.12+dfsg-0") == (2, "4.17.12+dfsg-0")
    assert split_epoch("4.17:1") == (None, "4.17:1") or split_epoch("a:1") == (None, "a:1")


PIECES = {
    Scheme.DEBIAN: ["0", "1", "10", "01", "9", ".", "+", "~", "a", "z", "rc", "-1", "ubuntu", "+deb12u"],
    Scheme.RPM: ["0", "1", "10", "01", "9", ".", "_", "~", "^", "a", "Z", "rc", "+"],
}
VERSIONS = {
    **{
        scheme: st.builds(
            "{}{}{}".format,
            st.sampled_from(["", "", "0:", "1:"]),
            st.integers(0, 20),
            st.lists(st.sampled_from(pieces), max_size=6).map("".join),
        )
        for scheme, pieces in PIECES.items()
    },
    Scheme.ALPINE: st.builds(
        "{}{}{}{}{}".format,
        st.integers(0, 20),
        st.lists(st.sampled_from([".0", ".1", ".05", ".10", ".9"]), max_size=3).map("".join),
        st.sampled_from(["", "", "a", "b"]),
        st.lists(st.sampled_from(["_alpha", "_rc1", "_rc", "_p", "_p2", "_git1"]), max_size=2).map("".join),
        st.sampled_from(["", "-r0", "-r1", "-r12"]),
    ),
}
TRIPLES = st.sampled_from(Scheme).flatmap(lambda scheme: st.tuples(st.just(scheme), *[VERSIONS[scheme]] * 3))
NAMES = {Scheme.DEBIAN: "Debian", Scheme.RPM: "Red Hat", Scheme.ALPINE: "Alpine"}


@given(TRIPLES)
def test_the_order_is_total(triple):
    scheme, *versions = triple
    a, b, c = versions
    forward, backward = compare_package(NAMES[scheme], a, b), compare_package(NAMES[scheme], b, a)
    assert forward is not Order.UNKNOWN
    assert forward.value == -backward.value
    assert compare_package(NAMES[scheme], a, a) is Order.EQUAL
    low, middle, high = sorted(versions, key=lambda version: package_key(scheme, version))
    assert compare_package(NAMES[scheme], low, middle).value <= 0
    assert compare_package(NAMES[scheme], low, high).value <= 0
    if forward is Order.EQUAL:
        assert compare_package(NAMES[scheme], a, c) is compare_package(NAMES[scheme], b, c)


@given(st.sampled_from(Scheme), st.text(max_size=40))
def test_no_text_breaks_it(scheme, text):
    assert compare_package(NAMES[scheme], text, "1.0") in Order


@pytest.mark.skipif(DPKG is None, reason="dpkg is not installed")
def test_debians_own_tool_agrees():
    choice = random.Random(5612)
    pairs = [(_debian(choice), _debian(choice)) for _ in range(400)]
    pairs += [(base, base[:-1] + choice.choice("~+.a019")) for base, _ in pairs[:200] if len(base) > 1]
    # one shell asks dpkg for all of them: starting it from here each time would take a minute
    script = "".join(
        f"for s in lt eq gt; do dpkg --compare-versions '{a}' $s '{b}' && echo $s && break; done\n"
        for a, b in pairs
    )
    answer = subprocess.run(["/bin/sh"], input=script, capture_output=True, text=True, check=True)
    said = answer.stdout.split()
    assert len(said) == len(pairs)
    wrong = [
        (a, sign, b)
        for (a, b), sign in zip(pairs, said, strict=True)
        if compare_package("Debian", a, b) is not SIGNS[sign]
    ]
    assert wrong == []


def _debian(choice: random.Random) -> str:
    epoch = choice.choice(["", "", "", "0:", "1:"])
    upstream = f"{choice.randint(0, 3)}" + "".join(
        choice.choice(["0", "1", "10", ".", ".", "+", "~", "a", "Z", "rc", "-", "+dfsg"])
        for _ in range(choice.randint(0, 5))
    )
    revision = choice.choice(["", "-0", "-1", "-1~", "-2+deb12u3", "-2+deb12u10", "-3ubuntu0.1", "-1.1"])
    return f"{epoch}{upstream.rstrip('-')}{revision}"
