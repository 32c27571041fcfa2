"""The embedded PostgreSQL: started in the data directory, ready when `start` returns, gone when we are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NoReturn, Self

import psycopg
from psycopg import sql

from netvigil.db import cluster as clusters
from netvigil.db import launch
from netvigil.db.datadir import DataDirectory, Hold
from netvigil.db.endpoint import NAME, SUPERUSER, close_endpoint, find_endpoint, open_endpoint, url_of
from netvigil.db.privileges import server_identity
from netvigil.db.processes import end_servers
from netvigil.errors import DatabaseFault, DataDirectoryHeld, EnvironmentFault

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.db.privileges import Identity

# The standard library's logger: commands that start this server for one answer would pay for more.
_log = logging.getLogger(__name__)

_POLL = 0.01  # seconds
_PROGRESS = 5.0  # seconds between two lines about a long start
_STOP = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 1.0))  # fast, immediate, at once
_LOG_LIMIT = 5 * 1024 * 1024  # bytes
_LOG_KEPT = 1024 * 1024  # bytes of the past that postgres.log.1 keeps
_LITTLE_SPACE = 32 * 1024 * 1024  # bytes; two WAL segments


def connect_url(data_dir: Path) -> str:
    """URL of the server that another process runs in this data directory now.

    Raises DatabaseFault when none answers, with the way out.
    """
    return url_of(find_endpoint(data_dir.absolute()))


class EmbeddedServer:
    """A PostgreSQL of our own on a Unix socket that only we (and root) can reach; database and role `netvigil`.

    As root it runs under a uid of its own (see `privileges`). It ends when the thread that called `start` does, so
    start it from one that lives as long as the service: the event loop's. It is tied to no event loop.
    """

    def __init__(self, data_dir: Path, *, patience: float = 600.0) -> None:
        """`patience`: seconds that a start may take at most; crash recovery after a large import can take minutes."""
        self.data_dir = data_dir.absolute()
        self._cluster = self.data_dir / "postgres"
        self._log_file = self.data_dir / "postgres.log"
        self._patience = patience
        self._hold: Hold | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """postgresql://netvigil@/netvigil?host=<socket directory>&port=5432; raises DatabaseFault before `start`."""
        if self._process is None or self._sockets is None:
            raise DatabaseFault(f"The embedded database in {self.data_dir} has not been started.")
        return url_of(self._sockets)

    async def start(self) -> str:
        """Start the server, making its cluster on first use, and return its URL once it answers.

        Ends an orphan that a killed predecessor may have left. Raises DatabaseFault, or DataDirectoryHeld when
        another process runs a server here.
        """
        if self._process is not None:
            return self.url
        try:
            self._hold = DataDirectory(self.data_dir).hold("embedded database", part="postgres.lock")
        except DataDirectoryHeld:
            raise
        except EnvironmentFault as error:
            raise DatabaseFault(str(error)) from error
        try:
            async with asyncio.timeout(self._patience):
                await self._bring_up()
        except TimeoutError:
            self._abandon()
            raise DatabaseFault(
                f"The database in {self.data_dir} was not ready within {self._patience:.0f} s: see {self._log_file}."
            ) from None
        except OSError as error:
            self._abandon()
            self._fail(f"{error.filename or self.data_dir}: {error.strerror or error}", error)
        except psycopg.Error as error:
            self._abandon()
            self._fail(" ".join(str(error).split()), error)
        except BaseException:  # a cancelled start leaves no process either
            self._abandon()
            raise
        return self.url

    async def stop(self) -> None:
        """End the server within 7 s: fast (nothing lost, no recovery), then immediate, then SIGKILL. Repeatable."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            for sign, patience in _STOP:
                if process.poll() is None:
                    process.send_signal(sign)
                    await _wait(process, patience)
        finally:
            self._leave(process)

    async def watch(self) -> NoReturn:
        """Keep the server's log small and raise DatabaseFault when the server ends by itself; cancel it to leave."""
        while True:
            process = self._process
            if process is not None and process.poll() is not None:
                self._fail(f"it ended by itself: {self._last_words()}")
            with contextlib.suppress(
                OSError
            ):  # somebody removed the log, or the disk is full: no reason to end
                self._trim_log()
            await asyncio.sleep(0.5)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _bring_up(self) -> None:
        began = time.monotonic()
        identity = server_identity(self._cluster)
        made = clusters.check_version(self._cluster)
        self._open_log()
        if made:
            # A thread may do it: no child is started here.
            await asyncio.to_thread(_clear_leftovers, self._cluster)
        else:
            await self._initialise(identity)
        self._sockets = open_endpoint(self.data_dir, identity)
        self._process = clusters.start_postgres(self._cluster, self._log_file, identity, self._sockets)
        await self._wait_until_ready(self._process)
        await _ensure_database(self._sockets)
        _log.info("database ready in %.2f s: %s", time.monotonic() - began, self.data_dir)

    async def _initialise(self, identity: Identity) -> None:
        _log.info("making the database: %s", self.data_dir)
        process, unfinished = clusters.start_initdb(self._cluster, self._log_file, identity)
        try:
            await _wait(process, self._patience)
            if process.returncode != 0:
                self._fail_ended(process)
            clusters.adopt(unfinished, self._cluster, identity)
            os.truncate(self._log_file, self._log_start)  # initdb's chatter tells nobody anything
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            shutil.rmtree(unfinished, ignore_errors=True)

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        said = time.monotonic()
        while not _is_ready(self._cluster, process.pid):
            if process.poll() is not None:
                self._fail_ended(process)
            if time.monotonic() - said > _PROGRESS:
                said = time.monotonic()
                _log.info("the database is not ready yet: %r", self._last_words())
            await asyncio.sleep(_POLL)

    def _abandon(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2.0)
        self._leave(process)

    def _leave(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is not None and (process.poll() is None or process.returncode < 0):
            # Its children notice the death of a killed parent by themselves, but they may be stuck in a write.
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
            end_servers(self._cluster, [(signal.SIGKILL, 0.5)])
        if self._sockets is not None:
            close_endpoint(self.data_dir, self._sockets)
        self._process = self._sockets = None
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _open_log(self) -> None:
        os.close(os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self._trim_log()
        self._log_start = self._log_file.stat().st_size

    def _trim_log(self) -> None:
        size = self._log_file.stat().st_size
        if size <= _LOG_LIMIT:
            return
        with self._log_file.open("r+b") as log:
            log.seek(size - _LOG_KEPT)
            kept = log.read(_LOG_KEPT)
            log.truncate(0)  # the server appends, so it goes on at the new end
        self._log_start = 0
        self._log_file.with_name("postgres.log.1").write_bytes(kept)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError), self._log_file.open("rb") as log:
            log.seek(max(self._log_start, self._log_file.stat().st_size - 65536))
            return clusters.essence(log.read().decode(errors="replace"))
        return "its log cannot be read"

    def _fail_ended(self, process: subprocess.Popen[bytes]) -> NoReturn:
        if process.returncode == launch.NOT_STARTED:  # the launcher's sentence names its own way out
            raise DatabaseFault(f"The embedded database cannot start: {self._last_words()}.")
        self._fail(self._last_words())

    def _fail(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        hint = f"see {self._log_file}"
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self.data_dir).free
            if free < _LITTLE_SPACE:
                hint = f"its disk is full (only {free // 1024} kB are free), make room"
        raise DatabaseFault(
            f"The embedded database in {self.data_dir} cannot run ({reason.rstrip('.')}): {hint}, "
            "or set NETVIGIL_DATABASE_URL."
        ) from cause


def _is_ready(cluster: Path, pid: int) -> bool:
    """Whether postmaster.pid says so: its first line is the pid, its eighth the state."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004 - see above


def _clear_leftovers(cluster: Path) -> None:
    """End a server that outlived a killed parent, and remove its pid file; its number may be another's by now.

    Only for the holder of the directory's lock: for anybody else a server found here is no orphan.
    """
    steps = [(signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0)]
    try:
        gone = end_servers(cluster, steps)
    except PermissionError as error:
        raise DatabaseFault(
            f"A PostgreSQL of another user still works in {cluster}: stop it as that user, then start again."
        ) from error
    if not gone:
        raise DatabaseFault(
            f"An old PostgreSQL in {cluster} does not end even by SIGKILL: restart the machine."
        )
    (cluster / "postmaster.pid").unlink(missing_ok=True)


async def _wait(process: subprocess.Popen[bytes], patience: float) -> None:
    """Return when the process has ended or so many seconds have passed."""
    deadline = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - only polling ties us to no loop
        await asyncio.sleep(_POLL)


async def _ensure_database(sockets: Path) -> None:
    url = url_of(sockets, role=SUPERUSER, database="postgres")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        name = sql.Identifier(NAME)
        found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME])
        if await found.fetchone() is None:
            await connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
        if await found.fetchone() is None:
            await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
