"""Multicast DNS: from the kinds of service to the model of the device."""

from __future__ import annotations

import asyncio
import struct

from test_udp_parsers import SERVICES_REPLY, name

from netvigil.probing.speak.udp import mdns

META = "_services._dns-sd._udp.local"


def record(owner: str, kind: int, data: bytes) -> bytes:
    return name(owner) + struct.pack(">HHIH", kind, 0x8001, 10, len(data)) + data


def reply(*records: bytes) -> bytes:
    return bytes.fromhex("000184000000") + struct.pack(">HHH", len(records), 0, 0) + b"".join(records)


def text(*pairs: str) -> bytes:
    return b"".join(bytes([len(pair)]) + pair.encode() for pair in pairs)


PRINTER = reply(
    record("_ipp._tcp.local", 12, name("Office._ipp._tcp.local")),
    record("Office._ipp._tcp.local", 33, struct.pack(">HHH", 0, 0, 631) + name("NPIAA0120.local")),
    record(
        "Office._ipp._tcp.local", 16, text("ty=HP LaserJet 400 M401dn", "usb_MFG=HP", "product=(HP LaserJet)")
    ),
)


async def converse(replies: dict[bytes, bytes]):
    asked = []

    async def ask(request: bytes) -> bytes | None:
        asked.append(request)
        await asyncio.sleep(0)
        return next((answer for word, answer in replies.items() if word in request), None)

    first = mdns.parse(replies[b"_services"])
    return await mdns.more(ask, first), asked


async def test_a_printers_model_and_name_are_found():
    answer, _ = await converse({b"_services": SERVICES_REPLY, b"_ipp": PRINTER})
    assert (answer.product, answer.model, answer.hostname) == (
        "DNS-based service discovery",
        "HP LaserJet 400 M401dn",
        "NPIAA0120",
    )
    assert answer.facts == {"services": "_ipp._tcp", "instances": "Office._ipp._tcp.local", "maker": "HP"}


async def test_without_a_model_in_the_service_the_device_is_asked_for_its_own():
    services = reply(record(META, 12, name("_workstation._tcp.local")))
    station = reply(
        record("_workstation._tcp.local", 12, name("nas [00:11:32:aa:01:12]._workstation._tcp.local"))
    )
    device = reply(record("nas._device-info._tcp.local", 16, text("model=RackMac")))
    answer, asked = await converse(
        {b"_services": services, b"_workstation": station, b"_device-info": device}
    )
    assert (answer.mac, answer.model) == ("00:11:32:AA:01:12", "RackMac")
    assert len(asked) == 2


def test_a_query_is_no_answer():
    assert mdns.parse(mdns.request(None)) is None
    assert mdns.parse(reply()) is None
