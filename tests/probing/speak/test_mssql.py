"""SQL servers and the version that they state before a login."""

from __future__ import annotations

import pytest
from binary_samples import prelogin
from scripted import says

from netvigil.matching.cpe import parse_cpe
from netvigil.probing.speak.tcp.mssql import PROTOCOL, parse, recognise

REQUEST = (
    b"\x12\x01\0\x29\0\0\0\0"
    b"\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x01\x03\0\x1d\0\x04\xff"
    b"\0\0\0\0\0\0\0\0\0\0\0\0"
)


@pytest.mark.parametrize(
    ("stated", "product", "version", "first"),
    [
        (b"\x0f\0\x07\xd0\0\x05", "Microsoft SQL Server 2019", "15.0.2000.5", "sql_server_2019"),
        (b"\x10\0\x03\xe8\0\0", "Microsoft SQL Server 2022", "16.0.1000", "sql_server_2022"),
        (b"\x0a\x32\x06\x40\0\x01", "Microsoft SQL Server 2008 R2", "10.50.1600.1", "sql_server"),
        (b"\x63\0\0\x01\0\0", "Microsoft SQL Server", "99.0.1", None),
    ],
)
def test_versions(stated, product, version, first):
    answer = parse(prelogin(stated))
    assert (answer.name, answer.product, answer.version) == ("ms-sql-s", product, version)
    assert [parse_cpe(cpe).product for cpe in answer.cpes][:1] == ([first] if first else [])
    assert answer.facts == {"encryption": "not supported"}


@pytest.mark.parametrize(
    "data", [b"", b"\x04\x01\0\x09\0\0\0\0\xff", prelogin(bytes(6))[:-1], b"\x04\x01\0\x0d" + b"\0\xff" * 5]
)
def test_other_bytes_are_not_it(data):
    assert not recognise(data)


async def test_one_request_is_sent(bench):
    port = await bench.serve(says(b"", prelogin(b"\x0e\0\x0b\xb8\0\0")))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, b"")).version == "14.0.3000"
    line.close()
    assert bench.received[port] == [REQUEST]
