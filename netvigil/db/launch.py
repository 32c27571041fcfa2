"""Run as a script: becomes another user with at most one privilege left, ties its life to ours, executes a program.

`python -I -S launch.py '{"parent": …, "uid": …, "gid": …, "reach": […], "signal": …, "argv": […]}'`

It is a program of its own, and no `preexec_fn`, because Python code between fork and exec can dead-lock in a process
with threads. It imports nothing of netvigil: after the change of user our own files may be closed to it.

Root's directories are often closed to others (`mktemp -d`, /root, a home), and we never open somebody's directory. So the
program first tries to reach its files with no privilege at all; only where that fails it keeps one capability, across exec
as an ambient one (capabilities(7)): CAP_DAC_READ_SEARCH passes through closed directories and reads; ordinary containers
have not got it, but they have CAP_DAC_OVERRIDE, which also writes, so that one comes last.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import NoReturn

MARK = "netvigil: "
"""Starts the sentence on stderr when the program could not be started."""
NOT_STARTED = 126
"""Exit status in that case."""

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECUREBITS, _PR_SET_NO_NEW_PRIVS = 1, 8, 28, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_SECBIT_NO_SETUID_FIXUP = 4
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SETPCAP = 1, 2, 8
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(order: str) -> NoReturn:
    """Do what the order says; leaves only by exec, or with status NOT_STARTED and a sentence on stderr."""
    wanted = json.loads(order)
    os.umask(0o077)
    uid, gid = wanted["uid"], wanted["gid"]
    levels: list[int | None] = [None]
    if uid is not None:
        _become(uid, gid)
        levels += [_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE]
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    closed: OSError | None = None
    for capability in levels:
        if capability is not None and not _keep(capability):
            continue
        # After the change of user and capabilities, which both clear it.
        _prctl(_PR_SET_PDEATHSIG, wanted["signal"])
        if os.getppid() != wanted["parent"]:
            _fail("the process that started the database is gone")
        try:
            for path in wanted["reach"]:
                os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            os.execv(wanted["argv"][0], wanted["argv"])  # noqa: S606 - a list, no shell
        except PermissionError as error:
            closed = error
        except OSError as error:
            _fail(f"{error.filename or wanted['argv'][0]} cannot be opened or run ({error.strerror})")
    path = closed.filename if closed and closed.filename else wanted["argv"][0]
    _fail(
        f"the database's user (uid {os.getuid()}) cannot reach {path}, and the kernel lets us pass it no privilege to; "
        "keep netvigil and its data where others may pass (/opt, /var/lib), or set NETVIGIL_DATABASE_URL"
    )


def _become(uid: int, gid: int) -> None:
    try:
        _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        _fail(
            f"PostgreSQL refuses to run as root, and root here may not become uid {uid} ({error.strerror}); "
            "start netvigil as an ordinary user, or set NETVIGIL_DATABASE_URL"
        )


def _keep(capability: int) -> bool:
    """Make the capability the only effective and ambient one; False when we do not have it or may not pass it on."""
    if _set_capabilities(1 << _CAP_SETPCAP):
        # PostgreSQL's programs ask access(2) for each other, and without this bit access(2) ignores capabilities.
        # Where we may not set it, closed data still work and only closed programs do not.
        _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    # A narrower inheritable set also drops the ambient capability of the level before.
    if not _set_capabilities(1 << capability):
        return False
    return bool(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def _set_capabilities(bits: int) -> bool:
    """Make exactly these effective and inheritable, of those permitted."""
    header = _Header(_CAPABILITY_VERSION_3, 0)
    sets = (_Sets * 2)()
    if _libc.capget(ctypes.byref(header), sets) != 0 or sets[0].permitted & bits != bits:
        return False
    sets[0].effective = sets[0].inheritable = bits
    sets[1].effective = sets[1].inheritable = 0
    return bool(_libc.capset(ctypes.byref(header), sets) == 0)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _fail(sentence: str) -> NoReturn:
    os.write(2, f"{MARK}{sentence}\n".encode())
    os._exit(NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1])
