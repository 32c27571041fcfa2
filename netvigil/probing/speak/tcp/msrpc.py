"""Microsoft RPC: bind to the endpoint mapper, as a client does that looks for a service; nothing is called (C706, 12)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_HEAD = 16
_MAX_ANSWER = 4096
_ENDPOINT_MAPPER = UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa").bytes_le + struct.pack("<I", 3)
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
_CONTEXT = struct.pack("<2HI", 5840, 5840, 0) + b"\x01\0\0\0" + b"\0\0\x01\0" + _ENDPOINT_MAPPER + _NDR
_BIND = b"\x05\0\x0b\x03\x10\0\0\0" + struct.pack("<2HI", _HEAD + len(_CONTEXT), 0, 1) + _CONTEXT
_ANSWERS = {12: "accepted", 13: "refused", 3: "fault"}


def recognise(data: bytes) -> bool:
    """Whether bytes are a server's answer to a bind."""
    return parse(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Bind, hear, hang up: a bind has no end of its own."""
    known = parse(heard) if heard else None
    if known is not None:
        return known
    async with unspoken(line, heard) as fresh:
        if fresh is None:
            return None
        return parse(await ask_message(fresh, _BIND, _HEAD, _size, limit=_MAX_ANSWER))


def _size(head: bytes) -> int:
    return int.from_bytes(head[8:10], "little" if head[4] & 0x10 else "big") - _HEAD


def parse(said: bytes) -> Answer | None:
    """What the answer to a bind says: it is DCE RPC, little more; a Windows has it on 135 and on its high ports."""
    if len(said) < _HEAD or said[0] != 5 or said[1] > 1 or said[2] not in _ANSWERS:  # noqa: PLR2004 - version 5
        return None
    little = said[4] == 0x10  # noqa: PLR2004 - the data representation of Intel's
    size = int.from_bytes(said[8:10], "little" if little else "big")
    if (
        said[4] not in (0, 0x10)
        or said[5:8] != b"\0\0\0"
        or not _HEAD < size <= _MAX_ANSWER
        or len(said) < size
    ):
        return None
    facts = {"bind": _ANSWERS[said[2]]}
    if not little:  # the Unix implementations of DCE
        return Answer("dce-rpc", facts=facts)
    return Answer(
        "msrpc",
        product="Microsoft Windows RPC",
        os_name="Windows",
        cpes=("cpe:/o:microsoft:windows",),
        facts=facts,
        complete=True,
    )


PROTOCOL = TcpProtocol(
    "msrpc",
    frozenset({135, 593}),
    converse,
    recognises=recognise,
    # Every Windows has half a dozen of them above 49151, which say nothing to a web request.
    anywhere=True,
)
