"""Devices that trap, lie, flood, hang up, answer now and then or speak no known language: the scan ends, and finds the rest."""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct
from ipaddress import IPv4Network

import pytest
from segment import Segment
from test_gentle import SSH, greets, listens, web
from test_gentle import pytestmark as on_the_wire

from netvigil.probing.limits import ScanLimits
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.ports import Profile

pytestmark = on_the_wire
NET = IPv4Network("10.98.7.0/27")
LIMITS = ScanLimits(
    greeting_wait=0.5, slow_greeting_wait=1.5, answer_wait=1.0, nmap_budget=5, udp_wait=0.4, ports_per_host=20
)


async def drips(reader, writer):
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def resets(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def floods(reader, writer):
    for _ in range(160):
        writer.write(b"A" * 65536)
        await writer.drain()


async def floods_headers(reader, writer):
    await reader.read(100)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(20000):
        writer.write(b"X-%d: " % number + b"y" * 500 + b"\r\n")
        await writer.drain()


def every_third(script):
    asked = 0

    async def sometimes(reader, writer):
        nonlocal asked
        asked += 1
        if asked % 3 == 0:
            await script(reader, writer)

    return sometimes


def shouts(data, source):
    return b"\xff" * 1400


async def scan(segment, **wanted):
    request = ProbeRequest(
        **{"targets": [NET], "vantage": segment.vantage, "limits": LIMITS, "profile": Profile.STANDARD}
        | wanted
    )
    result = await asyncio.wait_for(probe(request), 90)
    return {str(host.address): host for host in result.hosts}, result


def ports_of(host):
    return {service.port: service for service in host.services if service.protocol == "tcp"}


async def test_the_scan_ends_and_finds_what_is_sane():
    async with Segment("mad") as segment:
        sane = await segment.add(2, "00:11:32:00:08:02", {22: SSH, 80: web(b"nginx/1.22.1")})
        tarpit = await segment.add(3, "00:11:32:00:08:03", dict.fromkeys([*range(1, 130), 443, 8080], drips))
        mad = await segment.add(
            4,
            "00:11:32:00:08:04",
            {
                21: resets,
                22: floods,
                23: greets(b"\xff\xfd\x18\xff\xfa" * 400),
                25: greets(b"\xc3\x28\x00\x1b[2J\x1b]0;owned\x07\xff\r\n"),
                80: floods_headers,
                110: greets(b"+OK \xe2\x80\xae<script>alert(1)</script>\r\n"),
                443: floods,
                445: floods,
                3306: greets(b"\xff\xff\xff\x00\x0a5.5.5\x00"),
                8291: floods,
                8080: listens,
            },
            {161: shouts, 137: shouts, 123: shouts, 5353: shouts, 1900: shouts, 53: shouts, 5678: shouts},
        )
        moody = await segment.add(
            5, "00:11:32:00:08:05", {22: every_third(SSH), 80: every_third(web(b"Apache/2.4.49 (Unix)"))}
        )
        hosts, result = await scan(segment)
    assert ports_of(hosts[sane])[22].version.startswith("9.2p1")
    assert ports_of(hosts[sane])[80].version == "1.22.1"
    assert len(ports_of(hosts[tarpit])) > LIMITS.ports_per_host
    assert any("tarpit" in sentence for sentence in result.limitations)
    assert {21, 22, 23, 25, 80, 110, 443, 445, 3306, 8291, 8080} <= ports_of(hosts[mad]).keys()
    said = repr(hosts[mad])
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 60_000
    assert ports_of(hosts[moody])[22].version.startswith("9.2p1")
    assert ports_of(hosts[moody])[80].version == "2.4.49"


async def test_a_host_that_stops_taking_connections_is_slowed_down_for_and_then_left_alone():
    async with Segment("tired") as segment:
        counted = 0

        def tired(script):
            async def answer(reader, writer):
                nonlocal counted
                counted += 1
                if counted > 4:
                    segment.silence("10.98.7.6")
                await script(reader, writer)

            return answer

        ports = {
            port: tired(listens) for port in (21, 22, 25, 80, 110, 143, 443, 8080, 8081, 8443, 3000, 5000)
        }
        await segment.add(6, "00:11:32:00:08:06", ports)
        await segment.add(7, "00:11:32:00:08:07", {22: SSH})
        hosts, _ = await scan(segment)
    # It falls silent while it is still swept, so only what was seen until then can be known.
    assert ports_of(hosts["10.98.7.6"]).keys() & set(ports)
    assert any("connections while it was examined" in note for note in hosts["10.98.7.6"].notes)
    assert ports_of(hosts["10.98.7.7"])[22].product == "OpenSSH"


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft to lose packets")
async def test_a_host_that_loses_packets_keeps_its_ports_and_versions():
    async with Segment("loss") as segment:
        ports = {22: SSH, 80: web(b"nginx/1.22.1"), 8080: web(b"Apache/2.4.57 (Debian)")}
        ports |= {21: greets(b"220 (vsFTPd 3.0.3)\r\n"), 110: greets(b"+OK Dovecot ready.\r\n")}
        lossy = await segment.add(9, "00:11:32:00:08:09", ports)
        segment.lose(lossy, percent=12)
        patient = ScanLimits(nmap_budget=5, udp_wait=0.4)
        hosts, _ = await scan(segment, limits=patient)
    seen = ports_of(hosts[lossy])
    assert ports.keys() <= seen.keys()
    assert (seen[22].version, seen[80].version) == ("9.2p1 Debian 2+deb12u3", "1.22.1")
    assert (seen[21].version, seen[8080].version) == ("3.0.3", "2.4.57")


async def test_slow_and_old_web_servers_are_waited_for():
    async def slow(reader, writer):
        asked = await reader.readuntil(b"\r\n")
        await asyncio.sleep(1.6 if asked.startswith(b"GET") else 0)
        words = b"200 OK\r\nServer: lighttpd/1.4.53" if asked.startswith(b"GET") else b"400 Bad Request"
        writer.write(b"HTTP/1.0 " + words + b"\r\nConnection: close\r\n\r\n")

    async def old(reader, writer):
        if b"HTTP/1.0" in await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.0 200 OK\r\nServer: mini_httpd/1.30 26Oct2018\r\n\r\n<html></html>")

    async with Segment("slow") as segment:
        server = await segment.add(10, "00:11:32:00:08:0a", {12345: slow, 8080: old})
        hosts, _ = await scan(segment, extra_ports=(12345,))
    seen = ports_of(hosts[server])
    assert (seen[12345].product, seen[12345].version) == ("lighttpd", "1.4.53")
    assert (seen[8080].product, seen[8080].version) == ("mini_httpd", "1.30")
