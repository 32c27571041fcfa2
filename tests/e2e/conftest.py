"""The installed command as a user runs it: its own process, its own data directory, a lab of the test's own."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from running import COMMAND, Server, free_port, wait_ready

from netvigil.lab.service import Lab

# Networks of namespaces and scripted routers are at home with the probing tests.
PROBING = Path(__file__).parent.parent / "probing"
sys.path += [str(PROBING), str(PROBING / "router")]


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def netvigil(data_dir):
    """Runs a command to its end: (exit status, stdout, stderr)."""

    async def run(*arguments, patience=120):
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            "--data-dir",
            str(data_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "COLUMNS": "200"},
        )
        out, err = await asyncio.wait_for(process.communicate(), patience)
        return process.returncode, out.decode(), err.decode()

    return run


@pytest.fixture
async def lab():
    """A lab in a loopback /28 of this test process's own."""
    async with Lab.start(f"127.90.{os.getpid() % 250}.0/28") as lab:
        yield lab


@pytest.fixture
def serve(data_dir, netvigil):
    """Starts a service and waits until it is ready."""

    @asynccontextmanager
    async def start():
        port = free_port()
        path = data_dir.parent / f"serve-{port}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                COMMAND, "serve", "--port", str(port), "--data-dir", str(data_dir), stderr=log
            )
        status, token, _ = await netvigil("token", "create", "--org", "acme", "--scope", "*")
        assert status == 0
        headers = {"Authorization": f"Bearer {token.strip()}"}
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30, trust_env=False) as api:
            try:
                await wait_ready(api, process, path)
                yield Server(process, api)
            finally:
                if process.returncode is None:
                    process.terminate()
                    await asyncio.wait_for(process.wait(), 15)

    return start
