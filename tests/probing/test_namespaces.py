"""Sites of our own in network namespaces: MACs, overlapping networks, and offline told from empty."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from small_devices import HOME, needs_raw

from netvigil.errors import SiteOffline
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.ports import Profile
from netvigil.probing.privileges import Privileges
from netvigil.probing.vantage import Sockets, Vantage

NET = IPv4Network("10.99.7.0/29")
GATEWAY = IPv4Address("10.99.7.1")
MACS = {"a": "4C:5E:0C:00:00:01", "b": "00:11:32:00:00:02"}


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def can_make_namespaces() -> bool:
    made = subprocess.run(["ip", "netns", "add", f"nvp-try-{os.getpid()}"], check=False, capture_output=True)
    if made.returncode == 0:
        ip("netns", "del", f"nvp-try-{os.getpid()}")
    return made.returncode == 0


pytestmark = [
    pytest.mark.root,
    needs_raw,
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/usr/sbin/ip").exists() or not can_make_namespaces(),
        reason="needs root and network namespaces",
    ),
]


class Site:
    """A scanner (.2) and a gateway (.1) on one cable; the gateway speaks FTP."""

    def __init__(self, name: str) -> None:
        self.scanner = f"nvp-{name}s-{os.getpid()}"
        self.router = f"nvp-{name}r-{os.getpid()}"
        self.vantage = Vantage.parse(f"netns:{self.scanner}")
        for namespace in (self.scanner, self.router):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip(
            "-n",
            self.scanner,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            self.router,
        )
        ip("-n", self.router, "link", "set", "eth0", "address", MACS[name])
        for namespace, address in ((self.scanner, "10.99.7.2/29"), (self.router, "10.99.7.1/29")):
            ip("-n", namespace, "address", "add", address, "dev", "eth0")
            ip("-n", namespace, "link", "set", "eth0", "up")

    async def serve(self, greeting: bytes, port: int = 21) -> asyncio.Server:
        async with Sockets(Vantage.parse(f"netns:{self.router}")) as sockets:
            listener = await sockets.open()
        listener.bind(("10.99.7.1", port))

        async def greet(reader, writer):
            writer.write(greeting)
            await reader.read(100)
            writer.close()

        return await asyncio.start_server(greet, sock=listener)

    def close(self) -> None:
        for namespace in (self.scanner, self.router):
            ip("netns", "del", namespace)


@pytest.fixture
def site():
    made = Site("a")
    yield made
    made.close()


@pytest.fixture
def other():
    made = Site("b")
    yield made
    made.close()


def request(site: Site, **changes) -> ProbeRequest:
    return replace(ProbeRequest((NET,), vantage=site.vantage, profile=Profile.QUICK), **changes)


async def test_hosts_on_the_segment_show_their_mac(site):
    server = await site.serve(b"220 gw FTP server (MikroTik 6.41) ready\r\n")
    result = await probe(request(site))
    server.close()
    gateway, scanner = result.hosts
    assert (gateway.address, gateway.mac, gateway.reason) == (GATEWAY, MACS["a"], "arp-response")
    assert "Router" in gateway.manufacturer
    assert (gateway.services[0].port, gateway.services[0].version) == (21, "6.41")
    assert (str(scanner.address), scanner.services) == ("10.99.7.2", ())
    assert scanner.mac is not None


async def test_two_sites_with_the_same_network_at_once_do_not_mix(site, other):
    servers = [
        await site.serve(b"220 gw FTP server (MikroTik 6.41) ready\r\n"),
        await other.serve(b"220 gw FTP server (MikroTik 7.12.1) ready\r\n"),
    ]
    results = await asyncio.gather(probe(request(site)), probe(request(other)))
    for server in servers:
        server.close()
    seen = [(result.hosts[0].mac, result.hosts[0].services[0].version) for result in results]
    assert seen == [(MACS["a"], "6.41"), (MACS["b"], "7.12.1")]


async def test_without_raw_packets_the_same_host_is_found(site):
    server = await site.serve(b"220 gw FTP server (MikroTik 6.41) ready\r\n")
    result = await probe(request(site, privileges=Privileges.NONE))
    server.close()
    assert (result.hosts[0].address, result.hosts[0].services[0].version) == (GATEWAY, "6.41")
    assert result.hosts[0].mac is None


@pytest.mark.parametrize("privileges", list(Privileges))
async def test_an_empty_part_of_a_living_site_is_empty(site, privileges):
    result = await probe(request(site, targets=(IPv4Address("10.99.7.5"),), privileges=privileges))
    assert result.hosts == ()


@pytest.mark.parametrize("privileges", list(Privileges))
async def test_a_site_where_nothing_answers_is_offline(site, privileges):
    ip("-n", site.router, "address", "flush", "dev", "eth0")
    with pytest.raises(SiteOffline, match=r"6 addresses and the gateway 10\.99\.7\.1 are silent"):
        await probe(request(site, privileges=privileges))


async def test_an_unplugged_cable_is_named(site):
    ip("-n", site.router, "link", "set", "eth0", "down")
    await asyncio.sleep(1.2)  # the kernel tells of a lost carrier at most once a second
    with pytest.raises(SiteOffline, match="eth0 has no carrier"):
        await probe(request(site))


async def test_a_missing_route_is_named_and_other_networks_go_on(site):
    elsewhere = IPv4Network("172.31.9.0/30")
    with pytest.raises(SiteOffline, match="no route"):
        await probe(request(site, targets=(elsewhere,)))
    result = await probe(request(site, targets=(elsewhere, NET)))
    assert len(result.hosts) == 2
    assert any("172.31.9.0/30 was not scanned" in sentence for sentence in result.limitations)


async def test_an_excluded_gateway_is_not_asked(site):
    with pytest.raises(SiteOffline):
        await probe(request(site, targets=(IPv4Address("10.99.7.5"),), exclude=(GATEWAY,)))


async def test_another_user_scans_by_connections(devices):
    await devices.listen(f"{HOME}.6.1", 2222, b"SSH-2.0-OpenSSH_7.4\r\n")
    program = (
        "import asyncio, os\nfrom ipaddress import IPv4Address\n"
        "from netvigil.probing.pipeline import ProbeRequest, probe\nfrom netvigil.probing.ports import Profile\n"
        "import aiooui, encodings.idna, encodings.latin_1\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"asked = ProbeRequest((IPv4Address('{HOME}.6.1'),), profile=Profile.QUICK)\n"
        "result = asyncio.run(probe(asked))\n"
        "print(result.privileges, [s.version for h in result.hosts for s in h.services])\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    out, err = await process.communicate()
    assert out.decode().split("\n")[0] == "none ['7.4']", err.decode()
