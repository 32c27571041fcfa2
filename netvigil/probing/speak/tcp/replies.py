"""Replies of three digits and text, one line or many, as FTP (RFC 959, 4.2) and SMTP (RFC 5321, 4.2.1) give them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak.tcp.wording import words_of

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

MAX_REPLY: Final = 8192  # bytes
_MAX_LINES: Final = 128
_FAREWELL: Final = 1.0  # seconds for the answer to a goodbye, which nobody needs
_CODE: Final = re.compile(r"(\d{3})(?:([ -])(.*))?$")


class Reply(NamedTuple):
    """A reply: its code, its text without the codes, one line each, and whether its last line was there."""

    code: int
    text: str
    ended: bool


def parse_reply(data: bytes) -> Reply | None:
    """The reply that bytes begin with; None when they begin otherwise. A second reply after it counts as its text."""
    text = words_of(data.lstrip(b"\r\n"))
    lines = text.split("\n")
    first = _CODE.match(lines[0])
    if first is None or not first[1].isascii() or not "1" <= first[1][0] <= "6":
        return None
    said: list[str] = []
    ended = False
    for index, line in enumerate(lines):
        coded = _CODE.match(line)
        own = coded is not None and coded[1] == first[1]
        said.append((coded[3] or "") if coded is not None and own else line)
        # the last of the split lines is one whose end has not come
        if coded is not None and own and coded[2] != "-" and index < len(lines) - 1:
            ended = True
    return Reply(int(first[1]), "\n".join(said).strip("\n"), ended)


async def read_reply(line: Line, heard: bytes = b"", wait: float | None = None) -> bytes:
    """A whole reply, `heard` being its beginning; less when the server stops, hangs up, talks on for ever or no reply begins.

    `wait` is for all of it, in seconds.
    """
    wait = line.patience if wait is None else wait
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    for _ in range(_MAX_LINES):
        left = end - loop.time()
        if left <= 0 or line.closed or len(heard) >= MAX_REPLY:
            break
        if heard.strip(b"\r\n"):
            reply = parse_reply(heard)
            if reply is None and b"\n" in heard.lstrip(b"\r\n"):
                break
            if reply is not None and reply.ended:
                break
        more = await line.read_until(b"\n", min(wait, left), MAX_REPLY - len(heard))
        if not more:
            break
        heard += more
    return heard


async def ask_reply(line: Line, command: bytes, wait: float | None = None) -> bytes:
    """Send a command and read its reply; a line of the greeting that came late is not taken for it."""
    if not await line.send(command):
        return b""
    heard = await read_reply(line, wait=wait)
    reply = parse_reply(heard)
    if reply is not None and reply.code == 220:  # noqa: PLR2004 - "service ready" answers no command that we send
        heard = await read_reply(line, wait=wait)
    return heard


async def leave(line: Line, goodbye: bytes) -> None:
    """Say goodbye and let the server say its own."""
    if await line.send(goodbye):
        await line.read_until(b"\n", _FAREWELL, MAX_REPLY)
