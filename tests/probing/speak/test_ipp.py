"""Printers and CUPS on port 631."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from test_speak_http import reply, site

from netvigil.probing.speak.tcp.ipp import PROTOCOL, parse_attributes, request_attributes

HEAD = struct.pack(">BBHI", 2, 0, 0, 1)


def attribute(tag, name, value):
    return struct.pack(">BH", tag, len(name)) + name + struct.pack(">H", len(value)) + value


PRINTER = (
    HEAD
    + b"\x01"
    + attribute(0x47, b"attributes-charset", b"utf-8")
    + b"\x04"
    + attribute(0x41, b"printer-make-and-model", b"HP LaserJet 400 M401dn")
    + attribute(0x41, b"printer-firmware-string-version", b"20160426")
    + attribute(0x36, b"printer-name", b"\0\x02en\0\x05lobby")
    + attribute(0x41, b"printer-device-id", b"MFG:HP;MDL:LaserJet;SN:VNB3K12345;")
    + attribute(0x21, b"queued-job-count", b"\0\0\0\0")
    + attribute(0x44, b"media-supported", b"a4")
    + attribute(0x44, b"", b"letter")
    + b"\x03"
)


def test_attributes_are_read():
    found = parse_attributes(PRINTER)
    assert found["printer-make-and-model"] == ("HP LaserJet 400 M401dn",)
    assert found["printer-name"] == ("lobby",)
    assert found["media-supported"] == ("a4", "letter")
    assert "queued-job-count" not in found


def test_a_cut_answer_gives_what_came():
    assert parse_attributes(PRINTER[:100])["printer-make-and-model"] == ("HP LaserJet 400 M401dn",)
    assert parse_attributes(b"<html>") is None
    assert parse_attributes(b"") is None


def test_the_request_is_a_printers_clients():
    sent = request_attributes("ipp://192.0.2.1:631/ipp/print")
    assert sent[:9] == b"\x01\x01\x00\x0b\x00\x00\x00\x01\x01"
    assert sent[9:].startswith(b"\x47\x00\x12attributes-charset\x00\x05utf-8\x48")
    assert b"\x45\x00\x0bprinter-uri\x00\x1dipp://192.0.2.1:631/ipp/print" in sent
    assert sent.endswith(b"\x03")


async def converse(bench, pages):
    port = await bench.serve(site(pages))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    return answer, [request.split(b" HTTP")[0] for request in bench.received[port]]


async def test_a_printer_tells_model_and_firmware(bench):
    pages = {
        "/": reply(b"", "404 Not Found", Server="HP HTTP"),
        "/ipp/print": reply(PRINTER, Content_Type="application/ipp"),
    }
    answer, sent = await converse(bench, pages)
    assert (answer.name, answer.product, answer.version) == ("ipp", "HP LaserJet 400 M401dn", "20160426")
    assert (answer.model, answer.device_type, answer.facts["serial"]) == (
        "LaserJet 400 M401dn",
        "printer",
        "VNB3K12345",
    )
    assert answer.cpes == ("cpe:/h:hp:laserjet_400_m401dn", "cpe:/o:hp:laserjet_400_m401dn_firmware:20160426")
    assert sent == [b"GET /", b"POST /ipp/print"]


async def test_the_title_of_cups_is_exact(bench):
    answer, sent = await converse(
        bench, {"/": reply(b"<title>Home - CUPS 2.4.2</title>", Server="CUPS/2.4 IPP/2.1")}
    )
    assert (answer.name, answer.product, answer.version, answer.complete) == ("ipp", "CUPS", "2.4.2", True)
    assert answer.cpes == ("cpe:/a:openprinting:cups:2.4.2",)
    assert sent == [b"GET /"]


async def test_cups_without_a_title_is_as_exact_as_its_header(bench):
    answer, _ = await converse(bench, {"/": reply(b"", "403 Forbidden", Server="CUPS/1.7 IPP/2.1")})
    assert (answer.version, answer.complete) == ("1.7", False)


async def test_a_web_server_on_the_port_stays_one(bench):
    answer, _ = await converse(bench, {"/": reply(b"", Server="nginx/1.22.1")})
    assert (answer.name, answer.product) == ("http", "nginx")


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data):
    for text in (data, HEAD + b"\x01" + data, PRINTER[:30] + data):
        found = parse_attributes(text)
        assert found is None or all(len(value) <= 300 for values in found.values() for value in values)


@given(st.integers(0, len(PRINTER) - 1), st.integers(0, 255))
def test_no_changed_byte_breaks_it(at, value):
    parse_attributes(PRINTER[:at] + bytes((value,)) + PRINTER[at + 1 :])
