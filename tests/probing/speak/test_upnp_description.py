"""UPnP descriptions: maker and model, from the device's own address only."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import HOST

from netvigil.probing.speak.udp.upnp_description import parse_description, read_description

DOCUMENT = (
    b'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><friendlyName>TV &amp; more</friendlyName>'
    b"<manufacturer>Samsung Electronics</manufacturer><modelName>UE55</modelName><modelNumber>1.0</modelNumber>"
    b"<serialNumber>SECRET</serialNumber><deviceList><device><modelName>inner</modelName></device></deviceList>"
    b"</device></root>"
)
FACTS = {
    "friendly_name": "TV & more",
    "manufacturer": "Samsung Electronics",
    "model_name": "UE55",
    "model_number": "1.0",
}


def test_the_first_device_is_described_and_serials_are_left_out():
    assert parse_description(DOCUMENT) == FACTS


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><root><modelName>&b;</modelName></root>',
        b'<!DOCTYPE a SYSTEM "http://192.0.2.1/x"><root><modelName>m</modelName></root>',
        b"<a>" * 100 + b"<modelName>m</modelName>",
        b'<?xml version="1.0" encoding="nonsense"?><root><modelName>m</modelName></root>',
        b"not XML",
        b"",
    ],
)
def test_foreign_documents_are_refused(document):
    assert parse_description(document) == {}


@given(st.binary(max_size=300), st.integers(0, len(DOCUMENT)))
def test_damaged_documents_give_what_stood_before(noise, at):
    found = parse_description(DOCUMENT[:at] + noise)
    assert all(len(text) <= 255 for text in found.values())


async def test_it_is_fetched_from_the_device_itself(bench):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + DOCUMENT)

    port = await bench.serve(script)
    assert await read_description(bench, IPv4Address(HOST), f"http://{HOST}:{port}/root.xml") == FACTS
    assert bench.received[port][0].startswith(b"GET /root.xml HTTP/1.0\r\n")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/root.xml",
        "https://{host}:{port}/root.xml",
        "http://{host}.example:{port}/",
        "http://{host}:{port}/a\r\nX: y",
        "http://user@{host}:{port}/",
        "http://{host}:99999/",
        "file:///etc/passwd",
    ],
)
async def test_other_places_are_never_asked(bench, location):
    async def script(reader, writer):
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + DOCUMENT)

    port = await bench.serve(script)
    where = location.format(host=HOST, port=port)
    assert await read_description(bench, IPv4Address(HOST), where) == {}
    assert port not in bench.received
