"""The embedded server: starts, survives, is never left behind, and says in one sentence why it cannot run."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from netvigil.db import cluster as clusters
from netvigil.db.embedded import EmbeddedServer, connect_url
from netvigil.db.endpoint import find_endpoint, open_endpoint
from netvigil.db.privileges import UNCHANGED, server_identity, start_child
from netvigil.db.processes import find_servers
from netvigil.errors import DatabaseFault, DataDirectoryHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERVICE = """
import asyncio, sys
from pathlib import Path
import psycopg
from netvigil.db.embedded import EmbeddedServer
from netvigil.log import set_up_logging

async def main():
    set_up_logging(json=False)
    url = await EmbeddedServer(Path(sys.argv[1])).start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    print(url, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory whose cluster is made; each test starts and stops its own server in it."""
    path = tmp_path_factory.mktemp("warm")

    async def make() -> None:
        async with EmbeddedServer(path):
            pass

    asyncio.run(make())
    yield path
    assert find_servers(path / "postgres") == []


def start_service(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def gone(data: Path) -> bool:
    return find_servers(data / "postgres") == []


def half_made(data: Path) -> bool:
    return any(data.glob("postgres.new-*/base"))


def one(url: str, query: str) -> tuple[object, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row


async def test_cold_start_makes_a_private_database_that_outlives_restarts(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data")
    with pytest.raises(DatabaseFault, match="has not been started"):
        _ = server.url
    url = await server.start()
    assert await server.start() == url == server.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'ä'::text AS word")
    who = "SELECT current_user, current_database(), rolsuper FROM pg_roles WHERE rolname = current_user"
    assert one(url, who) == ("netvigil", "netvigil", False)
    settings = (
        "SELECT current_setting('timezone'), current_setting('fsync'), current_setting('listen_addresses')"
    )
    assert one(url, settings) == ("UTC", "on", "")
    sockets = find_endpoint(tmp_path / "data")
    assert sockets.stat().st_mode & 0o777 == 0o700
    await server.stop()
    await server.stop()
    assert not sockets.exists()
    assert find_servers(tmp_path / "data" / "postgres") == []
    async with EmbeddedServer(tmp_path / "data") as again:
        assert one(again.url, "SELECT word FROM kept") == ("ä",)


async def test_a_warm_start_is_quick(warm: Path) -> None:
    began = time.monotonic()
    async with EmbeddedServer(warm):
        ready = time.monotonic() - began
    assert ready < 2.0  # 0.06 s alone on the machine; the bound only catches a second initdb or a fixed sleep


async def test_other_processes_find_the_running_server(warm: Path) -> None:
    with pytest.raises(DatabaseFault, match=r"No database runs in .*netvigil serve"):
        connect_url(warm)
    async with EmbeddedServer(warm) as server:
        assert connect_url(warm) == server.url
        code = "import sys; from pathlib import Path; from netvigil.db.embedded import connect_url as c; "
        code += "import psycopg; print(psycopg.connect(c(Path(sys.argv[1]))).info.dbname)"
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-c", code, str(warm), stdout=subprocess.PIPE
        )
        assert (await other.communicate())[0] == b"netvigil\n"


async def test_sqlalchemy_takes_the_url(warm: Path) -> None:
    async with EmbeddedServer(warm) as server:
        engine = create_async_engine(server.url.replace("postgresql://", "postgresql+psycopg://"))
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
        await engine.dispose()


async def test_the_second_start_says_who_runs_it_and_leaves_it_alone(warm: Path) -> None:
    async with EmbeddedServer(warm) as server:
        with pytest.raises(DataDirectoryHeld, match=f"`embedded database` .process {os.getpid()}, since"):
            await EmbeddedServer(warm).start()
        assert one(server.url, "SELECT 1") == (1,)


async def test_two_directories_run_two_servers(warm: Path, tmp_path: Path) -> None:
    async with EmbeddedServer(warm) as first, EmbeddedServer(tmp_path) as second:
        assert first.url != second.url
        where = "SELECT current_setting('data_directory')"
        assert one(first.url.replace("netvigil@", "postgres@"), where) == (str(warm / "postgres"),)
        assert one(second.url.replace("netvigil@", "postgres@"), where) == (str(tmp_path / "postgres"),)


async def test_paths_longer_than_a_socket_name_may_be(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30) / ("%20 ünd?&" * 8)
    async with EmbeddedServer(data) as server:
        assert len(str(data)) > 107
        assert one(server.url, "SELECT 1") == (1,)
        assert connect_url(data) == server.url


async def test_a_killed_service_leaves_no_server_and_the_next_start_recovers(warm: Path) -> None:
    service = start_service(warm)
    assert service.stdout is not None
    assert service.stdout.readline().startswith("postgresql://")
    assert find_servers(warm / "postgres")
    service.kill()
    service.communicate()
    await until(lambda: gone(warm), 5.0)
    with pytest.raises(DatabaseFault, match="No database runs"):
        connect_url(warm)
    async with EmbeddedServer(warm) as server:
        assert one(server.url, "SELECT count(*) > 0 FROM kept") == (True,)


async def test_a_start_right_after_the_kill_does_not_trip(warm: Path) -> None:
    service = start_service(warm)
    assert service.stdout is not None
    service.stdout.readline()
    service.kill()
    async with EmbeddedServer(warm) as server:
        assert one(server.url, "SELECT 1") == (1,)
    service.communicate()


async def test_a_kill_in_the_middle_of_the_first_start_leaves_nothing_half_made(tmp_path: Path) -> None:
    service = start_service(tmp_path)
    await until(lambda: half_made(tmp_path))
    service.kill()
    service.communicate()
    assert not (tmp_path / "postgres").exists()
    async with EmbeddedServer(tmp_path) as server:
        assert one(server.url, "SELECT 1") == (1,)
    assert not half_made(tmp_path)


async def test_a_real_orphan_is_ended_first(warm: Path) -> None:
    identity = server_identity(warm / "postgres")
    sockets = open_endpoint(warm, identity)
    argv = [str(clusters.binaries() / "postgres"), "-D", str(warm / "postgres")]
    argv += ["-c", "listen_addresses=", "-c", f"unix_socket_directories={sockets}"]
    with (warm / "orphan.log").open("wb") as output:
        orphan = start_child(
            argv, identity=identity, reach=[warm / "postgres"], death_signal=signal.SIGCONT, output=output
        )
    try:
        await until((sockets / ".s.PGSQL.5432").exists)
        async with EmbeddedServer(warm) as server:
            assert orphan.wait(1.0) == 0  # a fast shutdown, not a kill
            assert one(server.url, "SELECT 1") == (1,)
    finally:
        orphan.kill()
        orphan.wait()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


async def test_a_stale_pid_file_that_names_a_stranger_is_ignored(
    warm: Path, stranger: subprocess.Popen[bytes]
) -> None:
    stale = f"{stranger.pid}\n{warm}/postgres\n1\n5432\n/tmp\n\n  1 1\nready   \n"
    (warm / "postgres" / "postmaster.pid").write_text(stale, encoding="utf-8")
    async with EmbeddedServer(warm) as server:
        assert one(server.url, "SELECT 1") == (1,)
        assert connect_url(warm) == server.url
    assert stranger.poll() is None


async def test_a_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    start = asyncio.create_task(server.start())
    await until(lambda: half_made(tmp_path))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not half_made(tmp_path)
    assert not (tmp_path / "postgres").exists()
    async with server:
        assert one(server.url, "SELECT 1") == (1,)


async def test_watch_tells_when_the_server_ends_by_itself(warm: Path) -> None:
    async with EmbeddedServer(warm) as server:
        watch = asyncio.create_task(server.watch())
        await asyncio.sleep(0)
        os.kill(find_servers(warm / "postgres")[0], signal.SIGQUIT)
        with pytest.raises(DatabaseFault, match="ended by itself"):
            await asyncio.wait_for(watch, 5.0)
    assert find_servers(warm / "postgres") == []


async def test_a_server_that_hangs_is_stopped_in_time(warm: Path) -> None:
    server = EmbeddedServer(warm)
    await server.start()
    os.kill(find_servers(warm / "postgres")[0], signal.SIGSTOP)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 8.0
    assert gone(warm)


async def test_a_long_log_is_cut_while_the_server_writes(warm: Path) -> None:
    log = warm / "postgres.log"
    async with EmbeddedServer(warm) as server:
        with log.open("ab") as file:
            file.write(b"x" * 6_000_000)
        watch = asyncio.create_task(server.watch())
        await until(lambda: log.stat().st_size < 1_000_000)
        watch.cancel()
    assert "database system is shut down" in log.read_text(encoding="utf-8")
    assert (warm / "postgres.log.1").stat().st_size == 1024 * 1024


async def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n", encoding="ascii")
    with pytest.raises(DatabaseFault, match="made by PostgreSQL 16 and this netvigil brings 18"):
        await EmbeddedServer(tmp_path).start()


async def test_foreign_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "diary").write_text("mine", encoding="utf-8")
    with pytest.raises(DatabaseFault, match="holds files but no database"):
        await EmbeddedServer(tmp_path).start()
    assert (tmp_path / "postgres" / "diary").read_text(encoding="utf-8") == "mine"


async def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DatabaseFault, match=r"cannot be used \(Not a directory\)"):
        await EmbeddedServer(tmp_path / "file" / "data").start()


async def test_the_servers_own_reason_reaches_the_user(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path):
        pass
    (tmp_path / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseFault, match=r"pg_control.*see .*postgres\.log"):
        await EmbeddedServer(tmp_path).start()
    assert find_servers(tmp_path / "postgres") == []


def test_a_squatted_socket_name_is_left_to_the_squatter(tmp_path: Path) -> None:
    first = open_endpoint(tmp_path, UNCHANGED)
    assert open_endpoint(tmp_path, UNCHANGED) == first
    first.chmod(0o755)
    (first / "bait").touch()
    second = open_endpoint(tmp_path, UNCHANGED)
    assert second != first
    assert second.stat().st_mode & 0o777 == 0o700
    assert (first / "bait").exists()
    shutil.rmtree(first)
    second.rmdir()
