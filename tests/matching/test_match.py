"""The matcher on trees of its own making: bounds, updates, AND with what was and was not seen, aliases, packagers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.matching.cpe import parse_cpe
from netvigil.matching.match import Inventory, match
from netvigil.matching.products import Confidence, Product
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator

EXACT, LIKELY, POSSIBLE = Confidence.EXACT, Confidence.LIKELY, Confidence.POSSIBLE
ROUTEROS = "o:mikrotik:routeros"
OPENSSH = "a:openbsd:openssh"


def product(text: str, **fields) -> Product:
    return Product(
        parse_cpe(f"cpe:2.3:{text}"), fields.pop("confidence", EXACT), fields.pop("evidence", ""), **fields
    )


def affected(text: str, *, vulnerable: bool = True, **bounds: str) -> AffectedRange:
    return AffectedRange(parse_cpe(f"cpe:2.3:{text}"), vulnerable, **bounds)


def either(*ranges: AffectedRange) -> Configuration:
    return Configuration(Operator.OR, negate=False, nodes=(Node(Operator.OR, negate=False, ranges=ranges),))


def both(*nodes: tuple[AffectedRange, ...]) -> Configuration:
    return Configuration(
        Operator.AND, negate=False, nodes=tuple(Node(Operator.OR, negate=False, ranges=n) for n in nodes)
    )


def confidence(inventory: list[str], *configurations: Configuration) -> Confidence | None:
    found = match([product(text) for text in inventory], configurations)
    return found and found.confidence


@pytest.mark.parametrize(
    ("version", "bounds", "expected"),
    [
        ("6.41", {"end_including": "6.42"}, EXACT),
        ("6.42", {"end_including": "6.42.0"}, EXACT),
        ("6.42", {"end_excluding": "6.42"}, None),
        ("6.42", {"start_excluding": "6.42"}, None),
        ("6.42", {"start_including": "6.42", "end_excluding": "6.43"}, EXACT),
        ("6.100", {"end_including": "6.42"}, None),
        ("7.5:rc1", {"end_excluding": "7.5"}, POSSIBLE),
        ("7.5rc1", {"end_excluding": "7.5"}, POSSIBLE),
        ("7.5:rc1", {"end_including": "7.5"}, EXACT),
        ("7.5:rc1", {"start_including": "7.5"}, LIKELY),
        ("7.4:rc1", {"end_excluding": "7.5"}, EXACT),
        ("7.7:p1", {"end_including": "7.7"}, LIKELY),
        ("7.7p1", {"end_including": "7.7"}, LIKELY),
        ("8.3:p1", {"end_excluding": "8.3"}, None),
        ("9.3:p1", {"end_excluding": "9.3p2"}, EXACT),
        ("9.3:p2", {"end_excluding": "9.3p2"}, None),
        ("9.3", {"end_excluding": "9.3p2"}, POSSIBLE),
        ("9.3:-", {"end_excluding": "9.3p2"}, EXACT),
        ("*", {"end_including": "6.42"}, POSSIBLE),
        ("-", {"end_including": "6.42"}, None),
        ("6.41", {"end_including": "current"}, POSSIBLE),
        ("nonsense", {"end_including": "6.42"}, POSSIBLE),
        ("6.41", {}, LIKELY),
        ("*", {}, LIKELY),
        # a date beside a counted version says nothing, a year's release does
        ("2.622", {"end_excluding": "2018-11-05"}, POSSIBLE),
        ("3.14.3", {"end_including": "20180402"}, POSSIBLE),
        ("20180401", {"end_including": "20180402"}, EXACT),
        ("2018-11-05", {"end_excluding": "2018-11-05"}, None),
        ("2018-11-04", {"end_excluding": "2018-11-05"}, EXACT),
        ("0.52", {"end_excluding": "2016.74"}, EXACT),
        ("2019.1", {"end_excluding": "2018-11-05"}, None),
        # RouterOS counts its betas, Synology its builds
        ("7.4beta4", {"end_excluding": "7.4"}, POSSIBLE),
        ("7.4beta4", {"end_including": "7.4beta5"}, EXACT),
        ("7.4", {"end_including": "7.4beta5"}, None),
        ("6.2-23739", {"end_excluding": "6.2-23739-1"}, EXACT),
        ("6.2.1-23824", {"end_excluding": "6.2-23739-1"}, None),
    ],
)
def test_bounds(version, bounds, expected):
    assert confidence([f"{ROUTEROS}:{version}"], either(affected(ROUTEROS, **bounds))) is expected


@pytest.mark.parametrize(
    ("seen", "named", "expected"),
    [
        ("8.3:p1", "8.3:p1", EXACT),
        ("8.3p1", "8.3:p1", EXACT),
        ("8.3:p1", "8.3p1", EXACT),
        ("8.3:p1", "8.3", EXACT),
        ("8.3:p1", "8.3:-", None),
        ("8.3:-", "8.3:-", EXACT),
        ("8.3", "8.3:-", POSSIBLE),
        ("8.3", "8.3:p1", POSSIBLE),
        ("8.3", "8.3:rc1", None),
        ("8.3:p2", "8.3:p1", None),
        ("6.47.1", "6.47.10", None),
        ("1.2.0", "1.2", EXACT),
        ("1.3.3c", "1.3.3:c", EXACT),
        ("1.3.3:c", "1.3.3c", EXACT),
        ("*", "8.3", None),
        ("5.1", "-", POSSIBLE),
        ("-", "-", EXACT),
        ("1.2.3", "1.2.*", EXACT),
        ("1.3.3", "1.2.*", None),
        ("odd", "odd", EXACT),
        ("odd", "other", None),
    ],
)
def test_named_versions(seen, named, expected):
    assert confidence([f"{OPENSSH}:{seen}"], either(affected(f"{OPENSSH}:{named}"))) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ("1.9.17:p2", EXACT),
        ("1.9.17:p5", None),
        ("1.9.16:p3", POSSIBLE),
        ("1.9.16", POSSIBLE),
        ("1.9.18", None),
    ],
)
def test_a_range_with_an_update(seen, expected):
    criterion = affected("a:samba:samba:*:p2", end_including="1.9.17")
    assert confidence([f"a:samba:samba:{seen}"], either(criterion)) is expected


@pytest.mark.parametrize(
    ("channel", "asked", "expected"),
    [
        ("*", "ltr", POSSIBLE),
        ("ltr", "ltr", EXACT),
        ("-", "ltr", None),
        ("-", "-", EXACT),
        ("ltr", "*", EXACT),
        ("testing", "-", None),
    ],
)
def test_release_channels(channel, asked, expected):
    criterion = affected(f"{ROUTEROS}:*:*:*:*:{asked}", end_excluding="6.49.10")
    assert confidence([f"{ROUTEROS}:6.40.5:*:*:*:{channel}"], either(criterion)) is expected


def test_two_doubts_about_one_product_are_no_finding():
    criterion = affected("a:f5:nginx:*:*:*:*:plus", start_including="r22", end_including="r27")
    assert confidence(["a:f5:nginx:1.22.1"], either(criterion)) is None


FIRMWARE = affected("o:hp:j9v82a_firmware", end_excluding="1708d")
HARDWARE = affected("h:hp:j9v82a:-", vulnerable=False)


@pytest.mark.parametrize(
    ("inventory", "expected"),
    [
        (["o:hp:j9v82a_firmware:1707d", "h:hp:j9v82a:-"], EXACT),
        (["o:hp:j9v82a_firmware:1707d"], LIKELY),
        (["o:hp:j9v82a_firmware:1708d"], None),
        (["h:hp:j9v82a:-"], None),
        (["o:hp:j9v82a_firmware:*", "h:hp:j9v82a:*"], POSSIBLE),
        (["o:hp:j9v82a_firmware:1707d", "h:hp:laserjet:-"], POSSIBLE),
    ],
)
def test_firmware_with_hardware_that_a_scan_rarely_sees(inventory, expected):
    assert confidence(inventory, both((FIRMWARE,), (HARDWARE,))) is expected


PHP = affected("a:php:php", end_excluding="5.6.1")
ON_WINDOWS = affected("o:microsoft:windows:-", vulnerable=False)
ON_WINDOWS_7 = affected("o:microsoft:windows_7:-", vulnerable=False)
ON_DEBIAN_8 = affected("o:debian:debian_linux:8.0", vulnerable=False)
ON_LINUX = affected("o:linux:linux_kernel:-", vulnerable=False)


@pytest.mark.parametrize(
    ("systems", "contexts", "expected"),
    [
        ([], (ON_WINDOWS,), POSSIBLE),
        ([], (ON_WINDOWS, ON_LINUX), LIKELY),
        (["o:microsoft:windows:*"], (ON_WINDOWS,), EXACT),
        (["o:microsoft:windows_10:1909"], (ON_WINDOWS,), EXACT),
        (["o:microsoft:windows:*"], (ON_WINDOWS_7,), POSSIBLE),
        (["o:microsoft:windows_10:1909"], (ON_WINDOWS_7,), None),
        (["o:linux:linux_kernel:*"], (ON_WINDOWS,), None),
        (["o:debian:debian_linux:12"], (ON_LINUX,), EXACT),
        (["o:debian:debian_linux:12"], (ON_WINDOWS,), None),
        (["o:debian:debian_linux:8"], (ON_DEBIAN_8,), EXACT),
        (["o:debian:debian_linux:12"], (ON_DEBIAN_8,), None),
        (["o:debian:debian_linux:*"], (ON_DEBIAN_8,), POSSIBLE),
        (["o:canonical:ubuntu_linux:*", "o:linux:linux_kernel:*"], (ON_DEBIAN_8,), None),
        (["o:linux:linux_kernel:*"], (ON_DEBIAN_8,), POSSIBLE),
        (["o:debian:debian_linux:12", "o:linux:linux_kernel:*"], (ON_LINUX,), EXACT),
        (["o:mikrotik:routeros:6.42"], (ON_WINDOWS,), None),
        (["o:mikrotik:routeros:6.42"], (ON_LINUX,), POSSIBLE),
    ],
)
def test_a_program_on_an_operating_system(systems, contexts, expected):
    assert confidence(["a:php:php:5.6.0", *systems], both((PHP,), contexts)) is expected


def test_a_companion_program_must_not_be_a_known_other_version():
    apache = affected("a:apache:http_server", vulnerable=False, end_excluding="2.4.10")
    configuration = both((PHP,), (apache,))
    assert confidence(["a:php:php:5.6.0", "a:apache:http_server:2.4.9"], configuration) is EXACT
    assert confidence(["a:php:php:5.6.0", "a:apache:http_server:2.4.10"], configuration) is None
    assert confidence(["a:php:php:5.6.0"], configuration) is POSSIBLE


def test_two_vulnerable_programs_together_need_both():
    spring = affected("a:vmware:spring_framework:5.0.5")
    security = affected("a:pivotal_software:spring_security")
    node = Node(Operator.AND, negate=False, ranges=(security, spring))
    configuration = Configuration(Operator.OR, negate=False, nodes=(node,))
    inventory = ["a:vmware:spring_framework:5.0.5", "a:pivotal_software:spring_security:5.0.4"]
    assert confidence(inventory, configuration) is LIKELY
    assert confidence(inventory[:1], configuration) is None
    assert confidence(inventory[1:], configuration) is None


def test_surroundings_alone_are_never_a_finding():
    office = affected("a:microsoft:office", vulnerable=False)
    assert confidence(["a:microsoft:office:2000"], either(affected("a:microsoft:excel"), office)) is None
    assert confidence(["o:microsoft:windows:10"], both((PHP,), (ON_WINDOWS,))) is None


def test_negation_turns_what_is_certain_around():
    node = Node(Operator.OR, negate=True, ranges=(affected("a:php:php", end_excluding="5"),))
    vulnerable = Node(Operator.OR, negate=False, ranges=(affected("a:apache:http_server:2.4.9"),))
    configuration = Configuration(Operator.AND, negate=False, nodes=(vulnerable, node))
    assert confidence(["a:apache:http_server:2.4.9", "a:php:php:7.0"], configuration) is EXACT
    assert confidence(["a:apache:http_server:2.4.9", "a:php:php:4.4"], configuration) is None


def test_another_vendors_name_counts_fully_for_what_was_seen_and_as_possible_for_what_was_said():
    configuration = either(affected("a:f5:nginx", end_excluding="1.20.1"))
    said = match([product("a:nginx:nginx:1.20.0")], [configuration])
    seen = match([product("a:nginx:nginx:1.20.0", port=80, protocol="tcp")], [configuration])
    assert said is not None
    assert said.confidence is POSSIBLE
    assert seen is not None
    assert seen.confidence is EXACT
    assert "the record calls it f5 nginx" in seen.reasons


def test_a_packagers_version_is_at_most_possible():
    found = match(
        [product("a:f5:nginx:1.20.0", distribution="Debian 2+deb12u3", evidence="nginx/1.20.0")],
        [either(affected("a:f5:nginx", end_excluding="1.20.1"))],
    )
    assert found is not None
    assert found.confidence is POSSIBLE
    assert found.reasons == (
        "1.20.0 is before 1.20.1",
        "packaged by a distribution (Debian 2+deb12u3), which may have fixed it already",
        "seen as nginx/1.20.0",
    )


def test_a_system_known_by_its_kind_alone_has_no_cves_of_its_own():
    kernel = product("o:linux:linux_kernel:*", platform_only=True)
    assert match([kernel], [either(affected("o:linux:linux_kernel", end_excluding="6.1"))]) is None


def test_the_products_own_doubt_carries_over():
    found = match([product("a:f5:nginx:1.20.0", confidence=LIKELY)], [either(affected("a:f5:nginx:1.20.0"))])
    assert found is not None
    assert found.confidence is LIKELY


def test_the_surest_and_then_the_narrowest_criterion_wins():
    wide, narrow = affected(OPENSSH, end_including="9.0"), affected(f"{OPENSSH}:8.3")
    unsure = affected(f"{OPENSSH}:8.3:p1")
    inventory = Inventory([product(f"{OPENSSH}:8.3")])
    for ranges in ((unsure, wide, narrow), (narrow, wide, unsure)):
        found = match(inventory, [either(*ranges)])
        assert found is not None
        assert found.criterion is narrow


def test_a_platform_target_follows_the_hosts_system():
    configuration = either(affected("a:openbsd:openssh:8.3:*:*:*:*:windows"))
    assert confidence([f"{OPENSSH}:8.3"], configuration) is POSSIBLE
    assert confidence([f"{OPENSSH}:8.3", "o:linux:linux_kernel:*"], configuration) is None
    assert confidence([f"{OPENSSH}:8.3", "o:microsoft:windows:*"], configuration) is LIKELY


def test_no_configurations_and_no_products_match_nothing():
    assert match([product(f"{ROUTEROS}:7.15")], []) is None
    assert match([], [either(affected(ROUTEROS))]) is None


ATTRIBUTES = st.sampled_from(["*", "-", "1.0", "1.1", "2.0rc1", "p1", "nonsense", "1.*"])
NAMES = st.sampled_from(
    ["a:f5:nginx", "a:nginx:nginx", "o:mikrotik:routeros", "o:microsoft:windows", "h:hp:j9v82a"]
)
CPES = st.builds(
    lambda name, version, update, edition: f"{name}:{version}:{update}:*:*:{edition}",
    NAMES,
    *[ATTRIBUTES] * 3,
)
BOUNDS = st.dictionaries(
    st.sampled_from(["start_including", "start_excluding", "end_including", "end_excluding"]), ATTRIBUTES
)
RANGES = st.builds(
    lambda text, vulnerable, bounds: affected(text, vulnerable=vulnerable, **bounds),
    CPES,
    st.booleans(),
    BOUNDS,
)
NODES = st.builds(Node, st.sampled_from(Operator), st.booleans(), st.lists(RANGES, max_size=3).map(tuple))
TREES = st.builds(
    Configuration, st.sampled_from(Operator), st.booleans(), st.lists(NODES, max_size=3).map(tuple)
)


@given(st.lists(CPES, max_size=3), st.lists(TREES, max_size=2))
def test_any_tree_has_an_answer_and_blames_a_vulnerable_criterion_on_a_product_of_the_host(texts, trees):
    inventory = [product(text) for text in texts]
    found = match(inventory, trees)
    if found is not None:
        assert found.product in inventory
        assert found.criterion.vulnerable
        assert found.criterion in [r for tree in trees for node in tree.nodes for r in node.ranges]
        assert found.reasons
