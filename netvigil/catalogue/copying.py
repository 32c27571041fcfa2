"""PURE: rows in the form that PostgreSQL's binary COPY takes, built where the records are parsed.

So the process with the event loop only passes bytes on. Source of the form: PostgreSQL, "COPY", "Binary Format",
and the send functions of the types used.
"""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
COPY_TRAILER = struct.pack("!h", -1)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.date().toordinal()
_NULL = struct.pack("!i", -1)
_INT4_OID = 23
_TEXT_OID = 25
_pack_length = struct.Struct("!i").pack
_pack_integer = struct.Struct("!ii").pack
_pack_small = struct.Struct("!ih").pack
_pack_time = struct.Struct("!iq").pack
_pack_float = struct.Struct("!id").pack
_pack_list_head = struct.Struct("!iiiii").pack


class ColumnType(StrEnum):
    """The column types that rows may have; each takes None too (NULL)."""

    TEXT = "text"  # str without NUL characters
    NAME = 'text COLLATE "C"'  # the same, compared by bytes: for keys
    SMALL = "smallint"  # int
    INTEGER = "integer"  # int
    FLOAT = "float8"  # float
    BOOLEAN = "boolean"  # bool
    TIME = "timestamptz"  # datetime with a zone
    DAY = "date"  # date
    BYTES = "bytea"  # bytes
    INTEGERS = "integer[]"  # sequence of int
    TEXTS = "text[]"  # sequence of str


def _bytes(value: bytes) -> bytes:
    return _pack_length(len(value)) + value


def _text(value: str) -> bytes:
    data = value.encode()
    if b"\0" in data:
        raise ValueError("a text holds a NUL character, which PostgreSQL cannot store")
    return _pack_length(len(data)) + data


def _small(value: int) -> bytes:
    return _pack_small(2, value)


def _integer(value: int) -> bytes:
    return _pack_integer(4, value)


def _float(value: float) -> bytes:
    return _pack_float(8, value)


def _boolean(value: bool) -> bytes:  # noqa: FBT001 - called by type, never by a reader
    return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


def _time(value: datetime) -> bytes:
    since = value - _EPOCH
    return _pack_time(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _day(value: date) -> bytes:
    return _pack_integer(4, value.toordinal() - _EPOCH_DAY)


def _integers(values: Sequence[int]) -> bytes:
    count = len(values)
    if not count:
        return _pack_list_head(12, 0, 0, _INT4_OID, 0)[:16]
    # dimensions, nulls, type, then length and lower bound of the one dimension
    head = _pack_list_head(20 + 8 * count, 1, 0, _INT4_OID, count) + b"\0\0\0\1"
    return head + b"".join([_pack_integer(4, value) for value in values])


def _texts(values: Sequence[str]) -> bytes:
    if not values:
        return _pack_list_head(12, 0, 0, _TEXT_OID, 0)[:16]
    data = b"".join([_text(value) for value in values])
    return _pack_list_head(20 + len(data), 1, 0, _TEXT_OID, len(values)) + b"\0\0\0\1" + data


_ENCODERS: dict[ColumnType, Callable[[Any], bytes]] = {
    ColumnType.TEXT: _text,
    ColumnType.NAME: _text,
    ColumnType.SMALL: _small,
    ColumnType.INTEGER: _integer,
    ColumnType.FLOAT: _float,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIME: _time,
    ColumnType.DAY: _day,
    ColumnType.BYTES: _bytes,
    ColumnType.INTEGERS: _integers,
    ColumnType.TEXTS: _texts,
}


def row_encoder(types: Iterable[ColumnType]) -> Callable[[Sequence[Any]], bytes]:
    """A function from a row of these column types to its COPY form.

    It raises ValueError, TypeError or struct.error for a value that the column cannot hold.
    """
    encoders = [_ENCODERS[one] for one in types]
    head = struct.pack("!h", len(encoders))

    def encode(row: Sequence[Any]) -> bytes:
        return head + b"".join(
            [_NULL if value is None else encoder(value) for encoder, value in zip(encoders, row, strict=True)]
        )

    return encode
