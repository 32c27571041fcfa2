"""What /proc says about processes: when one started, which servers work in a directory, and how to end them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROC = Path("/proc")


def started_at(pid: int) -> int | None:
    """Start time in clock ticks since boot (proc(5), field 22), None when there is no such process.

    A pid together with this number names one process; a pid alone is given again, in containers within seconds.
    """
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def find_servers(cluster: Path) -> list[int]:
    """Pids of all postgres processes that work in the cluster directory, the parent of the others first."""
    try:
        wanted = cluster.stat()
    except FileNotFoundError:
        return []
    pids = [pid for pid in _all_pids() if _is_postgres(pid)]
    ours = {pid for pid in pids if _works_in(pid, wanted, cluster)}
    # Where /proc/<pid>/cwd is closed to us only the parent is recognised, by its command line.
    ours |= {pid for pid in pids if _parent(pid) in ours}
    return sorted(ours, key=lambda pid: (_parent(pid) in ours, pid))


def end_servers(cluster: Path, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """End every server process of the cluster: each step sends a signal and waits up to so many seconds.

    The parent alone gets SIGINT and SIGQUIT and passes them on; SIGKILL goes to each. True when none is left.
    Raises PermissionError when they belong to somebody else.
    """
    for sign, patience in steps:
        pids = find_servers(cluster)
        if not pids:
            return True
        for pid in pids if sign == signal.SIGKILL else pids[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and find_servers(cluster):
            time.sleep(0.02)
    return not find_servers(cluster)


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _stat_fields(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the third on; empty when the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The second field is the name in parentheses and may itself hold blanks and parentheses.
    return text.rpartition(")")[2].split()


def _parent(pid: int) -> int:
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else 0


def _is_postgres(pid: int) -> bool:
    try:
        name = (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return False
    fields = _stat_fields(pid)
    return name == "postgres" and bool(fields) and fields[0] not in {"Z", "X"}


def _works_in(pid: int, wanted: os.stat_result, cluster: Path) -> bool:
    try:
        return os.path.samestat((_PROC / str(pid) / "cwd").stat(), wanted)
    except PermissionError:
        # Root without CAP_SYS_PTRACE (a container) may not follow another user's cwd, but may read its arguments.
        return _names(pid, cluster)
    except OSError:
        return False


def _names(pid: int, cluster: Path) -> bool:
    try:
        arguments = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(cluster) in arguments
