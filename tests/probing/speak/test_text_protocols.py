"""Protocols in text against hostile bytes: no parser raises or grows, no conversation is without end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import says

from netvigil.probing.speak.tcp import ftp, imap, memcached, pop3, redis, rsync, rtsp, smtp, telnet, vnc

if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer

MODULES = (ftp, imap, memcached, pop3, redis, rsync, rtsp, smtp, telnet, vnc)
GOOD = (
    b"220-x\r\n220 gw FTP server (MikroTik 6.42) ready\r\n",
    b"220 mx ESMTP Exim 4.96 Mon\r\n",
    b"250-mx Hello\r\n250-AUTH=PLAIN\r\n250 SIZE 1\r\n",
    b"+OK Dovecot (Debian) ready.\r\n",
    b"+OK\r\nIMPLEMENTATION Cyrus v1\r\nSASL PLAIN\r\n.\r\n",
    b"* OK [CAPABILITY IMAP4rev1 ID] h Cyrus IMAP v2.4 ready\r\n",
    b'* ID ("name" "a\\"b" "version" NIL)\r\na2 OK\r\n',
    b"\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0MikroTik v6.42 (stable)\r\nLogin: ",
    b"RFB 003.008\n",
    b"@RSYNCD: 31.0 sha512 md5\n",
    b"$44\r\n# Server\r\nredis_version:7.0.15\r\nos:Linux 6\r\n\r\n",
    b"-NOAUTH Authentication required.\r\n",
    b"VERSION 1.6.18\r\n",
    b'RTSP/1.0 401 U\r\nServer: VLC/3.0.11\r\nWWW-Authenticate: Digest realm="AXIS_00408C123456"\r\n\r\n',
)


@st.composite
def spoilt(draw) -> bytes:
    """A good answer with a part of it replaced by anything, or repeated."""
    good = draw(st.sampled_from(GOOD))
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, len(good)))
    middle = draw(st.one_of(st.binary(max_size=40), st.just(good * 300), st.just(b"(" * 5000)))
    return good[:start] + middle + good[end:]


def check(answer: Answer | None) -> None:
    if answer is None:
        return
    texts = [answer.product, answer.version, answer.extra_info, answer.hostname, answer.model, *answer.cpes]
    assert all(text is None or len(text) <= 300 for text in texts)
    assert len(answer.banner) <= 64 * 1024
    assert len(answer.facts) <= 64
    assert all(isinstance(value, str) and len(value) <= 4096 for value in answer.facts.values())


@settings(max_examples=150, deadline=None)
@given(data=st.one_of(st.binary(max_size=600), spoilt()), more=st.one_of(st.binary(max_size=60), spoilt()))
def test_no_parser_raises_or_grows(data, more):
    for module in MODULES:
        assert isinstance(module.PROTOCOL.recognises(data), bool)
        check(module.parse(data))
    for module in (ftp, smtp, pop3, imap, rtsp):
        check(module.parse(data, more))
    check(imap.parse(GOOD[5], data, more))
    stream = telnet.split_stream(data)
    assert len(stream.text) + len(stream.rest) <= len(data)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize(
    "filler",
    [
        b"A" * 60000,
        b"220-" * 15000,
        b"\xff\xfa" * 30000,
        b"\n" * 60000,
        b"1.1." * 15000,
        b"* OK [" * 10000,
        b"-\xff" * 9000,
    ],
)
def test_parsers_do_bounded_work(module, filler):
    start = time.process_time()
    for head in (b"", *GOOD):
        module.PROTOCOL.recognises(head + filler)
        check(module.parse(head + filler))
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
async def test_garbage_is_nothing(bench, module):
    port = await bench.serve(
        says(b"\x00\x81\xfe\r\n\xc3\x28" if module.PROTOCOL.greets else b"", b"\x00\xfe\xff\r\n")
    )
    line = await bench.dial(port, patience=0.1)
    heard = await line.read() if module.PROTOCOL.greets else b""
    assert await module.PROTOCOL.converse(line, heard) is None
    line.close()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
async def test_who_hangs_up_after_the_greeting_is_known_by_it(bench, module):
    greeting = next((good for good in GOOD if module.PROTOCOL.recognises(good)), b"")

    async def hangs_up(reader, writer):
        writer.write(greeting)

    port = await bench.serve(hangs_up)
    line = await bench.dial(port, patience=0.1)
    answer = await module.PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.name == module.PROTOCOL.name


@pytest.mark.parametrize(
    "piece",
    [
        b"220-and so on\r\n",
        b"* x\r\n",
        b"a",
        b"$9000\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 9000\r\n\r\n",
    ],
)
async def test_endless_talk_comes_to_an_end(bench, piece):
    async def talks(reader, writer):
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    port = await bench.serve(talks)

    async def one(module) -> None:
        line = await bench.dial(port, patience=0.2)
        check(await module.PROTOCOL.converse(line, b""))
        line.close()

    async with asyncio.timeout(8):
        await asyncio.gather(*(one(module) for module in MODULES))
    assert all(len(sent) < 200 for sent in bench.received[port])
