from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from ipaddress import IPv4Address

import pytest
from small_devices import HOME, list_nmaps, needs_nmap

from netvigil.errors import ProbeFault, ToolMissing
from netvigil.probing.nmap import list_frequent_ports, require_nmap, run_nmap
from netvigil.probing.nmap_xml import HostSeen
from netvigil.probing.privileges import Privileges
from netvigil.probing.vantage import LOCAL, Vantage

pytestmark = needs_nmap
HERE = IPv4Address(f"{HOME}.1.1")
# Silent UDP-like slowness without a network: a thousand ports at two a second.
SLOW = ["-sT", "-Pn", "-p", "20000-21000", "--max-rate", "2"]


async def run(arguments, addresses, on_event=None, budget=30, vantage=LOCAL):
    events = []

    async def note(event):
        events.append(event)

    outcome = await run_nmap(
        arguments, addresses, on_event or note, vantage=vantage, privileges=Privileges.NONE, budget=budget
    )
    return outcome, events


async def wait_for_nmap(parent=None):
    for _ in range(100):
        if found := list_nmaps(parent or os.getpid()):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("nmap did not start")


async def test_hosts_arrive_as_events(devices):
    await devices.listen(f"{HOME}.1.1", 2222, b"SSH-2.0-OpenSSH_7.4\r\n")
    outcome, events = await run(["-sT", "-Pn", "-p", "2222,2223"], [HERE, IPv4Address(f"{HOME}.1.2")])
    hosts = {event.host.address: event.host for event in events if isinstance(event, HostSeen)}
    assert not outcome.timed_out
    assert outcome.finished.hosts_up == 2
    assert [service.port for service in hosts[HERE].services] == [2222]
    assert hosts[IPv4Address(f"{HOME}.1.2")].services == ()


async def test_nmaps_own_sentence_becomes_the_fault():
    with pytest.raises(ProbeFault, match="no matches for the service mask"):
        await run(["-sT", "-p", "x"], [HERE])
    with pytest.raises(ProbeFault, match="root privileges"):
        await run(["-sS", "-p", "1"], [HERE])


async def test_a_missing_namespace_is_a_fault_with_a_reason():
    with pytest.raises(ProbeFault, match="nv-there-is-none"):
        await run(["-sT", "-p", "1"], [HERE], vantage=Vantage.parse("netns:nv-there-is-none"))


def test_without_nmap_the_command_to_type_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="apt-get install -y nmap"):
        require_nmap(LOCAL)


async def test_a_used_up_budget_ends_it_and_says_so():
    began = time.monotonic()
    outcome, _ = await run(SLOW, [HERE], budget=0.5)
    assert outcome.timed_out
    assert time.monotonic() - began < 2
    assert list_nmaps(os.getpid()) == []


async def test_cancellation_leaves_no_process():
    task = asyncio.create_task(run(SLOW, [HERE]))
    (pid,) = await wait_for_nmap()
    assert os.getpgid(pid) == pid
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_receiver_that_fails_ends_nmap_too(devices):
    await devices.listen(f"{HOME}.1.1", 2222)

    async def fail(_):
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        await run(["-sT", "-Pn", "-p", "2222"], [HERE], fail)
    assert list_nmaps(os.getpid()) == []


async def test_nmap_dies_with_a_killed_worker():
    program = (
        "import asyncio\nfrom ipaddress import IPv4Address\n"
        "from netvigil.probing.nmap import run_nmap\nfrom netvigil.probing.privileges import Privileges\n"
        "from netvigil.probing.vantage import LOCAL\n"
        "async def note(_): pass\n"
        f"asyncio.run(run_nmap({SLOW!r}, [IPv4Address('127.88.1.1')], note, vantage=LOCAL,"
        " privileges=Privileges.NONE, budget=60))\n"
    )
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    (pid,) = await wait_for_nmap(worker.pid)
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    for _ in range(20):
        if not is_alive(pid):
            return
        await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("nmap outlived its worker")


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:  # noqa: PTH123 - read at once, it may vanish
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_the_frequent_ports_come_from_nmap():
    ports = await list_frequent_ports(100)
    assert len(ports) == 100
    assert {21, 22, 23, 80, 443, 445, 8080} <= set(ports)
