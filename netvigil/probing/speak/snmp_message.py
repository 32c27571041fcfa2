"""PURE: SNMP's messages for reading, v1 and v2c, and engine discovery of v3 (RFC 1157, 3416, 3412, 3414)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from netvigil.probing.speak import ber

if TYPE_CHECKING:
    from collections.abc import Sequence

Oid = tuple[int, ...]
Value = int | bytes | str | None

V1: Final = 0
V2C: Final = 1
V3: Final = 3

GET: Final = 0xA0
GET_NEXT: Final = 0xA1
RESPONSE: Final = 0xA2
GET_BULK: Final = 0xA5
REPORT: Final = 0xA8

# Types of a value (RFC 2578, 7.1) besides those of BER.
IP_ADDRESS: Final = 0x40
COUNTER32: Final = 0x41
GAUGE32: Final = 0x42
TIME_TICKS: Final = 0x43
OPAQUE: Final = 0x44
COUNTER64: Final = 0x46
# Instead of a value, in v2c: there is none (RFC 3416, 3).
NO_SUCH_OBJECT: Final = 0x80
NO_SUCH_INSTANCE: Final = 0x81
END_OF_MIB_VIEW: Final = 0x82

_UNSIGNED: Final = frozenset({COUNTER32, GAUGE32, TIME_TICKS, COUNTER64})
_OCTETS: Final = frozenset({ber.OCTET_STRING, IP_ADDRESS, OPAQUE})
_REPORTABLE: Final = b"\x04"
_USER_SECURITY: Final = 3
_MESSAGE_SIZE: Final = 65507
_MAX_ENGINE_ID: Final = 32  # RFC 3411, SnmpEngineID
_MIN_ENGINE_ID: Final = 5


class Binding(NamedTuple):
    """A variable and its value: int for numbers, bytes for strings and addresses, an OID as dotted text, else None.

    `tag` is the value's type; END_OF_MIB_VIEW and its kin come with the value None, as NULL does.
    """

    oid: Oid
    value: Value
    tag: int


@dataclass(frozen=True, slots=True)
class Response:
    """A GetResponse; `error` is its error-status (0 is none, 2 is v1's noSuchName), `error_index` counts from 1."""

    version: int
    community: bytes
    request_id: int
    error: int
    error_index: int
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Engine:
    """Who a v3 agent is, from its report on an empty request; `time` in seconds since its last start."""

    message_id: int
    engine_id: bytes
    boots: int
    time: int


def encode_get(community: bytes, request_id: int, oids: Sequence[Oid], version: int = V2C) -> bytes:
    """A GetRequest."""
    return _encode(GET, community, version, (request_id, 0, 0), oids)


def encode_get_next(community: bytes, request_id: int, oids: Sequence[Oid], version: int = V2C) -> bytes:
    """A GetNextRequest: the first variable after each of the names."""
    return _encode(GET_NEXT, community, version, (request_id, 0, 0), oids)


def encode_get_bulk(
    community: bytes,
    request_id: int,
    oids: Sequence[Oid],
    *,
    non_repeaters: int = 0,
    max_repetitions: int = 25,
) -> bytes:
    """A GetBulkRequest, of v2c only: the next `max_repetitions` variables after each of the names."""
    return _encode(GET_BULK, community, V2C, (request_id, non_repeaters, max_repetitions), oids)


def encode_discovery(message_id: int) -> bytes:
    """An empty request of v3 without user and engine, which the agent answers by naming its engine (RFC 3414, 4)."""
    header = ber.encode(
        ber.SEQUENCE,
        ber.encode_integer(message_id)
        + ber.encode_integer(_MESSAGE_SIZE)
        + ber.encode(ber.OCTET_STRING, _REPORTABLE)
        + ber.encode_integer(_USER_SECURITY),
    )
    nobody = ber.encode(ber.OCTET_STRING, b"")
    security = ber.encode(
        ber.SEQUENCE, nobody + ber.encode_integer(0) + ber.encode_integer(0) + nobody + nobody + nobody
    )
    scoped = ber.encode(ber.SEQUENCE, nobody + nobody + _encode_pdu(GET, (message_id, 0, 0), ()))
    body = ber.encode_integer(V3) + header + ber.encode(ber.OCTET_STRING, security) + scoped
    return ber.encode(ber.SEQUENCE, body)


def parse_response(data: bytes) -> Response | None:
    """A GetResponse of v1 or v2c; None for anything else."""
    try:
        version, community, pdu = ber.read_sequence(data)
        number = _integer(version)
        if number not in {V1, V2C} or community.tag != ber.OCTET_STRING or pdu.tag != RESPONSE:
            return None
        request_id, error, error_index, bindings = ber.read_elements(pdu.content, 4)
        if bindings.tag != ber.SEQUENCE:
            return None
        return Response(
            number,
            community.content,
            _integer(request_id),
            _integer(error),
            _integer(error_index),
            tuple(map(_parse_binding, ber.read_elements(bindings.content))),
        )
    except ValueError:  # a BerError, or more or fewer elements than there must be
        return None


def parse_engine(data: bytes) -> Engine | None:
    """The engine named in a v3 agent's report; None for anything else."""
    try:
        version, header, security, _scoped = ber.read_sequence(data)
        if _integer(version) != V3 or header.tag != ber.SEQUENCE or security.tag != ber.OCTET_STRING:
            return None
        message_id = ber.read_elements(header.content)[0]
        engine_id, boots, time, *_ = ber.read_sequence(security.content)
        if (
            engine_id.tag != ber.OCTET_STRING
            or not _MIN_ENGINE_ID <= len(engine_id.content) <= _MAX_ENGINE_ID
        ):
            return None
        return Engine(_integer(message_id), engine_id.content, _integer(boots), _integer(time))
    except (ValueError, IndexError):
        return None


def find_id(data: bytes) -> int | None:
    """What a request and its reply have in common: the request id of v1 and v2c, the message id of v3."""
    try:
        version, second, pdu, *_ = ber.read_sequence(data)
        if _integer(version) == V3:
            return _integer(ber.read_elements(second.content)[0])
        return _integer(ber.read_elements(pdu.content)[0])
    except (ValueError, IndexError):
        return None


def parse_oid(text: str) -> Oid:
    """The arcs of `1.3.6.1`; for constants, so it raises ValueError for anything else."""
    return tuple(int(arc) for arc in text.split("."))


def _encode(kind: int, community: bytes, version: int, numbers: Sequence[int], oids: Sequence[Oid]) -> bytes:
    body = ber.encode_integer(version) + ber.encode(ber.OCTET_STRING, community)
    return ber.encode(ber.SEQUENCE, body + _encode_pdu(kind, numbers, oids))


def _encode_pdu(kind: int, numbers: Sequence[int], oids: Sequence[Oid]) -> bytes:
    null = ber.encode(ber.NULL, b"")
    bindings = b"".join(ber.encode(ber.SEQUENCE, ber.encode_oid(oid) + null) for oid in oids)
    return ber.encode(kind, b"".join(map(ber.encode_integer, numbers)) + ber.encode(ber.SEQUENCE, bindings))


def _parse_binding(element: ber.Element) -> Binding:
    if element.tag != ber.SEQUENCE:
        raise ber.BerError("no binding")
    name, value = ber.read_elements(element.content, 2)
    if name.tag != ber.OBJECT_IDENTIFIER:
        raise ber.BerError("no name")
    return Binding(ber.decode_oid(name.content), _decode_value(value), value.tag)


def _decode_value(element: ber.Element) -> Value:
    if element.tag in _OCTETS:
        return element.content
    if element.tag == ber.INTEGER:
        return ber.decode_integer(element.content)
    if element.tag in _UNSIGNED:
        return ber.decode_integer(element.content, signed=False)
    if element.tag == ber.OBJECT_IDENTIFIER:
        return ".".join(map(str, ber.decode_oid(element.content)))
    return None


def _integer(element: ber.Element) -> int:
    if element.tag != ber.INTEGER:
        raise ber.BerError("no integer")
    return ber.decode_integer(element.content)
