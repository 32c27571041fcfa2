"""For the process that sends: every connection's real address is checked, and no file outside of the program is read.

Apprise has more than a hundred ways to reach somebody, each with parameters of its own; some name a file, some the
socket of a local service. So it is not the URL that is judged but what the process is about to do, by Python's audit
events (PEP 578): the last moment before a connection, when the name is an address that cannot change any more.
"""

from __future__ import annotations

import os
import ssl
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

from netvigil.notify.targets import ForbiddenTarget, Network, check_address

if TYPE_CHECKING:
    from collections.abc import Sequence

_STARTS_PROGRAMS = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pty.")
_READABLE = (
    "/dev/null",
    "/dev/urandom",
    "/etc/hosts",
    "/etc/mime.types",
    "/etc/ssl",
    "/etc/pki",
    "/usr/share",
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refused(PermissionError):
    """What was attempted is not done here; an OSError, so that libraries take it for a failed attempt."""


class Guard:
    """Installed once for the rest of the process's life; `forbidden` holds what it refused to connect to."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self.forbidden: list[str] = []
        self._allowed = allowed
        self._folders = _program_folders()

    def install(self) -> None:
        """Watch from now on; it cannot be undone."""
        sys.dont_write_bytecode = True
        sys.addaudithook(self._watch)

    def _watch(self, event: str, args: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            self._check_target(args[1])
        elif event == "open":
            self._check_file(args[0], args[2])
        elif event.startswith(_STARTS_PROGRAMS):
            raise Refused("no program is started to send a message")

    def _check_target(self, address: Any) -> None:
        if address is None:  # on a connection that was checked
            return
        if not isinstance(address, tuple):
            self.forbidden.append("A local socket is no receiver.")
            raise Refused(self.forbidden[-1])
        try:
            check_address(str(address[0]), self._allowed)
        except ForbiddenTarget as error:
            self.forbidden.append(str(error))
            raise Refused(str(error)) from None

    def _check_file(self, path: Any, flags: Any) -> None:
        if isinstance(path, int):
            return
        place = os.path.realpath(os.fsdecode(path))
        if isinstance(flags, int) and flags & _WRITES and place != "/dev/null":
            raise Refused("nothing is written to send a message")
        if not any(place == folder or place.startswith(folder + os.sep) for folder in self._folders):
            raise Refused("a message is sent without reading files")


def _program_folders() -> tuple[str, ...]:
    paths = ssl.get_default_verify_paths()
    certificates = (
        paths.cafile,
        paths.capath,
        os.environ.get("SSL_CERT_FILE"),
        os.environ.get("REQUESTS_CA_BUNDLE"),
    )
    given = (*sysconfig.get_paths().values(), *sys.path, *certificates, *_READABLE)
    # an empty entry of the search path would be the working directory, and "/" would be everything
    return tuple({os.path.realpath(one) for one in given if one} - {os.sep})
