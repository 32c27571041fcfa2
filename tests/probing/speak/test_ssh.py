"""SSH identifications as servers send them."""

from __future__ import annotations

import pytest
from scripted import says

from netvigil.probing.speak.tcp.ssh import PROTOCOL, parse


@pytest.mark.parametrize(
    ("line", "product", "version"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n", "OpenSSH", "9.2p1 Debian 2+deb12u10"),
        (b"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.6\r\n", "OpenSSH", "8.9p1 Ubuntu 3ubuntu0.6"),
        (b"SSH-2.0-OpenSSH_5.3\r\n", "OpenSSH", "5.3"),
        (b"SSH-2.0-OpenSSH_for_Windows_8.1\r\n", "OpenSSH", "8.1"),
        (b"SSH-2.0-dropbear_2022.83\r\n", "Dropbear sshd", "2022.83"),
        (b"SSH-2.0-ROSSSH\r\n", "MikroTik RouterOS sshd", None),
        (b"Welcome, stranger\r\nSSH-1.99-Cisco-1.25\n", "Cisco SSH", "1.25"),
        (b"SSH-2.0-mystery\xff\r\n", None, None),
    ],
)
def test_names_product_and_version(line, product, version):
    answer = parse(line)
    assert (answer.name, answer.product, answer.version) == ("ssh", product, version)


def test_what_is_no_identification_is_nothing():
    assert parse(b"220 ftp ready\r\n") is None


async def test_nothing_is_sent(bench):
    port = await bench.serve(says(b"SSH-2.0-OpenSSH_9.2p1\r\n"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, await line.read())
    line.close()
    assert answer.version == "9.2p1"
    assert bench.received[port] == [b""]
