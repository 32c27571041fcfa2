"""The RouterOS API: a client that takes its leave (`/quit`) is told so, or that it had not logged in; either is proof.

Nothing is logged in or tried: `/quit` leaves no failed login in the router's log. RouterOS 3 does not know it and is
silent; there a bare `/login`, which only asks for a challenge, is the documented first word of every client.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_QUIT: Final = b"\x05/quit\x00"
_LOGIN: Final = b"\x06/login\x00"
_REPLIES: Final = frozenset({"!done", "!trap", "!fatal", "!re", "!empty"})
_MAX_WORDS: Final = 16
_MAX_WORD: Final = 1024
_ATTRIBUTE: Final = re.compile(r"[=.][\w.-]{1,64}=.*", re.DOTALL)
_PAUSE: Final = 0.3
_SECOND_WAIT: Final = 1.0
_ALL: Final = 5.0

# What the first byte of a word's length says: how many bytes follow it, and which of its bits belong to the length.
_LENGTHS: Final = ((0x80, 0, 0x7F), (0xC0, 1, 0x3F), (0xE0, 2, 0x1F), (0xF0, 3, 0x0F))


def recognise(data: bytes) -> bool:
    """Whether the bytes begin with a whole sentence as only a RouterOS API server says it."""
    words = _read_sentence(data)
    return words is not None and _is_reply(words)


def parse(data: bytes) -> Answer | None:
    """What a server's first sentence says: that it is RouterOS, never which."""
    words = _read_sentence(data)
    if words is None or not _is_reply(words):
        return None
    return Answer(
        "routeros-api",
        " ".join(words).encode(),
        "MikroTik RouterOS API",
        os_name="RouterOS",
        cpes=("cpe:/o:mikrotik:routeros",),
        complete=True,
    )


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Take leave; ask for a challenge only where that was not understood."""
    if answer := parse(heard):
        return answer
    try:
        async with asyncio.timeout(_ALL):
            elsewhere = line.port not in PROTOCOL.ports
            wait = min(line.patience, _SECOND_WAIT) if elsewhere else line.patience
            answer = await _ask(line, _QUIT, wait)
            if answer is None and not line.heard and not line.closed and not elsewhere:
                answer = await _ask(line, _LOGIN, _SECOND_WAIT)
            return answer
    except TimeoutError:
        return parse(line.heard)


async def _ask(line: Line, request: bytes, wait: float) -> Answer | None:
    """The server's first sentence, which ends with an empty word."""
    if not await line.send(request):
        return None
    data = await line.read_until(b"\x00", wait, _MAX_WORDS * _MAX_WORD)
    while data and _read_sentence(data) is None and _is_begun(data) and not line.closed:
        more = await line.read_until(b"\x00", _PAUSE, _MAX_WORD)
        if not more or len(data) > _MAX_WORDS * _MAX_WORD:
            break
        data += more
    return parse(data)


def _is_begun(data: bytes) -> bool:
    return data[1:2] == b"!"


def _is_reply(words: list[str]) -> bool:
    if not words or words[0] not in _REPLIES:
        return False
    # A fatal reply carries its reason as a bare word.
    return words[0] == "!fatal" or all(_ATTRIBUTE.fullmatch(word) for word in words[1:])


def _read_sentence(data: bytes) -> list[str] | None:
    """The words of the sentence that the data begins with; None when it is cut off, too long or none."""
    words: list[str] = []
    at = 0
    while at < len(data) and len(words) <= _MAX_WORDS:
        known = next(((more, mask) for below, more, mask in _LENGTHS if data[at] < below), None)
        if known is None:
            return None
        more, mask = known
        length = int.from_bytes(bytes([data[at] & mask]) + data[at + 1 : at + 1 + more], "big")
        at += 1 + more
        if length == 0:
            return words
        if length > _MAX_WORD or at + length > len(data):
            return None
        words.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    return None


PROTOCOL = TcpProtocol("routeros-api", frozenset({8728, 8729}), converse, recognises=recognise, anywhere=True)
