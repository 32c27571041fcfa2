"""PURE: read HTTP responses as real devices send them, however broken, under fixed bounds (RFC 9110, RFC 9112)."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

BODY_LIMIT: Final = 64 * 1024
_HEAD_LIMIT: Final = 32 * 1024
_MAX_HEADERS: Final = 100
_VALUE_LIMIT: Final = 1024
_MAX_CHUNKS: Final = 2048
_MAX_INTERIM: Final = 3  # `100 Continue` and its kind before the answer itself

_STATUS: Final = re.compile(rb"HTTP/(\d(?:\.\d)?) {1,4}(\d{3})(?: ([^\r\n]{0,200}))?")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[^\r\n]{0,200}\r?\n")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SETTINGS: Final = (
    b"\x04\x00\x00\x00\x00\x00"  # type, flags and stream of HTTP/2's first frame (RFC 9113, 3.4)
)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. `headers`: names as sent, values of one line without control characters; `body` is decoded."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header, "" when it is not there; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def status_line(self) -> str:
        """The first line, made anew."""
        return f"HTTP/{self.version} {self.status} {self.reason}".rstrip()


@dataclass(frozen=True, slots=True)
class _Head:
    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    size: int  # bytes with the empty line; 0 when that has not come

    def value(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "").lower()

    @property
    def bodiless(self) -> bool:
        return self.status in {204, 304} or self.status < 200  # noqa: PLR2004 - 1xx

    @property
    def length(self) -> int | None:
        stated = self.value("content-length")
        return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 16 else None  # noqa: PLR2004


def is_http(data: bytes) -> bool:
    """Whether bytes that a server sent are the beginning of an HTTP answer."""
    return data.startswith((b"HTTP/1.", b"HTTP/2")) or is_http2_only(data)


def is_http2_only(data: bytes) -> bool:
    """Whether these are the frames of a server that speaks HTTP/2 alone: SETTINGS, six bytes each, come first."""
    return data[3:9] == _SETTINGS and data[:2] == b"\0\0" and data[2] % 6 == 0 and data[2] <= 120  # noqa: PLR2004


def parse_response(raw: bytes) -> Response | None:
    """The answer in these bytes, as far as it came; None for what is no HTTP. Never raises, at most 64 kB of body."""
    head, raw = _final_head(raw)
    if head is None:
        return None
    body = raw[head.size :] if head.size and not head.bodiless else b""
    if "chunked" in head.value("transfer-encoding"):
        body = _dechunk(body)[0]
    elif head.length is not None:
        body = body[: head.length]
    body = _decompress(body[:BODY_LIMIT], head.value("content-encoding"))
    return Response(head.version, head.status, head.reason, head.headers, body)


def missing(raw: bytes) -> int:
    """How many bytes an answer lacks at least; 0 when it is whole or will never be, 1 when only its end will tell."""
    if not raw.startswith(b"HTTP/"):
        return int(len(raw) < len(b"HTTP/"))
    head, raw = _final_head(raw)
    if head is None or not head.size:
        return int(len(raw) < _HEAD_LIMIT)
    if head.status < 200:  # noqa: PLR2004 - the answer itself is still to come, unless it is Switching Protocols
        return int(head.status != 101)  # noqa: PLR2004
    return _missing_of_body(head, raw)


def _missing_of_body(head: _Head, raw: bytes) -> int:
    have = len(raw) - head.size
    if head.bodiless or have >= BODY_LIMIT:
        return 0
    if "chunked" in head.value("transfer-encoding"):
        return min(_dechunk(raw[head.size :])[1], BODY_LIMIT)
    if head.length is not None:
        return max(0, min(head.length, BODY_LIMIT) - have)
    return int(not raw.rstrip().lower().endswith(b"</html>"))


def _final_head(raw: bytes) -> tuple[_Head | None, bytes]:
    head = _parse_head(raw)
    for _ in range(_MAX_INTERIM):
        if head is None or head.status >= 200 or head.status == 101 or not head.size:  # noqa: PLR2004
            break
        following = _parse_head(raw[head.size :])
        if following is None:
            break
        head, raw = following, raw[head.size :]
    return head, raw


def _parse_head(raw: bytes) -> _Head | None:
    status = _STATUS.match(raw)
    if status is None:
        return None
    end = _HEAD_END.search(raw, 0, _HEAD_LIMIT)
    text = raw[status.end() : end.start() if end else _HEAD_LIMIT].decode("utf-8", "replace")
    headers: list[tuple[str, str]] = []
    for line in text.split("\n", _MAX_HEADERS + 1)[1 : _MAX_HEADERS + 1]:
        if line[:1] in {" ", "\t"} and headers:  # folded, as old servers do
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {_clean(line)}"[:_VALUE_LIMIT])
        elif ":" in line:
            name, _, value = line.partition(":")
            headers.append((_clean(name)[:100], _clean(value)[:_VALUE_LIMIT]))
    reason = _clean((status[3] or b"").decode("utf-8", "replace"))
    return _Head(status[1].decode(), int(status[2]), reason, tuple(headers), end.end() if end else 0)


def _clean(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip()


def _dechunk(data: bytes) -> tuple[bytes, int]:
    """The body in chunks (RFC 9112, 7.1), and how many bytes are still missing: 0 after the last chunk or nonsense."""
    parts: list[bytes] = []
    at = total = 0
    for _ in range(_MAX_CHUNKS):
        size = _CHUNK_SIZE.match(data, at)
        if size is None:
            return b"".join(parts), 1 if at + 64 > len(data) else 0
        count = int(size[1], 16)
        if count == 0:
            return b"".join(parts), 0
        part = data[size.end() : size.end() + count]
        parts.append(part)
        total += len(part)
        if total >= BODY_LIMIT:
            return b"".join(parts), 0
        if len(part) < count:
            return b"".join(parts), count - len(part)
        at = size.end() + count
        at += 2 if data.startswith(b"\r\n", at) else 1 if data.startswith(b"\n", at) else 0
    return b"".join(parts), 0


def _decompress(body: bytes, encoding: str) -> bytes:
    """Unpacked to the bound and no further. Boa and its kind send gzip unasked and unsaid."""
    zipped = body.startswith(b"\x1f\x8b")
    if not zipped and not any(word in encoding for word in ("gzip", "deflate")):
        return body
    # 47: gzip or zlib by their own header; -15: the bare deflate that some servers mean by `deflate`.
    for window in (47, -15):
        try:
            return zlib.decompressobj(window).decompress(body, BODY_LIMIT)
        except zlib.error:
            continue
    return body
