"""SMTP and LMTP greetings, what EHLO offers, and what is said to the server."""

from __future__ import annotations

import asyncio

import pytest
from scripted import says

from netvigil.probing.speak.tcp.smtp import PROTOCOL, parse, recognise


@pytest.mark.parametrize(
    ("line", "product", "version"),
    [
        (b"220 mx ESMTP Postfix (Debian/GNU)\r\n", "Postfix smtpd", None),
        (b"220 mx ESMTP Postfix (2.11.0)\r\n", "Postfix smtpd", "2.11.0"),
        (b"220 mx.a.b ESMTP Exim 4.90_1 Ubuntu Mon, 1\r\n", "Exim smtpd", "4.90_1"),
        (b"220 mx.a.b ESMTP Sendmail 8.14.4/8.14.4/Debian-4; M\r\n", "Sendmail", "8.14.4/8.14.4/Debian-4"),
        (b"220 e.a.b Microsoft ESMTP MAIL Service ready at Mon\r\n", "Microsoft Exchange smtpd", None),
        (
            b"220 E Microsoft ESMTP MAIL Service, Version: 10.0.17763.1 r\r\n",
            "Microsoft ESMTP",
            "10.0.17763.1",
        ),
        (b"220 h ESMTP OpenSMTPD\r\n", "OpenSMTPD", None),
        (b"220 h Kerio Connect 9.2.4 ESMTP ready\r\n", "Kerio Connect smtpd", "9.2.4"),
        (b"220 h Dovecot (Debian) ready.\r\n", "Dovecot smtpd", None),
        (b"220 h ESMTP\r\n", None, None),
    ],
)
def test_names_product_and_version(line, product, version):
    answer = parse(line)
    assert (answer.name, answer.product, answer.version) == ("smtp", product, version)
    assert recognise(line)


@pytest.mark.parametrize(
    "other", [b"220 smtp.example.org FTP server ready\r\n", b"220 hello\r\n", b"* OK hi\r\n", b"\xff\xfd\x18"]
)
def test_other_greetings_are_not_recognised(other):
    assert not recognise(other)


async def test_what_ehlo_offers_is_recorded_and_nothing_else_is_sent(bench):
    offer = b"250-mx.lan Hello\r\n250-SIZE 52428800\r\n250-AUTH PLAIN LOGIN\r\n250-STARTTLS\r\n250 HELP\r\n"
    port = await bench.serve(says(b"220 mx.lan ESMTP Exim 4.96 Mon\r\n", offer, b"221 bye\r\n"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.version, answer.hostname, answer.complete) == ("4.96", "mx.lan", True)
    assert answer.facts["extensions"] == "SIZE AUTH STARTTLS HELP"
    assert (answer.facts["starttls"], answer.facts["auth"], answer.facts["size"]) == (
        "yes",
        "PLAIN LOGIN",
        "52428800",
    )
    assert bench.received[port] == [b"EHLO client.invalid\r\nQUIT\r\n"]


async def test_lmtp_is_greeted_its_own_way(bench):
    port = await bench.serve(
        says(b"220 h LMTP Dovecot ready\r\n", b"250-h\r\n250 PIPELINING\r\n", b"221 x\r\n")
    )
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.name == "lmtp"
    assert bench.received[port] == [b"LHLO client.invalid\r\nQUIT\r\n"]


async def test_nothing_is_said_before_the_greeting_is_whole(bench):
    heard_early = []

    async def screening(reader, writer):
        writer.write(b"220-mx.lan ESMTP Postfix\r\n")
        try:
            async with asyncio.timeout(0.6):
                heard_early.append(await reader.read(100))
        except TimeoutError:
            writer.write(b"220 mx.lan ESMTP Postfix\r\n")
            await reader.read(100)
            writer.write(b"250 mx.lan\r\n")
            await reader.read(100)

    port = await bench.serve(screening)
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.product == "Postfix smtpd"
    assert heard_early == []
    assert bench.received[port] == [b"EHLO client.invalid\r\nQUIT\r\n"]


async def test_a_greeting_that_says_nothing_is_settled_by_ehlo(bench):
    good = await bench.serve(says(b"220 welcome\r\n", b"250-host\r\n250 X-EXPS GSSAPI\r\n", b"221 x\r\n"))
    bad = await bench.serve(says(b"220 welcome\r\n", b"530 Please login with USER and PASS\r\n"))
    answers = []
    for port in (good, bad):
        line = await bench.dial(port)
        answers.append(await PROTOCOL.converse(line, await line.read()))
        line.close()
    assert answers[0].product == "Microsoft Exchange smtpd"
    assert answers[1] is None


async def test_a_refusal_gets_no_word(bench):
    port = await bench.serve(says(b"554 mx.lan ESMTP not accepting messages\r\n"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.name, answer.facts) == ("smtp", {"refused": "554"})
    assert bench.received[port] == [b""]
