"""RTSP: cameras and servers by header and realm, and the two requests that they are sent."""

from __future__ import annotations

import pytest
from scripted import HOST, says

from netvigil.probing.speak.tcp.rtsp import PROTOCOL, parse, parse_response, recognise


def answering(*headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"RTSP/1.0 %s\r\n%s\r\n\r\n" % (status, b"\r\n".join(headers))


@pytest.mark.parametrize(
    ("server", "product", "version"),
    [
        (b"Dahua Rtsp Server", "Dahua IP camera rtspd", None),
        (b"Hipcam RealServer/V1.0", "Hipcam RealServer rtspd", "1.0"),
        (b"H264DVR 1.0", "H264DVR rtspd", "1.0"),
        (b"GStreamer RTSP server", "GStreamer rtspd", None),
        (b"AirTunes/220.68", "Apple AirTunes rtspd", "220.68"),
        (b"VLC/3.0.11", "VLC rtspd", "3.0.11"),
        (b"Wowza Streaming Engine 4.7.5 build21763", "Wowza Streaming Engine rtspd", "4.7.5"),
        (b"Rtsp Server/2.0", "Rtsp Server", "2.0"),
        (b"Strange \xff thing", "Strange \ufffd thing", None),
    ],
)
def test_names_product_and_version_by_header(server, product, version):
    answer = parse(answering(b"CSeq: 1", b"Server: " + server))
    assert (answer.name, answer.product, answer.version) == ("rtsp", product, version)


@pytest.mark.parametrize(
    ("realm", "product"),
    [
        (b"IP Camera(C1234)", "Hikvision DVR rtspd"),
        (b"DS-2CD2042WD-I", "Hikvision DVR rtspd"),
        (b"Login to 4K01234PAZ9", "Dahua IP camera rtspd"),
        (b"AXIS_00408C123456", "Axis rtspd"),
        (b"BC Streaming Media", "Reolink rtspd"),
        (b"secret garden", None),
    ],
)
def test_names_product_by_realm(realm, product):
    refusal = answering(
        b"CSeq: 2", b'WWW-Authenticate: Digest realm="%s", nonce="1"' % realm, status=b"401 Unauthorized"
    )
    answer = parse(answering(b"CSeq: 1", b"Public: OPTIONS"), refusal)
    assert answer.product == product
    assert (answer.facts["realm"], answer.facts["access"]) == (realm.decode(), "password")


def test_axis_puts_its_mac_into_the_realm():
    answer = parse(answering(b'WWW-Authenticate: Basic realm="AXIS_ACCC8E0a0b0c"', status=b"401 x"))
    assert answer.mac == "AC:CC:8E:0A:0B:0C"


def test_what_is_no_response_is_nothing():
    for data in (b"", b"HTTP/1.0 200 OK\r\n\r\n", b"RTSP/1.0 OK\r\n", b"\xff" * 50):
        assert parse(data) is None
        assert not recognise(data)
    assert len(parse_response(answering(*(b"h%d: x" % n for n in range(500)))).headers) <= 40


async def test_options_is_enough_where_the_server_names_itself(bench):
    port = await bench.serve(says(b"", answering(b"CSeq: 1", b"Server: Dahua Rtsp Server")))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.product, answer.complete) == ("Dahua IP camera rtspd", True)
    assert bench.received[port] == [f"OPTIONS rtsp://{HOST}:{port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()]


async def test_describe_follows_where_it_does_not(bench):
    refusal = answering(
        b"CSeq: 2", b"Content-Length: 4", b'WWW-Authenticate: Digest realm="IP Camera(1)"', status=b"401 x"
    )
    port = await bench.serve(says(b"", answering(b"CSeq: 1", b"Public: OPTIONS"), refusal + b"body"))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.product == "Hikvision DVR rtspd"
    where = f"rtsp://{HOST}:{port}/ RTSP/1.0\r\nCSeq:"
    assert bench.received[port] == [
        f"OPTIONS {where} 1\r\n\r\nDESCRIBE {where} 2\r\nAccept: application/sdp\r\n\r\n".encode()
    ]


async def test_who_answered_http_in_rtsp_is_asked_on_a_new_line(bench):
    port = await bench.serve(says(b"", answering(b"Server: VLC/3.0.11", status=b"400 Bad Request")))
    line = await bench.dial(port)
    heard = await line.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert PROTOCOL.recognises(heard)
    answer = await PROTOCOL.converse(line, heard)
    line.close()
    assert answer.version == "3.0.11"
    assert bench.received[port][1].startswith(b"OPTIONS rtsp://")
