"""Where messages do not go, in every spelling."""

from ipaddress import ip_address, ip_network

import pytest

from netvigil.errors import UsageError
from netvigil.notify.targets import (
    ForbiddenTarget,
    check_address,
    literal_address,
    read_allowed,
    why_forbidden,
)
from netvigil.settings import read_settings


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
        "fd00:ec2::254", "100.100.100.200", "224.0.0.1", "255.255.255.255", "ff02::1", "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_forbidden(address):
    with pytest.raises(ForbiddenTarget, match="NETVIGIL_NOTIFY_ALLOW"):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["10.0.0.5", "192.168.1.5", "172.16.0.9", "fd12::5", "1.1.1.1", "2606:4700::1111"]
)
def test_open(address):
    assert why_forbidden(ip_address(address)) is None


def test_setting_opens_what_it_names():
    allowed = read_allowed(["127.0.0.1", "fe80::/64"])
    check_address("127.0.0.1", allowed)
    check_address("::ffff:127.0.0.1", allowed)
    check_address("fe80::9%eth0", allowed)
    for other in ("127.0.0.2", "::1", "169.254.169.254"):
        with pytest.raises(ForbiddenTarget):
            check_address(other, allowed)
    assert why_forbidden(ip_address("127.0.0.1"), [ip_network("::/0")]) is not None


def test_setting_must_hold_addresses():
    with pytest.raises(UsageError, match="NETVIGIL_NOTIFY_ALLOW"):
        read_settings({"NETVIGIL_NOTIFY_ALLOW": "127.0.0.1, localhost"})
    given = read_settings({"NETVIGIL_NOTIFY_ALLOW": "127.0.0.1, ::1/128", "NETVIGIL_DATA_DIR": "/x"})
    assert given.notify_allow == ("127.0.0.1", "::1/128")


@pytest.mark.parametrize(
    ("host", "means"),
    [
        ("127.0.0.1", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("[::1]", "::1"), ("localhost", "127.0.0.1"),
        ("LocalHost.", "127.0.0.1"), ("a.localhost", "127.0.0.1"), ("0", "0.0.0.0"), ("example.com", None),
    ],
)  # fmt: skip
def test_numbers_are_addresses(host, means):
    assert literal_address(host) == means
