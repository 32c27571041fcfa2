"""Telnet: the refusals that a server is sent, and what its login says."""

from __future__ import annotations

import asyncio

import pytest
from scripted import says

from netvigil.probing.speak.tcp.telnet import PROTOCOL, parse, recognise, refusals, split_stream

LINUX = b"\xff\xfd\x18\xff\xfd \xff\xfd#\xff\xfd'"
BUSYBOX = b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"


@pytest.mark.parametrize(
    ("heard", "product", "version"),
    [
        (b"\xff\xfb\x01MikroTik v6.42 (stable)\r\r\nLogin: ", "MikroTik RouterOS", "6.42"),
        (b"MikroTik 7.14.3 (stable)\r\nLogin: ", "MikroTik RouterOS", "7.14.3"),
        (BUSYBOX + b"\r\r\nOpenWrt login: ", "BusyBox telnetd", None),
        (BUSYBOX + b"BusyBox v1.19.4 (2014-01-01) built-in shell (ash)\r\n# ", "BusyBox telnetd", "1.19.4"),
        (LINUX + b"Debian GNU/Linux 10\r\nsrv login: ", "Linux telnetd", None),
        (b"\xff\xfb\x01\r\nUser Access Verification\r\n\r\nUsername: ", "Cisco IOS telnetd", None),
        (b"\xff\xfb\x01Hello, this is Quagga (version 1.2.4).\r\n", "Quagga routing software", "1.2.4"),
        (b"\xff\xfb\x01\xff\xfb\x03", None, None),
        (b"\r\nPassword: ", None, None),
    ],
)
def test_names_product_and_version(heard, product, version):
    answer = parse(heard)
    assert (answer.name, answer.product, answer.version) == ("telnet", product, version)


def test_routeros_gives_its_channel():
    answer = parse(b"\xff\xfd\x18MikroTik v6.49.10 (long-term)\r\nLogin: ")
    assert (answer.facts["channel"], answer.extra_info) == ("long-term", None)
    assert answer.cpes == ("cpe:/o:mikrotik:routeros:6.49.10",)
    assert answer.banner == b"MikroTik v6.49.10 (long-term)\r\nLogin:"


def test_a_login_tells_host_and_system():
    answer = parse(LINUX + b"Ubuntu 14.04.6 LTS\r\nbackup.lan login: ")
    assert (answer.hostname, answer.os_name) == ("backup.lan", "Linux")
    assert answer.facts["system"] == "Ubuntu 14.04.6 LTS"


@pytest.mark.parametrize(
    ("data", "text", "options", "rest"),
    [
        (b"a\xff\xffb", b"a\xffb", (), b""),
        (b"\xff\xfa\x18\x01\xff\xff\xff\xf0x", b"x", (), b""),
        (b"\xff\xfa\x18\x01\xff\xff\xf0x", b"", (), b"\xff\xfa\x18\x01\xff\xff\xf0x"),
        (b"x\xff\xf1y\xff\xfb", b"xy", (), b"\xff\xfb"),
        (b"\xff\xfb\xff\xff", b"", ((251, 255),), b"\xff"),
    ],
)
def test_commands_are_taken_out_of_the_text(data, text, options, rest):
    assert tuple(split_stream(data)) == (text, options, rest)


def test_each_demand_is_refused_once_and_refusals_are_not_answered():
    options = ((253, 24), (251, 1), (253, 24), (252, 3), (254, 5))
    assert refusals(options) == b"\xff\xfc\x18\xff\xfe\x01"
    assert len(refusals(tuple((253, n) for n in range(256)))) == 64 * 3


@pytest.mark.parametrize(
    ("data", "ours"),
    [
        (LINUX, True),
        (b"MikroTik v6.42 (stable)\r\nLogin: ", True),
        (b"\xff\xd8\xff\xe0", False),
        (b"220 x\r\n", False),
    ],
)
def test_recognises_negotiation_and_routeros(data, ours):
    assert recognise(data) is ours


async def test_refuses_everything_and_reads_the_login(bench):
    async def daemon(reader, writer):
        writer.write(LINUX)
        await reader.readexactly(12)
        writer.write(b"\xff\xfb\x03\xff\xfd\x01")
        await reader.readexactly(6)
        await asyncio.sleep(0.3)
        writer.write(b"Debian GNU/Linux 12\r\r\nsrv login: ")
        await reader.read(100)

    port = await bench.serve(daemon)
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.product, answer.hostname) == ("Linux telnetd", "srv")
    expected = b"\xff\xfc\x18\xff\xfc \xff\xfc#\xff\xfc'\xff\xfe\x03\xff\xfc\x01"
    assert bench.received[port] == [expected]


async def test_a_login_without_options_gets_no_word(bench):
    port = await bench.serve(says(b"MikroTik v6.42 (stable)\r\nLogin: "))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.version == "6.42"
    assert bench.received[port] == [b""]


async def test_a_server_that_negotiates_for_ever_is_left(bench):
    async def endless(reader, writer):
        number = 0
        while True:
            writer.write(bytes((255, 253, number % 256)))
            number += 1
            await asyncio.sleep(0.005)

    port = await bench.serve(endless)
    line = await bench.dial(port, patience=0.3)
    async with asyncio.timeout(10):
        answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.name == "telnet"
    assert len(bench.received[port][0]) <= 64 * 3
