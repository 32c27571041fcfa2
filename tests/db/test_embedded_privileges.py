"""The embedded server as root and as nobody special: closed directories, containers, full disks."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import netvigil
from netvigil.db.cluster import binaries

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users and mounts, which only root may"),
]

TRY = """
import asyncio, os, sys
from pathlib import Path
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.processes import find_servers
from netvigil.errors import NetvigilError

async def main():
    data = Path(sys.argv[1])
    try:
        async with EmbeddedServer(data):
            pid = find_servers(data / "postgres")[0]
            status = dict(l.split(":\\t", 1) for l in Path(f"/proc/{pid}/status").read_text().splitlines())
            print("uid", status["Uid"].split()[1], "capabilities", status["CapEff"].lstrip("0") or "none")
    except NetvigilError as error:
        print("error", error)

asyncio.run(main())
"""
CONTAINER = (
    "-all,+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,"
    "+net_bind_service,+sys_chroot,+kill,+audit_write"
)
PACKAGES = f"{Path(netvigil.__file__).parents[1]}{os.pathsep}{os.pathsep.join(p for p in sys.path if p)}"


def attempt(data: Path, *before: str, python: str = sys.executable, packages: str = PACKAGES) -> str:
    """What a process that starts a server in `data` says in its last line."""
    done = subprocess.run(
        [*before, python, "-c", TRY, str(data)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip().splitlines()[-1]


def modes_above(path: Path) -> list[int]:
    return [parent.stat().st_mode for parent in path.parents]


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that anybody may pass to, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_root_needs_no_capability_where_the_way_is_open(open_dir: Path) -> None:
    assert attempt(open_dir / "data") == "uid 60917 capabilities none"
    assert (open_dir / "data").stat().st_mode & 0o007 == 0


def test_root_passes_closed_directories_without_opening_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    before = modes_above(tmp_path / "data")
    assert attempt(tmp_path / "data") == "uid 60917 capabilities 4"  # CAP_DAC_READ_SEARCH
    assert modes_above(tmp_path / "data") == before


def test_root_of_a_container_passes_them_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    said = attempt(tmp_path / "data", "setpriv", f"--bounding-set={CONTAINER}", "--inh-caps=-all")
    assert said == "uid 60917 capabilities 2"  # CAP_DAC_OVERRIDE


def test_a_container_finds_and_ends_an_orphan_by_its_arguments(open_dir: Path) -> None:
    data = open_dir / "data"
    assert attempt(data).startswith("uid")
    argv = [str(binaries() / "postgres"), "-D", str(data / "postgres"), "-c", "listen_addresses="]
    argv += ["-c", f"unix_socket_directories={data}/postgres"]
    argv = ["setpriv", "--reuid=60917", "--regid=60917", "--clear-groups", *argv]
    with subprocess.Popen(argv, cwd="/", stderr=subprocess.DEVNULL) as orphan:
        while not (data / "postgres" / ".s.PGSQL.5432").exists():
            assert orphan.poll() is None
        said = attempt(data, "setpriv", f"--bounding-set={CONTAINER}", "--inh-caps=-all")
        assert said == "uid 60917 capabilities none"
        assert orphan.wait(1.0) == 0


def test_root_without_any_privilege_says_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    bounding = CONTAINER.replace("+dac_override,", "")
    said = attempt(tmp_path / "data", "setpriv", f"--bounding-set={bounding}", "--inh-caps=-all")
    assert said.startswith("error The embedded database cannot start: the database's user")
    assert "/var/lib" in said


def test_programs_in_a_closed_directory_and_under_a_strict_umask(tmp_path: Path) -> None:
    source = binaries().parents[1]
    libraries = source.with_name(f"{source.name}.libs")
    for folder in (source, libraries):
        subprocess.run(["cp", "-r", str(folder), str(tmp_path / folder.name)], check=True)
    tmp_path.chmod(0o700)
    packages = f"{tmp_path}{os.pathsep}{PACKAGES}"
    assert attempt(tmp_path / "one", packages=packages) == "uid 60917 capabilities 4"
    subprocess.run(["chmod", "-R", "go=", str(tmp_path)], check=True)
    assert attempt(tmp_path / "two", packages=packages) == "uid 60917 capabilities 2"


def test_root_goes_on_with_a_cluster_that_a_user_has_made(open_dir: Path) -> None:
    user, python = ordinary_user()
    os.chown(open_dir, user.pw_uid, user.pw_gid)
    assert attempt(open_dir, *become(user), python=python) == f"uid {user.pw_uid} capabilities none"
    assert attempt(open_dir) == f"uid {user.pw_uid} capabilities none"
    assert attempt(open_dir, *become(user), python=python) == f"uid {user.pw_uid} capabilities none"


def test_a_user_is_told_about_a_directory_that_root_has_made(open_dir: Path) -> None:
    user, python = ordinary_user()
    assert attempt(open_dir / "data").startswith("uid 60917")
    said = attempt(open_dir / "data", *become(user), python=python)
    assert "cannot be used (Permission denied)" in said


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=20m none "$0" && exec "$@"'
    said = attempt(tmp_path, "unshare", "--mount", "sh", "-c", mount, str(tmp_path))
    assert said.startswith(f"error The embedded database in {tmp_path} cannot run (")
    assert "its disk is full" in said


def ordinary_user() -> tuple[pwd.struct_passwd, str]:
    """A user with a name and no rights, and a Python of our version that it may run."""
    user = pwd.getpwnam("nobody")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    # It starts itself again to launch the server, so that it runs once is not enough.
    ask = (
        "import os, sys; print('%d.%d' % sys.version_info[:2] if os.access(sys.executable, os.X_OK) else '')"
    )
    for python in (sys.executable, f"/usr/bin/python{version}"):
        command = [*become(user), python, "-c", ask]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
        if done.stdout.strip() == version:
            return user, python
    pytest.skip("no Python of this version that an ordinary user may run")


def become(user: pwd.struct_passwd) -> list[str]:
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
