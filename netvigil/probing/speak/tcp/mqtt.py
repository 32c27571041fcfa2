"""MQTT: connect without credentials, read the broker's version where it publishes it, disconnect (MQTT 3.1.1)."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import read_bytes, unspoken
from netvigil.probing.speak.protocol import TcpProtocol

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_V311, _V31 = b"\0\x04MQTT\x04", b"\0\x06MQIsdp\x03"
_KEEP_ALIVE = 60  # seconds
_TOPIC = b"$SYS/broker/version"
_SUBSCRIBE = b"\x82" + bytes([5 + len(_TOPIC)]) + b"\0\x01\0" + bytes([len(_TOPIC)]) + _TOPIC + b"\0"
_DISCONNECT = b"\xe0\0"
_VERSION_WAIT = 1.5  # seconds for the retained message, which brokers send at once or never
_MAX_PACKET = 4096
_MAX_PACKETS = 8  # looked at while waiting for the version
_CONNACK, _PUBLISH, _SUBACK = 0x20, 0x30, 0x90
_REFUSED = 0x80
_ACCEPTED, _WRONG_PROTOCOL = 0, 1
_CODES = {
    _ACCEPTED: "accepted",
    _WRONG_PROTOCOL: "unacceptable protocol version",
    2: "client id rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
_MOSQUITTO = re.compile(r"mosquitto version (\d[\w.+~-]{0,40})")
_NAMED = re.compile(r"([A-Za-z][\w -]{0,40}?)(?: version)?[ /]v?(\d[\w.+~-]{0,40})")


def recognise(data: bytes) -> bool:
    """Whether bytes are a CONNACK and nothing else."""
    return _connack(data) is not None


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Connect with the usual protocol, with the older one if that is refused; then ask for the version."""
    known = parse(heard, b"") if recognise(heard) else None
    async with unspoken(line, heard) as fresh:
        answer = await _connect(fresh, _V311) if fresh is not None else None
    if answer is not None and answer.facts["connack"] == _CODES[_WRONG_PROTOCOL]:
        second = await line.again()
        if second is not None:
            try:
                answer = await _connect(second, _V31) or answer
            finally:
                second.close()
    return answer or known


async def _connect(line: Line, protocol: bytes) -> Answer | None:
    # A broker ends another session of the same id: two scans must not share one.
    name = b"netvigil-" + secrets.token_hex(4).encode()
    body = protocol + b"\x02" + _KEEP_ALIVE.to_bytes(2, "big") + b"\0" + bytes([len(name)]) + name
    if not await line.send(b"\x10" + bytes([len(body)]) + body):
        return None
    connack = await read_bytes(line, 4)
    if _connack(connack) is None:
        return None
    version = b""
    if _connack(connack) == _ACCEPTED:
        try:
            async with asyncio.timeout(_VERSION_WAIT):
                version = await _version(line)
        except TimeoutError:
            pass
        await line.send(_DISCONNECT)
    return parse(connack, version)


async def _version(line: Line) -> bytes:
    if not await line.send(_SUBSCRIBE):
        return b""
    for _ in range(_MAX_PACKETS):
        kind, body = await _packet(line)
        if kind & 0xF0 == _PUBLISH and (payload := published(kind, body)) is not None:
            return payload
        if kind == 0 or (kind == _SUBACK and body[2:3] == bytes([_REFUSED])):
            return b""
    return b""


async def _packet(line: Line) -> tuple[int, bytes]:
    """The next packet's first byte and body; 0 when there is none that we would read."""
    first = await line.read_exactly(1, _VERSION_WAIT)
    length, shift = 0, 0
    while first:
        byte = await line.read_exactly(1)
        if not byte or shift > 21:  # noqa: PLR2004 - four bytes of seven bits
            break
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:  # noqa: PLR2004 - the last one has no high bit
            return (first[0], await line.read_exactly(length)) if length <= _MAX_PACKET else (0, b"")
    return 0, b""


def published(kind: int, body: bytes) -> bytes | None:
    """The payload of a PUBLISH to the topic that we asked for; None for another one."""
    size = int.from_bytes(body[:2], "big")
    topic, rest = body[2 : 2 + size], body[2 + size :]
    if topic != _TOPIC:
        return None
    return rest[2:] if kind & 0x06 else rest  # a packet's number is there above quality of service 0


def parse(connack: bytes, version: bytes) -> Answer | None:
    """What a CONNACK and the published version (b"" for none) say."""
    code = _connack(connack)
    if code is None:
        return None
    facts = {"connack": _CODES[code]}
    words = version[:200].decode("utf-8", "replace").strip()
    banner = words.encode()
    if found := _MOSQUITTO.search(words):
        return Answer("mqtt", banner, "mosquitto", found[1], facts=facts, complete=True)
    if found := _NAMED.fullmatch(words):
        return Answer("mqtt", banner, found[1], found[2], facts=facts, complete=True)
    return Answer(
        "mqtt", banner, extra_info=None if code == _ACCEPTED else _CODES[code], facts=facts, complete=True
    )


def _connack(data: bytes) -> int | None:
    """The return code of a CONNACK; a session may only be present where one was accepted (3.2.2.2)."""
    if len(data) != 4 or data[:2] != b"\x20\x02":  # noqa: PLR2004 - its length
        return None
    return data[3] if data[3] in _CODES and data[2] <= (data[3] == _ACCEPTED) else None


PROTOCOL = TcpProtocol(
    "mqtt",
    frozenset({1883, 8883, 1884}),
    converse,
    recognises=recognise,
    # Brokers hang up on a web request without a word.
    anywhere=True,
)
