from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from small_devices import HOME, HTTP, WORKER, list_nmaps, needs_nmap, needs_raw

from netvigil.errors import ProbeFault
from netvigil.probing.limits import ScanLimits
from netvigil.probing.observations import Method
from netvigil.probing.pipeline import ProbeRequest, probe
from netvigil.probing.ports import Profile
from netvigil.probing.privileges import Privileges
from netvigil.probing.progress import Stage
from netvigil.probing.vantage import Vantage

pytestmark = needs_nmap
SSH = b"SSH-2.0-OpenSSH_7.4\r\n"
NET = IPv4Network(f"{HOME}.3.0/29")
BOTH = pytest.mark.parametrize(
    "privileges",
    [Privileges.NONE, pytest.param(Privileges.RAW, marks=[pytest.mark.root, needs_raw])],
)
RARE = 55123
EVERYWHERE = 55321 + WORKER


def request(privileges=Privileges.NONE, **changes):
    base = ProbeRequest((NET,), profile=Profile.QUICK, privileges=privileges, extra_ports=(RARE,))
    return replace(base, **changes)


async def listen_to_all(devices):
    await devices.listen(f"{HOME}.3.1", 2222, SSH)
    await devices.listen(f"{HOME}.3.1", 8080, b"", HTTP)
    await devices.listen(f"{HOME}.3.2", 22, SSH)
    await devices.listen(f"{HOME}.3.2", RARE)  # never speaks
    await devices.listen(f"{HOME}.3.3", 9100)
    await devices.listen(f"{HOME}.3.3", 502)
    await devices.listen(
        f"{HOME}.3.3", 21, b"220 ProFTPD 1.3.5 Server (Printer) [127.88.3.3]\r\n", b"500 no\r\n"
    )


class Watcher:
    def __init__(self):
        self.began = time.monotonic()
        self.first = asyncio.Event()
        self.hosts, self.found, self.progress, self.when = {}, {}, [], {}

    async def host(self, host):
        assert host.address not in self.hosts
        self.hosts[host.address] = host
        self.first.set()
        self.when[int(host.address) & 7] = time.monotonic() - self.began

    async def seen(self, host):
        self.found[host.address] = host

    async def moved(self, progress):
        self.progress.append(progress)

    async def watch(self, asked):
        return await probe(asked, on_host=self.host, on_found=self.seen, on_progress=self.moved)


@BOTH
async def test_a_network_with_a_silent_and_a_fragile_port(devices, privileges):
    await listen_to_all(devices)
    watcher = Watcher()
    result = await watcher.watch(request(privileges))
    assert [int(host.address) & 7 for host in result.hosts] == [
        1,
        2,
        3,
    ]  # 4 to 6 answer, but with nothing open
    ports = {(int(h.address) & 7, s.port): s for h in result.hosts for s in h.services}
    assert sorted(ports) == [(1, 2222), (1, 8080), (2, 22), (2, RARE), (3, 21), (3, 502), (3, 9100)]
    assert (ports[1, 2222].product, ports[1, 2222].version) == ("OpenSSH", "7.4")
    assert ports[1, 2222].banner == "SSH-2.0-OpenSSH_7.4"
    assert (ports[1, 8080].product, ports[1, 8080].version) == ("lighttpd", "1.4.35")
    assert ports[3, 21].product == "ProFTPD"
    assert (ports[2, RARE].method, ports[2, RARE].banner) == (Method.SWEEP, None)
    for port in (502, 9100):
        assert ports[3, port].spared
        assert ports[3, port].method is Method.SWEEP
        assert devices.received[f"{HOME}.3.3", port] == b""
    assert watcher.hosts == {host.address: host for host in result.hosts}
    assert set(watcher.found) == set(watcher.hosts)
    assert max(watcher.when.values()) < 30


async def test_a_silent_port_delays_only_its_own_host(devices):
    await listen_to_all(devices)
    watcher = Watcher()
    await watcher.watch(request())
    assert watcher.when[1] < watcher.when[2]
    assert watcher.when[3] < watcher.when[2]


