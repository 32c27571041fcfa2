from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from ipaddress import IPv4Address

from conftest import HOME, HTTP, needs_nmap

from netvigil.probing.context import ProbeContext
from netvigil.probing.first_look import FirstLook, Look, look_at_host
from netvigil.probing.identify import Identifier
from netvigil.probing.limits import ScanLimits
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.privileges import Privileges
from netvigil.probing.probe_file import quick_probe_file
from netvigil.probing.vantage import LOCAL, Sockets

FAST = ScanLimits(greeting_wait=0.3, answer_wait=0.5, single_budget=4, silent_budget=6)


async def look(address, *ports):
    async with Sockets(LOCAL) as sockets:
        context = ProbeContext(sockets, FAST, Privileges.NONE)
        return await look_at_host(IPv4Address(address), ports, context, asyncio.Semaphore(50))


async def identify(address, *ports, limits=FAST):
    services = tuple(ServiceObservation(port, Protocol.TCP, Method.SWEEP, name="http-alt") for port in ports)
    host = HostObservation(IPv4Address(address), datetime.now(UTC), "syn-ack", services=services)

    async def note(_):
        pass

    async with Sockets(LOCAL) as sockets:
        context = ProbeContext(sockets, limits, Privileges.NONE)
        with quick_probe_file() as probe_file:
            (found,) = await Identifier(context, note, probe_file).run([host])
    return {service.port: service for service in found.services}, context.limitations


async def test_every_kind_of_port_is_told_apart(devices):
    await devices.listen(f"{HOME}.7.1", 2222, b"SSH-2.0-x\r\n")
    await devices.listen(f"{HOME}.7.1", 8080, b"", HTTP)
    await devices.listen(f"{HOME}.7.1", 8082)
    await devices.listen(f"{HOME}.7.1", 445)
    await devices.listen(f"{HOME}.7.1", 9100, b"hello\r\n")
    looks = await look(f"{HOME}.7.1", 2222, 8080, 8082, 445, 9100, 8083)
    assert looks == {
        2222: FirstLook(Look.GREETED, b"SSH-2.0-x\r\n"),
        8080: FirstLook(Look.ANSWERED, HTTP),
        8082: FirstLook(Look.SILENT),
        445: FirstLook(Look.SILENT),
        9100: FirstLook(Look.FRAGILE),
        8083: FirstLook(Look.GONE),
    }
    assert devices.received[f"{HOME}.7.1", 8082].startswith(b"GET / HTTP/1.0\r\n")
    assert devices.received[f"{HOME}.7.1", 445] == b""
    assert (f"{HOME}.7.1", 9100) not in devices.connections


async def test_a_device_that_never_stops_talking_is_cut_off(devices):
    await devices.listen(f"{HOME}.7.1", 2222, b"x" * 10_000_000)
    looks = await look(f"{HOME}.7.1", 2222)
    assert looks[2222].data == b"x" * 8192


async def test_a_service_that_hangs_up_on_the_question_has_answered(devices):
    async def hang_up(reader, writer):
        await reader.read(10)
        writer.close()

    devices.servers.append(await asyncio.start_server(hang_up, f"{HOME}.7.1", 8084))
    assert (await look(f"{HOME}.7.1", 8084))[8084].look is Look.ANSWERED


@needs_nmap
async def test_telnet_and_silence_do_not_keep_the_others_waiting(devices):
    await devices.listen(f"{HOME}.7.2", 2323, b"\xff\xfb\x01\xff\xfd\x18\rSome v1.0\r\nLogin: ")
    await devices.listen(f"{HOME}.7.2", 8082)
    await devices.listen(f"{HOME}.7.2", 2222, b"SSH-2.0-dropbear_2015.67\r\n")
    services, limitations = await identify(f"{HOME}.7.2", 2323, 8082, 2222)
    assert (services[2222].product, services[2222].version) == ("Dropbear sshd", "2015.67")
    assert "Some v1.0" in services[2323].banner
    assert (services[8082].method, services[8082].name) == (
        Method.SWEEP,
        None,
    )  # no HTTP, whatever its number
    assert limitations == []


@needs_nmap
async def test_one_endless_port_does_not_cost_the_others_their_names(devices):
    # It greets, so it is asked together with the others; and nmap finds no pattern for it.
    await devices.listen(f"{HOME}.7.3", 8086, b"\x01\x02 something of its own \x03")
    await devices.listen(f"{HOME}.7.3", 2222, b"SSH-2.0-OpenSSH_7.4\r\n")
    limits = ScanLimits(greeting_wait=0.3, answer_wait=0.5, answering_budget=2, single_budget=3)
    services, _ = await identify(f"{HOME}.7.3", 8086, 2222, limits=limits)
    assert services[2222].version == "7.4"
    assert (services[8086].method, services[8086].banner) == (
        Method.SWEEP,
        "\\x01\\x02 something of its own \\x03",
    )


@needs_nmap
async def test_a_port_that_closed_meanwhile_is_kept_as_seen():
    services, _ = await identify(f"{HOME}.7.4", 8085)
    assert (services[8085].port, services[8085].method, services[8085].banner) == (8085, Method.SWEEP, None)


@needs_nmap
async def test_bytes_that_are_no_text_are_stored_as_text(devices):
    await devices.listen(f"{HOME}.7.5", 8087, b"\x00\xff\x1b[31m\xc3\x28\r\n")
    limits = ScanLimits(greeting_wait=0.3, answer_wait=0.5, answering_budget=2, single_budget=1)
    services, _ = await identify(f"{HOME}.7.5", 8087, limits=limits)
    assert services[8087].banner == "\\x00\\xff\\xc3("
