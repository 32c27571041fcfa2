"""CoAP: the list of a small device's resources, `/.well-known/core` (RFC 7252, 7.2; RFC 6690)."""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_TOKEN_SIZE: Final = 8
_HEAD: Final = struct.Struct(">BBH")
_GET: Final = 0x01
_PATH: Final = b"\xbb.well-known\x04core"  # two options of kind 11
_MARKER: Final = b"\xff"
_MAX_TEXT: Final = 1024


def request(_: IPv4Address) -> bytes:
    """A confirmable GET."""
    head = _HEAD.pack(0x40 | _TOKEN_SIZE, _GET, secrets.randbelow(0x10000))
    return head + secrets.token_bytes(_TOKEN_SIZE) + _PATH


def key(data: bytes) -> bytes | None:
    """The token; a bare refusal (reset) has only the message's number and tells nothing."""
    size = data[0] & 0xF if data else 0
    return (
        data[4 : 4 + _TOKEN_SIZE] if size == _TOKEN_SIZE and len(data) >= _HEAD.size + _TOKEN_SIZE else None
    )


def parse(data: bytes) -> Answer | None:
    """The resources; an error code is an answer too."""
    if key(data) is None or data[0] >> 6 != 1:
        return None
    kind, detail = data[1] >> 5, data[1] & 0x1F
    if kind not in {2, 4, 5}:
        return None
    _, marker, payload = data[_HEAD.size + _TOKEN_SIZE :].partition(_MARKER)
    words = payload[:_MAX_TEXT] if marker and kind == 2 else b""  # noqa: PLR2004 - success
    facts = {"code": f"{kind}.{detail:02}"}
    if words:
        facts["resources"] = words.decode("utf-8", "replace")
    return Answer("coap", words, facts=facts, complete=True)


PROTOCOL = KeyedProtocol("coap", 5683, request, parse, key=key)
