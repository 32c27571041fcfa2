"""Read a router through the RouterOS API, with librouteros doing the protocol; nothing but `print` is ever asked.

librouteros is put together by hand around a socket of ours, for four reasons: the socket must live at the site's
vantage; its own sentences log the password; its words may be of any length and number; and it turns a host called
`yes` into a truth. Its asynchronous half is taken, so that a scan that is stopped stops this too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Final

from librouteros.api import AsyncApi
from librouteros.connections import AsyncSocketTransport
from librouteros.exceptions import (
    ConnectionClosed,
    FatalError,
    LibRouterosError,
    ProtocolError,
    TrapError,
)
from librouteros.login import async_token
from librouteros.protocol import AsyncApiProtocol, encode_sentence

from netvigil.errors import ProbeFault
from netvigil.probing.router.tables import Lease, Neighbour, RouterResource, RouterTables, build_tables
from netvigil.probing.text import clean_text

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from ipaddress import IPv4Address

    from librouteros.types import ReplyDict, Response, ROSType

    from netvigil.probing.router.credentials import RouterOsLogin
    from netvigil.probing.vantage import Sockets

MAX_ROWS: Final = 100_000
_MAX_WORD: Final = 64 * 1024  # bytes
_MAX_BYTES: Final = 64 * 1024 * 1024  # of a whole reading; a hundred thousand rows take ten
_MAX_WORDS: Final = 256  # of one sentence
_MAX_REPLY: Final = 16  # bytes of its first word; the longest is `!empty`
_CONNECT_WAIT: Final = 5.0  # seconds
_DONE_WAIT: Final = 2.0  # after a refusal
_UNUSABLE: Final = frozenset({"failed", "incomplete", "invalid"})


class _Refused(Exception):
    """The router said no to one command."""


class _Endless(Exception):
    """The router lists more rows than there can be."""


async def read_by_api(
    sockets: Sockets, address: IPv4Address, login: RouterOsLogin, *, max_rows: int = MAX_ROWS
) -> RouterTables:
    """The router's tables, of at most `max_rows` each; raises ProbeFault."""
    try:
        async with _connect(sockets, address, login) as api:
            api.max_rows = max_rows
            await _log_in(api, address, login)
            try:
                neighbours = await _print(
                    api, "/ip/arp", "address,mac-address,complete,invalid,disabled,published,status"
                )
            except _Refused:
                raise ProbeFault(
                    f"The router {address} does not let the site's login read its ARP table."
                ) from None
            leases = await _print_if_allowed(
                api,
                "/ip/dhcp-server/lease",
                "active-address,active-mac-address,address,mac-address,host-name,status,disabled",
            )
            resource = await _read_resource(api)
    except (FatalError, ConnectionClosed, ConnectionError):
        raise ProbeFault(f"The router {address} broke off the conversation with its API.") from None
    except _Endless:
        raise ProbeFault(f"The router {address} lists more than {max_rows:,} rows of one table.") from None
    except (LibRouterosError, ValueError, LookupError, TypeError):
        raise ProbeFault(f"What answers on port {login.port} of {address} is no RouterOS API.") from None
    return build_tables(
        (row for row in map(_neighbour, neighbours) if row is not None),
        (row for row in map(_lease, leases) if row is not None),
        resource,
    )


@contextlib.asynccontextmanager
async def _connect(sockets: Sockets, address: IPv4Address, login: RouterOsLogin) -> AsyncIterator[_Api]:
    opened = await sockets.open()
    try:
        reader, writer = await _open_streams(opened, address, login)
    except BaseException:
        opened.close()
        raise
    try:
        api = _Api(_Protocol(_Transport(reader, writer), "utf-8"))
        yield api
        await api.protocol.writeSentence("/quit")
    except BaseException:
        writer.transport.abort()
        raise
    finally:
        # Not waited for: a peer that holds on to its end must not hold us.
        writer.close()


