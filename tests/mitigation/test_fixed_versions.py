"""Fixed versions: what the ends of ranges mean, what counts for whom, and what is never claimed."""

from datetime import UTC, datetime

import pytest

from netvigil.catalogue.records import CveRecord
from netvigil.matching.backports import Fix
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator
from netvigil.mitigation.facts import CveFacts, Touched, TouchedDevice
from netvigil.mitigation.names import distribution_of, product_name
from netvigil.mitigation.versions import fix_of, fixed_versions, goals, package_fixes

NOW = datetime(2026, 8, 22, tzinfo=UTC)


def cpe(name, version="*", edition="*"):
    return parse_cpe(f"cpe:2.3:{name}:{version}:*:*:*:{edition}:*:*:*")


def facts_of(*ranges, fixes=()):
    nodes = (Node(Operator.OR, negate=False, ranges=ranges),)
    record = CveRecord(
        "CVE-2099-0001", "test", NOW, NOW, "Analyzed", "Made up.",
        configurations=(Configuration(Operator.OR, negate=False, nodes=nodes),),
    )  # fmt: skip
    return CveFacts("CVE-2099-0001", record, fixes=tuple(fixes))


def device(name, version, **changes):
    values = {
        "address": "192.168.88.1", "site": "Office", "hostname": "r1", "mac": None, "manufacturer": None, "service": "winbox",
        "port": 8291, "protocol": "tcp", "cpe": str(cpe(name, version)), "seen": None, "fixed_in": None, "confidence": "exact",
        "observed_at": NOW,
    }  # fmt: skip
    return TouchedDevice(**{**values, **changes})


@pytest.mark.parametrize(
    ("affected", "fixed", "bound"),
    [
        (AffectedRange(cpe("o:mikrotik:routeros"), end_excluding="6.49.7"), "6.49.7", "6.49.7"),
        (AffectedRange(cpe("o:mikrotik:routeros"), end_including="6.42"), "newer than 6.42", "6.42"),
        (AffectedRange(cpe("o:mikrotik:routeros"), start_including="7.1"), "no fix known", None),
        (AffectedRange(cpe("o:mikrotik:routeros")), "no fix known", None),
        (AffectedRange(cpe("o:mikrotik:routeros", "6.46.8")), "not named in the data", None),
        (AffectedRange(cpe("h:mikrotik:hap", "-")), "not named in the data", None),
    ],
)
def test_the_end_of_a_range_says_what_is_fixed(affected, fixed, bound):
    found = fix_of(affected)
    assert (found.fixed, found.bound) == (fixed, bound)


def test_an_older_branch_is_never_called_or_newer():
    ssh = "a:openbsd:openssh"
    facts = facts_of(
        AffectedRange(cpe(ssh), end_excluding="4.4"),
        AffectedRange(cpe(ssh), start_including="8.6", end_excluding="9.8"),
    )
    assert goals(fixed_versions(facts, Touched())) == [
        "9.8 or newer",
        "on an older branch that branch's fix (4.4)",
    ]


def test_each_routeros_channel_has_its_own_goal():
    name = "o:mikrotik:routeros"
    facts = facts_of(
        AffectedRange(cpe(name, edition="ltr"), end_including="6.48.7"),
        AffectedRange(cpe(name, edition="-"), start_including="6.34", end_excluding="6.49.7"),
    )
    assert goals(fixed_versions(facts, Touched())) == [
        "6.49.7 or newer (stable channel)",
        "a version newer than 6.48.7 (long-term channel)",
    ]


def test_what_the_organisation_has_comes_first_and_decides_the_goal():
    facts = facts_of(
        AffectedRange(cpe("a:f5:nginx"), end_excluding="1.20.1"),
        AffectedRange(cpe("a:oracle:goldengate"), end_excluding="21.4"),
    )
    mine = Touched(1, 1, (device("a:oracle:goldengate", "19.1"),))
    assert [one.name for one in fixed_versions(facts, mine)] == ["Oracle Goldengate", "nginx"]
    assert goals(fixed_versions(facts, mine)) == ["21.4 or newer"]
    assert goals(fixed_versions(facts, Touched())) == ["1.20.1 or newer"]


def test_many_models_of_one_vendor_are_one_row():
    models = [
        AffectedRange(cpe(f"o:hikvision:ds-2cd{number}_firmware"), end_excluding="5.4.5")
        for number in range(40)
    ]
    [row] = fixed_versions(facts_of(*models), Touched())
    assert row.more_names == 37
    assert row.name.startswith("Hikvision DS-2CD0 firmware, ")
    assert [one.fixed for one in row.ranges] == ["5.4.5"]


def test_versions_named_one_by_one_are_counted():
    ranges = [AffectedRange(cpe("a:f5:nginx", f"1.{number}")) for number in range(2, 12)]
    [row] = fixed_versions(facts_of(*ranges), Touched())
    assert row.ranges[0].affected == "10 versions named one by one, 1.2 to 1.11"
    assert goals([row]) == []


def test_platforms_and_distributions_are_no_products_to_update():
    platform = AffectedRange(cpe("o:linux:linux_kernel", "-"), vulnerable=False)
    debian = AffectedRange(cpe("o:debian:debian_linux", "12.0"))
    assert fixed_versions(facts_of(platform, debian), Touched()) == []
    assert distribution_of(debian.criteria.name) == "Debian"


def test_of_several_advisories_the_last_fix_counts():
    def fix(release, advisory, fixed):
        return Fix("Debian", release, "openssh", "CVE-2099-0001", advisory, fixed=fixed)

    rows = package_fixes(
        [fix("11", "DSA-1", "1:8.4-1"), fix("12", "DSA-1", "1:9.2-1"), fix("12", "DSA-2", "1:9.2-10")],
        frozenset(),
    )
    assert [(one.release, one.fixed) for one in rows] == [("12", "1:9.2-10"), ("11", "1:8.4-1")]
    open_one = package_fixes([fix("12", "DSA-1", "1:9.2-1"), fix("12", "DSA-2", None)], frozenset())
    assert [one.fixed for one in open_one] == [None]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (("o", "mikrotik", "routeros"), "MikroTik RouterOS"),
        (("o", "hikvision", "ds-2cd2032-i_firmware"), "Hikvision DS-2CD2032-I firmware"),
        (("a", "busybox", "busybox"), "BusyBox"),
        (("a", "somebody_project", "some_thing"), "Somebody Some Thing"),
        (("o", "cisco", "ios_xe"), "Cisco IOS XE"),
    ],
)
def test_products_are_written_as_people_do(name, words):
    assert product_name(name) == words
