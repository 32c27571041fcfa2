"""One client's connection to an emulated device, with limits so that no client can hurt the lab."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

CHUNK = 4096
MOST_HEARD = 1 << 20
LONGEST_LINE = 4096
PATIENCE_SECONDS = 120.0


class Conversation:
    """Hears and speaks; every wait is bounded, and a client that sends more than 1 MiB is no longer heard.

    `on_heard` is told the number of bytes of every piece that arrives.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_heard: Callable[[int], None] | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._rest = b""
        self._heard = 0
        self._on_heard = on_heard

    async def hear(self, patience: float = PATIENCE_SECONDS) -> bytes:
        """Up to 4 KiB as they come; empty when the client is done, idle for too long or has sent too much.

        `patience` is in seconds.
        """
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        if self._heard > MOST_HEARD:
            return b""
        try:
            async with asyncio.timeout(patience):
                data = await self._reader.read(CHUNK)
        except TimeoutError:
            return b""
        self._heard += len(data)
        if self._on_heard and data:
            self._on_heard(len(data))
        return data

    async def hear_line(self) -> bytes | None:
        """The next line without its end, cut at 4 KiB; None when the client is done."""
        line = b""
        while b"\n" not in line:
            data = await self.hear()
            if not data:
                return line[:LONGEST_LINE] or None
            line = line + data if len(line) < LONGEST_LINE else line[:LONGEST_LINE] + data[-CHUNK:]
        line, _, self._rest = line.partition(b"\n")
        return line[:LONGEST_LINE].rstrip(b"\r")

    async def hear_until(self, end: bytes, limit: int) -> bytes:
        """Everything up to and with `end`, or what came when the client stopped or `limit` bytes were reached."""
        text = b""
        while end not in text and len(text) < limit:
            data = await self.hear()
            if not data:
                break
            text += data
        return text[:limit]

    async def say(self, data: bytes) -> None:
        """Send; raises ConnectionError when the client went away or does not read."""
        self._writer.write(data)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._writer.drain()
        except TimeoutError as error:
            raise ConnectionResetError("the client does not read") from error


Greeter: TypeAlias = Callable[[Conversation], Awaitable[None]]
"""Speaks one protocol with one client and returns when it has nothing more to say."""
