"""The running lab, over real sockets: what devices say, and that no client can hurt it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from ipaddress import ip_address

import pytest

from netvigil.errors import EnvironmentFault
from netvigil.lab.service import Lab

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without set-up"
)


@pytest.fixture
def subnet(worker_id: str) -> str:
    """A network of its own for each process that runs tests at the same time."""
    worker = int(worker_id.removeprefix("gw")) if worker_id != "master" else 99
    return f"127.78.{worker}.{16 * (os.getpid() % 16)}/28"


@pytest.fixture
async def lab(subnet):
    async with Lab.start(subnet, alternate=True) as lab:
        yield lab


def where(lab: Lab, name: str, speaks: str) -> tuple[str, int]:
    host = next(host for host in lab.hosts if host.name == name)
    return str(host.ip), next(service.port for service in host.services if service.speaks == speaks)


async def ask(address: tuple[str, int], request: bytes = b"", seconds: float = 0.3) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    try:
        if request:
            writer.write(request)
            await writer.drain()
        heard = b""
        while True:
            try:
                async with asyncio.timeout(seconds):
                    data = await reader.read(65536)
            except TimeoutError:
                return heard
            if not data:
                return heard
            heard += data
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("name", "speaks", "request_", "expected"),
    [
        ("gw-main", "routeros-ftp", b"", b"220 gw-main FTP server (MikroTik 6.41) ready\r\n"),
        ("gw-main", "routeros-ssh", b"", b"SSH-2.0-ROSSSH\r\n"),
        ("gw-main", "routeros-telnet", b"", b"MikroTik v6.41 (stable)"),
        ("gw-main", "routeros-web", b"GET / HTTP/1.0\r\n\r\n", b"<h1>RouterOS v6.41</h1>"),
        ("gw-main", "routeros-web", b"GET /webfig/list HTTP/1.0\r\n\r\n", b'version: "6.41"'),
        ("gw-main", "routeros-winbox", b"\x12\x02list" + bytes(8) + b"\x80" + bytes(4), b'version: "6.41"'),
        ("gw-main", "routeros-api", b"\x05hello\x00", b"\x06!fatal\x0dnot logged in\x00"),
        ("ap-yard", "routeros-web", b"GET / HTTP/1.0\r\n\r\n", b"<h1>RouterOS v7.4.1</h1>"),
        ("srv-web", "openssh", b"GET / HTTP/1.0\r\n\r\n", b"Protocol mismatch."),
        ("srv-web", "apache", b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"Server: Apache/2.4.38 (Unix)\r\n"),
        ("srv-web", "apache", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n"),
        ("srv-legacy", "vsftpd", b"USER anonymous\r\nPASS x\r\n", b"530 Login incorrect."),
        ("srv-legacy", "mysql", b"", b"\x0a5.5.20\x00"),
        (
            "cam-hall",
            "hikvision-rtsp",
            b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nPublic: OPTIONS",
        ),
        ("cache", "redis", b"INFO server\r\n", b"redis_version:5.0.7\r\n"),
        ("cache", "redis", b"GET / HTTP/1.0\r\n\r\n", b"-ERR wrong number of arguments for 'get' command"),
        ("cache", "redis", b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        ("mail", "exim", b"EHLO me\r\nQUIT\r\n", b"221 mail.lan closing connection\r\n"),
    ],
)
async def test_device_says(lab, name, speaks, request_, expected):
    assert expected in await ask(where(lab, name, speaks), request_)


async def test_resolver_names_its_software_to_version_bind_only(lab):
    question = b"\x07version\x04bind\x00\x00\x10\x00\x03"
    query = b"\x00\x06\x01\x00\x00\x01" + bytes(6) + question
    answer = await ask(where(lab, "ap-shed", "dnsmasq"), len(query).to_bytes(2, "big") + query)
    assert answer.endswith(b"\x0cdnsmasq-2.77")
    other = query.replace(b"version", b"another")
    refused = await ask(where(lab, "ap-shed", "dnsmasq"), len(other).to_bytes(2, "big") + other)
    assert refused[5] & 0x0F == 5


async def test_silent_port_accepts_and_never_speaks(lab):
    assert await ask(where(lab, "cam-door", "silence"), b"GET / HTTP/1.0\r\n\r\n") == b""


async def test_print_port_tells_of_every_byte(lab):
    address = where(lab, "printer", "print-port")
    assert await ask(address) == b""
    assert lab.printed == 0
    assert await ask(address, b"@PJL INFO ID\r\n") == b""
    assert lab.printed == 14
    assert lab.truth()["printed"] == 14


async def test_fifty_clients_at_once_are_all_answered(lab):
    address = where(lab, "web", "nginx")
    answers = await asyncio.gather(
        *(ask(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 5) for _ in range(50))
    )
    assert all(answer.startswith(b"HTTP/1.1 200 OK\r\nServer: nginx/1.14.0\r\n") for answer in answers)


@pytest.mark.parametrize(
    "garbage", [os.urandom(10 << 20), b"A" * (10 << 20), b"\r\n" * 100_000, b"\xff\xff" * 10]
)
async def test_garbage_hurts_no_device(lab, garbage):
    ports = [(str(host.ip), service.port) for host in lab.hosts for service in host.services]
    for address in ports[::3]:
        await ask(address, garbage, 0.05)
    assert b"redis_version:5.0.7" in await ask(where(lab, "cache", "redis"), b"info\r\n")


async def test_stop_hangs_up_on_every_client_and_frees_the_addresses(subnet):
    async with Lab.start(subnet, alternate=True) as lab:
        reader, writer = await asyncio.open_connection(*where(lab, "cam-door", "silence"))
        await lab.stop()
        with contextlib.suppress(ConnectionResetError):  # as good an end as an orderly one
            assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
        await lab.stop()
    async with Lab.start(subnet, alternate=True) as again:
        assert again.subnet == subnet


async def test_without_privileges_only_low_ports_are_replaced(lab):
    services = [service for host in lab.hosts for service in host.services]
    assert lab.alternate
    assert all(service.port >= 1024 for service in services)
    assert where(lab, "gw-main", "routeros-ftp")[1] == 2121
    assert where(lab, "gw-main", "routeros-winbox")[1] == 8291
    ports = [service["port"] for host in lab.truth()["hosts"] for service in host["services"]]
    assert ports == [service.port for service in services]


async def test_second_lab_in_the_same_network_is_told_so(lab, subnet):
    with pytest.raises(EnvironmentFault, match=f"Another lab is already running in {subnet}"):
        async with Lab.start(subnet):
            pass


async def test_port_taken_by_another_program_falls_back_to_its_alternate(subnet):
    address = str(ip_address(subnet.removesuffix("/28")) + 12)
    with socket.create_server((address, 6379)):
        async with Lab.start(subnet) as lab:
            assert where(lab, "cache", "redis") == (address, 6380)
            assert lab.alternate


async def test_both_ports_taken_is_a_clear_fault_and_leaves_nothing_open(subnet):
    base = ip_address(subnet.removesuffix("/28"))
    with (
        socket.create_server((str(base + 12), 6379)),
        socket.create_server((str(base + 12), 6380)),
        pytest.raises(EnvironmentFault, match=r"cannot listen on .*: port 6379 and 6380"),
    ):
        async with Lab.start(subnet):
            pass
    async with Lab.start(subnet) as lab:
        assert where(lab, "cache", "redis")[1] == 6379


async def test_address_that_does_not_exist_is_explained():
    with pytest.raises(EnvironmentFault, match="this computer does not have"):
        async with Lab.start("203.0.113.0/28"):
            pass


@pytest.mark.skipif(shutil.which("nmap") is None, reason="nmap is not installed")
async def test_nmap_identifies_product_and_version(lab):
    wanted = {"srv-web", "mail", "tidy"}
    hosts = {str(host.ip): host for host in lab.hosts if host.name in wanted}
    ports = ",".join(sorted({str(s.port) for host in hosts.values() for s in host.services}))
    command = ["nmap", "-n", "-Pn", "-sV", "-p", ports, "-oX", "-", *hosts]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=120)
    seen = {}
    for element in ET.fromstring(done.stdout).iter("host"):  # noqa: S314 (our own nmap's output about our own lab)
        ip = element.find("address").attrib["addr"]
        for port in element.iter("port"):
            if port.find("state").attrib["state"] == "open":
                service = port.find("service").attrib
                seen[ip, int(port.attrib["portid"])] = (service.get("product"), service.get("version"))
    assert seen == {(ip, s.port): (s.product, s.version) for ip, host in hosts.items() for s in host.services}
