"""FTP greetings and refusals as servers send them, and what is said to them."""

from __future__ import annotations

import asyncio

import pytest
from scripted import says

from netvigil.probing.speak.tcp.ftp import PROTOCOL, parse, recognise


@pytest.mark.parametrize(
    ("line", "product", "version", "cpe"),
    [
        (b"220 (vsFTPd 3.0.3)\r\n", "vsftpd", "3.0.3", "cpe:/a:vsftpd_project:vsftpd:3.0.3"),
        (
            b"220 ProFTPD 1.3.5e Server (Debian) [::ffff:10.0.0.1]\r\n",
            "ProFTPD",
            "1.3.5e",
            "cpe:/a:proftpd:proftpd:1.3.5e",
        ),
        (b"220 ProFTPD Server (NAS) [10.0.0.1]\r\n", "ProFTPD", None, "cpe:/a:proftpd:proftpd"),
        (
            b"220---------- Welcome to Pure-FTPd [TLS] ----------\r\n220 bye\r\n",
            "Pure-FTPd",
            None,
            "cpe:/a:pureftpd:pure-ftpd",
        ),
        (
            b"220-FileZilla Server version 0.9.41 beta\r\n220 x\r\n",
            "FileZilla ftpd",
            "0.9.41 beta",
            "cpe:/a:filezilla-project:filezilla_server:0.9.41",
        ),
        (b"220 Microsoft FTP Service\r\n", "Microsoft ftpd", None, "cpe:/a:microsoft:ftp_service"),
        (
            b"220 w Microsoft FTP Service (Version 5.0).\r\n",
            "Microsoft ftpd",
            "5.0",
            "cpe:/a:microsoft:ftp_service:5.0",
        ),
        (
            b"220 NASFTPD Turbo station 1.3.5a Server (ProFTPD) [10.0.0.2]\r\n",
            "ProFTPD",
            "1.3.5a",
            "cpe:/a:proftpd:proftpd:1.3.5a",
        ),
        (b"220 AXIS M1054 Network Camera 5.21 (2011) ready.\r\n", "Axis M1054 ftpd", "5.21", None),
        (b"220 P-660HW-T1 FTP version 1.0 ready at Thu\r\n", "ZyXEL P-660HW-T1 ftpd", "1.0", None),
        (b"220 Operation successful\r\n", "BusyBox ftpd", None, "cpe:/a:busybox:busybox"),
        (b"500 OOPS: vsftpd: refusing to run\r\n", "vsftpd", None, "cpe:/a:vsftpd_project:vsftpd"),
    ],
)
def test_names_product_and_version(line, product, version, cpe):
    answer = parse(line)
    assert (answer.name, answer.product, answer.version) == ("ftp", product, version)
    assert answer.cpes == ((cpe,) if cpe else ())
    assert recognise(line)


def test_routeros_gives_version_identity_and_system():
    answer = parse(b"220 Office router FTP server (MikroTik 6.43rc17) ready\r\n")
    assert (answer.product, answer.version) == ("MikroTik router ftpd", "6.43rc17")
    assert answer.cpes == ("cpe:/o:mikrotik:routeros:6.43rc17",)
    assert answer.facts["identity"] == "Office router"
    assert answer.hostname is None  # a name with a space is nobody's in the DNS
    assert parse(b"220 gw-1 FTP server (MikroTik 6.42) ready\r\n").hostname == "gw-1"


def test_an_identity_does_not_pass_for_a_program():
    answer = parse(b"220 (vsFTPd 2.3.4) FTP server (MikroTik 7.1.5) ready\r\n")
    assert (answer.product, answer.version) == ("MikroTik router ftpd", "7.1.5")


@pytest.mark.parametrize(
    "other",
    [
        b"220 ftp.example.org ESMTP Postfix\r\n",
        b"220 hello\r\n",
        b"SSH-2.0-x\r\n",
        b"+OK ready\r\n",
        b"",
        b"\xff\xfe\r\n",
    ],
)
def test_other_greetings_are_not_recognised(other):
    assert not recognise(other)


async def test_only_quit_is_sent_where_the_greeting_tells_all(bench):
    port = await bench.serve(says(b"220-Hi\r\n220 (vsFTPd 3.0.5)\r\n", b"221 Goodbye.\r\n"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.version, answer.complete) == ("3.0.5", True)
    assert bench.received[port] == [b"QUIT\r\n"]


async def test_a_silent_greeting_is_followed_by_syst(bench):
    port = await bench.serve(says(b"220 Ready\r\n", b"215 UNIX MikroTik 6.42.1\r\n", b"221 Closing\r\n"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.product, answer.version) == ("MikroTik router ftpd", "6.42.1")
    assert b"MikroTik 6.42.1" in answer.banner
    assert bench.received[port] == [b"SYST\r\nQUIT\r\n"]


async def test_a_mail_server_on_this_port_is_none_of_ours(bench):
    port = await bench.serve(says(b"220 welcome\r\n", b"502 5.5.2 command not recognized\r\n"))
    line = await bench.dial(port)
    assert await PROTOCOL.converse(line, await line.read()) is None
    line.close()


async def test_a_refusal_gets_no_word(bench):
    port = await bench.serve(says(b"421 Too many connections (8) from this IP\r\n"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert (answer.name, answer.product, answer.facts) == ("ftp", None, {"refused": "421"})
    assert bench.received[port] == [b""]


async def test_a_greeting_in_slow_pieces_is_put_together(bench):
    async def slow(reader, writer):
        for piece in (b"220-Welc", b"ome\r\n 220 not yet\r\n220", b" ProFTPD 1.3.8 Server (x)\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.15)
        await reader.read(100)

    port = await bench.serve(slow)
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read_exactly(4))
    line.close()
    assert answer.version == "1.3.8"
    assert bench.received[port] == [b"QUIT\r\n"]
