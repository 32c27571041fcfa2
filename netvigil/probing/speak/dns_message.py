"""PURE: DNS messages (RFC 1035) as unicast, multicast and TCP carry them: encode a question, read an answer of any bytes."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

A: Final = 1
NS: Final = 2
CNAME: Final = 5
PTR: Final = 12
HINFO: Final = 13
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
NSEC: Final = 47
ANY: Final = 255
IN: Final = 1
CH: Final = 3
UNICAST_REPLY: Final = 0x8000
"""Added to a question's class, it asks a multicast responder to answer us alone (RFC 6762, 5.4)."""

MAX_RECORDS: Final = 256
_MAX_NAME = 255  # octets on the wire (RFC 1035, 3.1)
_MAX_LABEL = 63
_HEADER = struct.Struct(">6H")
_QUESTION = struct.Struct(">2H")
_RECORD = struct.Struct(">2HIH")
_SERVICE = struct.Struct(">3H")
_DOT = re.compile(r"(?:\\.|[^.\\])+", re.DOTALL)


class _BrokenError(Exception):
    """The message ends early or its names do not resolve; never leaves this module."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: a name, its type and class as numbers."""

    name: str
    type: int
    class_: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Names are joined with dots, without the last; a dot or backslash within a label is escaped by one.

    `class_` is without multicast's cache-flush bit. `rdata` is as it came, its names possibly compressed. `strings`
    are the strings of a TXT or HINFO record. `text` is what the record says: the address of A and AAAA, the name of
    PTR, CNAME and NS, `priority weight port target` of SRV, the strings of TXT and HINFO a line each; None for other
    types and for what cannot be read.
    """

    name: str
    type: int
    class_: int
    ttl: int
    rdata: bytes
    text: str | None = None
    strings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `rcode` 0 is no error, 5 refused. `whole` is false when its records ended before their count."""

    id: int
    response: bool
    authoritative: bool
    truncated: bool
    rcode: int
    questions: tuple[Question, ...]
    answers: tuple[Record, ...]
    authorities: tuple[Record, ...]
    additionals: tuple[Record, ...]
    whole: bool

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, answers first."""
        return self.answers + self.authorities + self.additionals


def encode_query(id: int, name: str, qtype: int, qclass: int, *, recursion: bool = False) -> bytes:  # noqa: A002
    """A message with one question; `id` 0 to 65535. ValueError for a name that DNS cannot carry."""
    header = _HEADER.pack(id, 0x0100 if recursion else 0, 1, 0, 0, 0)
    return header + encode_name(name) + _QUESTION.pack(qtype, qclass)


def encode_name(name: str) -> bytes:
    r"""A name on the wire; labels are parted by dots, `\.` is a dot within one. ValueError when it is too long."""
    labels = [re.sub(r"\\(.)", r"\1", label, flags=re.DOTALL).encode() for label in _DOT.findall(name)]
    if any(len(label) > _MAX_LABEL for label in labels) or sum(map(len, labels)) + len(labels) >= _MAX_NAME:
        msg = f"too long for DNS: {name[:100]!r}"
        raise ValueError(msg)
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def parse_message(data: bytes) -> Message | None:
    """The message in a datagram; None when its header or questions are broken. Records are read until one is broken.

    Never raises; at most `MAX_RECORDS` records and as many questions, each name of bounded work.
    """
    if len(data) < _HEADER.size:
        return None
    id_, flags, *counts = _HEADER.unpack_from(data)
    questions: list[Question] = []
    at = _HEADER.size
    try:
        for _ in range(min(counts[0], MAX_RECORDS + 1)):
            question, at = _question(data, at)
            questions.append(question)
    except _BrokenError:
        return None
    if counts[0] > MAX_RECORDS:
        return None
    sections, whole = _sections(data, at, counts[1:])
    return Message(
        id_,
        response=bool(flags & 0x8000),
        authoritative=bool(flags & 0x0400),
        truncated=bool(flags & 0x0200),
        rcode=flags & 0xF,
        questions=tuple(questions),
        answers=sections[0],
        authorities=sections[1],
        additionals=sections[2],
        whole=whole,
    )


def _sections(data: bytes, at: int, counts: list[int]) -> tuple[list[tuple[Record, ...]], bool]:
    sections: list[tuple[Record, ...]] = []
    whole, room = True, MAX_RECORDS
    for count in counts:
        records: list[Record] = []
        while whole and len(records) < count:
            if room == 0:
                whole = False
                break
            try:
                record, at = _record(data, at)
            except _BrokenError:
                whole = False
                break
            records.append(record)
            room -= 1
        sections.append(tuple(records))
    return sections, whole


def _question(data: bytes, at: int) -> tuple[Question, int]:
    name, at = _name(data, at)
    if at + _QUESTION.size > len(data):
        raise _BrokenError
    type_, class_ = _QUESTION.unpack_from(data, at)
    return Question(name, type_, class_), at + _QUESTION.size


def _record(data: bytes, at: int) -> tuple[Record, int]:
    name, at = _name(data, at)
    start = at + _RECORD.size
    if start > len(data):
        raise _BrokenError
    type_, class_, ttl, length = _RECORD.unpack_from(data, at)
    end = start + length
    if end > len(data):
        raise _BrokenError
    strings = _strings(data[start:end]) if type_ in (TXT, HINFO) else ()
    text = "\n".join(strings) if type_ in (TXT, HINFO) else _text(data, type_, start, end)
    return Record(name, type_, class_ & 0x7FFF, ttl, data[start:end], text, strings), end


def _text(data: bytes, type_: int, start: int, end: int) -> str | None:
    rdata = data[start:end]
    try:
        if type_ == A and len(rdata) == 4:  # noqa: PLR2004 - octets of an IPv4 address
            return str(IPv4Address(rdata))
        if type_ == AAAA and len(rdata) == 16:  # noqa: PLR2004 - octets of an IPv6 address
            return str(IPv6Address(rdata))
        if type_ in (PTR, CNAME, NS):
            return _name(data, start, end)[0]
        if type_ == SRV and len(rdata) > _SERVICE.size:
            priority, weight, port = _SERVICE.unpack_from(rdata)
            return f"{priority} {weight} {port} {_name(data, start + _SERVICE.size, end)[0]}"
    except _BrokenError:
        pass
    return None


def _strings(rdata: bytes) -> tuple[str, ...]:
    strings: list[str] = []
    at = 0
    while at < len(rdata) and len(strings) < MAX_RECORDS:
        end = at + 1 + rdata[at]
        strings.append(rdata[at + 1 : end].decode("utf-8", "replace"))
        at = end
    return tuple(strings)


def _name(data: bytes, at: int, limit: int | None = None) -> tuple[str, int]:
    """The name at a place, and the place after it; its own part must end before `limit`.

    A pointer may only lead to before the part that it ends, so that no message makes us run in a circle.
    """
    labels: list[str] = []
    size, part, after = 0, at, None
    limit = len(data) if limit is None else limit
    while True:
        if at >= limit:
            raise _BrokenError
        length = data[at]
        if length >= 0xC0:  # noqa: PLR2004 - two high bits mark a pointer (RFC 1035, 4.1.4)
            if at + 2 > limit:
                raise _BrokenError
            after = at + 2 if after is None else after
            target = (length & 0x3F) << 8 | data[at + 1]
            if target >= part:
                raise _BrokenError
            at = part = target
            limit = len(data)
            continue
        size += 1 + length
        if length > _MAX_LABEL or size > _MAX_NAME or at + 1 + length > limit:
            raise _BrokenError
        if length == 0:
            return ".".join(labels), at + 1 if after is None else after
        label = data[at + 1 : at + 1 + length].decode("utf-8", "replace")
        labels.append(label.replace("\\", "\\\\").replace(".", "\\."))
        at += 1 + length
