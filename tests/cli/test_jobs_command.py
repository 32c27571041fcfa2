"""`netvigil jobs`: what waits is shown, and the jobs of scans and schedules are left to their owners."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("netvigil")


@pytest.fixture
def netvigil(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [COMMAND, *arguments, "--data-dir", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )

    return run


def test_an_empty_queue_says_so_and_an_unknown_job_fails(netvigil):
    listed = netvigil("jobs")
    assert (listed.returncode, listed.stdout.strip()) == (0, "No job waits, runs or has failed.")
    # its options stand before the verb, as for every group
    shown = subprocess.run(
        [COMMAND, "jobs", "--json", *netvigil("jobs").args[2:]], capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == []
    for verb in ("retry", "cancel"):
        answer = netvigil("jobs", verb, "4711")
        assert answer.returncode == 1
        assert answer.stderr.strip().endswith("No such job: 4711.")
