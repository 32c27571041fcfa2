"""Redis, its kin, and memcached: open and refused, and every byte that they are asked."""

from __future__ import annotations

import asyncio

import pytest
from scripted import says

from netvigil.probing.speak.tcp import memcached, redis

INFO = b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"
QUIT = b"*1\r\n$4\r\nQUIT\r\n"


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


SERVER = (
    b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux 6.1.0 x86_64\r\narch_bits:64\r\n"
)
VALKEY = b"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n"


def test_info_gives_version_mode_and_system():
    answer = redis.parse(bulk(SERVER))
    assert (answer.product, answer.version, answer.os_name) == ("Redis key-value store", "7.0.15", "Linux")
    assert answer.cpes == ("cpe:/a:redis:redis:7.0.15",)
    assert answer.facts["access"] == "open"
    assert b"redis_version:7.0.15" in answer.banner


def test_a_fork_is_not_the_redis_that_it_is_compatible_with():
    answer = redis.parse(bulk(VALKEY))
    assert (answer.product, answer.version) == ("Valkey key-value store", "8.0.1")
    assert b"7.2.4" not in answer.banner
    assert answer.facts["compatible_with"] == "Redis 7.2.4"


@pytest.mark.parametrize(
    ("said", "access"),
    [
        (b"-NOAUTH Authentication required.\r\n", "password"),
        (b"-ERR operation not permitted\r\n", "password"),
        (b"-DENIED Redis is running in protected mode because ...\r\n", "protected mode"),
        (b"-ERR wrong number of arguments for 'get' command\r\n", "refused"),
    ],
)
def test_a_refusal_shows_redis_without_a_version(said, access):
    answer = redis.parse(said)
    assert (answer.product, answer.version, answer.facts) == (
        "Redis key-value store",
        None,
        {"access": access},
    )
    assert redis.recognise(said)


@pytest.mark.parametrize(
    "said",
    [
        b"-ERR unknown command\r\n",
        b"+OK\r\n",
        b"$-1\r\n",
        b"$99999\r\nx",
        b"$5\r\nhello\r\n",
        b"HTTP/1.1 400\r\n",
    ],
)
def test_others_answers_are_not_redis(said):
    assert not redis.recognise(said)
    assert redis.parse(said) is None


async def test_redis_is_asked_for_info_and_left(bench):
    port = await bench.serve(says(b"", bulk(SERVER), b"+OK\r\n"))
    line = await bench.dial(port)
    answer = await redis.PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version == "7.0.15"
    assert bench.received[port] == [INFO + QUIT]


async def test_redis_that_was_asked_in_http_is_asked_again_on_a_new_line(bench):
    connections = 0

    async def daemon(reader, writer):
        nonlocal connections
        connections += 1
        first = await reader.read(1000)
        if first.startswith(b"GET"):
            writer.write(b"-ERR wrong number of arguments for 'get' command\r\n")
            return
        writer.write(bulk(SERVER))
        await reader.read(1000)
        writer.write(b"+OK\r\n")
        await reader.read(1000)

    port = await bench.serve(daemon)
    line = await bench.dial(port)
    heard = await line.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert redis.PROTOCOL.recognises(heard)
    answer = await redis.PROTOCOL.converse(line, heard)
    line.close()
    assert (answer.version, connections) == ("7.0.15", 2)
    assert bench.received[port][1] == INFO + QUIT


async def test_a_bulk_that_is_cut_short_is_read_as_far_as_it_goes(bench):
    async def cut(reader, writer):
        await reader.read(100)
        writer.write(b"$900\r\n" + SERVER)
        await asyncio.sleep(0)

    port = await bench.serve(cut)
    line = await bench.dial(port)
    answer = await redis.PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version == "7.0.15"


@pytest.mark.parametrize(
    ("said", "version", "extra"),
    [(b"VERSION 1.6.18\r\n", "1.6.18", None), (b"VERSION 1.4.25 Ubuntu\r\n", "1.4.25", "Ubuntu")],
)
async def test_memcached_is_asked_for_its_version_and_left(bench, said, version, extra):
    port = await bench.serve(says(b"", said))
    line = await bench.dial(port)
    answer = await memcached.PROTOCOL.converse(line, b"")
    line.close()
    await asyncio.sleep(0.05)
    assert (answer.product, answer.version, answer.extra_info) == ("Memcached", version, extra)
    assert answer.cpes == (f"cpe:/a:memcached:memcached:{version}",)
    assert bench.received[port] == [b"version\r\nquit\r\n"]


@pytest.mark.parametrize("said", [b"ERROR\r\n", b"", b"VERSION \r\n", b"VERSION x\r\n", b"\xff\xfe"])
def test_others_answers_are_not_memcached(said):
    assert memcached.parse(said) is None
    assert not memcached.recognise(said)
