"""PURE: the messages of SMB 1 that make a server name its system and program before a login (MS-CIFS, MS-SMB)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from netvigil.probing.speak.reader import Reader, ShortError
from netvigil.probing.speak.smb2 import LOGIN_TOKEN, framed
from netvigil.probing.speak.windows import Challenge, find_challenge, utf16

_MAGIC = b"\xffSMB"
_NEGOTIATE, _SESSION_SETUP, _LOGOFF = 0x72, 0x73, 0x74
_RESPONSE = 0x80
_UNICODE, _STATUS_CODES, _EXTENDED, _LONG_NAMES = 0x8000, 0x4000, 0x0800, 0x0001
_EXTENDED_CAPABILITY, _UNICODE_CAPABILITY, _STATUS_CAPABILITY = 0x80000000, 0x04, 0x40
_MORE_PROCESSING = 0xC0000016
_DIALECT = b"\x02NT LM 0.12\0"
_NO_MORE = b"\xff\0\0\0"  # no second command in the message
_BUFFER, _MULTIPLEX, _CIRCUIT = 4356, 1, 0
_MAX_WORDS = 512


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the server can: extended security (NTLM in SPNEGO), Unicode; its domain and name where it tells them here."""

    extended: bool
    unicode: bool
    signing: str
    domain: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """How the server names its system and its program (`Unix`, `Samba 4.17.12-Debian`); `session`: 0 for none made."""

    system: str
    program: str
    domain: str = ""
    challenge: Challenge | None = None
    session: int = 0


def is_message(frame: bytes) -> bool:
    """Whether bytes, behind their length, are a server's message of SMB 1."""
    return frame[:1] == b"\0" and frame[4:8] == _MAGIC and len(frame) >= 36 and bool(frame[13] & _RESPONSE)  # noqa: PLR2004


def negotiate_request() -> bytes:
    """The message that offers the last dialect of SMB 1."""
    return framed(
        _header(_NEGOTIATE, _EXTENDED | _LONG_NAMES) + b"\0" + struct.pack("<H", len(_DIALECT)) + _DIALECT
    )


def session_request(negotiated: Negotiated) -> bytes:
    """The start of a login: NTLM's first message where the server takes it, else a session of nobody in particular."""
    if negotiated.extended:
        capabilities = _EXTENDED_CAPABILITY | _UNICODE_CAPABILITY | _STATUS_CAPABILITY
        words = struct.pack("<3HI H 2I", _BUFFER, _MULTIPLEX, _CIRCUIT, 0, len(LOGIN_TOKEN), 0, capabilities)
        header = _header(_SESSION_SETUP, _EXTENDED | _LONG_NAMES)
        data = LOGIN_TOKEN
        data += bytes((len(header) + 1 + 24 + 2 + len(data)) % 2) + bytes(4)  # no system, no program of ours
        return framed(header + b"\x0c" + _NO_MORE + words + struct.pack("<H", len(data)) + data)
    words = struct.pack(
        "<3HI2H2I", _BUFFER, _MULTIPLEX, _CIRCUIT, 0, 1, 0, 0, _UNICODE_CAPABILITY | _STATUS_CAPABILITY
    )
    header = _header(_SESSION_SETUP, _LONG_NAMES)
    data = b"\0"  # an empty password
    data += bytes((len(header) + 1 + 26 + 2 + len(data)) % 2) + bytes(
        8
    )  # no account, domain, system, program
    return framed(header + b"\x0d" + _NO_MORE + words + struct.pack("<H", len(data)) + data)


def logoff_request(session: int) -> bytes:
    """The end of a session that was made."""
    return framed(_header(_LOGOFF, _LONG_NAMES, session) + b"\x02" + _NO_MORE + b"\0\0")


def _header(command: int, flags: int, session: int = 0) -> bytes:
    flags |= _UNICODE | _STATUS_CODES
    return _MAGIC + struct.pack(
        "<BIBHH8sHHHHH", command, 0, 0x18, flags, 0, bytes(8), 0, 0, 0x4E56, session, 1
    )


def parse_negotiated(frame: bytes) -> Negotiated | None:
    """The answer to `negotiate_request`, with its length before it; None when the server does not speak SMB 1."""
    if not is_message(frame) or frame[8] != _NEGOTIATE or frame[9:13] != bytes(4):
        return None
    reader = Reader(frame, 36, "little")
    try:
        count = reader.number(1)
        if reader.number(2) != 0 or count != 17:  # noqa: PLR2004 - our one dialect; the words of its answer
            return None
        security = reader.number(1)
        reader.skip(2 + 2 + 4 + 4 + 4)
        capabilities = reader.number(4)
        reader.skip(8 + 2)
        challenge = reader.number(1)
        data = reader.take(min(reader.number(2), reader.left))
    except ShortError:
        return None
    extended = bool(capabilities & _EXTENDED_CAPABILITY)
    unicode = bool(capabilities & _UNICODE_CAPABILITY)
    signing = "required" if security & 8 else "enabled" if security & 4 else "disabled"
    if extended:
        return Negotiated(extended, unicode, signing)
    names = _strings(data[challenge:], 2, unicode=unicode)
    return Negotiated(extended, unicode, signing, names[0], names[1])


def parse_named(frame: bytes) -> Named | None:
    """The answer to `session_request`; None when it names nothing."""
    if not is_message(frame) or frame[8] != _SESSION_SETUP:
        return None
    status = int.from_bytes(frame[9:13], "little")
    if status not in (0, _MORE_PROCESSING):
        return None
    unicode = bool(int.from_bytes(frame[14:16], "little") & _UNICODE)
    session = int.from_bytes(frame[32:34], "little")
    reader = Reader(frame, 36, "little")
    try:
        count = reader.number(1)
        if count not in (3, 4):
            return None
        reader.skip(6)  # no second command, the action
        token = reader.number(2) if count == 4 else 0  # noqa: PLR2004 - with a token
        size = reader.number(2)
        blob = reader.take(token)
        at = reader.at
        rest = reader.take(min(size - token, reader.left))
    except ShortError:
        return None
    if unicode and (at - 4) % 2:
        rest = rest[1:]
    system, program, domain = _strings(rest, 3, unicode=unicode)
    return Named(system, program, domain, find_challenge(blob), session if status == 0 else 0)


def _strings(data: bytes, count: int, *, unicode: bool) -> list[str]:
    """So many strings, each up to its NUL; empty ones for those that are missing."""
    data = data[: 2 * _MAX_WORDS]
    if not unicode:
        parts = [part[:_MAX_WORDS].decode("latin-1").strip() for part in data.split(b"\0")]
    else:
        if len(data) % 2:
            data = data[:-1]
        parts = [
            utf16(part.encode("utf-16-le", "surrogatepass"))
            for part in data.decode("utf-16-le", "replace").split("\0")
        ]
    return [*parts, "", "", ""][:count]
