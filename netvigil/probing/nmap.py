"""Run nmap as a child that never outlives us, and hand on what it finds while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from netvigil.errors import ProbeFault, ToolMissing
from netvigil.probing.nmap_xml import Finished, NmapXmlReader, PortsPlanned, XmlFault
from netvigil.probing.privileges import Privileges
from netvigil.probing.text import clean_text
from netvigil.probing.vantage import LOCAL

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from netvigil.probing.nmap_xml import NmapEvent
    from netvigil.probing.vantage import Vantage

    EventReceiver = Callable[[NmapEvent], Awaitable[None]]
    OpenReceiver = Callable[[IPv4Address, int], None]

_CHUNK = 64 * 1024
_STDERR_LIMIT = 8 * 1024
_PR_SET_PDEATHSIG = 1
_LINE_LIMIT = 64 * 1024
_OPEN = re.compile(rb"^Discovered open port (\d{1,5})/tcp on (\d{1,3}(?:\.\d{1,3}){3})\s*$")
_NOISE = re.compile(r"^(QUITTING!|WARNING:|Starting Nmap|Host discovery disabled|$)")

# Looked up before any fork: between fork and exec only the call itself may happen.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


@dataclass(frozen=True, slots=True)
class NmapOutcome:
    """How a run ended: `timed_out` when its budget was used up; what came until then was handed on."""

    timed_out: bool
    finished: Finished | None


def require_nmap(vantage: Vantage) -> None:
    """Raise ToolMissing, with the command to type, when a program that a run needs is not installed."""
    if shutil.which("nmap") is None:
        raise ToolMissing("nmap is not installed: apt-get install -y nmap (as root, or with sudo).")
    if vantage.prefix and shutil.which(vantage.prefix[0]) is None:
        raise ToolMissing(
            f"{vantage} needs the program ip: apt-get install -y iproute2 (as root, or with sudo)."
        )


async def run_nmap(
    arguments: Sequence[str],
    addresses: Iterable[IPv4Address],
    on_event: EventReceiver,
    *,
    vantage: Vantage,
    privileges: Privileges,
    budget: float,
    on_open: OpenReceiver | None = None,
) -> NmapOutcome:
    """Scan the addresses and await `on_event` for each event as it comes; `budget` is in seconds.

    `on_open` gets each open TCP port in the moment it is seen, long before its host's event: nmap's document has
    a host only when all of its group are done, but its running commentary (`-v`) tells at once. However this ends (also by cancellation, and also when `on_event` raises) nmap and its process group are
    gone when it does. Raises ToolMissing, and ProbeFault with nmap's own sentence.
    """
    require_nmap(vantage)
    privilege = "--privileged" if privileges is Privileges.RAW else "--unprivileged"
    command = [*vantage.prefix, "nmap", privilege, "-n", *arguments, "-iL", "-"]
    process, document = await _start(command, beside=on_open is not None)
    errors = asyncio.create_task(_read_errors(process))
    feeding = asyncio.create_task(_feed(process, addresses))
    telling = asyncio.create_task(_read_commentary(process, on_open))
    finished: Finished | None = None
    timed_out = False
    try:
        async with asyncio.timeout(budget):
            finished = await _read_events(document, on_event)
            await telling
            await process.wait()
    except TimeoutError:
        timed_out = True
    except XmlFault as fault:
        raise ProbeFault(f"nmap's answer cannot be used: {fault}.") from fault
    finally:
        _kill_group(process)
        feeding.cancel()
        telling.cancel()
        await asyncio.shield(_reap(process, errors, feeding, telling))
        document.close()
    if not timed_out and (process.returncode != 0 or finished is None or not finished.success):
        raise ProbeFault(_describe_failure(process.returncode, errors.result(), finished))
    return NmapOutcome(timed_out, finished)


async def list_frequent_ports(count: int) -> tuple[int, ...]:
    """Nmap's `count` most frequent TCP ports, from the table it was installed with; sends no packet."""
    planned: list[int] = []

    async def note(event: NmapEvent) -> None:
        if isinstance(event, PortsPlanned):
            planned.extend(event.ports)

    arguments = ["-sT", "--top-ports", str(count)]
    await run_nmap(arguments, (), note, vantage=LOCAL, privileges=Privileges.NONE, budget=30)
    return tuple(planned)


