"""POP3 and IMAP servers: their greetings, what they say of themselves on request, and what they are asked."""

from __future__ import annotations

import pytest
from scripted import says

from netvigil.probing.speak.tcp import imap, pop3


@pytest.mark.parametrize(
    ("line", "product", "version"),
    [
        (b"+OK Dovecot (Ubuntu) ready.\r\n", "Dovecot pop3d", None),
        (b"+OK mx.x.org Cyrus POP3 v2.4.17-Debian-2 server ready <1>\r\n", "Cyrus pop3d", "2.4.17-Debian-2"),
        (b"+OK Qpopper (version 4.0.9) at h starting\r\n", "Qpopper pop3d", "4.0.9"),
        (b"+OK Hello there.\r\n", "Courier pop3d", None),
        (b"+OK The Microsoft Exchange POP3 service is ready.\r\n", "Microsoft Exchange pop3d", None),
        (b"+OK\r\n", None, None),
    ],
)
def test_pop3_names_product_and_version(line, product, version):
    answer = pop3.parse(line)
    assert (answer.name, answer.product, answer.version) == ("pop3", product, version)
    assert pop3.recognise(line)


@pytest.mark.parametrize("line", [b"-ERR unknown command\r\n", b"+PONG\r\n", b"* OK\r\n", b"220 x\r\n"])
def test_other_greetings_are_not_pop3s(line):
    assert not pop3.recognise(line)
    assert pop3.parse(line) is None


async def test_pop3_is_asked_for_its_capabilities_and_left(bench):
    offer = b"+OK list\r\nSTLS\r\nSASL PLAIN\r\nIMPLEMENTATION Cyrus POP3 server v3.0.8\r\n.\r\n"
    port = await bench.serve(says(b"+OK ready\r\n", offer, b"+OK bye\r\n"))
    line = await bench.dial(port)
    answer = await pop3.PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.product, answer.version) == ("Cyrus pop3d", "3.0.8")
    assert answer.cpes == ("cpe:/a:cyrus:imap:3.0.8",)
    assert (answer.facts["starttls"], answer.facts["auth"]) == ("yes", "PLAIN")
    assert bench.received[port] == [b"CAPA\r\nQUIT\r\n"]


async def test_pop3_without_capa_is_left_too(bench):
    port = await bench.serve(says(b"+OK Dovecot ready.\r\n", b"-ERR unknown\r\n", b"+OK\r\n"))
    line = await bench.dial(port)
    answer = await pop3.PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.product, answer.facts) == ("Dovecot pop3d", {})
    assert bench.received[port] == [b"CAPA\r\nQUIT\r\n"]


@pytest.mark.parametrize(
    ("greeting", "identity", "product", "version"),
    [
        (b"* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.\r\n", b"", "Dovecot imapd", None),
        (b"* OK [CAPABILITY ID] h Cyrus IMAP v2.4.17-x server ready\r\n", b"", "Cyrus imapd", "2.4.17-x"),
        (
            b"* OK hi\r\n",
            b'* ID ("name" "Cyrus IMAPD" "version" "3.0.8-Debian" "os" NIL)\r\na2 OK\r\n',
            "Cyrus imapd",
            "3.0.8-Debian",
        ),
        (
            b"* OK hi\r\n",
            b'* ID ("NAME" "Zimbra" "VERSION" "8.8.15_GA_3869")\r\n',
            "Zimbra imapd",
            "8.8.15_GA_3869",
        ),
        (b"* OK hi\r\n", b'* ID ("name" "A \\"b\\"" "version" "1.2")\r\n', 'A "b"', "1.2"),
        (b"* OK Dovecot ready\r\n", b'* ID ("name" "Mine")\r\n', "Dovecot imapd", None),
        (b"* OK hi\r\n", b"* ID NIL\r\na2 OK\r\n", None, None),
        (b"* BYE too many\r\n", b"", None, None),
    ],
)
def test_imap_names_product_and_version(greeting, identity, product, version):
    answer = imap.parse(greeting, b"", identity)
    assert (answer.name, answer.product, answer.version) == ("imap", product, version)
    assert imap.recognise(greeting)


async def test_imap_is_asked_for_id_where_it_is_offered(bench):
    port = await bench.serve(
        says(
            b"* OK ready\r\n",
            b"* CAPABILITY IMAP4rev1 ID STARTTLS AUTH=PLAIN\r\na1 OK done\r\n",
            b'* ID ("name" "Dovecot")\r\na2 OK done\r\n',
            b"* BYE\r\na3 OK done\r\n",
        )
    )
    line = await bench.dial(port)
    answer = await imap.PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.product, answer.facts["starttls"], answer.facts["auth"]) == (
        "Dovecot imapd",
        "yes",
        "PLAIN",
    )
    assert bench.received[port] == [b"a1 CAPABILITY\r\na2 ID NIL\r\na3 LOGOUT\r\n"]


async def test_imap_is_not_asked_for_id_where_it_is_not_offered(bench):
    port = await bench.serve(
        says(b"* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready.\r\n", b"* BYE\r\na3 OK\r\n")
    )
    line = await bench.dial(port)
    answer = await imap.PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.product == "Courier Imapd"
    assert bench.received[port] == [b"a3 LOGOUT\r\n"]
