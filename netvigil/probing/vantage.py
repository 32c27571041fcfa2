"""Where a site is scanned from: here, a network namespace or a VRF; for child processes and for our own sockets."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

from netvigil.errors import ProbeFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000
_NAMESPACE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_NAMESPACES: Final = Path("/run/netns")
_DEVICES: Final = Path("/sys/class/net")


class VantageKind(StrEnum):
    """The kinds of place that we can scan from."""

    LOCAL = "local"  # this machine as it is
    NETNS = "netns"  # a named network namespace (ip-netns(8))
    VRF = "vrf"  # a VRF device (ip-vrf(8))


@dataclass(frozen=True, slots=True)
class Vantage:
    """One place to scan from; its text is `local`, `netns:<name>` or `vrf:<device>`."""

    kind: VantageKind = VantageKind.LOCAL
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The vantage that the text names; raises UsageError."""
        kind, _, name = text.partition(":")
        if text == VantageKind.LOCAL:
            return cls()
        if kind == VantageKind.NETNS and _NAMESPACE_NAME.fullmatch(name):
            return cls(VantageKind.NETNS, name)
        if kind == VantageKind.VRF and _DEVICE_NAME.fullmatch(name):
            return cls(VantageKind.VRF, name)
        raise UsageError(f"{text!r} is no vantage: write local, netns:<name> or vrf:<device>.")

    def __str__(self) -> str:
        return self.kind.value if self.kind is VantageKind.LOCAL else f"{self.kind.value}:{self.name}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What goes before a command so that it runs there; both programs exec in place, the process id stays."""
        match self.kind:
            case VantageKind.NETNS:
                return ("ip", "netns", "exec", self.name)
            case VantageKind.VRF:
                return ("ip", "vrf", "exec", self.name)
            case VantageKind.LOCAL:
                return ()


LOCAL: Final = Vantage()


class Sockets:
    """Opens sockets that live at a vantage.

    A namespace belongs to a thread, and the event loop's own thread must never change its: one thread of ours
    enters it and makes the sockets, which stay there whoever uses them. Raises ProbeFault where the vantage is
    missing or may not be entered. Use as an async context manager.
    """

    def __init__(self, vantage: Vantage) -> None:
        self.vantage = vantage
        self._thread: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        if self.vantage.kind is VantageKind.NETNS:
            self._thread = ThreadPoolExecutor(1, f"netns-{self.vantage.name}")
            try:
                await self.run(lambda: _enter_namespace(self.vantage.name))
            except BaseException:
                self._thread.shutdown(wait=False)
                raise
        elif self.vantage.kind is VantageKind.VRF and not (_DEVICES / self.vantage.name).exists():
            raise ProbeFault(f"There is no VRF device {self.vantage.name} on this machine.")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    async def run(self, function: Callable[[], _T]) -> _T:
        """The function's result, called at the vantage; it must not block for long."""
        if self._thread is None:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def open(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A new non-blocking IPv4 socket there; raises OSError."""
        return await self.run(lambda: self._open(kind))

    def _open(self, kind: socket.SocketKind) -> socket.socket:
        opened = socket.socket(socket.AF_INET, kind)
        try:
            opened.setblocking(False)  # noqa: FBT003 - the socket module's own form
            if self.vantage.kind is VantageKind.VRF:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.vantage.name.encode())
        except BaseException:
            opened.close()
            raise
        return opened


def _enter_namespace(name: str) -> None:
    """Move the calling thread into the namespace (setns(2); os.setns came with Python 3.12 only)."""
    try:
        handle = os.open(_NAMESPACES / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProbeFault(f"There is no network namespace {name} on this machine.") from None
    except OSError as error:
        raise ProbeFault(f"The network namespace {name} cannot be opened: {error.strerror}.") from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise ProbeFault(f"The network namespace {name} cannot be entered: {reason} (root is needed).")
    finally:
        os.close(handle)
