"""A first look at an open port: does it greet, does it answer a plain HTTP request, or does it say nothing?"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from netvigil.probing.ports import BINARY_PORTS, FRAGILE_PORTS

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable
    from ipaddress import IPv4Address

    from netvigil.probing.context import ProbeContext

_KEPT = 8 * 1024
_CONNECT_WAIT = 4.0
_QUIET = 0.25  # after the first bytes, this long without more ends the reading
_READING = 2.0  # and this long in all: a device that never stops talking gets no more


class Look(StrEnum):
    """How a port took a first look."""

    GREETED = "greeted"  # spoke by itself
    ANSWERED = "answered"  # spoke when asked, or hung up on the question
    SILENT = "silent"  # took everything and said nothing
    GONE = "gone"  # refused or dropped the connection now
    FRAGILE = "fragile"  # not spoken to, on purpose


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What came of one look; `data` are the first bytes (at most 8 kB) as sent."""

    look: Look
    data: bytes = b""


Looks = dict[int, FirstLook]


async def look_at_host(
    address: IPv4Address, ports: Iterable[int], context: ProbeContext, at_once: asyncio.Semaphore
) -> Looks:
    """A look at each of these ports, a few at a time; `at_once` is shared by all hosts. Fragile ports are left alone."""
    few = asyncio.Semaphore(context.limits.looks_per_host)
    looks: Looks = {}

    async def look(port: int) -> None:
        if port in FRAGILE_PORTS:
            looks[port] = FirstLook(Look.FRAGILE)
            return
        async with few, at_once:
            looks[port] = await _look(address, port, context)

    async with asyncio.TaskGroup() as group:
        for port in ports:
            group.create_task(look(port))
    return looks


async def _look(address: IPv4Address, port: int, context: ProbeContext) -> FirstLook:
    loop = asyncio.get_running_loop()
    try:
        connection = await context.sockets.open()
    except OSError:
        return FirstLook(Look.GONE)
    try:
        async with asyncio.timeout(_CONNECT_WAIT):
            await loop.sock_connect(connection, (str(address), port))
        return await _converse(connection, address, port, context)
    except OSError:  # TimeoutError is one
        return FirstLook(Look.GONE)
    finally:
        connection.close()


async def _converse(
    connection: socket.socket, address: IPv4Address, port: int, context: ProbeContext
) -> FirstLook:
    greeting = await _read(connection, context.limits.greeting_wait)
    if greeting:
        return FirstLook(Look.GREETED, greeting)
    if greeting is not None:
        return FirstLook(Look.ANSWERED)  # hung up without a word
    if port in BINARY_PORTS:
        return FirstLook(Look.SILENT)
    request = f"GET / HTTP/1.0\r\nHost: {address}\r\nUser-Agent: netvigil\r\nAccept: */*\r\n\r\n"
    try:
        await asyncio.get_running_loop().sock_sendall(connection, request.encode())
    except OSError:
        return FirstLook(Look.ANSWERED)
    answer = await _read(connection, context.limits.answer_wait)
    return FirstLook(Look.SILENT) if answer is None else FirstLook(Look.ANSWERED, answer)


async def _read(connection: socket.socket, wait: float) -> bytes | None:
    """The first bytes; empty when the other side closed, None when it said nothing in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(wait):
            data = await loop.sock_recv(connection, _KEPT)
    except TimeoutError:
        return None
    except OSError:
        return b""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(_READING):
            while data and len(data) < _KEPT:
                async with asyncio.timeout(_QUIET):
                    more = await loop.sock_recv(connection, _KEPT - len(data))
                if not more:
                    break
                data += more
    return data
