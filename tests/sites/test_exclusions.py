"""Exclusions: every spelling, what each means, one normal form, and sentences that name the wrong entry."""

import time
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.errors import Invalid
from netvigil.sites.exclusions import Exclusions, parse_addresses, parse_ports


def test_each_spelling_means_what_it_says():
    exclusions = Exclusions.from_json(
        {
            "addresses": ["10.0.0.9", "192.168.1.4-192.168.1.8", "192.168.88.0/28"],
            "ports": [80, "443", "8000-8002", "tcp/22", "udp/161-162"],
            "macs": ["00-1a-2b-3c-4d-5e", "001A.2B3C.4D5E", "aabbccddeeff"],
        }
    )
    assert exclusions.networks == tuple(
        map(IPv4Network, ("10.0.0.9/32", "192.168.1.4/30", "192.168.1.8/32", "192.168.88.0/28"))
    )
    assert exclusions.tcp_ports == {22, 80, 443, 8000, 8001, 8002}
    assert exclusions.udp_ports == {80, 161, 162, 443, 8000, 8001, 8002}
    assert exclusions.macs == {"00:1A:2B:3C:4D:5E", "AA:BB:CC:DD:EE:FF"}
    assert exclusions.to_json() == {
        "addresses": ["10.0.0.9", "192.168.1.4-192.168.1.8", "192.168.88.0/28"],
        "ports": ["tcp/22", 80, "udp/161-162", 443, "8000-8002"],
        "macs": ["00:1A:2B:3C:4D:5E", "AA:BB:CC:DD:EE:FF"],
    }


def test_nothing_is_said_in_three_empty_lists():
    assert Exclusions.from_json({}) == Exclusions()
    assert Exclusions().to_json() == {"addresses": [], "ports": [], "macs": []}


def test_neighbours_and_overlaps_become_one():
    exclusions = Exclusions.from_json(
        {
            "addresses": ["10.0.0.0/25", "10.0.0.128-10.0.0.255", "10.0.0.7", "0.0.0.0-255.255.255.255"],
            "ports": ["tcp/80", 81, "udp/80", "1-65535"],
        }
    )
    assert exclusions.to_json() == {"addresses": ["0.0.0.0/0"], "ports": ["1-65535"], "macs": []}


@pytest.mark.parametrize(
    ("name", "entry", "said"),
    [
        ("addresses", "10.0.0.256", "'10.0.0.256' is not an IPv4 address"),
        ("addresses", "10.0.0.01", "is not an IPv4 address"),
        ("addresses", "10.0.0.1/24", "did you mean 10.0.0.0/24?"),
        ("addresses", "10.0.0.0/255.255.255.0", "no address to exclude"),
        ("addresses", "10.0.0.0/33", "no address to exclude"),
        ("addresses", "10.0.0.9-10.0.0.3", "ends before it begins"),
        ("addresses", "10.0.0.1-9", "no address to exclude"),
        ("addresses", "\u0661\u0660.0.0.1", "no address to exclude"),
        ("addresses", "10.0.0.1\n", "no address to exclude"),
        ("addresses", "fd00::1", "no address to exclude"),
        ("addresses", "printer.local", "'printer.local'"),
        ("addresses", 1, "1 is no address"),
        ("addresses", None, "None is no address"),
        ("ports", 0, "1 to 65535"),
        ("ports", 65536, "65536 is no port"),
        ("ports", -1, "-1 is no port"),
        ("ports", True, "True is no port"),
        ("ports", 80.0, "80.0 is no port"),
        ("ports", 10**30, "is no port"),
        ("ports", "80-79", "ascend"),
        ("ports", "sctp/80", "'sctp/80'"),
        ("ports", "tcp/80-udp/81", "is no port"),
        ("ports", "٨٠", "is no port"),
        ("ports", [80], "is no port"),
        ("macs", "00:1A:2B:3C:4D", "not a MAC"),
        ("macs", 1, "1 is not a MAC"),
    ],
)
def test_what_cannot_be_meant_is_named(name, entry, said):
    with pytest.raises(Invalid) as caught:
        Exclusions.from_json({name: [entry]})
    assert caught.value.code == "parameter_invalid"
    assert said in caught.value.message


def test_a_list_is_a_list_and_an_echo_is_short():
    for wrong in ("10.0.0.1", None, {"a": 1}):
        with pytest.raises(Invalid, match="must be a list"):
            Exclusions.from_json({"addresses": wrong})
    with pytest.raises(Invalid) as caught:
        parse_addresses("x" * 5000)
    assert len(caught.value.message) < 200


octets = st.integers(0, 255)
addresses = st.builds(lambda low, high: f"10.0.{high}.{low}", octets, st.integers(0, 2))
address_entries = st.one_of(
    addresses,
    st.builds(lambda a, b: "-".join(map(str, sorted(map(IPv4Address, (a, b))))), addresses, addresses),
    st.builds(lambda a, prefix: str(IPv4Network((a, prefix), strict=False)), addresses, st.integers(20, 32)),
)
numbers = st.integers(1, 40)
port_entries = st.one_of(
    numbers,
    st.builds(
        lambda prefix, a, b: f"{prefix}{min(a, b)}-{max(a, b)}",
        st.sampled_from(["", "tcp/", "udp/"]),
        numbers,
        numbers,
    ),
    st.builds(lambda prefix, port: f"{prefix}{port}", st.sampled_from(["tcp/", "udp/"]), numbers),
)


@given(st.lists(address_entries, max_size=8), st.lists(port_entries, max_size=12))
def test_the_normal_form_means_the_same_and_never_has_more_entries(addresses, ports):
    exclusions = Exclusions.from_json({"addresses": addresses, "ports": ports})
    meant = set()
    for first, last in map(parse_addresses, addresses):
        meant |= set(range(int(first), int(last) + 1))
    assert {int(address) for network in exclusions.networks for address in network} == meant
    for protocol, seen in (("tcp", exclusions.tcp_ports), ("udp", exclusions.udp_ports)):
        parsed = [parse_ports(entry) for entry in ports]
        wanted = {port for one, (a, b) in parsed if one in {None, protocol} for port in range(a, b + 1)}
        assert seen == wanted

    normal = exclusions.to_json()
    assert Exclusions.from_json(normal) == exclusions
    assert Exclusions.from_json(normal).to_json() == normal
    assert len(normal["addresses"]) <= len(addresses)
    assert len(normal["ports"]) <= len(ports)


@given(
    st.lists(address_entries, max_size=6),
    st.lists(address_entries, max_size=6),
    st.lists(port_entries, max_size=6),
    st.lists(port_entries, max_size=6),
)
def test_merged_is_both_together(first, second, first_ports, second_ports):
    one = Exclusions.from_json({"addresses": first, "ports": first_ports, "macs": ["00:00:00:00:00:01"]})
    two = Exclusions.from_json({"addresses": second, "ports": second_ports})
    both = Exclusions.from_json(
        {"addresses": first + second, "ports": first_ports + second_ports, "macs": ["000000000001"]}
    )
    assert one.merge(two) == two.merge(one) == both
    assert one.merge(Exclusions()) == one


def test_a_thousand_wide_entries_are_cheap():
    began = time.process_time()
    wide = Exclusions.from_json(
        {
            "ports": [f"{n}-{65535 - n}" for n in range(1, 1025)],
            "addresses": [f"0.0.{n // 256}.{n % 256}-255.255.255.{255 - n % 250}" for n in range(1024)],
        }
    )
    assert wide.to_json()["ports"] == ["1-65534"]
    assert time.process_time() - began < 2