async def test_progress_only_grows_and_ends_complete(devices):
    await devices.listen(f"{HOME}.3.1", 2222, SSH)
    watcher = Watcher()
    result = await watcher.watch(request())
    percents = [progress.percent for progress in watcher.progress]
    assert percents == sorted(percents)
    last = watcher.progress[-1]
    assert (last.stage, last.hosts_total, last.hosts_done, last.percent) == (Stage.DONE, 1, 1, 100.0)
    assert (last.ports_total, last.ports_done) == (1, 1)
    assert set(result.seconds) == set(Stage) - {Stage.DONE}
    assert (result.addresses, result.privileges) == (6, Privileges.NONE)
    assert any("without privileges" in sentence for sentence in result.limitations)


@BOTH
async def test_what_the_machine_opens_everywhere_belongs_to_no_device(devices, privileges):
    await devices.listen("0.0.0.0", EVERYWHERE, SSH)
    await devices.listen(f"{HOME}.3.1", RARE, SSH)
    result = await probe(request(privileges, extra_ports=(RARE, EVERYWHERE)))
    assert [[service.port for service in host.services] for host in result.hosts] == [[RARE]]
    assert any(str(EVERYWHERE) in sentence for sentence in result.limitations)
    itself = await probe(request(privileges, targets=(IPv4Address("127.0.0.1"),), extra_ports=(EVERYWHERE,)))
    assert EVERYWHERE in {service.port for service in itself.hosts[0].services}


@BOTH
async def test_an_empty_network_is_an_empty_result(privileges):
    result = await probe(request(privileges, targets=(IPv4Network(f"{HOME}.4.0/30"),)))
    assert result.hosts == ()
    assert result.addresses == 2


@BOTH
async def test_nothing_is_sent_to_what_is_excluded_or_known(devices, privileges):
    for last in (1, 2, 3):
        await devices.listen(f"{HOME}.5.{last}", 22, SSH)
    result = await probe(
        request(
            privileges,
            targets=(IPv4Network(f"{HOME}.5.0/29"),),
            exclude=(IPv4Address(f"{HOME}.5.1"),),
            known=frozenset({IPv4Address(f"{HOME}.5.2")}),
        )
    )
    assert [str(host.address) for host in result.hosts] == [f"{HOME}.5.3"]
    assert set(devices.connections) == {(f"{HOME}.5.3", 22)}


async def test_cancellation_in_the_midst_of_identifying_leaves_nothing(devices):
    await listen_to_all(devices)
    watcher = Watcher()
    task = asyncio.create_task(watcher.watch(request()))
    await asyncio.wait_for(watcher.first.wait(), 30)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1
    assert list_nmaps(os.getpid()) == []
    assert len(watcher.found) == 3  # what was open is known, and can be kept


async def test_a_receiver_that_fails_ends_the_probe(devices):
    await devices.listen(f"{HOME}.3.1", 2222, SSH)

    async def fail(_):
        raise LookupError("superseded")

    with pytest.raises(LookupError, match="superseded"):
        await probe(request(), on_host=fail)
    assert list_nmaps(os.getpid()) == []


async def test_of_a_tarpit_only_some_ports_are_spoken_to(devices):
    for port in range(8000, 8030):
        await devices.listen(f"{HOME}.3.1", port, SSH)
    limits = ScanLimits(ports_per_host=5)
    result = await probe(request(limits=limits, extra_ports=tuple(range(8000, 8030))))
    assert len(result.hosts[0].services) == 30
    spoken = {service.port for service in result.hosts[0].services if service.method is Method.SPOKEN}
    # Beyond the bound only what devices on a LAN have.
    assert spoken == {8000, 8001, 8002, 8003, 8004, 8008, 8009}
    assert any("tarpit" in sentence for sentence in result.limitations)


async def test_a_missing_vantage_is_a_fault():
    with pytest.raises(ProbeFault, match="nv-none"):
        await probe(request(vantage=Vantage.parse("netns:nv-none")))
