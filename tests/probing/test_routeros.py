"""What all ports of one router say together, and where they contradict each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.probing.observations import Method, Protocol, ServiceObservation
from netvigil.probing.routeros import MAX_DISAGREEMENTS, RouterOs, reconcile

LIST = '{ crc: 1, size: 2, name: "roteros.jg", unique: "roteros-fc.jg", version: "%s" }'


def service(name: str | None = None, port: int = 80, **fields) -> ServiceObservation:
    return ServiceObservation(port, Protocol.TCP, Method.SPOKEN, name, **fields)


def mndp(version="6.49.10", channel="long-term", **facts) -> ServiceObservation:
    told = {"identity": "gw", "board": "RB750Gr3", "software_id": "9K1B-XW2P", **facts}
    if channel:
        told["channel"] = channel
    return service("mndp", 5678, product="MikroTik RouterOS", version=version, facts=told)


FTP = service("ftp", 21, banner="220 gw FTP server (MikroTik 6.49.10) ready", hostname="gw")
TELNET = service("telnet", 23, banner="\rMikroTik v6.49.10 (long-term)\nLogin: ")
PAGE = service("http", 80, banner="<h1>RouterOS v6.49.10</h1>")
WINBOX = service("winbox", 8291, product="MikroTik RouterOS", version="6.49.10", banner=LIST % "6.49.10")
SNMP = service(
    "snmp",
    161,
    product="MikroTik RouterOS",
    version="6.49.10",
    banner="RouterOS RB750Gr3",
    facts={"identity": "gw", "board": "hEX"},
)
SSH = service("ssh", 22, product="MikroTik RouterOS sshd", banner="SSH-2.0-ROSSSH")
API = service("routeros-api", 8728, product="MikroTik RouterOS API", cpes=("cpe:/o:mikrotik:routeros",))


def test_sources_that_agree_are_one_router():
    found = reconcile([SSH, SNMP, WINBOX, PAGE, FTP, TELNET, API, mndp()])
    assert found == RouterOs("6.49.10", "long-term", "RB750Gr3", "gw", "9K1B-XW2P")
    assert found.os_name == "RouterOS 6.49.10 (long-term)"


def test_the_channel_comes_from_whoever_knows_it():
    assert reconcile([WINBOX, FTP]).channel is None
    assert reconcile([WINBOX, FTP, TELNET]).os_name == "RouterOS 6.49.10 (long-term)"
    assert reconcile([FTP, mndp(channel=None), TELNET]).channel == "long-term"


def test_a_channel_of_another_version_is_not_borrowed():
    found = reconcile([mndp("6.49.9", None), TELNET])
    assert (found.version, found.channel) == ("6.49.9", None)


def test_a_source_that_disagrees_is_named_and_the_better_one_wins():
    old = service("ftp", 21, banner="220 gw FTP server (MikroTik 6.49.8) ready")
    found = reconcile([old, mndp(), PAGE])
    assert found.version == "6.49.10"
    assert found.disagreements == ("MNDP says 6.49.10 (long-term), FTP says 6.49.8.",)


def test_another_channel_is_a_disagreement():
    found = reconcile([mndp(channel="stable"), TELNET])
    assert found.channel == "stable"
    assert found.disagreements == ("MNDP says 6.49.10 (stable), telnet says 6.49.10 (long-term).",)


def test_the_page_and_the_list_of_one_port_are_two_sources():
    web = service("http", 80, banner="<h1>RouterOS v7.14.3</h1>\n" + LIST % "7.16")
    found = reconcile([web])
    assert found.version == "7.16"
    assert found.disagreements == ("WebFig's list of files says 7.16, WebFig says 7.14.3.",)


def test_two_routers_behind_one_address_show():
    other = service("snmp", 161, banner="RouterOS CCR", facts={"identity": "hub", "software_id": "AAAA-BBBB"})
    assert reconcile([mndp(), other]).disagreements == (
        "MNDP says the router's name is gw, SNMP says hub.",
        "MNDP says the software id is 9K1B-XW2P, SNMP says AAAA-BBBB.",
    )


@pytest.mark.parametrize(
    ("said", "version", "channel"),
    [
        ("7.18.2 (stable) 2025-03-11", "7.18.2", "stable"),
        ("7.4beta4 (development)", "7.4beta4", "development"),
        ("7.15rc2", "7.15rc2", None),
        ("6.40.9 (bugfix)", "6.40.9", "long-term"),
        ("6.42 (current)", "6.42", "stable"),
    ],
)
def test_versions_and_channels_as_they_are_written(said, version, channel):
    found = reconcile([service("mndp", 5678, version=said)])
    assert (found.version, found.channel) == (version, channel)
    assert reconcile([service("mndp", 5678, banner=said)]) == found


def test_trailing_differences_are_none():
    found = reconcile([mndp("7.18.0 (stable) 2025-02-24", None), service("http", banner="RouterOS v7.18")])
    assert found.disagreements == ()


def test_a_candidate_is_not_its_release():
    assert reconcile([mndp("7.15rc2", None), service("http", banner="RouterOS v7.15")]).disagreements


def test_routeros_without_any_version():
    found = reconcile([SSH, API])
    assert (found.version, found.os_name, found.disagreements) == (None, "RouterOS", ())


@pytest.mark.parametrize(
    "services",
    [
        [],
        [service("ssh", 22, banner="SSH-2.0-OpenSSH_9.2p1", product="OpenSSH", version="9.2p1")],
        [service("http", banner="MikroTik RouterBoard 250GS httpd 1.2")],
        [mndp("2.13", None, board="CSS326-24G-2S+")],
        [mndp("2.13", None, board="CRS326-24G-2S+")],
        [service("mndp", 5678, product="MikroTik SwOS", version="2.16", banner="MikroTik SwOS 2.16")],
        [service("mndp", 5678, product="Elsewhere", version="6.1")],
    ],
)
def test_what_is_no_routeros_is_none(services):
    assert reconcile(services) is None


def test_a_cloud_router_switch_with_routeros_is_a_router():
    assert reconcile([mndp("7.14.3", "stable", board="CRS328-24P-4S+")]).board == "CRS328-24P-4S+"


words = st.text(max_size=40) | st.sampled_from(["RouterOS v6.42", "MikroTik 7.1.1.1.1", LIST % "9.9", "6.42"])


@given(
    st.lists(
        st.builds(
            service,
            st.sampled_from(["mndp", "http", "winbox", "ftp", None]),
            product=st.none() | words,
            version=st.none() | words,
            banner=st.none() | words,
            facts=st.dictionaries(
                st.sampled_from(["channel", "identity", "board", "software_id"]), words, max_size=4
            ),
        ),
        max_size=30,
    )
)
def test_any_words_are_survived(services):
    found = reconcile(services)
    assert found is None or len(found.disagreements) <= MAX_DISAGREEMENTS
