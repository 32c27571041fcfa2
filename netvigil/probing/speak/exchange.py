"""Steps that conversations of several protocols share: a line on which nothing was said yet, and a message of a stated length."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from netvigil.probing.speak.line import Line

MAX_MESSAGE = 16 * 1024


@asynccontextmanager
async def unspoken(line: Line, heard: bytes) -> AsyncIterator[Line | None]:
    """The line itself when nothing was heard on it, else a second one to the same port; None when it refuses that."""
    if not heard:
        yield line
        return
    fresh = await line.again()
    try:
        yield fresh
    finally:
        if fresh is not None:
            fresh.close()


async def ask_message(
    line: Line,
    request: bytes,
    head: int,
    size: Callable[[bytes], int],
    *,
    wait: float | None = None,
    limit: int = MAX_MESSAGE,
) -> bytes:
    """Send a request and read one message, as `read_message` does."""
    return await read_message(line, head, size, wait=wait, limit=limit) if await line.send(request) else b""


async def read_bytes(line: Line, count: int) -> bytes:
    """So many bytes, as `read_message` reads a message of known length."""
    return await read_message(line, count, lambda _: 0)


async def read_message(
    line: Line,
    head: int,
    size: Callable[[bytes], int],
    *,
    wait: float | None = None,
    limit: int = MAX_MESSAGE,
) -> bytes:
    """One message: `head` bytes, then as many as `size` of them says.

    What came so far when the device pauses for `wait` or hangs up; the head alone when it promises less than nothing
    or more than `limit`; b"" when the whole takes longer than twice that, however busily the device drips.
    """
    pause = line.patience if wait is None else wait
    try:
        async with asyncio.timeout(2 * pause):
            start = await line.read_exactly(head, pause)
            if len(start) < head:
                return start
            count = size(start)
            if not 0 < count <= limit:
                return start
            return start + await line.read_exactly(count, pause)
    except TimeoutError:
        return b""
