"""Which MACs tell devices apart."""

from ipaddress import IPv4Address
from uuid import UUID, uuid4

import pytest

from netvigil.inventory.identity import ADDRESSES_MAX, Sight, identify_by_mac, names_device

MAC = "00:1A:2B:3C:4D:5E"
SITE, OTHER_SITE = UUID(int=1), UUID(int=2)
FTP = (("tcp", 21, "vsftpd", "2.3.4"),)


def sight(last, mac=MAC, looks=FTP, site=SITE):
    return Sight(uuid4(), site, IPv4Address(f"192.168.88.{last}"), mac, looks)


def identities(*sights):
    found = identify_by_mac(sights)
    return [found[one.host_id] for one in sights]


@pytest.mark.parametrize(
    ("mac", "names"),
    [
        (MAC, True),
        ("02:42:AC:11:00:02", True),
        ("00:00:00:00:00:00", False),
        ("FF:FF:FF:FF:FF:FF", False),
        ("01:00:5E:00:00:FB", False),
        ("00:00:5E:00:01:0A", False),
        ("00:00:5E:00:02:0A", False),
        ("00:00:5E:00:03:0A", True),
        ("00:00:0C:07:AC:01", False),
        ("00:00:0C:9F:F0:01", False),
        ("00:07:B4:00:01:02", False),
    ],
)
def test_macs_of_nobody(mac, names):
    assert names_device(mac) is names
    assert identities(sight(1, mac)) == [mac if names else None]


def test_no_mac_no_identity():
    assert identities(sight(1, None), sight(2)) == [None, MAC]


def test_several_addresses_are_one_device_only_when_all_look_the_same():
    assert identities(sight(1), sight(2)) == [MAC, MAC]
    assert identities(sight(1), sight(2, looks=())) == [None, None]
    assert identities(sight(1, looks=(None, None)), sight(2, looks=(None, None))) == [None, None]
    assert identities(sight(1), sight(1, site=OTHER_SITE)) == [None, None]


def test_too_many_addresses_are_a_router_that_answers_for_others():
    many = [sight(last) for last in range(1, ADDRESSES_MAX + 2)]
    assert set(identities(*many)) == {None}
    assert set(identities(*many[:-1])) == {MAC}
