"""DNS over TCP: the version of the server, or that it keeps it."""

from __future__ import annotations

import struct

import pytest
from scripted import says

from netvigil.probing.speak.dns_message import CH, TXT, encode_name, parse_message
from netvigil.probing.speak.tcp.dns_tcp import PROTOCOL, parse

QUESTION = encode_name("version.bind") + struct.pack(">2H", TXT, CH)


def reply(number: int, words: bytes | None, rcode: int = 0) -> bytes:
    message = struct.pack(">6H", number, 0x8500 | rcode, 1, words is not None, 0, 0) + QUESTION
    if words is not None:
        message += (
            b"\xc0\x0c" + struct.pack(">2HIH", TXT, CH, 0, len(words) + 1) + bytes([len(words)]) + words
        )
    return struct.pack(">H", len(message)) + message


@pytest.mark.parametrize(
    ("words", "product", "version"),
    [
        (b"9.18.49-1~deb12u3-Debian", "ISC BIND", "9.18.49-1~deb12u3"),
        (b"unbound 1.17.1", "Unbound", "1.17.1"),
        (b"dnsmasq-2.90", "dnsmasq", "2.90"),
        (b"none of your business", None, None),
    ],
)
def test_the_version_is_read(words, product, version):
    answer = parse(reply(5, words), 5)
    assert (answer.name, answer.product, answer.version, answer.banner) == ("domain", product, version, words)
    assert answer.complete


def test_a_refusal_is_an_answer_that_nobody_need_ask_for_again():
    answer = parse(reply(5, None, 5), 5)
    assert (answer.name, answer.product, answer.complete) == ("domain", None, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        reply(6, b"unbound 1.17.1"),
        reply(5, b"x")[:-1],
        b"\0\x0e" + struct.pack(">6H", 5, 0, 0, 0, 0, 0),
    ],
)
def test_what_is_no_reply_to_ours_is_nothing(data):
    assert parse(data, 5) is None


async def test_one_question_is_asked(bench):
    async def script(reader, writer):
        query = await reader.read(512)
        writer.write(reply(int.from_bytes(query[2:4], "big"), b"unbound 1.22.0"))
        await reader.read()

    port = await bench.serve(script)
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version == "1.22.0"
    sent = bench.received[port][0]
    assert int.from_bytes(sent[:2], "big") == len(sent) - 2
    asked = parse_message(sent[2:])
    assert [(q.name, q.type, q.class_) for q in asked.questions] == [("version.bind", TXT, CH)]


async def test_what_greets_is_not_dns(bench):
    port = await bench.serve(says(b"220 ftp\r\n"))
    line = await bench.dial(port)
    assert await PROTOCOL.converse(line, await line.read()) is None
    line.close()
    assert bench.received[port] == [b""]
