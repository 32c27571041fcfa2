"""Microsoft SQL Server: the version that it states before a client logs in (MS-TDS, PRELOGIN)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import Reader, ShortError

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_HEAD = 8  # kind, status, length of all, channel, number, window
_MAX_ANSWER = 1024
_PRELOGIN, _RESPONSE = 0x12, 0x04
_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _END = 0, 1, 2, 3, 0xFF
_MAX_OPTIONS = 16
_ENCRYPTIONS = {0: "login only", 1: "on", 2: "not supported", 3: "required"}
_YEARS = {
    (8, 0): "2000",
    (9, 0): "2005",
    (10, 0): "2008",
    (10, 50): "2008 R2",
    (11, 0): "2012",
    (12, 0): "2014",
    (13, 0): "2016",
    (14, 0): "2017",
    (15, 0): "2019",
    (16, 0): "2022",
    (17, 0): "2025",
}
_FIRST_NAMED_BY_YEAR = 13  # NVD: sql_server_2016 and later, with versions by build


def _request() -> bytes:
    values = ((_VERSION, bytes(6)), (_ENCRYPTION, b"\0"), (_INSTANCE, b"\0"), (_THREAD, bytes(4)))
    offset = 5 * len(values) + 1
    table, data = b"", b""
    for option, value in values:
        table += struct.pack(">B2H", option, offset + len(data), len(value))
        data += value
    body = table + bytes([_END]) + data
    return struct.pack(">2BH4B", _PRELOGIN, 1, _HEAD + len(body), 0, 0, 0, 0) + body


_REQUEST = _request()


def recognise(data: bytes) -> bool:
    """Whether bytes are the answer to a PRELOGIN."""
    return parse(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Ask for the version, hang up: the login would be next."""
    known = parse(heard) if heard else None
    if known is not None:
        return known
    async with unspoken(line, heard) as fresh:
        if fresh is None:
            return None
        return parse(await ask_message(fresh, _REQUEST, _HEAD, _size, limit=_MAX_ANSWER))


def _size(head: bytes) -> int:
    return int.from_bytes(head[2:4], "big") - _HEAD if head[0] == _RESPONSE else 0


def parse(said: bytes) -> Answer | None:
    """What the answer to a PRELOGIN says; the last part of the version is 0 where the server does not tell it."""
    if len(said) <= _HEAD or said[:2] != b"\x04\x01" or int.from_bytes(said[2:4], "big") != len(said):
        return None
    options = _options(said[_HEAD:])
    stated = options.get(_VERSION, b"")
    if len(stated) != 6 or _ENCRYPTION not in options:  # noqa: PLR2004 - its length
        return None
    major, minor, build, part = struct.unpack(">2B2H", stated)
    year = _YEARS.get((major, minor))
    version = f"{major}.{minor}.{build}" + (f".{part}" if part else "")
    cpes: tuple[str, ...] = ()
    if year is not None:
        cpes = (f"cpe:/a:microsoft:sql_server:{year.lower().replace(' ', '_')}",)
        if major >= _FIRST_NAMED_BY_YEAR:
            cpes = (f"cpe:/a:microsoft:sql_server_{year}", *cpes)
    product = f"Microsoft SQL Server {year}" if year else "Microsoft SQL Server"
    encryption = options[_ENCRYPTION]
    facts = {"encryption": _ENCRYPTIONS.get(encryption[0], "unknown")} if encryption else {}
    return Answer(
        "ms-sql-s", f"{product} {version}".encode(), product, version, cpes=cpes, facts=facts, complete=True
    )


def _options(body: bytes) -> dict[int, bytes]:
    reader = Reader(body)
    options: dict[int, bytes] = {}
    try:
        for _ in range(_MAX_OPTIONS):
            option = reader.number(1)
            if option == _END:
                return options
            at, size = reader.number(2), reader.number(2)
            options[option] = Reader(body, min(at, len(body))).take(size)
    except ShortError:
        pass
    return {}


PROTOCOL = TcpProtocol(
    "ms-sql-s",
    frozenset({1433}),
    converse,
    recognises=recognise,
    # Named instances get a port by chance, and say nothing to a web request.
    anywhere=True,
)
