"""A RouterOS API server with real framing, for tests: it knows both ways to log in and answers from a table."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from dataclasses import dataclass, field

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOST = f"127.{140 + _WORKER}.0.1"
CHALLENGE = "f0" * 16


def word(text: str | bytes) -> bytes:
    """A word with its length, which takes one to four bytes."""
    data = text.encode() if isinstance(text, str) else text
    size = len(data)
    if size < 0x80:
        return bytes([size]) + data
    if size < 0x4000:
        return (size | 0x8000).to_bytes(2, "big") + data
    if size < 0x200000:
        return (size | 0xC00000).to_bytes(3, "big") + data
    return (size | 0xE0000000).to_bytes(4, "big") + data


def sentence(*words: str | bytes) -> bytes:
    return b"".join(map(word, words)) + b"\x00"


async def read_sentence(reader: asyncio.StreamReader) -> list[str]:
    words = []
    while True:
        size = (await reader.readexactly(1))[0]
        if size >= 0x80:
            size = (size & 0x3F) << 8 | (await reader.readexactly(1))[0]
        if not size:
            return words
        words.append((await reader.readexactly(size)).decode())


@dataclass
class ScriptedRouter:
    """`tables`: rows (dictionaries) by command, or the bytes that are sent instead. Commands are kept in `asked`."""

    tables: dict[str, list[dict[str, str]] | bytes] = field(default_factory=dict)
    username: str = "reader"
    password: str = "s3cr3t-w0rd"
    old: bool = False
    asked: list[list[str]] = field(default_factory=list)
    greeting: bytes = b""
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set = field(default_factory=set)

    async def start(self, **tls) -> None:
        self._server = await asyncio.start_server(self._talk, HOST, 0, **tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        writer.write(self.greeting)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while words := await read_sentence(reader):
                self.asked.append(words)
                writer.write(self._answer(words))
                await writer.drain()
                if words[0] == "/quit":
                    break
        writer.close()

    def _answer(self, words: list[str]) -> bytes:
        command, arguments = words[0], dict(item[1:].split("=", 1) for item in words[1:])
        if command == "/login":
            return self._log_in(arguments)
        if command == "/quit":
            return sentence("!fatal", "session terminated on request")
        table = self.tables.get(
            command, sentence("!trap", "=message=no such command prefix") + sentence("!done")
        )
        if isinstance(table, bytes):
            return table
        rows = b"".join(sentence("!re", *(f"={key}={value}" for key, value in row.items())) for row in table)
        return (rows or sentence("!empty")) + sentence("!done")

    def _log_in(self, arguments: dict[str, str]) -> bytes:
        name, response = arguments.get("name"), arguments.get("response")
        if self.old and response is None:
            return sentence("!done", f"=ret={CHALLENGE}")
        if self.old:
            told = b"\0" + self.password.encode() + bytes.fromhex(CHALLENGE)
            right = response == "00" + hashlib.md5(told, usedforsecurity=False).hexdigest()
        else:
            right = arguments.get("password") == self.password
        if right and name == self.username:
            return sentence("!done")
        # Mad on purpose: what it was told stands in the refusal.
        return sentence("!trap", f"=message=invalid user name or password (6) {arguments}") + sentence(
            "!done"
        )
