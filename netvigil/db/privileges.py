"""As whom the database's programs run: never as root, as no user that anything else runs as, and dying with us."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from netvigil.db import launch
from netvigil.errors import DatabaseFault

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

SERVER_ID = 60917
"""Uid and gid of the server when we are root: in the range that systemd's table of uids leaves unused, so no user is
created and nothing else runs as it."""

_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group of a child; None for both leaves them as they are."""

    uid: int | None
    gid: int | None


UNCHANGED = Identity(None, None)


def server_identity(cluster: Path) -> Identity:
    """As whom the server runs: as ourselves, or when we are root as the cluster's owner, or as SERVER_ID.

    Raises DatabaseFault when the cluster belongs to somebody whom we may not become.
    """
    try:
        owner: os.stat_result | None = cluster.stat()
    except FileNotFoundError:
        owner = None
    if os.geteuid() == 0:
        if owner is None or owner.st_uid == 0:
            return Identity(SERVER_ID, SERVER_ID)
        return Identity(owner.st_uid, owner.st_gid)
    if owner is not None and owner.st_uid != os.geteuid():
        raise DatabaseFault(
            f"The database in {cluster} belongs to uid {owner.st_uid} and we run as uid {os.geteuid()}: "
            "start netvigil as the user that made it, or set NETVIGIL_DATA_DIR to another directory."
        )
    return UNCHANGED


def initdb_identity(group: Identity) -> Identity:
    """As whom initdb runs: it wants a user with a name, so an existing powerless one, in the server's group.

    Raises DatabaseFault when there is none.
    """
    if os.geteuid() != 0:
        _require_name()
        return UNCHANGED
    for name in ("nobody", "daemon", "bin"):
        try:
            return Identity(pwd.getpwnam(name).pw_uid, group.gid)
        except KeyError:
            continue
    raise DatabaseFault(
        "PostgreSQL refuses to run as root and this system has no user named nobody: "
        "start netvigil as an ordinary user, or set NETVIGIL_DATABASE_URL."
    )


def open_for_group(directory: Path, identity: Identity) -> None:
    """Let the server's group, and nobody else, pass through our own private directory.

    Only a directory that belongs to root and is closed to all others is changed, and only to 0710: whatever its owner
    has set otherwise stays, and the server is given a capability to pass (see `launch`).
    """
    if identity.gid is None:
        return
    now = directory.stat()
    if now.st_uid == 0 and stat.S_IMODE(now.st_mode) & 0o077 == 0:
        os.chown(directory, -1, identity.gid)
        directory.chmod(0o710)


def give(tree: Path, identity: Identity) -> None:
    """Make the tree the identity's; it is closed to its former owner first, who could swap files for links."""
    if identity.uid is None or identity.gid is None:
        return
    os.chown(tree, 0, 0)
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, identity.uid, identity.gid, follow_symlinks=False)
    os.chown(tree, identity.uid, identity.gid)


def start_child(
    argv: Sequence[str],
    *,
    identity: Identity,
    reach: Sequence[Path],
    death_signal: signal.Signals,
    output: IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start a program as `identity` that gets `death_signal` when the calling thread ends, in a session of its own.

    `reach` are files and directories that it must be able to read; failures stand on `output` after `launch.MARK`.
    Call it from a thread that lives as long as the child shall: the kernel ties the signal to the thread.
    """
    order = {
        "parent": os.getpid(),
        "uid": identity.uid,
        "gid": identity.gid,
        "reach": [str(path) for path in reach],
        "signal": int(death_signal),
        "argv": list(argv),
    }
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(launch.__file__)), json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=_ENVIRONMENT,
        # Ctrl-C on a terminal goes to the whole foreground group: the service must end before its database does.
        start_new_session=True,
    )


def _require_name() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise DatabaseFault(
            f"The user with uid {os.geteuid()} has no name in /etc/passwd, which PostgreSQL's initdb wants: "
            "start netvigil as a user with a name, or set NETVIGIL_DATABASE_URL."
        ) from None
