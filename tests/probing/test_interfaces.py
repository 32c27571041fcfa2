from __future__ import annotations

import os
import socket
from ipaddress import IPv4Address

import pytest

from netvigil.probing.discover import read_arp_table
from netvigil.probing.interfaces import find_route, list_gateways
from netvigil.probing.privileges import Privileges, detect_privileges
from netvigil.probing.vantage import LOCAL, Sockets


def test_loopback_is_reached_by_a_running_loopback_interface():
    interface = find_route(IPv4Address("127.77.0.3")).interface
    assert interface.loopback
    assert interface.running
    assert interface.mac is None


def test_an_address_without_a_way_names_the_fault():
    fault = find_route(IPv4Address("255.255.255.255")).fault
    assert fault is not None
    assert "cannot be reached" in fault or "no route" in fault


def test_gateways_are_addresses_of_others():
    assert all(not gateway.is_loopback for gateway in list_gateways())


def test_the_arp_table_is_read_without_its_incomplete_rows(tmp_path):
    table = tmp_path / "arp"
    table.write_text(
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "10.0.0.1         0x1         0x2         4c:5e:0c:aa:bb:cc     *        eth0\n"
        "10.0.0.2         0x1         0x0         00:00:00:00:00:00     *        eth0\n"
    )
    assert read_arp_table(table) == {IPv4Address("10.0.0.1"): "4C:5E:0C:AA:BB:CC"}
    assert read_arp_table(tmp_path / "none") == {}


def test_privileges_agree_with_what_the_kernel_allows():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except PermissionError:
        pytest.skip("without raw sockets nmap may still have a capability of its own")
    if os.geteuid() != 0:
        pytest.skip("nmap would not inherit this process's right")
    assert detect_privileges() is Privileges.RAW


async def test_sockets_do_not_block_and_belong_to_the_caller():
    async with Sockets(LOCAL) as sockets:
        opened = await sockets.open()
        assert opened.getblocking() is False
        opened.close()
        assert await sockets.run(lambda: 7) == 7
