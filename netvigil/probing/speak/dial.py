"""Open a line from a vantage to a port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netvigil.probing.speak.line import Line

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from netvigil.probing.vantage import Sockets

CONNECT_WAIT = 4.0  # seconds: a lost SYN is repeated after one, and again after two more


async def dial(
    sockets: Sockets, address: IPv4Address, port: int, *, patience: float = 2.5, tls: bool = False
) -> Line | None:
    """A connected line, after the TLS handshake if `tls`; None when the port refuses, is silent or speaks no TLS."""
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

    line = Line(address, port, opened, patience=patience, reopen=reopen)
    try:
        if tls and not await line.start_tls():
            line.close()
            return None
    except BaseException:
        line.close()
        raise
    return line
