"""WinBox: files in one or many chunks, refusals, messages, silence and garbage."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import says

from netvigil.matching.identify import identify
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.speak.tcp.winbox import PROTOCOL, parse, recognise

MODULES = ("advtool", "dhcp", "hotspot", "mpls", "ppp", "roteros", "roting4", "secure", "wlan6")
# What a router of today answers to the old request: the name, 2 for a refusal, the request's figures, the reason.
REFUSAL = b"\x13\x02list" + bytes(7) + b"\x02\x00\x80\x00\x00\x00\x00\x02"


def listed(version: str, modules=MODULES) -> bytes:
    rows = (
        f'{{ crc: {7 * n}, size: {900 + n}, name: "{m}.jg", unique: "{m}-fc19.jg", version: "{version}" }}'
        for n, m in enumerate(modules)
    )
    return ",\n".join(rows).encode()


def indexed(version: str) -> bytes:
    return "".join(f"14304035{n} 6406{n} {m}.dll {version}\n" for n, m in enumerate(MODULES)).encode()


def file(name: str, text: bytes, first: int = 255, asked: int = 0xFFED) -> bytes:
    """The answer to a request for a file, in chunks as RouterOS sends them."""
    text = text[:asked]
    payload = name.encode().ljust(11, b"\0") + b"\x01" + len(text).to_bytes(2, "big") + bytes(4) + text
    out = bytes([min(len(payload), 255)]) + b"\x02" + payload[:first]
    for at in range(first, len(payload), 255):
        out += bytes([len(payload[at : at + 255]), 0xFF]) + payload[at : at + 255]
    return out


def message(tail: bytes = b"") -> bytes:
    body = b"M2\x01\x00\xff\x88\x00\x00\x02\x00\xff\x88\x02\x00" + bytes(8) + tail
    return bytes([len(body) + 2, 1]) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (file("list", listed("6.42"), asked=128), "6.42"),
        (file("list", listed("6.49.10")), "6.49.10"),
        (file("list", listed("6.43rc19"), first=253), "6.43rc19"),
        (file("index", indexed("5.26")), "5.26"),
        (file("list", listed("6.40", ("roteros",)) + listed("6.38", ("dude",))), "6.40"),
        (file("list", listed("6.40", ("dhcp",)) + listed("6.38", ("dude",))), None),
        (file("list", listed("6.42"), asked=60), None),
        (file("list", listed("<script>")), None),
        (REFUSAL, None),
        (message(), None),
        (message(b"\x1c\x00\xff\xa0\x01\x00\x10\x00msg-proxy-7.18.2"), "7.18.2"),
    ],
)
def test_the_version_is_the_system_modules(data, version):
    answer = parse(data)
    assert recognise(data)
    assert (answer.name, answer.version) == ("winbox", version)
    assert answer.product == ("MikroTik RouterOS" if version else "MikroTik WinBox management console")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x12\x02list" + bytes(8) + b"\x00\x80" + bytes(4),  # our own request, sent back
        b"HTTP/1.0 400 Bad Request\r\n\r\n",
        b"SSH-2.0-ROSSSH\r\n",
        b"\x2e\x01\x00\x09M2\x01\x00\xff\x88\x00\x00",  # lengths that do not agree
    ],
)
def test_what_is_not_winbox_is_nothing(data):
    assert parse(data) is None
    assert not recognise(data)


@given(st.binary(max_size=600))
def test_any_bytes_are_survived(data):
    assert (parse(data) is None) is not recognise(data)


@given(st.integers(0, 900), st.binary(min_size=1, max_size=40))
def test_a_damaged_answer_never_names_a_strange_version(at, noise):
    good = file("list", listed("6.42"))
    answer = parse(good[:at] + noise + good[at + len(noise) :])
    assert answer is None or answer.version is None or answer.version[0].isdigit()


async def test_the_list_is_enough(bench):
    port = await bench.serve(says(b"", file("list", listed("6.42"), asked=128)))
    line = await bench.dial(port)
    answer = await asyncio.wait_for(PROTOCOL.converse(line, b""), 0.4)
    line.close()
    assert answer.version == "6.42"
    assert answer.cpes == ("cpe:/o:mikrotik:routeros:6.42",)
    assert bench.received[port] == [b"\x12\x02list" + bytes(9) + b"\x80" + bytes(4)]


async def test_the_index_is_asked_where_the_list_is_refused(bench):
    port = await bench.serve(says(b"", REFUSAL, file("index", indexed("6.7"))))
    line = await dial_as_winbox(bench, port)
    assert (await PROTOCOL.converse(line, b"")).version == "6.7"
    line.close()
    assert bench.received[port][0].count(b"\x12\x02") == 2


async def test_a_router_of_today_is_winbox_without_version(bench):
    async def script(reader, writer):
        while data := await reader.read(4096):
            if data[4:6] == b"M2":
                writer.write(message())

    port = await bench.serve(script)
    line = await dial_as_winbox(bench, port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.name, answer.version) == ("winbox", None)


async def test_a_router_that_hangs_up_is_asked_on_new_lines(bench):
    async def script(reader, writer):
        if b"index" in await reader.read(4096):
            writer.write(file("index", indexed("5.26")))

    port = await bench.serve(script)
    line = await dial_as_winbox(bench, port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version == "5.26"
    assert [b"index" in received for received in bench.received[port]] == [False, False, False, True]


@pytest.mark.parametrize("turn", [b"", b"220 ftp ready\r\n", b"\xff\x02" + b"A" * 100_000])
async def test_something_else_is_left_alone(bench, turn):
    port = await bench.serve(says(b"", turn))
    line = await bench.dial(port, patience=0.2)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()
    assert all(b"index" not in received for received in bench.received[port])


async def test_bytes_that_were_recognised_are_an_answer_even_if_it_hangs_up(bench):
    port = await bench.serve(says(b"", b""))
    line = await bench.dial(port)
    line.close()
    assert (await PROTOCOL.converse(line, message())).name == "winbox"


@pytest.mark.parametrize(("version", "expected"), [("6.42", ("6.42", "*")), ("7.4beta4", ("7.4", "beta4"))])
def test_the_product_is_routeros(version, expected):
    answer = parse(file("list", listed(version)))
    service = ServiceObservation(
        8291,
        Protocol.TCP,
        Method.NMAP,
        answer.name,
        answer.product,
        answer.version,
        cpes=answer.cpes,
        banner=answer.banner.decode(),
    )
    host = HostObservation(IPv4Address("192.0.2.1"), datetime.now(UTC), "syn-ack", services=(service,))
    (product,) = identify(host)
    assert product.cpe.name == ("o", "mikrotik", "routeros")
    assert (product.cpe.version, product.cpe.update) == expected


async def dial_as_winbox(bench, port):
    """A line that believes to be on WinBox's own port, where all three questions are asked."""
    line = await bench.dial(port, patience=0.2)
    line.port = 8291
    return line
