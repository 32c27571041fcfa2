from __future__ import annotations

import asyncio
import resource
import socket
import time
from ipaddress import IPv4Address

import pytest
from small_devices import HOME

from netvigil.probing.connect import Connector, Outcome, Pacer
from netvigil.probing.vantage import LOCAL, Sockets

HERE = IPv4Address(f"{HOME}.2.1")


async def connect(pairs, **changes):
    outcomes = {}
    settings = {"timeout": 1.0, "at_once": 256, "rate": None} | changes
    async with Sockets(LOCAL) as sockets:
        connector = Connector(sockets, lambda a, p, o: outcomes.__setitem__((a, p), o), **settings)
        await connector.run(pairs)
    return outcomes, connector


async def test_open_and_closed_ports_are_told_apart(devices):
    await devices.listen(f"{HOME}.2.1", 8081)
    outcomes, _ = await connect([(HERE, 8081), (HERE, 8082)])
    assert outcomes == {(HERE, 8081): Outcome.OPEN, (HERE, 8082): Outcome.CLOSED}
    assert devices.received == {}


async def test_every_port_of_a_host_in_a_few_seconds_without_meeting_itself(devices):
    for port in (21, 2222, 41000, 50022, 60999):
        await devices.listen(f"{HOME}.2.1", port)
    began = time.monotonic()
    outcomes, connector = await connect((HERE, port) for port in range(1, 65536))
    found = sorted(port for (_, port), outcome in outcomes.items() if outcome is Outcome.OPEN)
    assert {21, 2222, 41000, 50022, 60999} <= set(found)
    assert len(found) < 60  # the machine's own wildcard listeners show here as well
    assert len(outcomes) == 65535
    assert connector.skipped == 0
    assert time.monotonic() - began < 60


async def test_a_full_backlog_is_silence():
    with socket.socket() as listener:
        listener.bind((f"{HOME}.2.2", 8083))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - the socket module's own form
            filler.connect_ex((f"{HOME}.2.2", 8083))
        outcomes, _ = await connect([(IPv4Address(f"{HOME}.2.2"), 8083)], timeout=0.3)
        for filler in fillers:
            filler.close()
    assert list(outcomes.values()) == [Outcome.SILENT]


async def test_few_descriptors_slow_it_down_and_lose_nothing(devices):
    for port in range(9200, 9240):
        await devices.listen(f"{HOME}.2.3", port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    address = IPv4Address(f"{HOME}.2.3")
    blocker = [socket.socket() for _ in range(40)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(blocker[-1].fileno() + 6, 64), hard))
        task = asyncio.create_task(connect([(address, port) for port in range(9200, 9240)]))
        await asyncio.sleep(0.3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        outcomes, _ = await task
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in blocker:
            one.close()
    assert set(outcomes.values()) == {Outcome.OPEN}
    assert len(outcomes) == 40


async def test_the_rest_of_a_vanished_host_is_skipped():
    # The limited broadcast takes no connection: the kernel says at once that there is no way to it.
    nobody = IPv4Address("255.255.255.255")
    outcomes, connector = await connect([(nobody, port) for port in range(1, 40)], at_once=8)
    assert Outcome.UNREACHABLE in outcomes.values()
    assert connector.skipped >= 20


async def test_the_rate_is_kept():
    pacer = Pacer(200)
    began = time.monotonic()
    for _ in range(41):
        await pacer.wait()
    assert 0.19 <= time.monotonic() - began < 0.6


async def test_cancellation_ends_a_sweep_at_once():
    task = asyncio.create_task(connect(((HERE, port) for port in range(1, 65536)), rate=100))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 0.5
