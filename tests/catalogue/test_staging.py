"""Rows as PostgreSQL's binary COPY takes them, and workers that do not outlive their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netvigil.catalogue.feeds.base import Block
from netvigil.catalogue.staging import stage_block
from netvigil.errors import FeedError

PARENT = """
import os, sys, time
from pathlib import Path
from netvigil.catalogue.importer import _executor

if __name__ == "__main__":
    print(_executor([Path(sys.argv[1])]).submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_a_block_counts_what_it_reads_and_skips(make_cve):
    records = [
        make_cve("CVE-2020-0001"),
        {"id": "CVE-2020-0002"},
        make_cve("CVE-2020-0003", modified="2026-05-01T00:00:00"),
    ]
    lines = "\n\n".join(map(json.dumps, records)).encode()
    staged = stage_block("nvd", Block(lines, b"\n"))
    assert (staged.records, staged.skipped) == (2, 1)
    assert staged.newest_modified.isoformat() == "2026-05-01T00:00:00+00:00"


@pytest.mark.parametrize("text", [b'{"id": "CVE-2020-0001"', b"[" * 5000, b"\xff\xfe", b'{"a": 1} {"b": 2}'])
def test_what_is_no_json_is_a_damaged_file(text):
    with pytest.raises(FeedError, match="damaged"):
        stage_block("nvd", Block(text))


def is_running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    script, large = tmp_path / "parent.py", tmp_path / "large"
    script.write_text(PARENT)
    large.write_bytes(bytes(2 << 20))
    with subprocess.Popen([sys.executable, script, large], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        assert worker != parent.pid
        assert is_running(worker)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)
