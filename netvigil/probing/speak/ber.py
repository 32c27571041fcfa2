"""PURE: the part of ASN.1's Basic Encoding Rules that SNMP is written in, with every length checked (X.690, 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30

MAX_ELEMENTS: Final = 4096  # beside each other: no SNMP message that fits a datagram has more
MAX_INTEGER: Final = 16  # bytes: a Counter64 has nine
MAX_ARCS: Final = 128  # RFC 2578, 3.5

_LONG_LENGTH = 0x80
_MULTI_BYTE_TAG = 0x1F
_ARC_BITS = 7
_ARC_LIMIT = 2**32
_FIRST_ARC = 40
_LAST_FIRST_ARC = 2
_MIN_ARCS = 2


class BerError(ValueError):
    """The bytes are no such element: cut off, too long, or of a form that SNMP never uses."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag byte and its content, whose length was checked."""

    tag: int
    content: bytes


def encode(tag: int, content: bytes) -> bytes:
    """An element with the shortest length field."""
    size = len(content)
    if size < _LONG_LENGTH:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG_LENGTH | len(length)]) + length + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """A signed integer of the fewest bytes."""
    # One bit more than the magnitude needs is the sign's; ~value, for -128 fits one byte.
    size = ((value if value >= 0 else ~value).bit_length()) // 8 + 1
    return encode(tag, value.to_bytes(size, "big", signed=True))


def encode_oid(oid: tuple[int, ...]) -> bytes:
    """An object identifier of at least two arcs; raises BerError for what is none."""
    if (
        not _MIN_ARCS <= len(oid) <= MAX_ARCS
        or oid[0] > _LAST_FIRST_ARC
        or not all(0 <= arc < _ARC_LIMIT for arc in oid)
    ):
        raise BerError("no object identifier")
    content = bytearray()
    for arc in (oid[0] * _FIRST_ARC + oid[1], *oid[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> _ARC_BITS:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return encode(OBJECT_IDENTIFIER, bytes(content))


def read_element(data: bytes, at: int = 0) -> tuple[Element, int]:
    """The element that begins at a place, and where the next one begins; raises BerError."""
    if at + 2 > len(data):
        raise BerError("cut off")
    tag, length = data[at], data[at + 1]
    at += 2
    if tag & _MULTI_BYTE_TAG == _MULTI_BYTE_TAG:
        raise BerError("a tag of many bytes")
    if length & _LONG_LENGTH:
        count = length & ~_LONG_LENGTH
        # Agents pad lengths (net-snmp writes 82 00 10); none needs more than four bytes, and 80 has no end.
        if not 1 <= count <= 4 or at + count > len(data):  # noqa: PLR2004 - four bytes as said
            raise BerError("no definite length")
        length = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + length > len(data):
        raise BerError("cut off")
    return Element(tag, data[at : at + length]), at + length


def read_elements(data: bytes, limit: int = MAX_ELEMENTS) -> tuple[Element, ...]:
    """All elements that stand beside each other, their contents unread; raises BerError, also beyond `limit`."""
    elements: list[Element] = []
    at = 0
    while at < len(data):
        if len(elements) == limit:
            raise BerError("too many elements")
        element, at = read_element(data, at)
        elements.append(element)
    return tuple(elements)


def read_sequence(data: bytes, tag: int = SEQUENCE) -> tuple[Element, ...]:
    """The elements inside the one element that the data opens with, which must have the tag; raises BerError."""
    element, _ = read_element(data)
    if element.tag != tag:
        raise BerError(f"tag {element.tag:#x} instead of {tag:#x}")
    return read_elements(element.content)


def decode_integer(content: bytes, *, signed: bool = True) -> int:
    """The number; raises BerError when it is empty or longer than any of SNMP's."""
    if not 1 <= len(content) <= MAX_INTEGER:
        raise BerError("no integer")
    return int.from_bytes(content, "big", signed=signed)


def decode_oid(content: bytes) -> tuple[int, ...]:
    """The arcs of an object identifier; raises BerError."""
    arcs: list[int] = []
    arc = 0
    for place, byte in enumerate(content):
        arc = arc << _ARC_BITS | byte & 0x7F
        if arc >= _ARC_LIMIT or len(arcs) == MAX_ARCS:
            raise BerError("no object identifier of SNMP's")
        if byte & 0x80:
            if place == len(content) - 1:
                raise BerError("cut off")
            continue
        if arcs:
            arcs.append(arc)
        else:
            first = min(arc // _FIRST_ARC, _LAST_FIRST_ARC)
            arcs += [first, arc - first * _FIRST_ARC]
        arc = 0
    if not arcs:
        raise BerError("no object identifier")
    return tuple(arcs)
