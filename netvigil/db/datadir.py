"""The data directory: made private, held by one process at a time, and able to say who that is."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from netvigil.db.processes import started_at
from netvigil.errors import DataDirectoryHeld, EnvironmentFault

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 0.5  # seconds; a reader of the holder takes the lock for an instant, and that is no holder
_held: set[int] = set()


def _forget_in_child() -> None:
    # A flock lives as long as any copy of its descriptor: a forked worker would keep it after our death.
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock; `pid` is 0 when the record cannot be read."""

    pid: int
    started: int | None
    """Start of the process in clock ticks since boot, as in proc(5)."""
    purpose: str
    since: datetime
    host: str

    def __str__(self) -> str:
        """The holder for a sentence, such as `serve` (process 17, since 2030-01-01 12:00:00 UTC)."""
        where = ""
        if self.host != socket.gethostname():
            where = f" on {self.host}"
        elif self.started != started_at(self.pid):
            where = " of another container"
        who = f"process {self.pid}{where}, " if self.pid else ""
        return f"`{self.purpose}` ({who}since {self.since:%Y-%m-%d %H:%M:%S} UTC)"


class FileLock:
    """An exclusive flock on a file that also names its holder; freed by `release` or by the process's end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, purpose: str) -> Holder | None:
        """Take the lock and record us; returns None, or the holder when somebody has it.

        Raises OSError when the file cannot be opened or written.
        """
        if self._descriptor is not None:
            return self._read(self._descriptor)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not _try_lock(descriptor):
                return self._read(descriptor)
            self._write(descriptor, purpose)
            self._descriptor, descriptor = descriptor, -1
            _held.add(self._descriptor)
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def release(self) -> None:
        """Free the lock; does nothing when we do not have it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None or descriptor not in _held:
            return  # never ours, or our parent's: a forked worker must not free it
        _held.discard(descriptor)
        # The file stays: removing it would let two processes lock two files of the same name.
        os.ftruncate(descriptor, 0)
        os.close(descriptor)

    def holder(self) -> Holder | None:
        """Who holds the lock now; None when nobody does, whatever the file says."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read(descriptor)
        else:
            return None
        finally:
            os.close(descriptor)

    @staticmethod
    def _write(descriptor: int, purpose: str) -> None:
        record = {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "purpose": purpose,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "host": socket.gethostname(),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode() + b"\n", 0)

    @staticmethod
    def _read(descriptor: int) -> Holder:
        try:
            record: Any = json.loads(os.pread(descriptor, 4096, 0))
            return Holder(
                pid=int(record["pid"]),
                started=None if record["started"] is None else int(record["started"]),
                purpose=str(record["purpose"]),
                since=datetime.fromisoformat(record["since"]).astimezone(UTC),
                host=str(record["host"]),
            )
        except (ValueError, KeyError, TypeError):
            # Between its flock and its record, or damaged: it is held all the same.
            changed = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
            return Holder(0, None, "another process", changed, socket.gethostname())


class Hold:
    """The data directory is ours until `release`, the end of the `with` block, or the end of the process."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Give the directory back; harmless when repeated."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


class DataDirectory:
    """Keys, the embedded database and logs of one netvigil; nothing is touched until `create` or `hold`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def create(self) -> None:
        """Make the directory (0700) and its parents where missing; an existing one keeps its mode.

        Raises EnvironmentFault when it cannot be made or written.
        """
        try:
            with suppress(FileExistsError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.mkdir(mode=0o700)
            if not self.path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except OSError as error:
            raise self._fault(error) from error

    def hold(self, purpose: str, *, part: str = "lock") -> Hold:
        """Create the directory where missing and take it for us alone; `purpose` is the command, as a user knows it.

        `part` names another lock file for a part of the directory that has an owner of its own.
        Raises DataDirectoryHeld with who has it and the way out, EnvironmentFault when it cannot be used.
        """
        self.create()
        lock = FileLock(self.path / part)
        try:
            other = lock.acquire(purpose)
        except OSError as error:
            raise self._fault(error) from error
        if other is not None:
            raise DataDirectoryHeld(
                f"The data directory {self.path} is in use by {other}: "
                "stop that one first, or set NETVIGIL_DATA_DIR to another directory."
            )
        return Hold(lock)

    def holder(self) -> Holder | None:
        """Who holds the directory now; None when nobody does.

        Raises EnvironmentFault when the directory is closed to us.
        """
        try:
            return FileLock(self.path / "lock").holder()
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> EnvironmentFault:
        reason = error.strerror or str(error)
        return EnvironmentFault(
            f"The data directory {self.path} cannot be used ({reason}): "
            "free it, or set NETVIGIL_DATA_DIR to another directory."
        )


def _try_lock(descriptor: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True
