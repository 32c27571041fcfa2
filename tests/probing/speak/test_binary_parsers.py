"""Every parser of a binary protocol takes any bytes: no exception, a bounded answer; and no reader is kept by a drip."""

from __future__ import annotations

import asyncio

import binary_samples as samples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netvigil.probing.speak import smb1, smb2
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.exchange import read_message
from netvigil.probing.speak.tcp import (
    ajp13,
    amqp,
    dns_tcp,
    ldap,
    mongodb,
    mqtt,
    msrpc,
    mssql,
    mysql,
    postgresql,
    pptp,
    rdp,
    rpcbind,
    smb,
)
from netvigil.probing.speak.windows import find_challenge

CHALLENGE = samples.challenge(netbios="SRV", dns="srv.example")


def mongo(data: bytes) -> Answer:
    fields = mongodb.read_reply(data) or {}
    return mongodb.parse(fields, fields)


def desktop(data: bytes) -> Answer:
    return rdp.with_challenge(Answer("ms-wbt-server", product="x"), data)


def files(data: bytes) -> Answer:
    return smb.describe(
        445,
        smb2.parse_negotiated(data),
        smb2.parse_challenge(data) or find_challenge(data),
        smb1.parse_negotiated(data),
        smb1.parse_named(data),
    )


CASES = [
    (mysql.parse, samples.mysql_greeting(b"8.0.36")),
    (mysql.parse, samples.mysql_error(1130, b"Host 'x' is not allowed to connect to this MySQL server")),
    (lambda data: postgresql.parse(data, tls=True), samples.NO_ENTRY),
    (lambda data: postgresql.parse(data, tls=None), samples.SCRAM),
    (lambda data: postgresql.parse(data, tls=False), samples.TRUSTED + samples.SERVER_VERSION),
    (lambda data: mqtt.parse(b"\x20\x02\0\0", data), b"mosquitto version 2.0.11"),
    (lambda data: mqtt.parse(data, b""), b"\x20\x02\0\0"),
    (mongo, samples.mongodb_reply(samples.bson(version="6.0.1", a=1.5, b=True, c=samples.bson()))),
    (ldap.parse, samples.ldap_entry(objectClass=["top"], vendorName=["x"]) + samples.ldap_done(1, b"no")),
    (rdp.parse, samples.rdp_confirm()),
    (desktop, CHALLENGE),
    (msrpc.parse, samples.BIND_NAK),
    (files, samples.smb2_negotiated()),
    (files, samples.smb2_challenge(CHALLENGE)),
    (files, samples.smb1_negotiated(extended=False)),
    (files, samples.smb1_named("Unix", "Samba 4.9.5", "W", CHALLENGE)),
    (lambda data: dns_tcp.parse(data, 0), b"\0\x0c" + bytes(2) + b"\x80\0" + bytes(8)),
    (amqp.parse, samples.amqp_start(product="RabbitMQ", version="3.8.2")),
    (mssql.parse, samples.prelogin(b"\x0f\0\x07\xd0\0\5")),
    (ajp13.parse, b"AB\0\x01\x09"),
    (pptp.parse, samples.pptp_reply(b"MikroTik", b"gw")),
    (lambda data: rpcbind.parse(data, 7), samples.rpc_reply(7, (100000, 2, 6, 111), (100003, 3, 6, 2049))),
]
MODULES = [
    ajp13, amqp, dns_tcp, ldap, mongodb, mqtt, msrpc, mssql, mysql, postgresql, pptp, rdp, rpcbind, smb,
]  # fmt: skip
RECOGNISERS = [module.PROTOCOL.recognises for module in MODULES]


def bounded(answer: Answer | None) -> bool:
    return answer is None or (
        isinstance(answer, Answer)
        and len(answer.banner) <= 8192
        and sum(map(len, answer.facts.values())) <= 32_768
    )


@pytest.mark.parametrize(("parse", "good"), CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_and_random_bytes_are_read_without_an_exception(parse, good, data):
    assert bounded(parse(good))
    assert bounded(parse(data.draw(st.binary(max_size=300))))
    mutated = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    assert bounded(parse(bytes(mutated)))
    assert bounded(parse(bytes(mutated[:cut])))


@pytest.mark.parametrize(("_parse", "good"), CASES)
def test_at_most_one_protocol_recognises_a_message(_parse, good):
    assert sum(recognises(good) for recognises in RECOGNISERS) <= 1


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html></html>",
        b"220 ready\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"-ERR unknown command\r\n",
        b"\x15\x03\x01\0\x02\x02\x46",
        b"ERROR\r\n",
        b"\xff\xfb\x01\xff\xfb\x03login: ",
        b"\0" * 64,
        b"\x30\x03\x02\x01\x00",
    ],
)
def test_nobody_takes_other_protocols_words_for_his(words):
    assert not any(recognises(words) for recognises in RECOGNISERS)


async def drips(reader, writer):
    while True:
        writer.write(b"0")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hangs_up(reader, writer):
    await reader.read(1)


async def floods(reader, writer):
    while True:
        writer.write(b"\0\0\0\x80" * 4096)
        await writer.drain()


async def says_nothing(reader, writer):
    await reader.read()


@pytest.mark.parametrize("server", [drips, hangs_up, floods, says_nothing])
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.PROTOCOL.name)
async def test_a_mad_server_is_soon_left(bench, module, server):
    port = await bench.serve(server)
    line = await bench.dial(port, patience=0.1)
    async with asyncio.timeout(3):
        assert await module.PROTOCOL.converse(line, b"") is None
    line.close()


async def test_a_drip_is_not_waited_for(bench):
    port = await bench.serve(drips)
    line = await bench.dial(port, patience=0.1)
    began = asyncio.get_running_loop().time()
    assert await read_message(line, 4, lambda _: 10_000) == b""
    assert asyncio.get_running_loop().time() - began < 1
    line.close()


@pytest.mark.parametrize("size", [-1, 0, 1 << 40])
async def test_a_length_that_is_none_is_not_read_for(bench, size):
    async def script(reader, writer):
        writer.write(b"headmore")
        await reader.read()

    port = await bench.serve(script)
    line = await bench.dial(port)
    assert await read_message(line, 4, lambda _: size) == b"head"
    line.close()
