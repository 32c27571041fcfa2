"""MySQL's greetings: products and versions as they are, without what clients of long ago need."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from binary_samples import mysql_error, mysql_greeting
from scripted import says

from netvigil.matching.identify import identify
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.speak.tcp.mysql import PROTOCOL, parse, recognise


@pytest.mark.parametrize(
    ("stated", "product", "version"),
    [
        (b"5.5.5-10.11.19-MariaDB-0+deb12u1", "MariaDB", "10.11.19-MariaDB-0+deb12u1"),
        (b"11.4.2-MariaDB-ubu2404", "MariaDB", "11.4.2-MariaDB-ubu2404"),
        (b"5.5.68-MariaDB", "MariaDB", "5.5.68-MariaDB"),
        (b"5.5.5-m3", "MySQL", "5.5.5-m3"),
        (b"5.1.73", "MySQL", "5.1.73"),
        (b"8.0.36-0ubuntu0.22.04.1", "MySQL", "8.0.36-0ubuntu0.22.04.1"),
        (b"8.0.35-27", "Percona Server", "8.0.35-27"),
        (b"5.6.51-91.0-log", "Percona Server", "5.6.51-91.0-log"),
        (b"5.7.25-TiDB-v7.5.0", "TiDB", "7.5.0"),
    ],
)
def test_a_greeting_names_product_and_version(stated, product, version):
    answer = parse(mysql_greeting(stated))
    assert (answer.name, answer.product, answer.version) == ("mysql", product, version)
    assert answer.complete
    assert answer.facts["authentication"] == "mysql_native_password"


@pytest.mark.parametrize(
    ("stated", "cpe"),
    [
        (b"5.5.5-10.11.19-MariaDB-0+deb12u1", "cpe:2.3:a:mariadb:mariadb:10.11.19:*:*:*:*:*:*:*"),
        (b"5.1.73", "cpe:2.3:a:oracle:mysql:5.1.73:*:*:*:*:*:*:*"),
    ],
)
def test_it_is_identified_under_nvds_name(stated, cpe):
    answer = parse(mysql_greeting(stated))
    service = ServiceObservation(
        3306, Protocol.TCP, Method.SPOKEN, answer.name, answer.product, answer.version, cpes=answer.cpes
    )
    host = HostObservation(IPv4Address("192.0.2.1"), datetime.now(UTC), "syn-ack", services=(service,))
    assert cpe in [str(product.cpe) for product in identify(host)]


@pytest.mark.parametrize(
    ("packet", "product", "extra"),
    [
        (
            mysql_error(1130, b"Host '192.0.2.9' is not allowed to connect to this MariaDB server"),
            "MariaDB",
            "unauthorized",
        ),
        (
            mysql_error(1130, b"Host 'x' is not allowed to connect to this MySQL server"),
            "MySQL",
            "unauthorized",
        ),
        (mysql_error(1040, b"Too many connections"), None, "Too many connections"),
        (
            mysql_error(1129, b"Host 'x' is blocked because of many connection errors"),
            None,
            "blocked - too many connection errors",
        ),
    ],
)
def test_a_refusal_is_an_answer(packet, product, extra):
    answer = parse(packet)
    assert (answer.name, answer.product, answer.version, answer.extra_info) == ("mysql", product, None, extra)


def test_a_greeting_of_long_ago_has_nothing_behind_its_version():
    body = b"\x093.22.32\0" + bytes(8)
    assert parse(len(body).to_bytes(3, "little") + b"\0" + body).version == "3.22.32"


def test_the_x_protocol_has_a_greeting_of_its_own():
    assert parse(b"\x05\0\0\0\x0b\x08\x05\x1a\0").name == "mysqlx"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\0\x0a",
        b"SSH-2.0-x\r\n",
        mysql_error(7, b"x"),
        mysql_greeting(b"no version"),
        b"\x05\0\0\0\x0a8.0",
    ],
)
def test_other_bytes_are_not_mysql(data):
    assert not recognise(data)


@pytest.mark.parametrize("unasked", [0, 20, None])
async def test_nothing_is_sent_and_a_greeting_in_pieces_is_read_to_its_end(bench, unasked):
    greeting = mysql_greeting(b"8.0.36")
    port = await bench.serve(says(greeting))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(
        line, await line.read_exactly(len(greeting) if unasked is None else unasked)
    )
    line.close()
    assert bench.received[port] == [b""]
    assert answer.version == "8.0.36"


async def test_silence_is_no_answer(bench):
    port = await bench.serve(says(b""))
    line = await bench.dial(port, patience=0.1)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()
