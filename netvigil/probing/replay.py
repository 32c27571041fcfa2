"""Ask nmap what recorded words mean, without asking the device again: they are replayed to it from loopback.

nmap knows thousands of devices by their greetings and web answers. A device that has already answered us once is not
asked the same again: a small server on 127.0.0.1 says what the device said, and nmap, with its probe file cut down to
those two questions, names it in a fraction of a second for all ports of a site together.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from netvigil.errors import ProbeFault
from netvigil.probing.nmap import run_nmap
from netvigil.probing.nmap_xml import HostSeen
from netvigil.probing.ports import format_ports
from netvigil.probing.privileges import Privileges
from netvigil.probing.probe_file import find_probe_file
from netvigil.probing.vantage import LOCAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from netvigil.probing.nmap_xml import NmapEvent
    from netvigil.probing.observations import ServiceObservation

Key = TypeVar("Key")
_LOOPBACK: Final = IPv4Address("127.0.0.1")
_BUDGET: Final = 20.0
_KEPT_PROBES: Final = ("NULL", "GetRequest")
_SECTION: Final = re.compile(r"^Probe (?:TCP|UDP) (\S+) ", re.MULTILINE)
_WAITS: Final = re.compile(r"^(?:totalwaitms|tcpwrappedms|rarity) \d+\n", re.MULTILINE)
_AT_ONCE: Final = 200  # ports of one run


@dataclass(frozen=True, slots=True)
class Words:
    """What a port said: unasked, and in answer to a plain web request; b"" for nothing."""

    greeting: bytes
    web: bytes


async def name_words(said: Mapping[Key, Words]) -> dict[Key, ServiceObservation]:
    """What nmap makes of each recording; one that it does not know is missing. Sends nothing beyond loopback.

    The observations carry the replay's port, not the device's. Raises ProbeFault when nmap fails.
    """
    named: dict[Key, ServiceObservation] = {}
    keys = [key for key, words in said.items() if words.greeting or words.web]
    for start in range(0, len(keys), _AT_ONCE):
        named |= await _name_some({key: said[key] for key in keys[start : start + _AT_ONCE]})
    return named


async def _name_some(said: Mapping[Key, Words]) -> dict[Key, ServiceObservation]:
    original = find_probe_file()
    if original is None:
        return {}
    named: dict[int, ServiceObservation] = {}

    async def note(event: NmapEvent) -> None:
        if isinstance(event, HostSeen):
            named.update({service.port: service for service in event.host.services})

    async with contextlib.AsyncExitStack() as stack:
        ports = {await stack.enter_async_context(_replaying(words)): key for key, words in said.items()}
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="netvigil-"))
        probes = Path(folder) / "nmap-service-probes"
        probes.write_text(cut_probes(original.read_text("latin-1")), "latin-1")
        arguments = _arguments(sorted(ports), probes)
        outcome = await run_nmap(
            arguments, [_LOOPBACK], note, vantage=LOCAL, privileges=Privileges.NONE, budget=_BUDGET
        )
    if outcome.timed_out:
        raise ProbeFault("nmap did not name the recorded answers in time.")
    return {ports[port]: service for port, service in named.items() if port in ports}


def _arguments(ports: Sequence[int], probes: Path) -> list[str]:
    return [
        "-sT",
        "-sV",
        "-Pn",
        "-T5",
        "--version-all",
        "--versiondb",
        str(probes),
        "-p",
        format_ports(ports),
    ]


def cut_probes(text: str) -> str:
    """The probe file of nmap with only the questions that we have answers to, and hardly any waiting for them."""
    starts = [(match.start(), match[1]) for match in _SECTION.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    kept = [text[: starts[0][0]]] if starts else []
    for (start, name), end in zip(starts, ends, strict=True):
        if name in _KEPT_PROBES and text.startswith("Probe TCP", start):
            head, _, body = text[start:end].partition("\n")
            wait = 120 if name == "NULL" else 400
            kept.append(f"{head}\ntotalwaitms {wait}\nrarity 1\n{_WAITS.sub('', body)}")
    return "".join(kept)


@contextlib.asynccontextmanager
async def _replaying(words: Words) -> AsyncIterator[int]:
    """The loopback port that says these words, as the device did."""
    talks: set[asyncio.Task[None]] = set()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server's callback runs in a task
        talks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            writer.write(words.greeting)
            await writer.drain()
            asked = await reader.read(4096)
            if asked.startswith(b"GET "):
                writer.write(words.web)
                await writer.drain()
        writer.close()
        talks.discard(task)

    server = await asyncio.start_server(say, str(_LOOPBACK), 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
