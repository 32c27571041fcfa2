"""Read a router's table of addresses and MACs through SNMP v2c, by GetBulk walks (RFC 3416; IP-MIB, RFC 4293).

DHCP's names are not there: no MIB of RouterOS's, and no standard one, lists leases by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from netvigil.errors import ProbeFault
from netvigil.probing.router.tables import Neighbour, RouterResource, RouterTables, build_tables
from netvigil.probing.speak.snmp_message import encode_get, encode_get_bulk, parse_oid, parse_response
from netvigil.probing.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Address

    from netvigil.probing.router.credentials import SnmpCommunity
    from netvigil.probing.speak.snmp_message import Oid, Response, Value
    from netvigil.probing.vantage import Sockets

MAX_ROWS: Final = 100_000

# ipNetToMediaPhysAddress and its type, by interface and address; ipNetToPhysicalPhysAddress and its type, by
# interface, kind of address (1 is IPv4), its length and itself.
_MEDIA_MAC: Final = parse_oid("1.3.6.1.2.1.4.22.1.2")
_MEDIA_TYPE: Final = parse_oid("1.3.6.1.2.1.4.22.1.4")
_PHYSICAL_MAC: Final = parse_oid("1.3.6.1.2.1.4.35.1.4")
_PHYSICAL_TYPE: Final = parse_oid("1.3.6.1.2.1.4.35.1.6")
_INVALID: Final = 2
_IPV4: Final = (1, 4)

_SYS_NAME: Final = parse_oid("1.3.6.1.2.1.1.5.0")
_MIKROTIK_VERSION: Final = parse_oid("1.3.6.1.4.1.14988.1.1.4.4.0")
_MIKROTIK_BOARD: Final = parse_oid("1.3.6.1.4.1.14988.1.1.7.8.0")

_TRIES: Final = 3
_REPETITIONS: Final = 25
_MAC_BYTES: Final = 6


async def read_by_snmp(
    sockets: Sockets,
    address: IPv4Address,
    login: SnmpCommunity,
    *,
    max_rows: int = MAX_ROWS,
    wait: float = 1.5,
) -> RouterTables:
    """The router's tables, of at most `max_rows` in all, each answer within `wait` seconds; raises ProbeFault."""
    async with _Agent(sockets, address, login, max_rows, wait) as agent:
        resource = await _read_resource(agent)
        media = await _read_table(agent, _MEDIA_MAC, _MEDIA_TYPE, _media_address)
        physical = await _read_table(agent, _PHYSICAL_MAC, _PHYSICAL_TYPE, _physical_address)
    return build_tables((*media, *physical), resource=resource)


class _Mailbox(asyncio.DatagramProtocol):
    """Hands over the answer that is waited for and drops everything else."""

    def __init__(self) -> None:
        self.number = -1
        self.answer: asyncio.Future[Response] | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio's form
        response = parse_response(data)
        # A router with many addresses may answer from another one than was asked: the number decides.
        if response is None or response.request_id != self.number:
            return
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(response)


class _Agent:
    """Asks one agent, one question after the other."""

    def __init__(
        self, sockets: Sockets, address: IPv4Address, login: SnmpCommunity, max_rows: int, wait: float
    ) -> None:
        self._sockets = sockets
        self._address = address
        self._login = login
        self._max_rows = max_rows
        self._wait = wait
        self._numbers = itertools.count(secrets.randbelow(2**30) + 1)
        self._mailbox = _Mailbox()
        self._transport: asyncio.DatagramTransport | None = None
        self._rows = 0

    async def __aenter__(self) -> Self:
        opened = await self._sockets.open(socket.SOCK_DGRAM)
        try:
            # Bound here, so that it can receive before it has sent.
            opened.bind(("", 0))
            self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self._mailbox, sock=opened
            )
        except BaseException:
            opened.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()

    async def get(self, oids: Sequence[Oid]) -> Response:
        """The answer to a GetRequest; raises ProbeFault when none comes."""
        return await self._ask(partial(encode_get, oids=oids))

    async def walk(self, column: Oid) -> dict[Oid, Value]:
        """A column of a table: its values by what follows the column's name; raises ProbeFault."""
        values: dict[Oid, Value] = {}
        last = column
        while True:
            response = await self._ask(partial(encode_get_bulk, oids=(last,), max_repetitions=_REPETITIONS))
            for binding in response.bindings:
                # An agent that names anything twice or backwards would be walked for ever.
                if binding.oid[: len(column)] != column or binding.oid <= last:
                    return values
                last = binding.oid
                values[last[len(column) :]] = binding.value
            self._rows += len(response.bindings)
            if response.error or not response.bindings:
                return values
            if self._rows > self._max_rows:
                raise ProbeFault(f"The router {self._address} lists more than {self._max_rows:,} rows.")

    async def _ask(self, encode: Callable[[bytes, int], bytes]) -> Response:
        assert self._transport is not None  # noqa: S101 - entered
        number = self._mailbox.number = next(self._numbers)
        community = self._login.community.encode("utf-8", "replace")
        answer = self._mailbox.answer = asyncio.get_running_loop().create_future()
        for _ in range(_TRIES):
            self._transport.sendto(encode(community, number), (str(self._address), self._login.port))
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(answer), self._wait)
        raise ProbeFault(
            f"The router {self._address} does not answer SNMP on port {self._login.port}: it is off there, "
            "or refuses the site's community."
        )


async def _read_resource(agent: _Agent) -> RouterResource | None:
    response = await agent.get((_SYS_NAME, _MIKROTIK_VERSION, _MIKROTIK_BOARD))
    told = {binding.oid: _text(binding.value) for binding in response.bindings}
    resource = RouterResource(told.get(_MIKROTIK_VERSION), told.get(_MIKROTIK_BOARD), told.get(_SYS_NAME))
    return resource if resource != RouterResource() else None


async def _read_table(
    agent: _Agent, macs: Oid, types: Oid, address_of: Callable[[Oid], str | None]
) -> list[Neighbour]:
    """The valid rows of one of the two tables; none where the agent has no such table."""
    rows = await agent.walk(macs)
    kinds = await agent.walk(types) if rows else {}
    return [
        Neighbour(address, value.hex())
        for index, value in rows.items()
        if isinstance(value, bytes)
        and len(value) == _MAC_BYTES
        and kinds.get(index) != _INVALID
        and (address := address_of(index)) is not None
    ]


def _media_address(index: Oid) -> str | None:
    return ".".join(map(str, index[1:])) if len(index) == 1 + 4 else None


def _physical_address(index: Oid) -> str | None:
    return ".".join(map(str, index[3:])) if index[1:3] == _IPV4 and len(index) == 3 + 4 else None


def _text(value: Value) -> str | None:
    return clean_text(value.decode("utf-8", "replace"), 255) if isinstance(value, bytes) else None
