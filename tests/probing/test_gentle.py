"""What leaves the scanner, frame by frame: exclusions, fragile ports, scope and rates are kept on the wire."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from segment import Segment
from small_devices import needs_raw

from netvigil.errors import SiteOffline
from netvigil.probing.limits import ScanLimits
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.ports import Profile

NET = IPv4Network("10.98.7.0/24")
BROADCASTS = {
    IPv4Address(text)
    for text in ("255.255.255.255", "10.98.7.255", "239.255.255.250", "224.0.0.251", "233.89.188.1")
}
FAST = ScanLimits(greeting_wait=0.4, slow_greeting_wait=1.0, answer_wait=0.8, nmap_budget=4, udp_wait=0.4)


def can_make_namespaces() -> bool:
    name = f"nvseg-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True)
    if made.returncode == 0:
        subprocess.run(["ip", "netns", "del", name], check=True)
    return made.returncode == 0


pytestmark = [
    pytest.mark.root,
    needs_raw,
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/usr/sbin/ip").exists() or not can_make_namespaces(),
        reason="needs root and network namespaces",
    ),
]


def greets(words: bytes):
    async def script(reader, writer):
        writer.write(words)
        while await reader.read(65536):
            pass

    return script


async def listens(reader, writer):
    while await reader.read(65536):
        pass


def web(server: bytes):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nServer: " + server + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        )

    return script


SSH = greets(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")


def answers_nothing(data, source):
    return None


async def scan(segment: Segment, **wanted):
    request = ProbeRequest(
        **{"targets": [NET], "vantage": segment.vantage, "limits": FAST, "profile": Profile.QUICK} | wanted
    )
    result = await probe(request)
    return {str(host.address): host for host in result.hosts}, result


async def test_exclusions_are_kept_on_the_wire():
    async with Segment("excl") as segment:
        await segment.add(1, "4C:5E:0C:00:07:01", {22: SSH})
        await segment.add(
            10, "00:11:32:00:07:10", {22: SSH, 8080: web(b"nginx/1.22.1")}, {161: answers_nothing}
        )
        await segment.add(30, "00:11:32:00:07:30", {22: SSH})
        await segment.add(31, "00:11:32:00:07:31", {22: SSH})
        hosts, result = await scan(
            segment,
            exclude=[IPv4Address("10.98.7.30")],
            excluded_tcp=frozenset({8080}),
            excluded_udp=frozenset({161}),
            excluded_macs=frozenset({"00:11:32:00:07:31"}),
        )
        frames = segment.sent()
    assert {"10.98.7.1", "10.98.7.10"} <= hosts.keys()
    assert not {"10.98.7.30", "10.98.7.31"} & hosts.keys()
    assert [service.port for service in hosts["10.98.7.10"].services if service.protocol == "tcp"] == [22]
    assert not [frame for frame in frames if frame.target == IPv4Address("10.98.7.30")]
    # Only the question who has the address can tell its MAC.
    assert {frame.kind for frame in frames if frame.target == IPv4Address("10.98.7.31")} == {"arp"}
    assert not [frame for frame in frames if (frame.kind, frame.port) in {("tcp", 8080), ("udp", 161)}]
    assert not [frame for frame in frames if frame.target in BROADCASTS]
    assert any("excluded" in sentence for sentence in result.limitations)
    assert [frame for frame in frames if frame.kind == "udp" and frame.target == IPv4Address("10.98.7.10")]


async def test_fragile_ports_are_never_spoken_to():
    fragile = dict.fromkeys((102, 502, 515, 9100, 9101, 44818, 47808), listens)
    async with Segment("frag") as segment:
        printer = await segment.add(20, "3C:D9:2B:00:07:20", {80: web(b"HP HTTP Server"), **fragile})
        hosts, _ = await scan(segment, profile=Profile.STANDARD)
        frames = segment.sent("tcp")
        connections, received = dict(segment.connections), dict(segment.received)
    seen = {service.port: service for service in hosts[printer].services}
    assert {102, 502, 515, 9100} <= seen.keys()
    assert all(seen[port].spared for port in fragile if port in seen)
    for port in fragile:
        assert not connections.get((printer, port))
        assert not received.get((printer, port))
        assert {frame.flags & 0x3F for frame in frames if frame.port == port} <= {0x02, 0x04}  # SYN, RST
        assert not [frame for frame in frames if frame.port == port and frame.payload]
    assert received[printer, 80].startswith(b"GET / ")


async def test_nothing_leaves_for_addresses_that_were_not_asked_for():
    async with Segment("scope") as segment:
        await segment.add(1, "4C:5E:0C:00:07:01", {22: SSH})
        await segment.add(5, "00:11:32:00:07:05", {22: SSH})
        await segment.add(200, "00:11:32:00:07:c8", {22: SSH}, {5353: answers_nothing})
        hosts, _ = await scan(segment, targets=[IPv4Network("10.98.7.0/28")])
        # The kernel tells the switch which groups a socket has joined (IGMP), to an address of its own.
        targets = {frame.target for frame in segment.sent() if frame.kind != "ip-2"}
    assert hosts.keys() == {"10.98.7.1", "10.98.7.5"}
    allowed = set(IPv4Network("10.98.7.0/28").hosts()) | BROADCASTS
    assert targets <= allowed


async def test_the_rate_of_packets_is_kept():
    limits = ScanLimits(packets_per_second_on_link=400, greeting_wait=0.4, answer_wait=0.8, udp_wait=0.4)
    async with Segment("rate") as segment:
        for number in range(1, 6):
            await segment.add(number, f"00:11:32:00:07:{number:02x}", {22: SSH})
        await scan(segment, limits=limits, targets=[IPv4Network("10.98.7.0/28")])
        frames = [frame for frame in segment.sent() if frame.kind != "tcp" or frame.starts_connection]
    windows = Counter(int(frame.at) for frame in frames)
    assert len(frames) > 5 * 100
    assert max(windows.values()) <= 400 * 1.25


async def test_a_site_that_goes_away_in_mid_scan_is_offline_and_what_was_seen_is_kept():
    found = {}
    async with Segment("away") as segment:
        for number in (1, 2, 3):
            await segment.add(number, f"00:11:32:00:07:{number:02x}", {22: SSH, 80: web(b"nginx/1.22.1")})
        cutting = asyncio.Event()

        async def on_found(host):
            found[str(host.address)] = host
            if not cutting.is_set():
                cutting.set()
                segment.cut()

        limits = ScanLimits(
            greeting_wait=0.4, slow_greeting_wait=1, answer_wait=0.8, nmap_budget=3, udp_wait=0.3
        )
        request = ProbeRequest([NET], vantage=segment.vantage, limits=limits, profile=Profile.QUICK)
        with pytest.raises(SiteOffline, match="went away while it was scanned"):
            await probe(request, on_found=on_found)
    assert found.keys() >= {"10.98.7.1", "10.98.7.2", "10.98.7.3"}
