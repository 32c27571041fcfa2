"""The RouterOS API's port: proof without a login, and nothing that could be mistaken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import says

from netvigil.probing.speak.tcp.routeros_api import PROTOCOL, parse, recognise


def sentence(*words: str) -> bytes:
    return b"".join(bytes([len(word)]) + word.encode() for word in words) + b"\x00"


FATAL = sentence("!fatal", "not logged in")
CHALLENGE = sentence("!done", "=ret=" + "ab" * 16)


@pytest.mark.parametrize(
    "data",
    [
        FATAL,
        sentence("!fatal", "session terminated on request"),
        CHALLENGE,
        sentence("!trap", "=message=not logged in") + sentence("!done"),
        b"\x80\x05!done\x00",  # a length that is written longer than it must be
    ],
)
def test_a_sentence_is_proof(data):
    assert recognise(data)
    answer = parse(data)
    assert (answer.name, answer.product, answer.version) == ("routeros-api", "MikroTik RouterOS API", None)
    assert answer.cpes == ("cpe:/o:mikrotik:routeros",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x06!fatal",  # cut off
        b"\x05!done\x06hello!\x00",
        b"\xf0\xff\xff\xff\xff!done\x00",
        b"\xef\xff\xff\xff!done\x00",
        b"\x05/quit\x00",  # our own words, sent back
        b"HTTP/1.0 400 Bad Request\r\n\r\n",
    ],
)
def test_anything_else_is_not(data):
    assert not recognise(data)
    assert parse(data) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data):
    assert (parse(data) is None) is not recognise(data)


@given(st.integers(0, len(CHALLENGE)), st.binary(max_size=8))
def test_a_damaged_sentence_is_survived(at, noise):
    damaged = CHALLENGE[:at] + noise + CHALLENGE[at + len(noise) :]
    answer = parse(damaged)
    assert answer is None or len(answer.banner) <= 16 * 1024


async def test_it_takes_leave_and_never_logs_in(bench):
    port = await bench.serve(says(b"", FATAL))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.banner == b"!fatal not logged in"
    assert bench.received[port] == [b"\x05/quit\x00"]


async def test_an_old_router_is_asked_for_its_challenge_only(bench):
    async def script(reader, writer):
        while data := await reader.read(4096):
            if b"/login" in data:
                writer.write(CHALLENGE[:9])
                await writer.drain()
                writer.write(CHALLENGE[9:])

    port = await bench.serve(script)
    line = await bench.dial(port, patience=0.2)
    line.port = 8728
    assert (await PROTOCOL.converse(line, b"")).name == "routeros-api"
    line.close()
    assert bench.received[port] == [b"\x05/quit\x00\x06/login\x00"]


@pytest.mark.parametrize("turn", [b"", b"220 ready\r\n", b"\xef\xff\xff\xff" + b"!" * 200_000])
async def test_something_else_is_left_alone(bench, turn):
    port = await bench.serve(says(b"", turn))
    line = await bench.dial(port, patience=0.2)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()
    assert bench.received[port] == [b"\x05/quit\x00"]
