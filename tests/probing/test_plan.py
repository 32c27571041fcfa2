from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.errors import ProbeFault, UsageError
from netvigil.probing.limits import ScanLimits
from netvigil.probing.ports import (
    BINARY_PORTS,
    FRAGILE_PORTS,
    LAN_PORTS,
    Profile,
    format_ports,
    parse_ports,
    plan_ports,
)
from netvigil.probing.probe_file import adapt_probes
from netvigil.probing.progress import Stage, overall_percent
from netvigil.probing.targets import plan_addresses
from netvigil.probing.vantage import LOCAL, Vantage


@given(st.sets(st.integers(1, 65535), max_size=60))
def test_port_lists_survive_nmaps_notation(ports):
    assert parse_ports(format_ports(sorted(ports))) == tuple(sorted(ports))


def test_lists_are_written_as_ranges():
    assert format_ports((21, 22, 23, 80, 443, 444)) == "21-23,80,443-444"
    assert format_ports(range(1, 65536)) == "1-65535"


def test_the_plan_holds_the_frequent_the_lan_and_the_extra_ports():
    ports = plan_ports(Profile.STANDARD, (7, 80), (54321, 0, 70000))
    assert {7, 80, 54321, 8291, 8728, 2323, 8554} <= set(ports)
    assert ports[0] >= 1
    assert ports[-1] <= 65535
    assert len(ports) == len(set(ports))
    assert len(plan_ports(Profile.FULL, ())) == 65535


def test_printers_and_controllers_are_fragile_and_common_services_are_not():
    assert {9100, 9107, 102, 502, 20000, 44818, 47808} <= FRAGILE_PORTS
    assert not FRAGILE_PORTS & {21, 22, 23, 80, 443, 631, 2222, 8080, 8291, 8728}
    assert not FRAGILE_PORTS & BINARY_PORTS
    assert {9100, 502} <= set(LAN_PORTS)  # swept all the same


def test_addresses_are_asked_once_and_never_where_excluded():
    plan = plan_addresses(
        [IPv4Network("10.0.0.0/29"), IPv4Network("10.0.0.0/30"), IPv4Address("10.0.0.7")],
        [IPv4Address("10.0.0.5"), IPv4Network("10.0.0.2/31")],
        100,
    )
    asked = [str(address) for addresses in plan.values() for address in addresses]
    assert asked == ["10.0.0.1", "10.0.0.4", "10.0.0.6", "10.0.0.7"]


def test_neighbouring_networks_keep_their_ends():
    plan = plan_addresses([IPv4Network("10.0.0.0/30"), IPv4Network("10.0.0.4/30")], [], 100)
    assert [int(a) & 7 for addresses in plan.values() for a in addresses] == [1, 2, 5, 6]
    assert [len(a) for a in plan_addresses([IPv4Network("10.0.0.0/31")], [], 9).values()] == [2]


def test_too_many_and_no_addresses_are_faults():
    with pytest.raises(ProbeFault, match="more than"):
        plan_addresses([IPv4Network("10.0.0.0/8")], [], 65536)
    with pytest.raises(ProbeFault, match="exclusions"):
        plan_addresses([IPv4Network("10.0.0.0/24")], [IPv4Network("10.0.0.0/16")], 65536)


def test_vantages_are_parsed_and_written_alike():
    assert Vantage.parse("local") == LOCAL
    assert Vantage.parse("netns:a-1").prefix == ("ip", "netns", "exec", "a-1")
    assert Vantage.parse("vrf:red").prefix == ("ip", "vrf", "exec", "red")
    assert [str(Vantage.parse(text)) for text in ("local", "netns:x", "vrf:y")] == [
        "local",
        "netns:x",
        "vrf:y",
    ]


@pytest.mark.parametrize(
    "text", ["", "netns:", "netns:-x", "netns:../x", "netns:a b", "vrf:" + "x" * 16, "LOCAL", "ssh:x"]
)
def test_other_vantages_are_refused(text):
    with pytest.raises(UsageError, match="vantage"):
        Vantage.parse(text)


def test_the_rate_is_bounded_per_host_and_per_site():
    limits = ScanLimits(packets_per_second=1000, packets_per_second_per_host=300)
    assert [limits.sweep_rate(hosts, on_link=False) for hosts in (0, 1, 3, 50)] == [1, 300, 800, 800]
    assert limits.sweep_rate(50, on_link=True) == 4000
    total = limits.sweep_rate(50, on_link=False) + limits.datagram_rate(on_link=False)
    assert total + limits.retry_rate(on_link=False) <= 1000


def test_percent_runs_from_nought_to_a_hundred_through_all_stages():
    steps = [overall_percent(stage, share) for stage in Stage for share in (0.0, 0.5, 1.0, 7.0)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0.0, 100.0)


def test_waits_are_shortened_a_port_is_added_and_nothing_else_is_touched():
    original = "Probe TCP oracle-tns q|T|\nrarity 7\nports 1521\nExclude T:9100\nProbe TCP NULL q||\ntotalwaitms 6000\nmatch x m|\xff|\nProbe TCP Get q|G|\nrarity 1\n"
    assert adapt_probes(original) == (
        "Probe TCP oracle-tns q|T|\ntotalwaitms 1500\nrarity 7\nports 8291,1521\nExclude T:9100\nProbe TCP NULL q||\ntotalwaitms 400\nmatch x m|\xff|\n"
        "Probe TCP Get q|G|\ntotalwaitms 1500\nrarity 1\n"
    )