async def _open_streams(
    opened: socket.socket, address: IPv4Address, login: RouterOsLogin
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(_CONNECT_WAIT):
            await asyncio.get_running_loop().sock_connect(opened, (str(address), login.port))
    except OSError:  # TimeoutError is one
        raise ProbeFault(f"The router {address} takes no connection on port {login.port}.") from None
    if not login.tls:
        return await asyncio.open_connection(sock=opened)
    try:
        async with asyncio.timeout(_CONNECT_WAIT):
            return await asyncio.open_connection(
                sock=opened, ssl=_trusting_context(), server_hostname=str(address)
            )
    except OSError:  # TimeoutError and SSLError are such
        raise ProbeFault(f"The router {address} speaks no TLS on port {login.port}.") from None


async def _log_in(api: AsyncApi, address: IPv4Address, login: RouterOsLogin) -> None:
    """As RouterOS 6.43 and later wants it; an older one answers with a challenge, and is then given its response."""
    try:
        if await _is_challenged(api, login):
            if not login.password.isascii():
                raise ProbeFault(
                    f"The RouterOS of {address} is too old for a password with letters beyond ASCII."
                )
            await async_token(api, login.username, login.password)
    except TrapError:
        raise ProbeFault(f"The router {address} refused the site's credentials.") from None
    except UnicodeEncodeError:
        raise ProbeFault(f"The router {address} cannot take a login with such characters.") from None


async def _is_challenged(api: AsyncApi, login: RouterOsLogin) -> bool:
    challenges = 0
    async for row in api("/login", name=login.username, password=login.password):
        challenges += "ret" in row
    return bool(challenges)


async def _print(api: AsyncApi, path: str, fields: str) -> Response:
    try:
        return [row async for row in api.rawCmd(f"{path}/print", f"=.proplist={fields}")]
    except TrapError:
        raise _Refused from None


async def _print_if_allowed(api: AsyncApi, path: str, fields: str) -> Response:
    """The rows; none where the router lacks the command (no DHCP package, no board) or the right to it."""
    try:
        return await _print(api, path, fields)
    except _Refused:
        return []


async def _read_resource(api: AsyncApi) -> RouterResource | None:
    resource = await _print_if_allowed(api, "/system/resource", "version,board-name")
    identity = await _print_if_allowed(api, "/system/identity", "name")
    board = await _print_if_allowed(api, "/system/routerboard", "model")
    told = RouterResource(
        _text(resource, "version"),
        _text(board, "model") or _text(resource, "board-name"),
        _text(identity, "name"),
    )
    return told if told != RouterResource() else None


def _text(rows: Response, key: str) -> str | None:
    return clean_text(str(rows[0].get(key, "")), 255) if rows else None


def _neighbour(row: ReplyDict) -> Neighbour | None:
    """A row that names a host which answered; entries that the router answers for itself are none."""
    if _is_set(row, "invalid") or _is_set(row, "disabled") or _is_set(row, "published"):
        return None
    if row.get("complete") == "false" or row.get("status") in _UNUSABLE:
        return None
    return Neighbour(str(row.get("address", "")), str(row.get("mac-address", "")))


def _lease(row: ReplyDict) -> Lease | None:
    if _is_set(row, "disabled") or row.get("status", "bound") != "bound":
        return None
    return Lease(
        str(row.get("active-address") or row.get("address", "")),
        str(row.get("active-mac-address") or row.get("mac-address", "")),
        str(row.get("host-name", "")),
    )


def _is_set(row: ReplyDict, key: str) -> bool:
    return row.get(key) in {"true", "yes"}


def _trusting_context() -> ssl.SSLContext:
    """RouterOS has certificates of its own, or none at all and then anonymous keys; old ones have old TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class _Transport(AsyncSocketTransport):
    """Reads no word longer than any of RouterOS's, and not without end."""

    left = _MAX_BYTES

    async def read(self, length: int) -> bytes:
        self.left -= length
        if length > _MAX_WORD or self.left < 0:
            raise ProtocolError("too much to read")
        try:
            return await self.reader.readexactly(length)
        except asyncio.IncompleteReadError:
            raise ConnectionClosed from None


class _Protocol(AsyncApiProtocol):
    """Logs nothing (a sentence may hold the password) and reads no endless sentence."""

    async def writeSentence(self, cmd: str, *words: str) -> None:  # noqa: N802 - librouteros' name
        await self.transport.write(encode_sentence(cmd, *words, encoding=self.encoding))

    async def readSentence(self) -> tuple[str, tuple[str, ...]]:  # noqa: N802 - librouteros' name
        size = (await self.transport.read(1))[0]
        if not 1 <= size <= _MAX_REPLY:
            raise ProtocolError(
                "no reply"
            )  # SSH or a web server, whose first letter reads as a long word's length
        reply = (await self.transport.read(size)).decode("ascii", "replace")
        words: list[str] = []
        while word := await self.readWord():
            words.append(word)
            if len(words) > _MAX_WORDS:
                raise ProtocolError("an endless sentence")
        if reply == "!fatal":
            raise FatalError
        return reply, tuple(words)


class _Api(AsyncApi):
    """Takes every value as the text that it is, and a bounded number of rows."""

    max_rows = MAX_ROWS

    async def readSentence(self) -> tuple[str, ReplyDict]:  # noqa: N802 - librouteros' name
        reply, words = await self.protocol.readSentence()
        values: dict[str, ROSType] = {}
        for word in words:
            key, _, value = word.removeprefix("=").partition("=")
            values[key] = value
        return reply, values

    async def readResponse(self) -> Response:  # noqa: N802 - librouteros' name
        rows: Response = []
        while True:
            reply, values = await self.readSentence()
            if reply == "!trap":
                # `!done` follows; who does not send it has refused all the same.
                with contextlib.suppress(TimeoutError, LibRouterosError):
                    async with asyncio.timeout(_DONE_WAIT):
                        while (await self.readSentence())[0] != "!done":
                            pass
                raise TrapError("refused")
            if reply not in {"!re", "!done", "!empty"}:
                raise ProtocolError("no answer to a command")
            if len(rows) > self.max_rows:
                raise _Endless
            if values:
                rows.append(values)
            if reply == "!done":
                return rows
