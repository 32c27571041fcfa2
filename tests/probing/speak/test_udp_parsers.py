"""Every parser of a datagram: nothing that a device sends raises or makes an answer without bounds."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netvigil.probing.speak.keyed import KeyedProtocol
from netvigil.probing.speak.udp import (
    coap,
    dns,
    ike,
    mdns,
    mndp,
    netbios,
    ntp,
    sadp,
    sip,
    snmp,
    ssdp,
    ubiquiti,
    wsd,
)

PROTOCOLS = [
    each.PROTOCOL for each in (coap, dns, ike, mdns, mndp, netbios, ntp, sadp, sip, snmp, ssdp, ubiquiti, wsd)
]
KEYED = [
    each for each in PROTOCOLS if isinstance(each, KeyedProtocol) and each is not ssdp.PROTOCOL
]  # SSDP has no ids
if TYPE_CHECKING:
    from netvigil.probing.speak.answer import Answer

HOST = IPv4Address("192.0.2.1")
WORDS = st.sampled_from(
    [
        b"SIP/2.0 200 OK\r\n",
        b"User-Agent: ",
        b"HTTP/1.1 200 OK\r\n",
        b"SERVER: x UPnP/1.0 y/1\r\nST: z\r\n",
        b"1.2",
    ]
)


def check(answer: Answer | None) -> None:
    if answer is None:
        return
    assert answer.name
    assert len(answer.banner) < 200_000
    assert len(answer.facts) < 40
    assert answer.product is None or len(answer.product) < 2000


def requests(protocol) -> list[bytes]:
    return [
        protocol.request(HOST),
        *(protocol.others(HOST) if isinstance(protocol, KeyedProtocol) else ()),
        *protocol.also,
    ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_give_an_answer_or_nothing(data):
    parts = data.draw(st.lists(st.one_of(st.binary(max_size=120), WORDS), max_size=6))
    for protocol in PROTOCOLS:
        check(protocol.parse(b"".join(parts)))
        if isinstance(protocol, KeyedProtocol):
            protocol.key(b"".join(parts))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_answers_give_an_answer_or_nothing(data):
    protocol, good = data.draw(st.sampled_from(GOOD))
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    check(protocol.parse(bytes(damaged[: data.draw(st.integers(0, len(good)))])))


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)
def test_our_own_request_sent_back_is_no_answer(protocol):
    assert [protocol.parse(data) for data in requests(protocol)] == [None] * len(requests(protocol))


@pytest.mark.parametrize("protocol", KEYED, ids=lambda each: each.name)
def test_each_request_has_an_id_of_its_own(protocol):
    keys = [protocol.key(data) for _ in range(3) for data in requests(protocol)]
    assert None not in keys
    assert len(set(keys)) >= len(keys) - 1  # sixteen bits may meet


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)
def test_the_largest_datagrams_are_read_quickly(protocol):
    for filler in (b"\0", b"\xff", b"a", b"\xc0\x0c", b" ", b"a: b\r\n", b"UPnP/1.0 ", b"1.", b"\x30\x80"):
        check(protocol.parse((filler * 65535)[:65535]))
        for _, good in GOOD:
            check(protocol.parse((good + filler * 65535)[:65535]))


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def txt(text: bytes, *, kind: int = 16, klass: int = 3, ttl: int = 0) -> bytes:
    return struct.pack(">HHIH", kind, klass, ttl, len(text) + 1) + bytes([len(text)]) + text


VERSION_REPLY = (
    bytes.fromhex("123484000001000100000000")
    + name("version.bind")
    + struct.pack(">HH", 16, 3)
    + b"\xc0\x0c"
    + txt(b"9.18.49-1~deb12u3-Debian")
)
SERVICES_REPLY = (
    bytes.fromhex("123484000000000100000000")
    + name("_services._dns-sd._udp.local")
    + struct.pack(">HHIH", 12, 1, 10, len(name("_ipp._tcp.local")))
    + name("_ipp._tcp.local")
)
NBSTAT_REPLY = (
    bytes.fromhex("123484000000000100000000")
    + b"\x20CK"
    + b"A" * 30
    + b"\0\0\x21\0\x01\0\0\0\0"
    + struct.pack(">H", 1 + 2 * 18 + 6)
    + b"\x02"
    + b"PC-ANNA".ljust(15)
    + b"\0\x04\0"
    + b"WORKGROUP".ljust(15)
    + b"\0\x84\0"
    + bytes.fromhex("8c8d28aa0124")
)
ANNOUNCEMENT = bytes(4) + b"".join(
    struct.pack(">HH", kind, len(value)) + value
    for kind, value in (
        (1, bytes.fromhex("64d154112203")),
        (5, b"ap-yard"),
        (7, b"6.49.10 (long-term)"),
        (8, b"MikroTik"),
        (10, struct.pack("<I", 86400)),
        (11, b"T0PL-88AB"),
        (12, b"RBcAPGi-5acD2nD"),
        (14, b"\0"),
        (15, bytes(16)),
        (16, b"bridge"),
        (17, bytes([192, 168, 88, 3])),
    )
)
UBIQUITI_REPLY = bytes.fromhex("0100003c") + b"".join(
    struct.pack(">BH", kind, len(value)) + value
    for kind, value in (
        (2, bytes.fromhex("f09fc2aa0127c0a8581b")),
        (3, b"XW.ar934x.v6.3.6.33330.210818.1930"),
        (11, b"roof"),
        (12, b"LM5"),
    )
)
SIP_REPLY = b"SIP/2.0 200 OK\r\nCSeq: 7 OPTIONS\r\nUser-Agent: Yealink SIP-T46S 66.84.0.15\r\n\r\n"
SSDP_REPLY = (
    b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nLOCATION: http://192.0.2.1:8200/rootDesc.xml\r\n"
    b"SERVER: Debian DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.0\r\nST: upnp:rootdevice\r\nUSN: uuid:1\r\n\r\n"
)
NTP_REPLY = bytes.fromhex("240306ec") + bytes(8) + bytes([192, 0, 2, 9]) + bytes(32)
IKE_REPLY = (
    bytes.fromhex("0102030405060708" + "1112131415161718" + "0d100200" + "00000000")
    + struct.pack(">I", 28 + 20)
    + struct.pack(">BBH", 0, 0, 20)
    + bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb")
)
SNMP_REPLY = bytes.fromhex(
    "302c02010104067075626c6963a21f0201070201000201003014301206082b0601020101010004064c696e757878"
)
COAP_REPLY = bytes([0x68, 0x45, 0, 1]) + b"12345678" + b"\xc1\x28\xff" + b"</sensors>;ct=40"
UUID = b"2f2b7a06-0c0e-4d4a-9c0b-1f2d3c4b5a69"
WSD_REPLY = (
    b'<?xml version="1.0"?><e:Envelope xmlns:e="e" xmlns:w="w" xmlns:d="d"><e:Header><w:MessageID>urn:uuid:'
    + UUID[::-1].replace(b"-", b"0")
    + b"</w:MessageID><w:RelatesTo>urn:uuid:"
    + UUID
    + b"</w:RelatesTo><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</w:Action></e:Header>"
    b"<e:Body><d:ProbeMatches><d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>"
    b"onvif://www.onvif.org/name/HIKVISION%20DS-2CD2042WD onvif://www.onvif.org/hardware/DS-2CD2042WD"
    b" onvif://www.onvif.org/MAC/44:19:b6:aa:01:21</d:Scopes><d:XAddrs>http://192.0.2.1/onvif</d:XAddrs>"
    b"</d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"
)
SADP_REPLY = (
    b'<?xml version="1.0" encoding="UTF-8" ?><ProbeMatch><Uuid>' + UUID + b"</Uuid><Types>inquiry</Types>"
    b"<DeviceType>138</DeviceType><DeviceDescription>DS-2CD2042WD-I</DeviceDescription>"
    b"<DeviceSN>DS-2CD2042WD-I20160101AAWR000000000</DeviceSN><MAC>44-19-b6-aa-01-21</MAC>"
    b"<SoftwareVersion>V5.4.5build 170123</SoftwareVersion></ProbeMatch>"
)
GOOD = [
    (coap.PROTOCOL, COAP_REPLY),
    (wsd.PROTOCOL, WSD_REPLY),
    (sadp.PROTOCOL, SADP_REPLY),
    (dns.PROTOCOL, VERSION_REPLY),
    (mdns.PROTOCOL, SERVICES_REPLY),
    (netbios.PROTOCOL, NBSTAT_REPLY),
    (mndp.PROTOCOL, ANNOUNCEMENT),
    (ubiquiti.PROTOCOL, UBIQUITI_REPLY),
    (sip.PROTOCOL, SIP_REPLY),
    (ssdp.PROTOCOL, SSDP_REPLY),
    (ntp.PROTOCOL, NTP_REPLY),
    (ike.PROTOCOL, IKE_REPLY),
    (snmp.PROTOCOL, SNMP_REPLY),
]


@pytest.mark.parametrize(("protocol", "data"), GOOD, ids=[each.name for each, _ in GOOD])
def test_the_good_answers_are_read(protocol, data):
    assert protocol.parse(data).name == protocol.name
