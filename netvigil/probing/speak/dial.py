"""Open a line from a vantage to a port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from netvigil.probing.speak.line import Line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address

    from netvigil.probing.vantage import Sockets


class Dialler(Protocol):
    """Opens lines to one host (`gate.HostGate`)."""

    async def dial(self, port: int, *, tls: bool = False, patience: float | None = None) -> Line | None:
        """A connected line or None."""


CONNECT_WAIT = 4.0  # seconds: a lost SYN is repeated after one, and again after two more


async def dial(
    sockets: Sockets,
    address: IPv4Address,
    port: int,
    *,
    patience: float = 2.5,
    tls: bool = False,
    again: Callable[[], Awaitable[Line | None]] | None = None,
) -> Line | None:
    """A connected line, after the TLS handshake if `tls`; None when the port refuses, is silent or speaks no TLS.

    `again` opens the line's further connections to the port, where those are counted and paced; by default as this one.
    """
    try:
        opened = await sockets.open()
    except OSError:
        return None
    try:
        async with asyncio.timeout(CONNECT_WAIT):
            await asyncio.get_running_loop().sock_connect(opened, (str(address), port))
    except OSError:  # TimeoutError is one
        opened.close()
        return None
    except BaseException:
        opened.close()
        raise

    async def reopen() -> Line | None:
        return await dial(sockets, address, port, patience=patience, tls=tls)

    line = Line(address, port, opened, patience=patience, reopen=again or reopen)
    try:
        if tls and not await line.start_tls():
            line.close()
            return None
    except BaseException:
        line.close()
        raise
    return line
