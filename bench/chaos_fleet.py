"""The processes that a chaos run breaks: one database, API processes and workers, each started again after its death."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from netvigil.db.embedded import EmbeddedServer

COMMAND = Path(sys.executable).with_name("netvigil")


@dataclass
class Member:
    """One process by name, with the command that starts it."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    frozen: bool = False

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def end(self) -> None:
        """Politely; a member that does not end in 15 s is a failure of its own."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self.process is not None:
            await asyncio.wait_for(self.process.wait(), 15)


@dataclass
class Fleet:
    """A database that can be killed, `apis` services and `workers` workers on it."""

    folder: Path
    apis: int = 2
    workers: int = 3
    members: list[Member] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    async def start(self) -> None:
        self.database = EmbeddedServer(self.folder / "database")
        url = await self.database.start()
        environment = {
            **os.environ,
            "NETVIGIL_DATABASE_URL": url,
            "NETVIGIL_WORKER_CONCURRENCY": "3",
            "NETVIGIL_VANTAGES": "local",
            "NETVIGIL_LOG_JSON": "1",
        }
        data = str(self.folder / "data")
        for number in range(self.apis):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            self.ports.append(port)
            command = [str(COMMAND), "serve", "--port", str(port), "--data-dir", data]
            self._add(f"serve-{number}", command, environment)
        for number in range(self.workers):
            self._add(f"worker-{number}", [str(COMMAND), "worker", "--data-dir", data], environment)
        await self.members[0].start()  # it makes the keys and migrates
        await asyncio.sleep(5)
        for member in self.members[1:]:
            await member.start()

    async def restart_database(self) -> None:
        """Kill -9 the server's postmaster, as a power cut would, and start it again."""
        os.kill(self.database._process.pid, signal.SIGKILL)  # noqa: SLF001 - to break what is closed
        await asyncio.sleep(1)
        await self.database.stop()
        await self.database.start()

    async def revive(self) -> None:
        """Start again whatever is dead."""
        for member in self.members:
            if not member.alive:
                await member.start()

    async def end(self) -> None:
        for member in self.members:
            await member.end()
        await self.database.stop()

    def _add(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.members.append(Member(name, command, environment, self.folder / f"{name}.log"))
