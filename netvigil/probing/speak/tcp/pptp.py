"""PPTP: open the control connection, hear whose server it is, and close it again (RFC 2637, 2)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import text

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_COOKIE = 0x1A2B3C4D
_HEAD = struct.Struct(">2HI2H")  # length, kind of message, cookie, control message, zero
_SIZE = 156
_REPLY = 2
# Version 1.0, asynchronous framing, analogue and digital bearers, no channels, no firmware, our name, no vendor.
_START = (
    _HEAD.pack(_SIZE, 1, _COOKIE, 1, 0)
    + struct.pack(">2HII2H", 0x0100, 0, 1, 3, 0, 0)
    + b"netvigil".ljust(64, b"\0")
    + bytes(64)
)
_STOP = _HEAD.pack(16, 1, _COOKIE, 3, 0) + b"\x01\0\0\0"
_STOP_REPLY_SIZE = 16
_MIKROTIK = "MikroTik"


def recognise(data: bytes) -> bool:
    """Whether bytes are the reply to a start of the control connection."""
    return parse(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Start, hear, stop."""
    known = parse(heard) if heard else None
    if known is not None:
        return known
    async with unspoken(line, heard) as fresh:
        if fresh is None:
            return None
        said = await ask_message(
            fresh, _START, _HEAD.size, lambda head: int.from_bytes(head[:2], "big") - _HEAD.size
        )
        answer = parse(said)
        if answer is not None and answer.facts["result"] == "1":
            await fresh.send(_STOP)
            await fresh.read_exactly(_STOP_REPLY_SIZE, min(0.5, fresh.patience))
    return answer


def parse(said: bytes) -> Answer | None:
    """What the reply says: vendor, host, and a number of its firmware that the vendors seldom count up."""
    if len(said) != _SIZE or _HEAD.unpack_from(said)[:4] != (_SIZE, 1, _COOKIE, _REPLY):
        return None
    vendor, host = text(said[92:156], 64) or None, text(said[28:92], 64) or None
    firmware = int.from_bytes(said[26:28], "big")
    facts = {"firmware": str(firmware), "result": str(said[14])}
    mikrotik = vendor == _MIKROTIK
    if mikrotik and host:
        facts["identity"] = host
    os_name = "RouterOS" if mikrotik else "Windows" if (vendor or "").startswith("Microsoft") else None
    return Answer(
        "pptp",
        (vendor or "").encode(),
        vendor,
        None,
        f"Firmware: {firmware}",
        os_name=os_name or ("Linux" if vendor == "linux" else None),
        hostname=host,
        cpes=("cpe:/o:mikrotik:routeros",) if mikrotik else (),
        facts=facts,
        complete=vendor is not None,
    )


PROTOCOL = TcpProtocol("pptp", frozenset({1723}), converse, recognises=recognise)
