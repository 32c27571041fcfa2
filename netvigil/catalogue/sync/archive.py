"""Unpacks a ZIP archive of a feed into files that the importer reads: JSON as lines of one file, others as they are."""

from __future__ import annotations

import zipfile
import zlib
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

import orjson
import zstandard

from netvigil.catalogue.feeds.base import RECORD_LIMIT, DamagedFile
from netvigil.errors import FeedError

if TYPE_CHECKING:
    import re
    from pathlib import Path

_MAGIC = b"PK\x03\x04"
_CHUNK = 1 << 20
MEMBERS_LIMIT = 2_000_000


def is_archive(path: Path) -> bool:
    """Whether the file is a ZIP archive."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def unpack(
    archive: Path, folder: Path, members: re.Pattern[str], limit: int, stop: Event | None = None
) -> list[Path]:
    """The archive's files whose names match, into an empty folder, under names of our own.

    All JSON documents become one file, a line each, compressed because there may be gigabytes. `limit` is the most bytes of all together. `stop` ends it between two files, for a thread cannot be
    cancelled and a service that ends does not wait for gigabytes. Raises
    DamagedFile when the archive is cut off or broken, FeedError when it holds too much or nothing wanted.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [
                one for one in opened.infolist() if not one.is_dir() and members.fullmatch(one.filename)
            ]
            if not wanted or len(wanted) > MEMBERS_LIMIT:
                raise FeedError(f"The archive holds {len(wanted)} files of the feed.")
            return _unpack(opened, wanted, folder, limit, stop or Event())
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
    ) as error:
        # RuntimeError: a password; NotImplementedError: a compression that nobody uses here
        raise DamagedFile(f"The archive is damaged or cut off: {error}.") from error


def _unpack(
    opened: zipfile.ZipFile, wanted: list[zipfile.ZipInfo], folder: Path, limit: int, stop: Event
) -> list[Path]:
    documents = [one for one in wanted if one.filename.endswith(".json")]
    others = [one for one in wanted if not one.filename.endswith(".json")]
    made = []
    left = limit
    if documents:
        made.append(folder / "records.jsonl.zst")
        with made[-1].open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as lines:
            for one in documents:
                if stop.is_set():
                    raise FeedError("The unpacking was stopped.")
                left -= _add_line(opened, one, lines, left)
    for number, one in enumerate(others):
        made.append(folder / f"file-{number}")
        with made[-1].open("wb") as file:
            left -= _copy(opened, one, file, left)
    return made


def _add_line(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, lines: zstandard.ZstdCompressionWriter, left: int
) -> int:
    most = min(left, RECORD_LIMIT)
    with opened.open(member) as source:
        data = source.read(most + 1)
    if len(data) > most:
        raise _too_large()
    try:
        line = orjson.dumps(orjson.loads(data), option=orjson.OPT_APPEND_NEWLINE)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise DamagedFile(f"The archive is damaged: one of its files is no JSON ({error}).") from error
    lines.write(line)
    return len(data)


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: BinaryIO, left: int) -> int:
    size = 0
    with opened.open(member) as source:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > left:
                raise _too_large()
            file.write(chunk)
    return size


def _too_large() -> FeedError:
    return FeedError("The archive holds more than a feed of its kind ever has.")
