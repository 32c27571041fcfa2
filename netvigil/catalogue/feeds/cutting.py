"""Ways to cut a stream of bytes into blocks of whole records: lines, elements of a JSON array, a single document."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import orjson

from netvigil.catalogue.feeds.base import (
    BLOCK_SIZE,
    HEAD_SIZE,
    RECORD_LIMIT,
    RECORD_SEPARATOR,
    Block,
    DamagedFile,
)
from netvigil.errors import FeedError

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first HEAD_SIZE bytes or more, without a byte order mark, and the whole stream again from its start."""
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_SIZE:
            break
    text = bytes(head).removeprefix(BYTE_ORDER_MARK)
    return text, chain([text], chunks)


def is_json(text: bytes) -> bool:
    """Whether a text is one JSON value."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def line_blocks(chunks: Iterator[bytes], context: str = "") -> Iterator[Block]:
    """Records that are lines, in blocks of BLOCK_SIZE or so."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        if len(buffer) < BLOCK_SIZE:
            continue
        end = buffer.rfind(b"\n") + 1
        if end:
            yield Block(bytes(buffer[:end]), b"\n", context)
            del buffer[:end]
        _refuse_above_limit(buffer)
    yield Block(bytes(buffer), b"\n", context)


def single_block(chunks: Iterator[bytes], context: str = "") -> Block:
    """The whole stream as one record."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        _refuse_above_limit(buffer)
    return Block(bytes(buffer), context=context)


def document_blocks(chunks: Iterator[bytes], key: str, context: str = "") -> Iterator[Block]:
    """The elements of the list under `key` of one small document (RECORD_LIMIT), as records of one block."""
    document = whole_document(chunks)
    elements = document.get(key) if isinstance(document, dict) else None
    if not isinstance(elements, list):
        raise DamagedFile(f"The file is damaged: it has no list {key!r}.")
    yield Block(RECORD_SEPARATOR.join(orjson.dumps(one) for one in elements), context=context)


def whole_document(chunks: Iterator[bytes]) -> Any:
    """The value of a small JSON file (RECORD_LIMIT); DamagedFile where it is none."""
    try:
        return orjson.loads(single_block(chunks).data.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise DamagedFile(f"The file is damaged or cut off: it is no JSON ({error}).") from error


def element_blocks(chunks: Iterator[bytes], element: re.Pattern[bytes], key: str) -> Iterator[Block]:
    """The elements of the list under `key` of a document of any size; `element` matches the start of each.

    Elements but the last are cut out; the last, in its envelope, must be a whole document again. So a page of any
    size is read in pieces, and one that was cut off anywhere is found out. The pattern must not match inside of a
    string: let it hold a quote, which JSON escapes there.
    """
    envelope = b""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        if len(buffer) < BLOCK_SIZE:
            continue
        starts = [one.start() for one in element.finditer(buffer)]
        if starts:
            envelope = envelope or bytes(buffer[: starts[0]])
            yield _elements(buffer, starts)
            del buffer[: starts[-1]]
        _refuse_above_limit(buffer)
    starts = [one.start() for one in element.finditer(buffer)]
    if starts:
        envelope = envelope or bytes(buffer[: starts[0]])
        yield _elements(buffer, starts)
        del buffer[: starts[-1]]
    yield _last_element(envelope + bytes(buffer), key)


def _elements(buffer: bytearray, starts: list[int]) -> Block:
    """All elements but the last; each ends before the comma that parts it from the next."""
    elements = []
    for start, end in pairwise(starts):
        element = bytes(buffer[start:end]).rstrip()
        if not element.endswith(b","):
            raise DamagedFile("The file is damaged: between two of its records stands no comma.")
        elements.append(element[:-1])
    return Block(RECORD_SEPARATOR.join(elements))


def _last_element(document: bytes, key: str) -> Block:
    try:
        page = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise DamagedFile(f"The file is damaged or cut off: its end is no JSON ({error}).") from error
    rest = page.get(key) if isinstance(page, dict) else None
    if not isinstance(rest, list) or len(rest) > 1:
        raise DamagedFile(f"The file is damaged: its list {key!r} does not hold together.")
    return Block(RECORD_SEPARATOR.join(orjson.dumps(one) for one in rest))


def _refuse_above_limit(buffer: bytearray) -> None:
    if len(buffer) > RECORD_LIMIT:
        raise FeedError(f"The file has a record of more than {RECORD_LIMIT} bytes.")
