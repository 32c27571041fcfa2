"""Starts and stops the lab: one listener per service of every device."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from netvigil.errors import EnvironmentFault
from netvigil.lab.conversation import Conversation
from netvigil.lab.greeters import greeter_for
from netvigil.lab.truth import LabHost, LabService, LabTruth, load_truth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from netvigil.lab.conversation import Greeter

PRIVILEGED_BELOW = 1024
_GUARD_PORT = 49377  # bound and never listened on: closed to every scan, but only one lab can hold it
_BACKLOG = 256
_CLOSE_SECONDS = 5.0


class Lab:
    """A running lab. `hosts` carry the ports in force, `alternate` says whether low ports had to be replaced."""

    def __init__(self, truth: LabTruth, *, alternate: bool = False) -> None:
        self._truth = truth
        self._only_alternate = alternate
        self._guard: socket.socket | None = None
        self._servers: list[asyncio.Server] = []
        self._talks: set[asyncio.Task[None]] = set()
        self.printed = 0
        """Bytes sent to print ports; a scanner that behaves leaves it at 0."""

    @classmethod
    @asynccontextmanager
    async def start(cls, subnet: str | None = None, *, alternate: bool = False) -> AsyncIterator[Lab]:
        """Serve the lab until the block is left.

        `subnet` is a /28 inside 127.0.0.0/8, None for the home network 127.77.0.0/28. With `alternate` no port
        below 1024 is used, as if without privileges; otherwise just those ports are replaced that cannot be bound. Raises
        EnvironmentFault when another lab runs there, or the addresses do not exist on this computer.
        """
        truth = load_truth()
        lab = cls(truth.moved_to(IPv4Network(subnet)) if subnet else truth, alternate=alternate)
        try:
            await lab._open()
            yield lab
        finally:
            await lab.stop()

    @property
    def subnet(self) -> str:
        """The network of all devices, such as `127.77.0.0/28`."""
        return str(self._truth.subnet)

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """The devices, each service with the port that it really listens on."""
        return self._truth.hosts

    @property
    def alternate(self) -> bool:
        """Whether any service listens on its alternate port."""
        return any(s.port == s.alternate_port for host in self.hosts for s in host.services)

    def truth(self) -> dict[str, Any]:
        """The form of `truth.json` with the ports in force, and `printed`, the bytes sent to print ports."""
        return self._truth.as_json() | {"alternate": self.alternate, "printed": self.printed}

    async def stop(self) -> None:
        """Close every port and connection; a second call does nothing."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        for server in servers:
            await server.wait_closed()
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    async def _open(self) -> None:
        self._guard = self._hold_network()
        hosts = []
        for host in self._truth.hosts:
            services = [await self._serve(host, service) for service in host.services]
            hosts.append(replace(host, services=tuple(services)))
        self._truth = replace(self._truth, hosts=tuple(hosts))

    def _hold_network(self) -> socket.socket:
        """Take the guard port, so that two labs never share a network half and half."""
        address = self._truth.hosts[0].ip
        guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            guard.bind((str(address), _GUARD_PORT))
        except OSError as error:
            guard.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise _no_such_address(address) from error
            raise EnvironmentFault(
                f"Another lab is already running in {self.subnet}; stop it first."
            ) from error
        return guard

    async def _serve(self, host: LabHost, service: LabService) -> LabService:
        """Listen for one service on its port, or on its alternate where that one is not to be had."""
        greeter = greeter_for(host, service)
        low = service.port < PRIVILEGED_BELOW
        ports = (
            (service.alternate_port,)
            if low and self._only_alternate
            else (service.port, service.alternate_port)
        )
        fault: OSError | None = None
        for port in ports:
            try:
                server = await self._listen(host.ip, port, service, greeter)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise _no_such_address(host.ip) from error
                fault = error
            else:
                self._servers.append(server)
                return replace(service, port=port)
        tried = " and ".join(str(port) for port in ports)
        raise EnvironmentFault(
            f"The lab cannot listen on {host.ip}: port {tried} is taken by another program."
        ) from fault

    async def _listen(
        self, address: IPv4Address, port: int, service: LabService, greeter: Greeter
    ) -> asyncio.Server:
        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A task of our own, since asyncio's would outlive the server it belongs to.
            talk = asyncio.ensure_future(self._talk(reader, writer, service, greeter))
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)

        return await asyncio.start_server(welcome, str(address), port, backlog=_BACKLOG)

    async def _talk(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        service: LabService,
        greeter: Greeter,
    ) -> None:
        talk = Conversation(reader, writer, self._note_print if service.speaks == "print-port" else None)
        try:
            with contextlib.suppress(OSError):  # a client may leave at any moment
                await greeter(talk)
        except asyncio.CancelledError:
            writer.transport.abort()  # a client that does not read must not hold up the end
            raise
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _CLOSE_SECONDS)

    def _note_print(self, size: int) -> None:
        self.printed += size


def _no_such_address(address: IPv4Address) -> EnvironmentFault:
    return EnvironmentFault(
        f"The lab needs the loopback address {address}, which this computer does not have (macOS has only 127.0.0.1); "
        f"add it and its neighbours with `sudo ifconfig lo0 alias {address} up`, or try the lab on Linux."
    )
