"""Protocols of one question and one answer: Microsoft RPC, AJP, PPTP, the port mapper."""

from __future__ import annotations

import pytest
from binary_samples import BIND_NAK, pptp_reply, rpc_reply, sent_to
from scripted import says

from netvigil.probing.speak.tcp import ajp13, msrpc, pptp, rpcbind

START_SIZE = 156
STOP = b"\0\x10\0\x01\x1a\x2b\x3c\x4d\0\x03\0\0\x01\0\0\0"


@pytest.mark.parametrize("kind", [b"\x0c", b"\x0d", b"\x03"])
def test_every_answer_to_a_bind_is_windows_rpc(kind):
    answer = msrpc.parse(BIND_NAK[:2] + kind + BIND_NAK[3:])
    assert (answer.name, answer.product, answer.os_name) == ("msrpc", "Microsoft Windows RPC", "Windows")


def test_dce_of_a_big_endian_machine_is_no_windows():
    answer = msrpc.parse(b"\x05\0\x0c\x03\0\0\0\0\0\x18\0\0" + bytes(12))
    assert (answer.name, answer.product, answer.os_name) == ("dce-rpc", None, None)


@pytest.mark.parametrize(
    "data", [b"", BIND_NAK[:-1], b"\x05\0\x0b" + BIND_NAK[3:], b"\x05\0\r\n" + bytes(20)]
)
def test_other_bytes_are_no_rpc(data):
    assert not msrpc.recognise(data)


async def test_a_bind_to_the_endpoint_mapper_is_all_that_is_sent(bench):
    port = await bench.serve(says(b"", BIND_NAK))
    line = await bench.dial(port)
    assert (await msrpc.PROTOCOL.converse(line, b"")).facts == {"bind": "refused"}
    line.close()
    sent = bench.received[port][0]
    assert len(sent) == int.from_bytes(sent[8:10], "little") == 72
    assert sent[:3] == b"\x05\0\x0b"
    assert bytes.fromhex("0883afe11f5dc91191a408002b14a0fa0300") in sent


async def test_ajp_answers_a_ping(bench):
    port = await bench.serve(says(b"", b"AB\0\x01\x09"))
    line = await bench.dial(port)
    answer = await ajp13.PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.name, answer.extra_info) == ("ajp13", "Protocol v1.3")
    assert bench.received[port] == [b"\x12\x34\0\x01\x0a"]
    assert ajp13.parse(b"AB\0\x01") is None


@pytest.mark.parametrize(
    ("vendor", "os_name"),
    [
        (b"MikroTik", "RouterOS"),
        (b"linux", "Linux"),
        (b"Microsoft Windows", "Windows"),
        (b"Cisco", None),
        (b"", None),
    ],
)
def test_pptp_names_vendor_and_host(vendor, os_name):
    answer = pptp.parse(pptp_reply(vendor, b"gw-main"))
    assert (answer.product, answer.os_name, answer.hostname) == (vendor.decode() or None, os_name, "gw-main")
    assert (answer.version, answer.extra_info) == (None, "Firmware: 1")
    assert pptp.parse(pptp_reply(vendor, b"")[:-1]) is None


async def test_pptp_is_started_and_stopped(bench):
    port = await bench.serve(
        says(b"", pptp_reply(b"MikroTik", b"gw-main"), b"\0\x10\0\x01\x1a\x2b\x3c\x4d\0\x04\0\0\1\0\0\0")
    )
    line = await bench.dial(port)
    answer = await pptp.PROTOCOL.converse(line, b"")
    line.close()
    assert answer.facts["identity"] == "gw-main"
    sent = await sent_to(bench, port, STOP)
    assert sent[:12] == b"\0\x9c\0\x01\x1a\x2b\x3c\x4d\0\x01\0\0"
    assert sent[START_SIZE:] == STOP


PROGRAMS = (
    (100000, 4, 6, 111),
    (100000, 3, 6, 111),
    (100000, 2, 17, 111),
    (100003, 3, 6, 2049),
    (100003, 4, 6, 2049),
)


def test_the_port_mapper_lists_its_programs():
    answer = rpcbind.parse(rpc_reply(7, *PROGRAMS), 7)
    assert (answer.name, answer.version, answer.extra_info) == ("rpcbind", "2-4", "RPC #100000")
    assert answer.facts["programs"] == "rpcbind 3-4 tcp/111, rpcbind 2 udp/111, nfs 3-4 tcp/2049"


def test_other_replies_of_rpc():
    assert rpcbind.parse(rpc_reply(7), 8) is None
    assert rpcbind.parse(b"\x80\0\0\x04" + bytes(4), 0) is None
    assert rpcbind.parse(rpc_reply(7, status=1), 7).facts == {"reply": "error 1"}
    assert rpcbind.parse(b"\x80\0\0\x0c" + bytes(3) + b"\7\0\0\0\1\0\0\0\1", 7).extra_info == "access denied"


async def test_the_port_mapper_is_asked_for_its_list(bench):
    async def script(reader, writer):
        call = await reader.read(512)
        writer.write(rpc_reply(int.from_bytes(call[4:8], "big"), *PROGRAMS))
        await reader.read()

    port = await bench.serve(script)
    line = await bench.dial(port)
    assert (await rpcbind.PROTOCOL.converse(line, b"")).version == "2-4"
    line.close()
    sent = bench.received[port][0]
    assert sent[:4] == b"\x80\0\0\x28"
    assert sent[8:] == b"\0\0\0\0\0\0\0\2\0\1\x86\xa0\0\0\0\2\0\0\0\4" + bytes(16)
