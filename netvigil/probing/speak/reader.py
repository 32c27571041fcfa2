"""PURE: read numbers and strings off bytes that a device sent, never beyond their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal


class ShortError(Exception):
    """The bytes end before what was to be read; protocols' modules turn it into "not mine"."""


class Reader:
    """A place in bytes; every method moves it on and raises ShortError instead of going past the end."""

    __slots__ = ("at", "data", "order")

    def __init__(self, data: bytes, at: int = 0, order: Literal["little", "big"] = "big") -> None:
        self.data = data
        self.at = at
        self.order: Literal["little", "big"] = order

    @property
    def left(self) -> int:
        """How many bytes are still to be read."""
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= self.left:
            raise ShortError
        self.at += count
        return self.data[self.at - count : self.at]

    def skip(self, count: int) -> None:
        """Leave bytes out."""
        if not 0 <= count <= self.left:
            raise ShortError
        self.at += count

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size), self.order)

    def until(self, end: bytes = b"\0") -> bytes:
        """The bytes before the next `end`, which is passed over."""
        stop = self.data.find(end, self.at)
        if stop < 0:
            raise ShortError
        taken = self.data[self.at : stop]
        self.at = stop + len(end)
        return taken


def text(data: bytes, limit: int = 256) -> str:
    """A device's words up to the first NUL, without the space around them; what is no UTF-8 shows as U+FFFD."""
    return data[:limit].split(b"\0", 1)[0].decode("utf-8", "replace").strip()
