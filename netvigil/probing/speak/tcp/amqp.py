"""AMQP: the broker introduces itself once a client has named the protocol (AMQP 0-9-1, 2.2.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import ask_message, read_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import Reader, ShortError, text

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_HEADER = b"AMQP\0\0\x09\x01"
_FRAME_HEAD = 7  # kind, channel, size
_START = b"\0\x0a\0\x0a"  # Connection.Start
_END = 0xCE
_MAX_FIELDS = 32
_SIZES = {
    "t": 1,
    "b": 1,
    "B": 1,
    "s": 2,
    "u": 2,
    "I": 4,
    "i": 4,
    "f": 4,
    "l": 8,
    "L": 8,
    "d": 8,
    "D": 5,
    "T": 8,
    "V": 0,
}
_VERSION = re.compile(r"\d[\w.+~-]{0,40}")


def recognise(data: bytes) -> bool:
    """Whether bytes are a protocol header, which brokers answer to anything else, or the introduction."""
    return parse(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Name the protocol, hear the introduction, hang up: before its answer a client has no other way to leave."""
    known = parse(heard) if heard else None
    async with unspoken(line, heard) as fresh:
        if fresh is None:
            return known
        said = await ask_message(fresh, _HEADER, _FRAME_HEAD, _size)
        if said.startswith(b"AMQP"):
            said += await read_message(fresh, 1, lambda _: 0)
    return parse(said) or known


def _size(head: bytes) -> int:
    return 0 if head.startswith(b"AMQP") else int.from_bytes(head[3:7], "big") + 1


def parse(said: bytes) -> Answer | None:
    """What a header (`AMQP` and four numbers) or Connection.Start says."""
    if said.startswith(b"AMQP") and len(said) == len(_HEADER):
        if max(said[4:]) > 10:  # noqa: PLR2004 - protocol 0 to 3, version 0-9-1 or 1-0-0
            return None
        shown = ".".join(map(str, said[5:8])) if said[4] == 0 else "1.0"
        return Answer("amqp", extra_info=f"protocol {shown}", facts={"protocol": shown})
    reader = Reader(said)
    try:
        if reader.take(3) != b"\x01\0\0":
            return None
        body = Reader(reader.take(reader.number(4)))
        if reader.number(1) != _END or body.take(4) != _START:
            return None
        protocol = f"{body.number(1)}-{body.number(1)}"
        properties = _table(body)
        mechanisms = text(body.take(body.number(4)), 128)
    except ShortError:
        return None
    return _named(properties, protocol, mechanisms)


def _table(reader: Reader) -> dict[str, str]:
    """The strings of a field table's first level."""
    table = Reader(reader.take(reader.number(4)))
    fields: dict[str, str] = {}
    for _ in range(_MAX_FIELDS):
        if not table.left:
            break
        name = text(table.take(table.number(1)), 64)
        kind = table.take(1).decode("latin-1")
        if kind in "SxAF":
            value = table.take(table.number(4))
            if kind == "S":
                fields[name] = text(value, 256)
        elif kind in _SIZES:
            table.skip(_SIZES[kind])
        else:
            break
    return fields


def _named(properties: dict[str, str], protocol: str, mechanisms: str) -> Answer:
    product, stated = properties.get("product") or None, properties.get("version", "")
    version = stated if product and _VERSION.fullmatch(stated) else None
    facts = {"protocol": protocol, "mechanisms": mechanisms}
    facts |= {name: properties[name] for name in ("platform", "cluster_name") if properties.get(name)}
    words = " ".join(filter(None, (product, version)))
    banner = "\n".join(filter(None, (words, properties.get("platform"))))
    return Answer(
        "amqp",
        banner.encode(),
        product,
        version,
        protocol,
        cpes=("cpe:/a:vmware:rabbitmq",) if product == "RabbitMQ" else (),
        facts=facts,
        complete=version is not None,
    )


PROTOCOL = TcpProtocol("amqp", frozenset({5672, 5671}), converse, recognises=recognise)
