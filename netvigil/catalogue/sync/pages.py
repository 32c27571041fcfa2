"""The pages of a load that is under way, on disk, so that an interrupted one goes on where it was.

The progress lies beside the pages and not in the database: a worker on another machine has neither, and begins
anew, instead of skipping pages that it does not have.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_PROGRESS = "progress.json"
_STALE = timedelta(days=3)  # until then the window that follows mends what has changed since


@dataclass(frozen=True, slots=True)
class Window:
    """Records modified from `start` to `end`; both None for the first load, of everything."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is: `next_index` of `total` records, in `pages`, each with its file's name and size.

    `as_of` is the earliest time that the server gave in any page: what was modified later may be missing.
    """

    place: str
    window: Window
    started_at: datetime
    as_of: datetime | None = None
    next_index: int = 0
    total: int | None = None
    pages: list[tuple[str, int]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every page is there."""
        return self.total is not None and self.next_index >= self.total


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says of itself: its place, the number of its records and of all, the server's time."""

    start: int
    count: int
    total: int
    time: datetime


class PageStore:
    """A folder with the pages of one load and its progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, place: str) -> Progress | None:
        """The progress of a load of this place, unless it is too old or pages of it are missing."""
        progress = self._read()
        if progress is None or progress.place != place or not self._has(progress):
            return None
        return progress if datetime.now(UTC) - progress.started_at < _STALE else None

    def begin(self, place: str, window: Window) -> Progress:
        """A load from its start, in an empty folder."""
        self.clear()
        self.folder.mkdir(parents=True)
        return self._write(Progress(place, window, datetime.now(UTC)))

    def path_of_next(self, progress: Progress) -> Path:
        """Where the next page goes."""
        return self.folder / f"page-{len(progress.pages):05}"

    def add(self, progress: Progress, page: Page) -> Progress:
        """The progress with the page that lies at `path_of_next`.

        When there are fewer records than before, some have moved to places that were already read: as many
        are read again.
        """
        path = self.path_of_next(progress)
        gone = max(0, progress.total - page.total) if progress.total is not None else 0
        return self._write(
            replace(
                progress,
                as_of=min(progress.as_of or page.time, page.time),
                next_index=page.start + page.count if not gone else max(0, page.start - gone),
                total=page.total,
                pages=[*progress.pages, (path.name, path.stat().st_size)],
            )
        )

    def paths(self, progress: Progress) -> list[Path]:
        """The files of the pages."""
        return [self.folder / name for name, _ in progress.pages]

    def clear(self) -> None:
        """Throw everything away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> Progress | None:
        try:
            return msgspec.json.decode((self.folder / _PROGRESS).read_bytes(), type=Progress)
        except (OSError, msgspec.MsgspecError):
            return None

    def _has(self, progress: Progress) -> bool:
        def size(name: str) -> int:
            path = self.folder / name
            return path.stat().st_size if path.is_file() else -1

        return all(size(name) == expected for name, expected in progress.pages)

    def _write(self, progress: Progress) -> Progress:
        _replace_file(self.folder / _PROGRESS, msgspec.json.encode(progress))
        return progress


def _replace_file(path: Path, data: bytes) -> None:
    """Write a file so that it has its old or its new content, whatever happens meanwhile."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)
