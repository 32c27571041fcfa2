"""Asking many hosts at once over UDP: who is heard, who is not, and what a hostile host can do."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from dataclasses import replace

import pytest
from scripted_udp import UdpBench, host

from netvigil.probing.interfaces import find_route
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.channel import MAX_BANNER, MAX_REPLIES, merge
from netvigil.probing.speak.datagrams import Listener, ask_all
from netvigil.probing.speak.keyed import KeyedProtocol
from netvigil.probing.speak.protocol import UdpProtocol
from netvigil.probing.vantage import LOCAL, Sockets

ID = 8
seen: list[bytes] = []


def parse(data: bytes) -> Answer | None:
    seen.append(data)
    head, _, rest = data[ID:].partition(b" ")
    return Answer("echo", rest, rest.decode("utf-8", "replace") or None) if head == b"yes" else None


def keyed(port: int, **more) -> KeyedProtocol:
    return KeyedProtocol(
        "echo",
        port,
        lambda _: secrets.token_bytes(ID) + b"ask",
        parse,
        key=lambda data: data[:ID] if len(data) > ID else None,
        **more,
    )


def plain(port: int, **more) -> UdpProtocol:
    return UdpProtocol("echo", port, lambda _: bytes(ID) + b"ask", parse, **more)


def says(word: str):
    return lambda data: [data[:ID] + b"yes " + word.encode()]


@pytest.fixture
async def bench():
    seen.clear()
    async with UdpBench() as made:
        yield made


async def ask(protocols, numbers, **more):
    async with Sockets(LOCAL) as sockets:
        settings = {"interface": None, "rate": 5000.0, "wait": 0.2} | more
        return await ask_all(sockets, protocols, [host(number) for number in numbers], **settings)


async def test_every_host_is_asked_and_the_silent_ones_once_more(bench):
    one = await bench.serve(1, says("one"))
    silent = await bench.serve(2)
    heard = await ask([keyed(bench.port)], [1, 2, 3])
    assert list(heard) == [host(1)]
    assert [(each.port, each.answer.product, each.raw[ID:]) for each in heard[host(1)]] == [
        (bench.port, "one", b"yes one")
    ]
    assert (len(one.received), len(silent.received)) == (1, 2)
    assert silent.received[0] != silent.received[1]


async def test_it_ends_when_all_have_answered(bench):
    await bench.serve(1, says("one"))
    start = time.monotonic()
    await ask([keyed(bench.port)], [1], wait=5.0)
    assert time.monotonic() - start < 1


async def test_a_host_that_answers_the_second_time_is_heard(bench):
    server = await bench.serve(1)
    server.script = lambda data: says("late")(data) if len(server.received) == 2 else []
    heard = await ask([plain(bench.port)], [1])
    assert heard[host(1)][0].answer.product == "late"


async def test_a_reply_from_an_address_that_was_not_asked_is_dropped(bench):
    stranger = await bench.serve(9)
    await bench.serve(1, says("spoofed"), through=stranger)
    assert await ask([plain(bench.port)], [1]) == {}


async def test_a_reply_from_another_address_counts_by_its_id_for_the_host_that_was_asked(bench):
    inside = await bench.serve(9)
    await bench.serve(1, says("gateway"), through=inside)
    heard = await ask([keyed(bench.port)], [1, 2])
    assert {address: found[0].answer.product for address, found in heard.items()} == {host(1): "gateway"}


async def test_a_reply_with_an_id_that_was_never_sent_is_dropped(bench):
    await bench.serve(1, lambda _: [b"guessed!yes forged"])
    assert await ask([keyed(bench.port)], [1]) == {}
    assert seen == []


async def test_no_host_can_answer_for_another_that_is_asked_too(bench):
    other = await bench.serve(2)
    await bench.serve(1, says("mine"), through=other)
    assert await ask([keyed(bench.port)], [1, 2]) == {}


async def test_a_flood_neither_fills_the_memory_nor_keeps_others_waiting(bench):
    block = b"yes " + b"x" * 1000
    await bench.serve(1, lambda data: [data[:ID] + block] * 5000)
    await bench.serve(2, says("two"))
    start = time.monotonic()
    heard = await ask([keyed(bench.port)], [1, 2], wait=0.5)
    assert time.monotonic() - start < 10
    assert {address: len(found) for address, found in heard.items()} == {host(1): 1, host(2): 1}
    assert len(seen) <= MAX_REPLIES + 2  # the other host may have been asked, and have answered, twice
    assert len(heard[host(1)][0].answer.banner) <= MAX_BANNER


async def test_the_largest_datagram_there_is_is_heard(bench):
    await bench.serve(1, lambda data: [data[:ID] + b"yes " + b"y" * 65_000])
    heard = await ask([keyed(bench.port)], [1])
    assert len(heard[host(1)][0].raw) == ID + 4 + 65_000


async def test_several_replies_make_one_answer(bench):
    await bench.serve(1, lambda data: [data[:ID] + b"yes first", data[:ID] + b"yes second"])
    await bench.serve(2)
    heard = await ask([plain(bench.port)], [1, 2])
    assert [each.answer.banner for each in heard[host(1)]] == [b"first\nsecond"]


async def test_the_rate_is_kept(bench):
    servers = [await bench.serve(number) for number in range(1, 11)]
    start = time.monotonic()
    await ask([plain(bench.port)], range(1, 11), rate=100.0, tries=3, wait=0.01)
    assert time.monotonic() - start > (30 - 5) / 100
    assert [len(server.received) for server in servers] == [3] * 10


async def test_others_and_also_are_sent_too(bench):
    server = await bench.serve(1)
    protocol = keyed(bench.port, also=(b"also",), others=lambda address: (str(address).encode(),))
    await ask([protocol], [1], tries=1)
    assert server.received[1:] == [str(host(1)).encode(), b"also"]


async def test_further_questions_replace_the_first_answer(bench):
    async def more(ask, answer):
        reply = await ask(b"12345678version")
        silent = await ask(b"87654321nothing")
        return replace(answer, version=f"{reply[ID:].decode()} {silent}")

    def script(data):
        if data[ID:] == b"version":
            return [data[:ID] + b"1.2"]
        return says("one")(data) if data[ID:] == b"ask" else []

    await bench.serve(1, script)
    heard = await ask([keyed(bench.port, more=more)], [1])
    assert (heard[host(1)][0].answer.product, heard[host(1)][0].answer.version) == ("one", "1.2 None")


async def test_further_questions_have_an_end(bench):
    async def more(ask, answer):
        while True:
            await ask(secrets.token_bytes(ID) + b"again")

    await bench.serve(1, lambda data: says("one")(data) if data.endswith(b"ask") else [])
    start = time.monotonic()
    heard = await ask([keyed(bench.port, more=more)], [1])
    assert time.monotonic() - start < 4
    assert heard[host(1)][0].answer.product == "one"


async def test_loopback_has_no_groups(bench):
    server = await bench.serve(1)
    interface = find_route(host(1)).interface
    heard = await ask([plain(bench.port, group="255.255.255.255")], [1], interface=interface, tries=1)
    assert interface.loopback
    assert (heard, len(server.received)) == ({}, 1)


async def test_an_occupied_source_port_is_no_obstacle(bench):
    await bench.serve(1, says("one"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as occupied:
        occupied.bind(("0.0.0.0", 0))
        heard = await ask([plain(bench.port, source_port=occupied.getsockname()[1])], [1])
    assert host(1) in heard


async def test_a_listener_hears_what_nobody_asked_for(bench):
    protocol = plain(7, source_port=bench.port)
    async with Sockets(LOCAL) as sockets, Listener(sockets, protocol, None) as listener:
        for number in (1, 2):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
                device.bind((str(host(number)), 0))
                device.sendto(bytes(ID) + b"yes unasked", ("127.0.0.1", bench.port))
        await asyncio.sleep(0.05)
    heard = listener.collect([host(1), host(3)])
    assert {address: found[0].answer.product for address, found in heard.items()} == {host(1): "unasked"}


async def test_a_listener_without_its_port_says_so(bench):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as occupied:
        occupied.bind(("0.0.0.0", bench.port))
        async with Sockets(LOCAL) as sockets:
            async with Listener(sockets, plain(7, source_port=bench.port), None) as listener:
                pass
            assert str(bench.port) in listener.fault


def test_of_two_answers_the_one_with_more_stays_and_takes_what_it_lacks():
    less = Answer("x", b"words", mac="00:11:22:33:44:55", facts={"a": "1", "b": "2"})
    more = Answer("x", product="P", version="1", facts={"b": "3"})
    for one, two in ((less, more), (more, less)):
        merged = merge(one, two)
        assert (merged.product, merged.mac, merged.banner) == ("P", "00:11:22:33:44:55", b"words")
        assert merged.facts == {"a": "1", "b": "3"}
