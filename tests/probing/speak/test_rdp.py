"""Remote desktops: what a connection confirm says, and the names behind it in TLS."""

from __future__ import annotations

import ssl
import subprocess

import pytest
from binary_samples import challenge, rdp_confirm
from scripted import says

from netvigil.probing.speak.ber import OCTET_STRING, SEQUENCE, encode, encode_integer
from netvigil.probing.speak.tcp.rdp import PROTOCOL, parse, recognise, with_challenge

REQUEST = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0"


@pytest.mark.parametrize(
    ("data", "product", "facts"),
    [
        (rdp_confirm(), "Microsoft Terminal Services", {"security": "credssp"}),
        (rdp_confirm(value=1), "Microsoft Terminal Services", {"security": "tls"}),
        (rdp_confirm(3, 2), "Microsoft Terminal Services", {"refusal": "tls not allowed"}),
        (rdp_confirm(reference=0), None, {"security": "credssp"}),
        (b"\x03\0\0\x0b\x06\xd0\0\0\x124\0", "Microsoft Terminal Services", {"security": "rdp"}),
        (b"\x03\0\0\x0b\x06\xd0\0\0\0\0\0", "xrdp", {"security": "rdp"}),
        (b"\x03\0\0\x0b\x06\xd0\0\x004\x12\0", "VirtualBox VM Remote Desktop Service", {"security": "rdp"}),
    ],
)
def test_whose_server_it_is(data, product, facts):
    answer = parse(data)
    assert (answer.name, answer.product, answer.facts) == ("ms-wbt-server", product, facts)
    assert answer.os_name == ("Windows" if product == "Microsoft Terminal Services" else None)


@pytest.mark.parametrize(
    "data", [b"", b"\x03\0\0\x0b\x06\xe0\0\0\x124\0", b"\x03\0\xff\xff\x06\xd0", rdp_confirm()[:-1]]
)
def test_other_bytes_are_no_confirm(data):
    assert not recognise(data)


def test_the_challenge_gives_name_and_build():
    told = challenge(netbios="SRV1", dns="srv1.corp.example", dns_domain="corp.example")
    answer = with_challenge(parse(rdp_confirm()), told)
    assert answer.hostname == "srv1.corp.example"
    assert answer.os_name == "Windows 10 1809 or Server 2019"
    assert answer.facts["os_build"] == "10.0.17763"
    assert answer.facts["dns_domain"] == "corp.example"


def test_a_challenge_without_version_gives_the_name_alone():
    answer = with_challenge(parse(rdp_confirm()), challenge(None, netbios="SRV1"))
    assert (answer.hostname, answer.os_name) == ("SRV1", "Windows")
    assert "os_build" not in answer.facts


async def test_nothing_more_is_sent_where_no_login_comes_first(bench):
    port = await bench.serve(says(b"", rdp_confirm(value=0)))
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, b"")).facts == {"security": "rdp"}
    line.close()
    assert bench.received[port] == [REQUEST]


@pytest.fixture
def server_tls(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout"]
    subprocess.run(["openssl", *request, key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_it_stops_at_the_challenge(bench, server_tls):
    token = encode(
        0xA1, encode(SEQUENCE, encode(SEQUENCE, encode(0xA0, encode(OCTET_STRING, challenge(netbios="PC")))))
    )
    inside: list[bytes] = []

    async def script(reader, writer):
        await reader.read(4096)
        writer.write(rdp_confirm())
        await writer.drain()
        await writer.start_tls(server_tls)
        inside.append(await reader.read(4096))
        writer.write(encode(SEQUENCE, encode(0xA0, encode_integer(6)) + token))
        await writer.drain()
        inside.append(await reader.read(4096))

    port = await bench.serve(script)
    line = await bench.dial(port, patience=2)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.hostname, answer.facts["os_build"]) == ("PC", "10.0.17763")
    assert b"NTLMSSP\0\x01\0\0\0" in inside[0]


async def test_a_failed_handshake_keeps_what_is_known(bench):
    async def script(reader, writer):
        await reader.read(4096)
        writer.write(rdp_confirm())
        await writer.drain()

    port = await bench.serve(script)
    line = await bench.dial(port)
    assert (await PROTOCOL.converse(line, b"")).product == "Microsoft Terminal Services"
    line.close()
