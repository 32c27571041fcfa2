"""What a router's tables tell of hosts, and what identifies nobody."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.probing.router.tables import (
    MAX_ADDRESSES_OF_A_MAC,
    Lease,
    Neighbour,
    RouterResource,
    build_tables,
)

HOST = IPv4Address("192.168.88.10")
MAC = "94:18:82:AA:01:10"
OTHER = "C0:25:A5:AA:01:11"


def test_a_neighbour_and_its_lease():
    tables = build_tables(
        [Neighbour(str(HOST), MAC.lower())],
        [Lease(str(HOST), MAC, "srv-files\x00\x1b[31m")],
        RouterResource("7.14.3"),
    )
    assert tables.arp == {HOST: MAC}
    assert tables.names[HOST].startswith("srv-files")
    assert "\x1b" not in tables.names[HOST]
    assert tables.resource.version == "7.14.3"


def test_a_lease_stands_in_for_a_host_that_arp_forgot():
    tables = build_tables([], [Lease(str(HOST), MAC)])
    assert (tables.arp, tables.names) == ({HOST: MAC}, {})


def test_the_lease_of_another_card_names_nobody():
    tables = build_tables([Neighbour(str(HOST), OTHER)], [Lease(str(HOST), MAC, "laptop")])
    assert (tables.arp, tables.names) == ({HOST: OTHER}, {})


@pytest.mark.parametrize(
    ("address", "mac"),
    [
        ("192.168.88.10", "00:00:00:00:00:00"),
        ("192.168.88.10", "FF:FF:FF:FF:FF:FF"),
        ("192.168.88.10", "01:00:5E:00:00:FB"),
        ("192.168.88.10", ""),
        ("192.168.88.10", "94:18:82:AA:01"),
        ("224.0.0.251", MAC),
        ("0.0.0.0", MAC),
        ("dhcp_pool1", MAC),
        ("fe80::1", MAC),
        ("192.168.88.999", MAC),
    ],
)
def test_rows_that_identify_nobody_are_dropped(address, mac):
    tables = build_tables([Neighbour(address, mac)], [Lease(address, mac, "x")])
    assert (tables.arp, tables.names) == ({}, {})


def test_a_mac_that_answers_for_many_is_not_theirs():
    crowd = [Neighbour(f"10.0.0.{n}", MAC) for n in range(1, MAX_ADDRESSES_OF_A_MAC + 2)]
    lease = Lease("10.0.0.1", MAC, "proxy")
    assert build_tables([*crowd, Neighbour(str(HOST), OTHER)], [lease]).arp == {HOST: OTHER}
    assert build_tables(crowd, [lease]).names == {}
    assert len(build_tables(crowd[1:]).arp) == MAX_ADDRESSES_OF_A_MAC


def test_an_address_in_two_networks_is_nobodys():
    tables = build_tables(
        [Neighbour(str(HOST), MAC), Neighbour(str(HOST), OTHER)], [Lease(str(HOST), MAC, "a")]
    )
    assert (tables.arp, tables.names) == ({}, {})


def test_the_same_row_twice_is_one():
    assert build_tables([Neighbour(str(HOST), MAC), Neighbour(str(HOST), MAC)]).arp == {HOST: MAC}


@given(st.lists(st.builds(Neighbour, st.text(max_size=20), st.text(max_size=20))), st.text())
def test_any_rows_are_survived(rows, name):
    tables = build_tables(rows, [Lease(str(HOST), MAC, name)])
    assert tables.arp[HOST] == MAC
