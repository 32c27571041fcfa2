"""The data directory belongs to one process at a time, and says to which."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netvigil.db.datadir import DataDirectory, FileLock, Holder
from netvigil.db.processes import started_at
from netvigil.errors import DataDirectoryHeld, EnvironmentFault

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from netvigil.db.datadir import DataDirectory
hold = DataDirectory(Path(sys.argv[1])).hold("netvigil serve")
print("held", flush=True)
time.sleep(60)
"""


def start_holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_makes_a_private_directory_with_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "data"
    with DataDirectory(path).hold("serve"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE((path / "lock").stat().st_mode) == 0o600


def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with DataDirectory(tmp_path).hold("serve"):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_asking_for_the_holder_touches_nothing(tmp_path: Path) -> None:
    assert DataDirectory(tmp_path / "data").holder() is None
    assert list(tmp_path.iterdir()) == []


def test_the_second_learns_who_holds_it_and_the_way_out(tmp_path: Path) -> None:
    process = start_holder(tmp_path)
    try:
        holder = DataDirectory(tmp_path).holder()
        assert holder is not None
        assert (holder.pid, holder.purpose) == (process.pid, "netvigil serve")
        assert holder.started == started_at(process.pid)
        with pytest.raises(DataDirectoryHeld) as caught:
            DataDirectory(tmp_path).hold("netvigil worker")
    finally:
        end(process)
    sentence = str(caught.value)
    assert f"`netvigil serve` (process {process.pid}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC)" in sentence
    assert "NETVIGIL_DATA_DIR" in sentence
    assert "\n" not in sentence


def test_a_killed_holder_holds_no_longer(tmp_path: Path) -> None:
    end(start_holder(tmp_path))
    assert (tmp_path / "lock").read_text(encoding="utf-8")  # its record is still there, and means nothing
    assert DataDirectory(tmp_path).holder() is None
    with DataDirectory(tmp_path).hold("serve"):
        holder = DataDirectory(tmp_path).holder()
    assert holder is not None
    assert holder.pid == os.getpid()


def test_releasing_frees_it_and_may_be_repeated(tmp_path: Path) -> None:
    hold = DataDirectory(tmp_path).hold("serve")
    with pytest.raises(DataDirectoryHeld):
        DataDirectory(tmp_path).hold("again")
    hold.release()
    hold.release()
    assert DataDirectory(tmp_path).holder() is None


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    hold = DataDirectory(tmp_path).hold("serve")
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
        hold.release()
        free = DataDirectory(tmp_path).holder() is None
        child.kill()
    assert free


def test_a_forked_worker_neither_keeps_nor_frees_the_lock(tmp_path: Path) -> None:
    hold = DataDirectory(tmp_path).hold("serve")
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        hold.release()
        os.write(go, b"x")
        signal.pause()
        os._exit(0)
    try:
        os.read(ready, 1)
        assert DataDirectory(tmp_path).holder() is not None
        hold.release()
        assert DataDirectory(tmp_path).holder() is None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(go)


def test_a_damaged_record_of_a_held_lock_is_still_a_holder(tmp_path: Path) -> None:
    with DataDirectory(tmp_path).hold("serve"):
        (tmp_path / "lock").write_text("{", encoding="utf-8")
        with pytest.raises(DataDirectoryHeld, match=r"`another process` \(since "):
            DataDirectory(tmp_path).hold("worker")


def test_a_pid_that_means_another_process_is_not_shown_as_ours(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire("serve") is None
    mine = lock.holder()
    lock.release()
    assert mine is not None
    elsewhere = Holder(mine.pid, 1, mine.purpose, mine.since, mine.host)
    assert re.search(r"process \d+ of another container", str(elsewhere))
    assert "container" not in str(mine)


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match=r"cannot be used \(Not a directory\).*NETVIGIL_DATA_DIR"):
        DataDirectory(tmp_path / "data").hold("serve")
