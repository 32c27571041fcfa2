"""Groups on a segment of our own: a namespace for us, one with a router and a device that answer groups only."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Address

import pytest

from netvigil.probing.interfaces import find_route
from netvigil.probing.speak.datagrams import Listener, ask_all
from netvigil.probing.speak.udp import mndp, ssdp
from netvigil.probing.vantage import Sockets, Vantage

_OURS, _THEIRS = f"nvudp{os.getpid()}a", f"nvudp{os.getpid()}b"
_DEVICE = IPv4Address("10.99.0.2")
_STRANGER = IPv4Address("10.99.0.3")

# Answers a multicast search and MNDP's broadcast, nothing that is sent to it alone.
_DEVICES = """
import select, socket, struct
found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
found.bind(("239.255.255.250", 1900))
member = socket.inet_aton("239.255.255.250") + socket.inet_aton("10.99.0.2")
found.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
routers = []
for address in ("10.99.0.2", "10.99.0.3"):
    router = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    router.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    router.bind((address, 0))
    routers.append(router)
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.bind(("255.255.255.255", 5678))
fields = ((1, bytes.fromhex("4c5e0c112201")), (5, b"yard"), (7, b"7.18.2 (stable)"), (8, b"MikroTik"), (11, b"AAAA-BBBB"))
announcement = bytes(4) + b"".join(struct.pack(">HH", kind, len(value)) + value for kind, value in fields)
print("ready", flush=True)
while True:
    for ready in select.select([found, asked], [], [])[0]:
        data, sender = ready.recvfrom(2048)
        if ready is found and data.startswith(b"M-SEARCH"):
            found.sendto(b"HTTP/1.1 200 OK\\r\\nSERVER: Linux UPnP/1.0 MiniDLNA/1.3.0\\r\\nST: x\\r\\n\\r\\n", sender)
        elif ready is asked and data == bytes(4):
            for router in routers:
                router.sendto(announcement, ("255.255.255.255", 5678))
"""

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # fixed words


@pytest.fixture
def segment():
    run("ip", "netns", "add", _OURS)
    try:
        run("ip", "netns", "add", _THEIRS)
        run(
            "ip",
            "link",
            "add",
            "eth0",
            "netns",
            _OURS,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            _THEIRS,
        )
        for name, addresses in ((_OURS, ["10.99.0.1/24"]), (_THEIRS, [f"{_DEVICE}/24", f"{_STRANGER}/24"])):
            for address in addresses:
                run("ip", "-n", name, "address", "add", address, "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        devices = subprocess.Popen(
            ["ip", "netns", "exec", _THEIRS, sys.executable, "-c", _DEVICES], stdout=subprocess.PIPE
        )
        try:
            assert devices.stdout.readline() == b"ready\n"
            yield Vantage.parse(f"netns:{_OURS}")
        finally:
            devices.kill()
            devices.wait()
            devices.stdout.close()
    finally:
        for name in (_OURS, _THEIRS):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


async def test_devices_that_answer_groups_only_are_heard_and_others_not_reported(segment):
    async with Sockets(segment) as sockets:
        interface = (await sockets.run(lambda: find_route(_DEVICE))).interface
        protocols = [ssdp.PROTOCOL, mndp.PROTOCOL]
        settings = {"interface": interface, "rate": 1000.0, "wait": 0.3, "tries": 1}
        heard = await ask_all(sockets, protocols, [_DEVICE], **settings)
        alone = await ask_all(sockets, protocols, [_DEVICE], groups=False, **settings)
    assert {address: [each.answer.product for each in found] for address, found in heard.items()} == {
        _DEVICE: ["MiniDLNA", "MikroTik RouterOS"]
    }
    assert alone == {}


async def test_a_listener_asks_the_group_and_hears_beside_a_run(segment):
    async with Sockets(segment) as sockets:
        interface = (await sockets.run(lambda: find_route(_DEVICE))).interface
        async with Listener(sockets, mndp.PROTOCOL, interface) as listener:
            heard = await ask_all(
                sockets, [mndp.PROTOCOL], [_DEVICE], interface=interface, rate=1000.0, wait=0.3, tries=1
            )
    assert listener.fault is None
    both = listener.collect([_DEVICE, _STRANGER])
    assert {address: found[0].answer.version for address, found in both.items()} == {
        _DEVICE: "7.18.2",
        _STRANGER: "7.18.2",
    }
    assert list(heard) == [_DEVICE]
