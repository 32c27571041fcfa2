"""Fetches what changed in the CVE List: its own log names the records, each is one small file.

The whole list is an archive of half a gigabyte, too much for every day. The log (`deltaLog.json`) goes back about
30 days; whoever was away for longer fetches the archive again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import orjson

from netvigil.catalogue.feeds.base import RECORD_LIMIT, DamagedFile
from netvigil.catalogue.feeds.files import read_chunks
from netvigil.catalogue.records import CVE_ID
from netvigil.catalogue.sync.fetch import Wanted
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netvigil.catalogue.sync.fetch import Fetcher

LOG_LIMIT = 256 << 20
MOST_CHANGES = 3000
"""Above, the archive is sooner there than so many single files."""
OVERLAP = timedelta(hours=1)
"""How far before the cursor changes count again: the server of the files caches each for minutes."""


class _Change(msgspec.Struct):
    cveId: str


class _Entry(msgspec.Struct):
    """One update of the list, as the log words it; it also names records that could not be made."""

    fetchTime: str
    new: list[_Change] = []
    updated: list[_Change] = []


@dataclass(frozen=True, slots=True)
class Changes:
    """`until` is the newest update in the log; `names` are None when only the whole list will do."""

    until: datetime
    names: tuple[str, ...] | None


async def fetch_changes(fetcher: Fetcher, base: str, path: Path, since: datetime | None) -> Changes:
    """What the log below the URL `base` says has changed since the cursor; `path` is where it may lie."""
    found: list[Changes] = []
    await fetcher.fetch(
        Wanted(f"{base}/deltaLog.json", LOG_LIMIT),
        path,
        check=lambda at: found.append(read_changes(at, since)),
    )
    return found[-1]


def read_changes(path: Path, since: datetime | None) -> Changes:
    """The same from a file; DamagedFile when it is no log."""
    try:
        entries = msgspec.json.decode(b"".join(read_chunks(path, limit=LOG_LIMIT)), type=list[_Entry])
        times = [_time(entry.fetchTime) for entry in entries]
    except (msgspec.MsgspecError, ValueError, FeedError) as error:
        raise DamagedFile(f"it is no log of the CVE List: {error}") from error
    if not times:
        raise DamagedFile("the log of the CVE List is empty")
    until = max(times)
    if since is None or min(times) > since - OVERLAP:
        return Changes(until, None)
    names = {
        change.cveId
        for entry, when in zip(entries, times, strict=True)
        if when > since - OVERLAP
        for change in (*entry.new, *entry.updated)
        if CVE_ID.fullmatch(change.cveId)
    }
    return Changes(until, tuple(sorted(names)) if len(names) <= MOST_CHANGES else None)


async def fetch_records(
    fetcher: Fetcher, base: str, names: tuple[str, ...], to: Path, on_record: Callable[[int, int], None]
) -> None:
    """The records of these CVEs as lines of the file `to`; FeedError when one of them cannot be fetched."""
    path = to.with_suffix(".one")
    for number, name in enumerate(names, 1):
        await fetcher.fetch(Wanted(record_url(base, name), RECORD_LIMIT), path, check=_check)
        _append(path, to)
        on_record(number, len(names))
    path.unlink(missing_ok=True)


def record_url(base: str, name: str) -> str:
    """Where a record lies: `2024/12xxx/CVE-2024-12345.json`. The log's own links are not followed."""
    _, year, number = name.split("-")
    return f"{base}/{year}/{number[:-3] or '0'}xxx/{name}.json"


def _check(path: Path) -> None:
    try:
        orjson.loads(b"".join(read_chunks(path, limit=RECORD_LIMIT)))
    except (orjson.JSONDecodeError, FeedError) as error:
        raise DamagedFile(f"it is no record: {error}") from error


def _append(path: Path, to: Path) -> None:
    record = orjson.loads(b"".join(read_chunks(path, limit=RECORD_LIMIT)))
    with to.open("ab") as file:
        file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
