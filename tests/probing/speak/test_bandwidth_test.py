"""RouterOS' bandwidth test: its hello, and silence of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import says

from netvigil.probing.speak.tcp.bandwidth_test import PROTOCOL, parse, recognise


async def test_the_hello_is_enough_and_nothing_is_sent(bench):
    port = await bench.serve(says(b"\x01\x00\x00\x00"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.name, answer.product, answer.version) == (
        "bandwidth-test",
        "MikroTik bandwidth-test server",
        None,
    )
    assert bench.received[port] == [b""]


async def test_a_hello_in_two_pieces(bench):
    port = await bench.serve(says(b"\x01\x00\x00\x00"))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, await line.read_exactly(1))).name == "bandwidth-test"
    line.close()


@pytest.mark.parametrize("data", [b"", b"\x01\x00\x00", b"\x01\x00\x00\x00\x02", b"\x02\x00\x00\x00"])
def test_anything_else_is_not(data):
    assert parse(data) is None


@given(st.binary(max_size=8))
def test_any_bytes_are_survived(data):
    assert (parse(data) is not None) is recognise(data)
