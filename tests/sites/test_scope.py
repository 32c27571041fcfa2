"""The subnets that may be named, what covers them, and the addresses they come to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.errors import Invalid
from netvigil.sites.scope import covers, is_private, overlaps, parse_network, parse_subnet, targets

if TYPE_CHECKING:
    from collections.abc import Callable

# Few enough distinct bits that networks often meet: all inside 10.0.0.0/20.
NETWORKS = st.builds(
    lambda bits, prefix: IPv4Network((0x0A000000 | bits, prefix), strict=False),
    st.integers(0, 2**12 - 1),
    st.integers(22, 32),
)
ANY_SUBNET = st.builds(
    lambda bits, prefix: IPv4Network((bits, prefix), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(22, 32),
)


def message_of(text: str, parse: Callable[[str], IPv4Network] = parse_subnet) -> str:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert caught.value.code == "subnet_invalid"
    assert caught.value.status == 422
    return caught.value.message


@pytest.mark.parametrize(
    "text", ["192.168.1.0/24", "10.0.0.0/22", "10.0.0.4/30", "10.0.0.4/31", "8.8.8.8/32", "127.77.0.0/28"]
)
def test_subnet_is_read(text: str) -> None:
    assert str(parse_subnet(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/24",
        "192.168.1.0",
        "192.168.1.0/",
        "192.168.1/24",
        "192.168.1.0.0/24",
        " 192.168.1.0/24",
        "192.168.1.0/24 ",
        "192.168.1.0/24\n",
        "192.168.1.0 /24",
        "192.168.1.0/ 24",
        "192.168.1.0/+24",
        "192.168.1.0/-1",
        "192.168.1.0/24/24",
        "192.168.1.0/24\x00",
        "192.168.1.0/255.255.255.0",
        "192.168.1.0/0.0.0.255",
        "192.168.1.0-192.168.1.9",
        "0xC0.168.1.0/24",
        "3232235776/24",
        "2001:db8::/32",
        "::ffff:192.168.1.0/120",
        "\u0661\u0669\u0662.168.1.0/24",
        "192.168.1.0/\uff12\uff14",
        "localhost/24",
    ],
)
def test_what_is_no_cidr_notation_is_refused_with_an_example(text: str) -> None:
    assert "CIDR notation, such as 192.168.1.0/24." in message_of(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.168.1.256/24", "each part is 0 to 255 without leading zeros"),
        ("192.168.01.0/24", "each part is 0 to 255 without leading zeros"),
        ("010.0.0.0/24", "each part is 0 to 255 without leading zeros"),
        ("192.168.1.0/024", "CIDR notation"),
        ("192.168.1.0/00", "CIDR notation"),
        ("192.168.1.0/33", "The prefix of 192.168.1.0/33 must be between /22 and /32."),
        ("192.168.0.0/21", "The prefix of 192.168.0.0/21 must be between /22 and /32."),
        ("0.0.0.0/0", "The prefix of 0.0.0.0/0 must be between /22 and /32."),
        ("192.168.1.7/24", "192.168.1.7/24 has host bits set; did you mean 192.168.1.0/24?"),
        ("10.1.3.0/22", "10.1.3.0/22 has host bits set; did you mean 10.1.0.0/22?"),
        ("10.0.0.1/31", "10.0.0.1/31 has host bits set; did you mean 10.0.0.0/31?"),
        ("0.0.0.0/24", '0.0.0.0/24 cannot be scanned: its addresses are "this network" (RFC 791).'),
        ("224.0.0.251/32", "224.0.0.251/32 cannot be scanned: its addresses are multicast (RFC 5771)."),
        ("255.255.255.255/32", "cannot be scanned: its addresses are reserved or broadcast"),
    ],
)
def test_message_says_what_is_wrong(text: str, said: str) -> None:
    assert said in message_of(text)


def test_message_does_not_repeat_a_flood() -> None:
    assert len(message_of("9" * 1_000_000)) < 200
    assert "\n" not in message_of("10.0.0.0/24\r\nX-Forged: 1")


@given(ANY_SUBNET)
def test_subnet_is_read_as_it_is_written_or_refused_for_what_it_holds(network: IPv4Network) -> None:
    scannable = 1 <= network.network_address.packed[0] <= 223
    if scannable:
        assert parse_subnet(str(network)) == network
    else:
        assert "cannot be scanned" in message_of(str(network))


@given(st.text(alphabet="0123456789./: \nx", max_size=20))
def test_whatever_is_sent_is_read_exactly_or_refused(text: str) -> None:
    try:
        network = parse_subnet(text)
    except Invalid:
        return
    assert str(network) == text


@given(st.integers(1, 223), st.integers(0, 2**24 - 1), st.integers(22, 32))
def test_correction_in_the_message_is_accepted(first: int, rest: int, prefix: int) -> None:
    written = f"{IPv4Address(first << 24 | rest)}/{prefix}"
    right = IPv4Network(written, strict=False)
    if str(right) != written:
        assert message_of(written) == f"{written} has host bits set; did you mean {right}?"
    assert parse_subnet(str(right)) == right


def test_network_of_a_site_may_be_wide_and_public() -> None:
    assert parse_network("10.0.0.0/8") == IPv4Network("10.0.0.0/8")
    assert parse_network("203.0.112.0/20") == IPv4Network("203.0.112.0/20")
    assert "between /8 and /32" in message_of("10.0.0.0/7", parse_network)
    assert "did you mean 10.0.0.0/8?" in message_of("10.1.0.0/8", parse_network)
    assert "CIDR notation" in message_of("10.0.0.0/08", parse_network)
    assert "cannot be scanned" in message_of("224.0.0.0/8", parse_network)
    assert "cannot be scanned" in message_of("0.0.0.0/8", parse_network)
    assert "cannot be scanned" in message_of("240.0.0.0/8", parse_network)


@pytest.mark.parametrize(
    ("network", "private"),
    [
        ("10.0.0.0/8", True),
        ("10.255.255.255/32", True),
        ("11.0.0.0/32", False),
        ("10.0.0.0/7", False),
        ("172.16.0.0/12", True),
        ("172.31.255.255/32", True),
        ("172.15.255.255/32", False),
        ("172.32.0.0/32", False),
        ("172.0.0.0/11", False),
        ("192.168.0.0/16", True),
        ("192.168.0.0/15", False),
        ("192.169.0.0/24", False),
        ("100.64.0.0/10", True),
        ("100.127.255.255/32", True),
        ("100.63.255.255/32", False),
        ("100.128.0.0/32", False),
        ("169.254.0.0/16", True),
        ("169.255.0.0/24", False),
        ("127.77.0.0/28", True),
        ("126.255.255.255/32", False),
        ("128.0.0.0/32", False),
        ("192.0.2.0/24", False),
        ("198.18.0.0/24", False),
        ("0.0.0.0/8", False),
        ("240.0.0.0/8", False),
        ("8.8.8.8/32", False),
    ],
)
def test_private_means_wholly_inside_one_private_range(network: str, *, private: bool) -> None:
    assert is_private(IPv4Network(network)) is private


def test_two_halves_cover_the_whole() -> None:
    halves = [IPv4Network("10.0.1.0/24"), IPv4Network("10.0.0.0/24")]
    assert covers(halves, IPv4Network("10.0.0.0/23"))
    assert not covers(halves, IPv4Network("10.0.0.0/22"))
    assert not covers([], IPv4Network("10.0.0.0/32"))


@given(st.lists(NETWORKS, max_size=12), NETWORKS)
def test_covers_agrees_with_counting_addresses(networks: list[IPv4Network], subnet: IPv4Network) -> None:
    authorised = {address for network in networks for address in network}
    assert covers(networks, subnet) is authorised.issuperset(subnet)


@given(st.lists(NETWORKS, max_size=8))
def test_overlaps_agrees_with_comparing_every_pair(subnets: list[IPv4Network]) -> None:
    pairs = {
        frozenset({i, j}) for i in range(len(subnets)) for j in range(i) if subnets[i].overlaps(subnets[j])
    }
    found = overlaps(subnets)
    if not pairs:
        assert found is None
    else:
        assert found is not None
        wider, narrower = found
        assert narrower.subnet_of(wider)
        assert any(sorted(subnets[i] for i in pair) == [wider, narrower] for pair in pairs)


def test_same_subnet_twice_overlaps() -> None:
    subnet = IPv4Network("192.168.1.0/24")
    assert overlaps([subnet, IPv4Network("10.0.0.0/24"), subnet]) == (subnet, subnet)


@pytest.mark.parametrize(
    ("subnet", "first", "last", "count"),
    [
        ("192.168.1.0/24", "192.168.1.1", "192.168.1.254", 254),
        ("10.0.0.0/22", "10.0.0.1", "10.0.3.254", 1022),
        ("10.0.0.4/30", "10.0.0.5", "10.0.0.6", 2),
        ("10.0.0.4/31", "10.0.0.4", "10.0.0.5", 2),
        ("10.0.0.4/32", "10.0.0.4", "10.0.0.4", 1),
    ],
)
def test_targets_leave_out_network_and_broadcast_where_there_are_any(
    subnet: str, first: str, last: str, count: int
) -> None:
    found = targets(IPv4Network(subnet))
    assert (str(found[0]), str(found[-1]), len(found)) == (first, last, count)


@pytest.mark.parametrize(
    "subnet", ["0.0.0.0/24", "224.0.0.0/30", "239.255.255.255/32", "240.0.0.0/24", "255.255.255.255/32"]
)
def test_no_target_where_no_host_can_be(subnet: str) -> None:
    assert targets(IPv4Network(subnet)) == ()


@given(NETWORKS, st.lists(NETWORKS, max_size=6), st.lists(NETWORKS.map(lambda n: n[0]), max_size=6))
def test_targets_are_the_hosts_less_the_exclusions_in_order(
    subnet: IPv4Network, networks: list[IPv4Network], addresses: list[IPv4Address]
) -> None:
    found = targets(subnet, [*networks, *addresses])
    assert list(found) == [
        host
        for host in subnet.hosts()
        if host not in addresses and not any(host in network for network in networks)
    ]


def test_exclusion_wider_than_the_subnet_leaves_nothing() -> None:
    assert targets(IPv4Network("10.9.9.0/24"), [IPv4Network("10.0.0.0/8")]) == ()


def test_too_wide_a_subnet_is_never_listed() -> None:
    with pytest.raises(ValueError, match=r"10.0.0.0/8 is wider than /22"):
        targets(IPv4Network("10.0.0.0/8"))
