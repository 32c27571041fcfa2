"""HTTP answers as devices send them, whole, cut, packed and malicious."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.probing.speak.http_message import BODY_LIMIT, is_http, missing, parse_response
from netvigil.probing.speak.web_page import banner_of, read_page, resolve

PAGE = b"<html><head><title>Hello</title></head></html>"
RAW_DEFLATE = zlib.compressobj(wbits=-15)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\n" + PAGE,
        b"HTTP/1.0 200\r\n\r\n" + PAGE,
        b"HTTP/1.0 200 OK\nServer: x\n\n" + PAGE,
        CHUNKED + b"6;x=y\r\n<html>\r\n28 \r\n" + PAGE[6:] + b"\r\n0\r\n\r\n",
        CHUNKED + b"2e\r\n" + PAGE + b"\r\nnonsense",
        CHUNKED + b"ffff\r\n" + PAGE,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(PAGE, mtime=0),
        b"HTTP/1.1 200 OK\r\n\r\n" + gzip.compress(PAGE, mtime=0),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(PAGE, mtime=0)[:-8],
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + zlib.compress(PAGE),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + RAW_DEFLATE.compress(PAGE) + RAW_DEFLATE.flush(),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + PAGE,
    ],
)  # fmt: skip
def test_a_page_comes_out_of_every_wrapping(raw):
    response = parse_response(raw)
    assert (response.status, read_page(response).title) == (200, "Hello")
    assert response.body == PAGE


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP", b"220 ftp\r\n", b"<html>HTTP/0.9</html>", b"HTTP/x.1 200 OK\r\n\r\n"]
)
def test_what_is_no_http_is_nothing(raw):
    assert parse_response(raw) is None


def test_http2_alone_is_recognised_and_nothing_alike_is():
    assert is_http(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x10\x00\x00")
    assert is_http(b"HTTP/1.0 400 Bad Request\r\n")
    assert not is_http(b"\x00\x00\x05\x04\x00\x00\x00\x00\x00")
    assert not is_http(b"RTSP/1.0 200 OK\r\n")


@pytest.mark.parametrize(
    ("raw", "lacks"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 7),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n", BODY_LIMIT),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nServer:", 1),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", 1),
        (b"HTTP/1.1 200 OK\r\n\r\n<html></html>\r\n", 0),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 1),
        (CHUNKED + b"10\r\nabc", 13),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", 0),
        (b"SSH-2.0-x\r\n", 0),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000, 0),
    ],
)
def test_it_is_known_how_much_is_missing(raw, lacks):
    assert missing(raw) == lacks


def test_a_bomb_is_unpacked_to_the_bound_only():
    bomb = gzip.compress(b"\0" * 50_000_000)
    response = parse_response(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb)
    assert len(response.body) == BODY_LIMIT


def test_headers_are_bounded_and_of_one_line():
    raw = (
        b"HTTP/1.1 200 OK\r\nServer: a\rX-Evil: b\x00\x1b[2J\r\n folded\r\nnonsense\r\n" + b"Y: z\r\n" * 4000
    )
    response = parse_response(raw)
    assert response.header("server") == "a X-Evil: b [2J folded"
    assert len(response.headers) <= 100


def test_a_banner_holds_what_tells_whatever_else_is_sent():
    flood = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 300) for number in range(80))
    page = b"<html><title>A <\r\n title</title><meta content='WordPress 4.7.1' name=generator></html>"
    response = parse_response(b"HTTP/1.1 200 OK\r\n" + flood + b"Server: Apache/2.4.49\r\n\r\n" + page)
    banner = banner_of(read_page(response))
    assert b"\r\nServer: Apache/2.4.49\r\n" in banner
    assert banner.endswith(b'\r\n\r\n<title>A</title>\n<meta name="generator" content="WordPress 4.7.1">')
    assert len(banner) <= 2048


def test_a_title_in_another_script_is_read():
    body = "<title>网络摄像机</title>".encode("gbk")
    response = parse_response(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=gb2312\r\n\r\n" + body)
    assert read_page(response).title == "网络摄像机"
    assert read_page(parse_response(b"HTTP/1.1 200 OK\r\n\r\n<title>\xff\xfe</title>")).title == "��"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("login.html", ("http", "192.0.2.1", 80, "/a/login.html")),
        ("/x?y=1", ("http", "192.0.2.1", 80, "/x?y=1")),
        ("https://192.0.2.1/", ("https", "192.0.2.1", 443, "/")),
        ("//evil.example/x", ("http", "evil.example", 80, "/x")),
        ("http://192.0.2.1:99999/", None),
        ("javascript:alert(1)", None),
        ("http://[::1", None),
        ("/\x01x", None),
        ("/é", None),
    ],
)
def test_references_lead_where_a_browser_would_go(reference, expected):
    found = resolve(reference, "http", "192.0.2.1", 80, "/a/b")
    assert (None if found is None else (found.scheme, found.host, found.port, found.path)) == expected


def test_a_reference_cannot_smuggle_a_header():
    assert resolve("/x\r\nEvil: yes", "http", "192.0.2.1", 80, "/").path == "/xEvil:yes"


HEADS = st.sampled_from(
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 x\r\nLocation: ", CHUNKED, b"HTTP/1.1 200 OK\r\n\r\n<meta "]
)


@given(HEADS, st.binary(max_size=400))
def test_no_bytes_break_it(head, rest):
    raw = head + rest
    assert 0 <= missing(raw) <= BODY_LIMIT
    response = parse_response(raw)
    if response is not None:
        page = read_page(response)
        assert len(page.title) <= 200
        assert len(banner_of(page)) < 8000
