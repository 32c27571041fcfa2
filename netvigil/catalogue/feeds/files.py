"""Opens feed files: plain, gzip or zstd by their first bytes, as a stream, with limits against bombs."""

from __future__ import annotations

import gzip
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

FILE_LIMIT = 4 << 30
"""Most decompressed bytes of one file; all of NVD in one file has 1.5 GB."""

CHUNK_SIZE = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SLICE = 4096  # one block of 4 bytes can grow to 128 KiB, so this bounds a hostile step at 128 MiB


def read_chunks(path: Path, *, limit: int | None = None) -> Generator[bytes]:
    """The decompressed bytes of a file in pieces; FeedError when it cannot be read, is cut off or too large."""
    limit = FILE_LIMIT if limit is None else limit
    total = 0
    try:
        with path.open("rb") as file:
            for chunk in _decompressed(file):
                total += len(chunk)
                if total > limit:
                    raise FeedError(f"The file holds more than {limit} bytes when decompressed.")
                yield chunk
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:  # OSError: BadGzipFile, too
        raise FeedError(f"The file cannot be read to its end: {error}.") from error


def file_digest(path: Path) -> str:
    """BLAKE2b (128 bits, hexadecimal) of the file as it is; tells whether a file was imported before."""
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_SIZE):
                digest.update(chunk)
    except OSError as error:
        raise FeedError(f"The file cannot be read: {error}.") from error
    return digest.hexdigest()


def _decompressed(file: BinaryIO) -> Iterator[bytes]:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        with gzip.GzipFile(fileobj=file) as stream:
            while chunk := stream.read(CHUNK_SIZE):
                yield chunk
    elif magic == _ZSTD_MAGIC:
        yield from _unzstd(file)
    else:
        while chunk := file.read(CHUNK_SIZE):
            yield chunk


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    """Frame by frame; zstandard's own reader takes a cut-off file for a short one, so we look at `eof`."""
    frame = None
    while data := file.read(_ZSTD_SLICE):
        while data:
            if frame is None:
                frame = zstandard.ZstdDecompressor().decompressobj()
            if chunk := frame.decompress(data):
                yield chunk
            data = b""
            if frame.eof:
                data, frame = frame.unused_data, None
    if frame is not None:
        raise EOFError("it is cut off inside a zstd frame")
