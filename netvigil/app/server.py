"""The HTTP server around the app: bound before anything starts, ended by signals in good order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from netvigil.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises a caught signal again when it is done, which would end us before the database is
        # stopped; whoever runs the server listens for signals instead.
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises EnvironmentFault with one sentence when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        raise EnvironmentFault(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another with --host and --port."
        ) from None
    return listener


async def serve_until(app: FastAPI, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve requests until `stop` is set, then finish those in hand for a few seconds."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        app.state.streams.close()  # they would not end by themselves
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT, SIGTERM and the end of the terminal set (the last one not under nohup)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    return stop
