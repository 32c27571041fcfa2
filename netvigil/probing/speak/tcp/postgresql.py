"""PostgreSQL: would it use TLS, and how does it want a client to prove itself; no password is ever sent."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message, read_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import Reader, ShortError, text

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_TLS_REQUEST = struct.pack(">2I", 8, 80877103)  # PostgreSQL's documentation, "Message Formats": SSLRequest
# No server has that user unless somebody made it for us: `postgres` would be let in where no proof is asked for.
_PARAMETERS = b"user\0netvigil\0database\0postgres\0application_name\0netvigil\0\0"
_STARTUP = struct.pack(">2I", 8 + len(_PARAMETERS), 3 << 16) + _PARAMETERS
_TERMINATE = b"X\0\0\0\x04"
_AUTHENTICATIONS = {
    0: "none",
    2: "kerberos",
    3: "password",
    5: "md5",
    7: "gss",
    9: "sspi",
    10: "sasl",
}
_HEAD = 5  # a message's letter, and its length without that letter
_LET_IN = 9  # bytes of the message that no proof is needed
_MAX_MESSAGE = 4096
_MAX_MESSAGES = 32  # parameters and the like before the server is ready
_SEVERITIES = frozenset({"FATAL", "ERROR", "PANIC"})
_FIELDS = {
    "C": "sqlstate",
    "M": "message",
    "F": "error_file",
    "L": "error_line",
    "R": "error_routine",
}
_CPE = ("cpe:/a:postgresql:postgresql",)


def recognise(data: bytes) -> bool:
    """Whether bytes are one of PostgreSQL's error messages: it takes a web request for a wrong start, and says so."""
    return _error(data) is not None or _old_error(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """The two first requests of every client: TLS or not, then a session for a user that nobody has, without a password."""
    known = parse(heard, tls=None) if heard else None
    async with unspoken(line, heard) as fresh:
        answer = await _start(fresh) if fresh is not None else None
    return answer or known


async def _start(line: Line) -> Answer | None:
    if not await line.send(_TLS_REQUEST):
        return None
    word = await line.read_exactly(1)
    if word == b"E":
        rest = await read_message(line, 4, lambda head: int.from_bytes(head, "big") - 4, limit=_MAX_MESSAGE)
        return parse(word + rest, tls=None)
    if word not in (b"S", b"N"):
        return None
    tls = word == b"S"
    if tls and not await line.start_tls():
        return Answer("postgresql", product="PostgreSQL DB", cpes=_CPE, facts={"tls": "yes"})
    said = await ask_message(line, _STARTUP, _HEAD, _size, limit=_MAX_MESSAGE)
    if said[:1] == b"R" and _authentication(said) == "none":
        said += await _parameters(line)
        await line.send(_TERMINATE)
    return parse(said, tls=tls)


async def _parameters(line: Line) -> bytes:
    """What a server that asks for no proof says of itself unasked, until it has named its version or is ready."""
    said = b""
    try:
        async with asyncio.timeout(2 * line.patience):
            for _ in range(_MAX_MESSAGES):
                message = await read_message(line, _HEAD, _size, limit=_MAX_MESSAGE)
                said += message
                named = message[_HEAD:].startswith(b"server_version\0")
                if named or len(message) < _HEAD or message[:1] in b"ZE":
                    break
    except TimeoutError:
        pass  # what came is kept
    return said


def _size(head: bytes) -> int:
    return int.from_bytes(head[1:_HEAD], "big") - 4


def parse(said: bytes, *, tls: bool | None) -> Answer | None:
    """What a server says to a session's start: how to prove oneself, an error, its parameters.

    `tls`: whether it would use it, None when it did not say. The version is None unless the server states it: error
    messages carry a place in its source (`error_file`, `error_line`), which no table of ours turns into a version.
    """
    facts = {} if tls is None else {"tls": "yes" if tls else "no"}
    if (fields := _error(said) or _old_error(said)) is not None:
        facts |= fields
        least = "9.6" if "severity" in fields else None
    elif (method := _authentication(said)) is not None:
        facts["authentication"] = method
        after = _error(said[_LET_IN:]) if method == "none" else None  # that our user is missing
        facts |= after or {}
        least = "10" if method == "scram-sha-256" else "9.6" if after and "severity" in after else None
    else:
        return None
    version = None
    for name, value in _stated(said):
        if name == "server_version":
            version = value
        elif name in ("server_encoding", "TimeZone", "is_superuser"):
            facts[name.lower()] = value
    if version is None and least is not None:
        facts["version_at_least"] = least
    banner = "\n".join(filter(None, (facts.get("message"), f"PostgreSQL {version}" if version else None)))
    # Nobody is told more without a login: nmap's own answer is a range of lines in the source.
    return Answer(
        "postgresql",
        banner.encode(),
        "PostgreSQL DB",
        version,
        None if version else (f"{least} or later" if least else None),
        cpes=_CPE,
        facts=facts,
        complete=True,
    )


def _authentication(said: bytes) -> str | None:
    reader = Reader(said)
    try:
        if reader.take(1) != b"R":
            return None
        length = reader.number(4)
        kind = _AUTHENTICATIONS.get(reader.number(4))
        mechanisms = reader.take(length - 8) if length >= 8 else b""  # noqa: PLR2004 - the two numbers
    except ShortError:
        return None
    if kind == "sasl":
        return "scram-sha-256" if b"SCRAM-SHA-256\0" in mechanisms else text(mechanisms, 64).lower() or None
    return kind


def _error(said: bytes) -> dict[str, str] | None:
    """The fields of an ErrorResponse as facts; `severity` is there since 9.6."""
    reader = Reader(said)
    fields: dict[str, str] = {}
    try:
        if reader.take(1) != b"E" or not _HEAD < reader.number(4) <= _MAX_MESSAGE:
            return None
        while len(fields) < 32 and (key := reader.take(1)) != b"\0":  # noqa: PLR2004 - it has some twenty
            fields[key.decode("latin-1")] = text(reader.until(), 512)
    except ShortError:
        return None
    if "S" not in fields or "M" not in fields or len(fields.get("C", "")) != 5:  # noqa: PLR2004 - SQLSTATE
        return None
    facts = {name: fields[letter] for letter, name in _FIELDS.items() if letter in fields}
    return facts | ({"severity": fields["V"]} if fields.get("V") in _SEVERITIES else {})


def _old_error(said: bytes) -> dict[str, str] | None:
    """What versions before 7.4, and newer ones to a protocol they take for old, say: a letter and a line."""
    if not said.startswith((b"EFATAL", b"EInvalid packet length", b"Eunsupported frontend protocol")):
        return None
    return {"message": text(said[1:], 512)}


def _stated(said: bytes) -> list[tuple[str, str]]:
    """The parameters that the server states by itself once a session has begun."""
    stated: list[tuple[str, str]] = []
    reader = Reader(said)
    try:
        while reader.left and len(stated) < _MAX_MESSAGES:
            letter = reader.take(1)
            body = Reader(reader.take(reader.number(4) - 4))
            if letter == b"S":
                stated.append((text(body.until(), 64), text(body.until(), 128)))
    except ShortError:
        pass
    return stated


PROTOCOL = TcpProtocol(
    "postgresql",
    frozenset({5432, 5433, 6432}),
    converse,
    recognises=recognise,
    # It says nothing to a web request, and clusters stand on any port.
    anywhere=True,
)
