"""One TCP connection to a device that may be slow, mad or hostile: every read is bounded in time and in bytes."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address

_CHUNK = 16 * 1024
_KEPT = 64 * 1024  # of everything that was heard on a line
_QUIET = 0.25  # after the first bytes, this long without more ends a reading
_READING = 2.0  # and this long in all: a device that never stops talking gets no more


class Line:
    """A connection from our vantage to one port; never raises for what the other side does.

    A reading returns b"" when nothing came; `closed` then says whether the other side hung up or was only silent.
    `heard` is everything received so far (64 kB at most), after TLS where it was started. `patience` is how long a
    reading waits for its first bytes unless told otherwise, in seconds.
    """

    def __init__(
        self,
        address: IPv4Address,
        port: int,
        opened: socket.socket,
        *,
        patience: float,
        reopen: Callable[[], Awaitable[Line | None]] | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.patience = patience
        self.closed = False
        self.heard = b""
        self.certificate: bytes | None = None
        """The server's certificate in DER, after `start_tls`."""
        self.tls_version: str | None = None
        self._socket = opened
        self._reopen = reopen
        self._left = b""  # received and not yet read
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    async def again(self) -> Line | None:
        """A second connection to the same port, with TLS where this one has it; None when it is refused now."""
        return await self._reopen() if self._reopen is not None else None

    async def read(self, wait: float | None = None, limit: int = _CHUNK) -> bytes:
        """What comes: the first bytes within `wait`, then more until the device pauses; at most `limit` bytes."""
        data = self._take(limit) or await self._receive(self.patience if wait is None else wait)
        end = asyncio.get_running_loop().time() + _READING
        while data and len(data) < limit and not self.closed:
            left = min(_QUIET, end - asyncio.get_running_loop().time())
            if left <= 0:
                break
            more = await self._receive(left)
            if not more:
                break
            data += more
        self._left = data[limit:] + self._left
        return data[:limit]

    async def read_until(self, end: bytes, wait: float | None = None, limit: int = _CHUNK) -> bytes:
        """Everything up to and with `end`; shorter when the device pauses for `wait`, hangs up or says too much."""
        data = self._take(limit)
        deadline = asyncio.get_running_loop().time() + 2 * (self.patience if wait is None else wait)
        while end not in data and len(data) < limit and asyncio.get_running_loop().time() < deadline:
            more = await self._receive(self.patience if wait is None else wait)
            if not more:
                break
            data += more
        stop = data.find(end)
        stop = min(limit, len(data)) if stop < 0 else stop + len(end)
        self._left = data[stop:] + self._left
        return data[:stop]

    async def read_exactly(self, count: int, wait: float | None = None) -> bytes:
        """`count` bytes; fewer when the device pauses for `wait` or hangs up."""
        data = self._take(count)
        deadline = asyncio.get_running_loop().time() + 2 * (self.patience if wait is None else wait)
        while len(data) < count and asyncio.get_running_loop().time() < deadline:
            more = await self._receive(self.patience if wait is None else wait)
            if not more:
                break
            data += more
        self._left = data[count:] + self._left
        return data[:count]

    async def send(self, data: bytes) -> bool:
        """Send it all; False when the other side no longer takes it."""
        if self.closed:
            return False
        if self._tls is not None:
            try:
                self._tls.write(data)
            except (ssl.SSLError, OSError):
                self.closed = True
                return False
            data = self._outgoing.read()
        return await self._send_raw(data)

    async def ask(self, data: bytes, wait: float | None = None, limit: int = _CHUNK) -> bytes:
        """Send and read the answer."""
        return await self.read(wait, limit) if await self.send(data) else b""

    async def start_tls(self, wait: float | None = None) -> bool:
        """Go over to TLS as a client that trusts anyone and speaks the oldest versions; False when that fails."""
        tls = _context().wrap_bio(self._incoming, self._outgoing)
        self._incoming.write(self._left)
        self._left = b""
        try:
            async with asyncio.timeout(self.patience if wait is None else wait):
                while not await self._shake(tls):
                    pass
        except (TimeoutError, ssl.SSLError, OSError):
            self.closed = True
            return False
        self._tls = tls
        self.heard = b""
        self.certificate = tls.getpeercert(binary_form=True)
        self.tls_version = tls.version()
        return True

    def close(self) -> None:
        """Hang up; safe to repeat."""
        self.closed = True
        self._socket.close()

    async def _shake(self, tls: ssl.SSLObject) -> bool:
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        if out := self._outgoing.read():
            await self._send_raw(out)
        if not done:
            data = await asyncio.get_running_loop().sock_recv(self._socket, _CHUNK)
            if not data:
                raise ConnectionResetError
            self._incoming.write(data)
        return done

    def _take(self, limit: int) -> bytes:
        taken, self._left = self._left[:limit], self._left[limit:]
        return taken

    async def _receive(self, wait: float) -> bytes:
        """The next bytes as they come, b"" after `wait` or when the line is closed."""
        if self.closed:
            return b""
        try:
            async with asyncio.timeout(wait):
                data = await (self._receive_tls() if self._tls is not None else self._receive_raw())
        except TimeoutError:
            return b""
        except OSError:  # SSLError is one
            self.closed = True
            return b""
        if not data:
            self.closed = True
        self.heard += data[: _KEPT - len(self.heard)]
        return data

    async def _receive_raw(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, _CHUNK)

    async def _receive_tls(self) -> bytes:
        assert self._tls is not None  # noqa: S101 - the caller asked
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                if out := self._outgoing.read():
                    await self._send_raw(out)
                data = await self._receive_raw()
                if not data:
                    return b""
                self._incoming.write(data)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def _send_raw(self, data: bytes) -> bool:
        try:
            async with asyncio.timeout(self.patience):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except OSError:  # TimeoutError is one
            self.closed = True
            return False
        return True


def _context() -> ssl.SSLContext:
    """Speak with anyone: old devices have old TLS, weak ciphers and certificates of their own, and are to be found."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Deprecated by Python for those who protect data; nothing of ours goes through it.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    context.options |= ssl.OP_LEGACY_SERVER_CONNECT if hasattr(ssl, "OP_LEGACY_SERVER_CONNECT") else 0x4
    return context