@dataclass(frozen=True, slots=True)
class _Document:
    """Where nmap writes its XML: its standard output, or a pipe beside it."""

    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport | None = None

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


async def _start(command: Sequence[str], *, beside: bool) -> tuple[Process, _Document]:
    """The running process and its document, which is on a pipe of its own when the commentary is wanted `beside` it."""
    if not beside:
        process = await _spawn([*command, "-oX", "-"], ())
        assert process.stdout is not None  # noqa: S101 - we asked for a pipe
        return process, _Document(process.stdout)
    ours, its = os.pipe()
    reader = asyncio.StreamReader(limit=_CHUNK)
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
        )
        process = await _spawn([*command, "-oX", f"/dev/fd/{its}"], (its,))
    finally:
        os.close(its)
    return process, _Document(reader, transport)


async def _spawn(command: Sequence[str], kept: Sequence[int]) -> Process:
    ours = ("NMAP_PRIVILEGED", "NMAP_UNPRIVILEGED")
    environment = {key: value for key, value in os.environ.items() if key not in ours} | {"LC_ALL": "C"}
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            pass_fds=kept,
            limit=_LINE_LIMIT,
        )
    except OSError as error:
        raise ProbeFault(f"nmap cannot be started: {error.strerror}.") from error


def _die_with_parent() -> None:
    # A killed worker cannot clean up: the kernel then ends nmap for it (prctl(2)).
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _feed(process: Process, addresses: Iterable[IPv4Address]) -> None:
    assert process.stdin is not None  # noqa: S101 - we asked for a pipe
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for address in addresses:
            process.stdin.write(f"{address}\n".encode())
            await process.stdin.drain()
    process.stdin.close()


async def _read_commentary(process: Process, on_open: OpenReceiver | None) -> None:
    """Tell open ports as nmap tells them; without a receiver its standard output is the document."""
    if on_open is None:
        return
    assert process.stdout is not None  # noqa: S101 - we asked for a pipe
    async for line in process.stdout:
        if found := _OPEN.match(line):
            on_open(IPv4Address(found[2].decode()), int(found[1]))


async def _read_events(document: _Document, on_event: EventReceiver) -> Finished | None:
    reader = NmapXmlReader()
    finished = None
    while data := await document.reader.read(_CHUNK):
        try:
            events = reader.feed(data)
        except XmlFault:
            for event in reader.drain():
                await on_event(event)
            raise
        for event in events:
            if isinstance(event, Finished):
                finished = event
            await on_event(event)
    return finished


async def _read_errors(process: Process) -> str:
    """The beginning of what nmap says on stderr; the rest is read and dropped, so that it never blocks."""
    assert process.stderr is not None  # noqa: S101 - we asked for a pipe
    kept = b""
    while data := await process.stderr.read(_CHUNK):
        kept += data[: _STDERR_LIMIT - len(kept)]
    return kept.decode("utf-8", "replace")


def _kill_group(process: Process) -> None:
    # Only while it is not reaped is the number surely ours; it leads its group (start_new_session).
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def _reap(process: Process, *tasks: asyncio.Task[object]) -> None:
    await process.wait()
    await asyncio.gather(*tasks, return_exceptions=True)


def _describe_failure(status: int | None, errors: str, finished: Finished | None) -> str:
    if finished is not None and finished.message:
        return f"nmap failed: {finished.message}"
    lines = [line.strip() for line in errors.splitlines() if not _NOISE.match(line.strip())]
    said = clean_text(" ".join(lines), 300)
    if said:
        return f"nmap failed: {said}"
    if status == 0:
        return "nmap ended without finishing its document."
    return f"nmap ended with status {status} and said nothing."
