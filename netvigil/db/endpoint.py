"""Where the embedded server listens: a private directory with a short path, on record in the data directory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from netvigil.errors import DatabaseFault

if TYPE_CHECKING:
    from netvigil.db.privileges import Identity

NAME = "netvigil"
"""Name of the database and of the role that owns it."""
SUPERUSER = "postgres"
"""Only used to create role and database: netvigil's own statements cannot read files or run programs."""

_SOCKET = ".s.PGSQL.5432"  # PostgreSQL's name for a socket of port 5432
_PRIVATE = 0o700
_LONGEST = 107 - len("/" + _SOCKET)  # unix(7): a socket's path has at most 107 bytes


def url_of(directory: Path, *, role: str = NAME, database: str = NAME) -> str:
    """A libpq URL such as postgresql://netvigil@/netvigil?host=/run/netvigil-0123456789abcdef&port=5432."""
    # The port, because $PGPORT would otherwise name another socket.
    return f"postgresql://{role}@/{database}?host={quote(str(directory), safe='/')}&port=5432"


def open_endpoint(data_dir: Path, identity: Identity) -> Path:
    """Make an empty socket directory that only `identity` (and root) can enter and put it on record.

    Call it only while no server of this data directory runs. Raises OSError when no place can be written.
    """
    for place in _places():
        with suppress(PermissionError, FileNotFoundError):
            directory = _make_in(place, data_dir, identity)
            break
    else:
        directory = _own(Path(tempfile.mkdtemp(prefix="netvigil-")), identity)
    record = data_dir / "postgres.json"
    fresh = record.with_suffix(".new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"socket_dir": str(directory)}, file)
    fresh.replace(record)
    return directory


def close_endpoint(data_dir: Path, directory: Path) -> None:
    """Take the directory and its record away again."""
    shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):
        (data_dir / "postgres.json").unlink(missing_ok=True)


def find_endpoint(data_dir: Path) -> Path:
    """The directory in which a server of this data directory answers now.

    Raises DatabaseFault when none does, or when the directory is not as private as we made it.
    """
    try:
        record: Any = json.loads((data_dir / "postgres.json").read_text(encoding="utf-8"))
        directory = Path(record["socket_dir"])
        private = _is_private(directory, {os.geteuid(), (data_dir / "postgres").stat().st_uid})
    except FileNotFoundError:
        raise _not_running(data_dir) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatabaseFault(
            f"The database's record in {data_dir} cannot be read ({getattr(error, 'strerror', None) or 'damaged'}): "
            "run this as the user that runs netvigil, or restart the service."
        ) from error
    if not private:
        raise DatabaseFault(
            f"The socket directory {directory} is not private to netvigil: restart the service."
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(directory / _SOCKET))
        except OSError as error:
            raise _not_running(data_dir) from error
    return directory


def _not_running(data_dir: Path) -> DatabaseFault:
    return DatabaseFault(
        f"No database runs in {data_dir}: start the service with `netvigil serve`, or name its data directory with "
        "NETVIGIL_DATA_DIR."
    )


def _places() -> list[Path]:
    # Not $XDG_RUNTIME_DIR: it vanishes when the user logs out, and a service started with nohup lives on.
    temporary = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - _make_in checks the owner
    places = [Path("/run"), *temporary] if os.geteuid() == 0 else temporary
    return [place for place in places if len(os.fsencode(place)) + 32 <= _LONGEST]


def _make_in(place: Path, data_dir: Path, identity: Identity) -> Path:
    """A directory named after the data directory; where somebody sits on that name, one with a random name."""
    # With the inode, because a data directory made anew must not meet the socket of its predecessor.
    inode = data_dir.stat().st_ino
    name = hashlib.sha256(f"{data_dir.resolve()}\0{inode}\0{os.geteuid()}".encode()).hexdigest()[:16]
    directory = place / f"netvigil-{name}"
    owners = {os.geteuid(), os.geteuid() if identity.uid is None else identity.uid}
    try:
        directory.mkdir(mode=_PRIVATE)
    except FileExistsError:
        if not _is_private(directory, owners):
            return _own(Path(tempfile.mkdtemp(prefix="netvigil-", dir=place)), identity)
        for (
            left
        ) in directory.iterdir():  # sockets of a server that was killed; their pids may mean others by now
            left.unlink()
    return _own(directory, identity)


def _own(directory: Path, identity: Identity) -> Path:
    if identity.uid is not None and identity.gid is not None:
        os.chown(directory, identity.uid, identity.gid)
    return directory


def _is_private(directory: Path, owners: set[int]) -> bool:
    now = directory.lstat()
    return stat.S_ISDIR(now.st_mode) and stat.S_IMODE(now.st_mode) == _PRIVATE and now.st_uid in owners
