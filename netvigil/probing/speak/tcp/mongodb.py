"""MongoDB: the two questions that every driver asks before a login, who it is and of what build."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import MAX_MESSAGE, ask_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import Reader, ShortError, text

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

Value = str | int | float | bool

_HTTP_WORDS = b"It looks like you are trying to access MongoDB over HTTP"
_HEAD = struct.Struct("<4i")  # length, request, answer to, kind
_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_MESSAGE_WIRE_VERSION = 6  # MongoDB 3.6, which brought OP_MSG; 5.1 took the older form away
_MAX_FIELDS = 128
_SIZES: Final = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}


def recognise(data: bytes) -> bool:
    """Whether bytes are what a mongod answers a web request with."""
    return _HTTP_WORDS in data


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Greet in the form that all versions take, then ask for the build in the one that this version takes."""
    known = Answer("mongodb", heard[:512], "MongoDB", cpes=_CPE) if recognise(heard) else None
    async with unspoken(line, heard) as fresh:
        answer = await _ask(fresh) if fresh is not None else None
    return answer or known


async def _ask(line: Line) -> Answer | None:
    hello = read_reply(await ask_message(line, _query(1, _HELLO), _HEAD.size, _size))
    if hello is None or not (
        {"maxWireVersion", "maxBsonObjectSize", "ismaster", "isWritablePrimary"} & hello.keys()
    ):
        return None
    wire = hello.get("maxWireVersion", 0)
    modern = isinstance(wire, int) and wire >= _MESSAGE_WIRE_VERSION
    request = _message(2, _BUILD) if modern else _query(2, _BUILD)
    return parse(hello, read_reply(await ask_message(line, request, _HEAD.size, _size)) or {})


def _size(head: bytes) -> int:
    return int.from_bytes(head[:4], "little") - _HEAD.size


def _document(*elements: bytes) -> bytes:
    body = b"".join(elements) + b"\0"
    return struct.pack("<i", 4 + len(body)) + body


def _one(name: bytes) -> bytes:
    return b"\x10" + name + b"\0" + struct.pack("<i", 1)


_HELLO = _document(_one(b"isMaster"), b"\x08helloOk\0\x01")
_BUILD = _document(_one(b"buildInfo"))
_BUILD_IN_ADMIN = _document(_one(b"buildInfo"), b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0")
_CPE = ("cpe:/a:mongodb:mongodb",)


def _query(number: int, document: bytes) -> bytes:
    body = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<2i", 0, -1) + document
    return _HEAD.pack(_HEAD.size + len(body), number, 0, _QUERY) + body


def _message(number: int, document: bytes) -> bytes:
    body = struct.pack("<I", 0) + b"\0" + (_BUILD_IN_ADMIN if document is _BUILD else document)
    return _HEAD.pack(_HEAD.size + len(body), number, 0, _MESSAGE) + body


def read_reply(data: bytes) -> dict[str, Value] | None:
    """The fields of the document in an OP_REPLY or OP_MSG; None for other bytes (MongoDB wire protocol)."""
    if len(data) < _HEAD.size:
        return None
    length, _, _, kind = _HEAD.unpack_from(data)
    if length != len(data):
        return None
    if kind == _REPLY:
        return read_document(data, _HEAD.size + 20)
    if kind == _MESSAGE and data[_HEAD.size + 4 : _HEAD.size + 5] == b"\0":
        return read_document(data, _HEAD.size + 5)
    return None


def read_document(data: bytes, at: int = 0) -> dict[str, Value] | None:
    """The strings, numbers and truths of a BSON document's first level; None when it is none (bsonspec.org, 1.1)."""
    reader = Reader(data, at, "little")
    fields: dict[str, Value] = {}
    try:
        length = reader.number(4)
        if not 5 <= length <= MAX_MESSAGE:  # noqa: PLR2004 - an empty document's
            return None
        reader = Reader(data[at : at + length], 4, "little")
        for _ in range(_MAX_FIELDS):
            kind = reader.number(1)
            if kind == 0:
                break
            name = text(reader.until(), 64)
            value = _value(reader, kind)
            if value is not None:
                fields[name] = value
    except ShortError:
        return None
    return fields


def _value(reader: Reader, kind: int) -> Value | None:
    if kind in (0x02, 0x0D, 0x0E):  # string, code, symbol
        return text(reader.take(reader.number(4)), 512)
    if kind in (0x03, 0x04):  # document, array
        reader.skip(reader.number(4) - 4)
    elif kind == 0x05:  # noqa: PLR2004 - binary
        reader.skip(reader.number(4) + 1)
    elif kind == 0x0B:  # noqa: PLR2004 - regular expression
        reader.until()
        reader.until()
    elif kind in _SIZES:
        return _number(kind, reader.take(_SIZES[kind]))
    else:
        raise ShortError
    return None


def _number(kind: int, data: bytes) -> Value | None:
    if kind == 0x01:
        return float(struct.unpack("<d", data)[0])
    if kind == 0x08:  # noqa: PLR2004 - boolean
        return data != b"\0"
    return int.from_bytes(data, "little", signed=True) if kind in (0x10, 0x12) else None


def parse(hello: dict[str, Value], build: dict[str, Value]) -> Answer:
    """What the answers to `isMaster` and `buildInfo` say."""
    product, version = "MongoDB", build.get("version")
    cpes: tuple[str, ...] = _CPE
    if isinstance(ferret := build.get("ferretdbVersion"), str):
        product, version, cpes = "FerretDB", ferret.removeprefix("v"), ()
    version = version if isinstance(version, str) and version[:1].isdigit() else None
    facts = {
        fact: str(fields[name])
        for fields, name, fact in (
            (hello, "maxWireVersion", "max_wire_version"),
            (hello, "setName", "replica_set"),
            (hello, "me", "replica_member"),
            (hello, "msg", "role"),
            (build, "gitVersion", "git_version"),
            (build, "errmsg", "message"),
        )
        if name in fields
    }
    banner = f"{product} {version}" if version else facts.get("message", product)
    return Answer(
        "mongodb",
        banner.encode(),
        product,
        version,
        cpes=cpes,
        facts=facts,
        complete=version is not None,
    )


PROTOCOL = TcpProtocol("mongodb", frozenset({27017, 27018, 27019}), converse, recognises=recognise)
