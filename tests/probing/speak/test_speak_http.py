"""The web conversation: what is sent, what is followed, and what a hostile server gets out of us."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import mmh3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripted import HOST, says

from netvigil.matching.identify import identify
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.speak.tcp.http import PROTOCOL, favicon_hash

ICON = b"\x00\x00\x01\x00" + bytes(range(200))


def reply(body=b"", status="200 OK", **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def site(pages, *, delay=0.0):
    """A web server: pages by path, 404 for the others."""

    async def script(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        await asyncio.sleep(delay)
        writer.write(pages.get(path, reply(b"<html>no</html>", "404 Not Found", Content_Type="text/html")))
        await writer.drain()

    return script


async def talk(bench, script, *, patience=0.5, tls=False, **serve):
    port = await bench.serve(script, **serve)
    line = await bench.dial(port, patience=patience, tls=tls)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    return answer, [request.split(b"\r\n")[0] for request in bench.received[port]], port


async def test_the_request_is_a_plain_browsers(bench):
    _, _, port = await talk(bench, site({"/": reply(b"hello", Server="nginx/1.22.1")}))
    expected = f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\nUser-Agent: netvigil\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    assert bench.received[port] == [expected.encode()]


async def test_a_page_is_named_and_its_icon_hashed(bench):
    page = b'<html><head><title>Home</title><link rel="shortcut icon" href="img/fav.ico"></head></html>'
    pages = {
        "/": reply(page, Server="Apache/2.4.49 (Unix)"),
        "/img/fav.ico": reply(ICON, Content_Type="image/x-icon"),
    }
    answer, sent, _ = await talk(bench, site(pages))
    assert (answer.name, answer.product, answer.version, answer.extra_info) == (
        "http",
        "Apache httpd",
        "2.4.49",
        "(Unix)",
    )
    assert answer.facts["favicon_mmh3"] == str(favicon_hash(ICON))
    assert answer.facts["title"] == "Home"
    assert sent == [b"GET / HTTP/1.1", b"GET /img/fav.ico HTTP/1.1"]
    assert answer.complete


def test_the_icons_hash_is_shodans():
    # MIME's Base64: lines of 76 characters, and a line end after the last one too; the hash is signed
    text = base64.b64encode(ICON).decode()
    lines = "".join(f"{text[at : at + 76]}\n" for at in range(0, len(text), 76))
    assert favicon_hash(ICON) == mmh3.hash(lines.encode(), signed=True)


async def test_new_webfig_is_asked_for_its_list(bench):
    pages = {
        "/": reply(b"<title>RouterOS</title>"),
        "/webfig/list": reply(b'{ name: "roteros.jg", version: "7.18.2" }'),
    }
    answer, sent, _ = await talk(bench, site(pages))
    assert (answer.product, answer.version, answer.os_name) == ("MikroTik RouterOS", "7.18.2", "RouterOS")
    assert sent == [b"GET / HTTP/1.1", b"GET /webfig/list HTTP/1.1", b"GET /favicon.ico HTTP/1.1"]


async def test_the_banner_leads_to_the_right_products(bench):
    pages = {"/": reply(b"<title>RouterOS</title>"), "/webfig/list": reply(b'{ version: "7.18.2" }')}
    answer, _, _ = await talk(bench, site(pages))
    service = ServiceObservation(80, Protocol.TCP, Method.SPOKEN, banner=answer.banner.decode())
    host = HostObservation(IPv4Address("192.0.2.1"), datetime.now(UTC), "syn-ack", services=(service,))
    assert [str(product.cpe) for product in identify(host)] == [
        "cpe:2.3:o:mikrotik:routeros:7.18.2:*:*:*:*:*:*:*"
    ]


async def test_redirects_are_followed_on_the_same_port_only(bench):
    elsewhere = reply(status="302 Found", Location=f"https://{HOST}/login")
    answer, sent, _ = await talk(bench, site({"/": elsewhere}))
    assert answer.facts["redirect"] == f"https://{HOST}/login"
    assert sent == [b"GET / HTTP/1.1"]
    pages = {
        "/": reply(status="302 Found", Location="/a"),
        "/a": reply(b'<meta http-equiv="refresh" content="0; url=b.html">'),
    }
    answer, sent, _ = await talk(bench, site(pages | {"/b.html": reply(b"<title>pfSense - Login</title>")}))
    assert (answer.product, sent[:3]) == (
        "pfSense http config",
        [b"GET / HTTP/1.1", b"GET /a HTTP/1.1", b"GET /b.html HTTP/1.1"],
    )


async def test_a_loop_ends_after_two(bench):
    pages = {
        f"/{n or ''}": reply(status="301 x", Location=f"/{n + 1}", Server="lighttpd/1.4.69") for n in range(9)
    }
    answer, sent, _ = await talk(bench, site(pages))
    assert answer.version == "1.4.69"
    assert len(sent) == 3


async def test_an_error_page_in_the_icons_place_names_tomcat(bench):
    missing = reply(
        b"<title>Apache Tomcat/8.5.5 - Error report</title>", "404 Not Found", Content_Type="text/html"
    )
    pages = {"/": reply(b"<title>Shop</title>", Server="Apache-Coyote/1.1"), "/favicon.ico": missing}
    answer, _, _ = await talk(bench, site(pages))
    assert (answer.product, answer.version) == ("Apache Tomcat", "8.5.5")


async def test_a_slow_device_is_waited_for(bench):
    answer, sent, _ = await talk(
        bench, site({"/": reply(b"<html></html>", Server="yealink embed httpd")}, delay=1.2), patience=2.0
    )
    assert answer.product == "Yealink VoIP phone httpd"
    assert len(sent) == 1


def raw(data, *, close=True, pause=0.0, repeat=1):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(repeat):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(pause)
        while not close and await reader.read(100):
            pass

    return script


@pytest.mark.parametrize(
    "script",
    [
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\n\r\n" + b"y" * 10_000_000),
        raw(
            b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1\r\ny\r\n" * 1_000_000
        ),
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\n" + b"A: b\r\n" * 1_000_000),
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\n\r\nhalf", close=False),
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\nContent-Length: 999\r\n\r\nhalf", close=False),
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0", close=False),
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\n\r\n\xff\xfe\x00\x80"),
        raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8bbroken"),
    ],
)
async def test_a_mad_server_costs_little(bench, script):
    began = asyncio.get_running_loop().time()
    answer, _, _ = await talk(bench, script, patience=0.3)
    assert (answer.product, answer.version) == ("x", "1.0")
    assert len(answer.banner) <= 4096
    assert asyncio.get_running_loop().time() - began < 4


async def test_an_endless_drip_is_cut(bench):
    began = asyncio.get_running_loop().time()
    answer, _, _ = await talk(
        bench, raw(b"HTTP/1.1 200 OK\r\nServer: x/1.0\r\n\r\n<p>", pause=0.2, repeat=100), patience=0.5
    )
    assert answer.product == "x"
    assert asyncio.get_running_loop().time() - began < 7


@pytest.mark.parametrize(
    "script", [says(b"", b""), says(b"", b"220 ftp ready\r\n"), raw(b""), raw(b"<html>old</html>")]
)
async def test_what_is_no_web_server_is_nothing(bench, script):
    answer, _, _ = await talk(bench, script, patience=0.2)
    assert answer is None


async def test_a_server_that_resets_is_nothing(bench):
    async def script(reader, writer):
        await reader.read(10)
        writer.transport.abort()

    assert (await talk(bench, script))[0] is None


async def test_what_was_heard_counts_when_it_says_no_more(bench):
    async def script(reader, writer):
        writer.write(b"HTTP/1.0 408 Request Timeout\r\nServer: thttpd/2.25b\r\n\r\n")

    port = await bench.serve(script)
    line = await bench.dial(port)
    heard = await line.read()
    for server in bench._servers:
        server.close()
    answer = await PROTOCOL.converse(line, heard)
    line.close()
    assert (answer.product, answer.version) == ("thttpd", "2.25b")


def tls_context(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nas.lan")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
    )
    certificate = (
        builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_inside_tls_the_page_and_its_icon_are_fetched_too(bench, tmp_path):
    pages = {
        "/": reply(b"<html></html>", Server="nginx/1.22.1"),
        "/favicon.ico": reply(ICON, Content_Type="image/png"),
    }
    answer, sent, _ = await talk(bench, site(pages), tls=True, ssl=tls_context(tmp_path))
    assert (answer.version, "favicon_mmh3" in answer.facts, len(sent)) == ("1.22.1", True, 2)


async def test_http2_alone_is_web_too(bench):
    settings = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x10\x00\x00"
    answer, _, _ = await talk(bench, raw(settings + b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + b"\0" * 8))
    assert (answer.name, answer.facts) == ("http", {"http_version": "2"})
