"""PURE: the two messages of SMB 2 and 3 that come before a login (MS-SMB2): what the server can, and who it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from netvigil.probing.speak.ber import OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, encode
from netvigil.probing.speak.reader import Reader, ShortError
from netvigil.probing.speak.windows import NEGOTIATE, Challenge, find_challenge

MAX_MESSAGE: Final = 16 * 1024
_MAGIC = b"\xfeSMB"
_NEGOTIATE, _SESSION_SETUP = 0, 1
_RESPONSE = 0x00000001
_SIGNING_ENABLED, _SIGNING_REQUIRED = 1, 2
_DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1", 0x02FF: "2.???"}
_OFFERED = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)
_SALT = bytes(range(32))  # of a hash that nobody checks: no session is made
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LATEST = 10_000 * 365 * 24 * 3600 * 10**7  # far beyond what is a date
_SPNEGO = encode(OBJECT_IDENTIFIER, bytes.fromhex("2b0601050502"))
_NTLM = encode(OBJECT_IDENTIFIER, bytes.fromhex("2b06010401823702020a"))
LOGIN_TOKEN: Final = encode(
    0x60,
    _SPNEGO
    + encode(
        0xA0,
        encode(
            SEQUENCE,
            encode(0xA0, encode(SEQUENCE, _NTLM)) + encode(0xA2, encode(OCTET_STRING, NEGOTIATE)),
        ),
    ),
)
"""NTLM's first message as RFC 4178 wraps it: it names nobody, and asks for the challenge."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the server says first; times are None where it tells none, as Samba does with its start."""

    dialect: str
    signing: str
    guid: UUID
    server_time: datetime | None
    boot_time: datetime | None


def framed(message: bytes) -> bytes:
    """A message as it goes over TCP: behind its length."""
    return struct.pack(">I", len(message)) + message


def message_size(head: bytes) -> int:
    """The length behind a frame's four bytes of head; 0 when it is no session message (RFC 1002, 4.3.1)."""
    return int.from_bytes(head[1:4], "big") if head[0] == 0 else 0


def negotiate_request(client: UUID) -> bytes:
    """The message that offers all dialects from 2.0.2 to 3.1.1; `client` names us by chance."""
    head_size = 64 + 36
    dialects = struct.pack(f"<{len(_OFFERED)}H", *_OFFERED)
    padding = bytes(-(head_size + len(dialects)) % 8)
    integrity = struct.pack("<3H", 1, len(_SALT), 1) + _SALT  # SHA-512
    encryption = struct.pack("<3H", 2, 2, 1)  # AES-128-GCM, AES-128-CCM
    contexts = struct.pack("<2HI", 1, len(integrity), 0) + integrity
    contexts += bytes(-len(contexts) % 8) + struct.pack("<2HI", 2, len(encryption), 0) + encryption
    offset = head_size + len(dialects) + len(padding)
    body = struct.pack("<4HI", 36, len(_OFFERED), _SIGNING_ENABLED, 0, 0x7F) + client.bytes_le
    body += struct.pack("<I2H", offset, 2, 0)
    return framed(_header(_NEGOTIATE, 0) + body + dialects + padding + contexts)


def session_request() -> bytes:
    """The message that starts a login and is answered with NTLM's challenge; nothing follows it."""
    body = struct.pack("<H2BIIHHQ", 25, 0, _SIGNING_ENABLED, 0, 0, 64 + 24, len(LOGIN_TOKEN), 0)
    return framed(_header(_SESSION_SETUP, 1) + body + LOGIN_TOKEN)


def _header(command: int, number: int) -> bytes:
    return _MAGIC + struct.pack("<2HI2HIIQIIQ", 64, 0, 0, command, 1, 0, 0, number, 0, 0, 0) + bytes(16)


def is_message(frame: bytes) -> bool:
    """Whether bytes, behind their length, are a server's message of SMB 2 or 3."""
    head = frame[4:68]
    return frame[:1] == b"\0" and head[:4] == _MAGIC and len(head) == 64 and bool(head[16] & _RESPONSE)  # noqa: PLR2004


def parse_negotiated(frame: bytes) -> Negotiated | None:
    """The answer to `negotiate_request`, with its length before it; None for other bytes."""
    if not is_message(frame):
        return None
    reader = Reader(frame, 8, "little")
    try:
        reader.skip(4)
        status = reader.number(4)
        command = reader.number(2)
        reader.at = 4 + 64
        if command != _NEGOTIATE or status != 0 or reader.number(2) != 65:  # noqa: PLR2004 - its stated size
            return None
        security, dialect = reader.number(2), reader.number(2)
        reader.skip(2)
        guid = UUID(bytes_le=reader.take(16))
        reader.skip(4 + 3 * 4)
        server_time, boot_time = reader.number(8), reader.number(8)
    except ShortError:
        return None
    if dialect not in _DIALECTS:
        return None
    signing = (
        "required"
        if security & _SIGNING_REQUIRED
        else "enabled"
        if security & _SIGNING_ENABLED
        else "disabled"
    )
    return Negotiated(_DIALECTS[dialect], signing, guid, _time(server_time), _time(boot_time))


def parse_challenge(frame: bytes) -> Challenge | None:
    """The challenge within the answer to `session_request`, if it has one."""
    return find_challenge(frame) if is_message(frame) else None


def _time(ticks: int) -> datetime | None:
    """Tenths of microseconds since 1601; None for 0 and for what is no date of ours."""
    if not 0 < ticks < _LATEST:
        return None
    try:
        return _EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
