from __future__ import annotations

import tracemalloc
from ipaddress import IPv4Address

import pytest

from netvigil.probing.nmap_xml import (
    Finished,
    HostSeen,
    NmapXmlReader,
    PortsPlanned,
    TaskProgress,
    XmlFault,
)
from netvigil.probing.observations import Method, Protocol

HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
    b'<?xml-stylesheet href="file:///x/nmap.xsl" type="text/xsl"?>\n<nmaprun scanner="nmap">\n'
)
HOST = b"""<host><status state="up" reason="arp-response"/><address addr="10.0.0.7" addrtype="ipv4"/>
<address addr="00:11:32:aa:bb:cc" addrtype="mac" vendor="Synology"/>
<hostnames><hostname name="nas.lan" type="user"/></hostnames>
<ports><extraports state="closed" count="998"><extrareasons reason="reset" ports="1-9"/></extraports>
<port protocol="tcp" portid="22"><state state="open"/><service name="ssh" product="OpenSSH" version="7.4"
 extrainfo="protocol 2.0" ostype="Linux" method="probed"><cpe>cpe:/a:openbsd:openssh:7.4</cpe></service>
<script id="x" output="evil"><table><elem>1</elem></table></script></port>
<port protocol="tcp" portid="8000"><state state="open"/><service name="http-alt" method="table"/></port>
<port protocol="tcp" portid="81"><state state="filtered"/></port>
<port protocol="udp" portid="68"><state state="open|filtered"/></port></ports></host>
"""
TAIL = b'<runstats><finished exit="success"/><hosts up="1" down="0" total="1"/></runstats></nmaprun>'


def read(document: bytes, size: int = 0, **bounds):
    reader = NmapXmlReader(**bounds)
    size = size or len(document)
    return [event for at in range(0, len(document), size) for event in reader.feed(document[at : at + size])]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_whole_document_in_pieces_of_any_size(size):
    seen, finished = read(HEAD + HOST + TAIL, size)
    host = seen.host
    assert (host.address, host.mac, host.manufacturer) == (
        IPv4Address("10.0.0.7"),
        "00:11:32:AA:BB:CC",
        "Synology",
    )
    assert (host.hostname, host.reason, host.os_name) == ("nas.lan", "arp-response", "Linux")
    ssh, other = host.services
    assert (ssh.port, ssh.protocol, ssh.method, ssh.product, ssh.version, ssh.extra_info, ssh.cpes) == (
        22, Protocol.TCP, Method.NMAP, "OpenSSH", "7.4", "protocol 2.0", ("cpe:/a:openbsd:openssh:7.4",),
    )  # fmt: skip
    assert (other.port, other.method, other.name) == (8000, Method.SWEEP, "http-alt")
    assert finished == Finished(success=True, message=None, hosts_up=1, hosts_total=1)


def test_a_truncated_document_counts_as_far_as_it_goes():
    events = read(HEAD + HOST + HOST[: len(HOST) // 2])
    assert [type(event) for event in events] == [HostSeen]


def test_progress_and_planned_ports():
    document = (
        HEAD + b'<scaninfo type="syn" protocol="tcp" services="21-23,80"/>'
        b'<taskprogress task="Service scan" percent="33.20"/>'
    )
    assert read(document) == [PortsPlanned((21, 22, 23, 80)), TaskProgress("Service scan", 33.2)]


def test_hosts_that_are_down_or_have_no_address_are_no_events():
    down = (
        b'<host><status state="down" reason="no-response"/><address addr="10.0.0.9" addrtype="ipv4"/></host>'
    )
    odd = b'<host><status state="up"/><address addr="10.0.0.999" addrtype="ipv4"/></host>'
    assert read(HEAD + down + odd) == []


@pytest.mark.parametrize(
    "document",
    [
        b'<?xml version="1.0"?><!DOCTYPE nmaprun [<!ENTITY a "b">]><nmaprun>&a;</nmaprun>',
        b'<?xml version="1.0"?><!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]><nmaprun>&x;</nmaprun>',
        b'<?xml version="1.0"?><!DOCTYPE nmaprun SYSTEM "http://127.0.0.1/x.dtd"><nmaprun/>',
        b'<?xml version="1.0"?><!DOCTYPE nmaprun [<!ELEMENT a ANY>]><nmaprun/>',
        HEAD + b"<host><status></nmaprun>",
        HEAD + b"&unknown;",
        HEAD + b"\xff\xfe",
        b"not XML at all",
        HEAD + b"<a>" * 100,
    ],
    ids=["entity", "external", "dtd", "subset", "unbalanced", "unknown", "bytes", "text", "deep"],
)
def test_what_nmap_never_writes_is_refused(document):
    with pytest.raises(XmlFault):
        read(document)


def test_what_was_complete_before_the_damage_can_still_be_had():
    reader = NmapXmlReader()
    with pytest.raises(XmlFault):
        reader.feed(HEAD + HOST + b"<broken<<")
    assert [event.host.address for event in reader.drain()] == [IPv4Address("10.0.0.7")]


def test_a_huge_document_and_a_huge_attribute_are_refused():
    with pytest.raises(XmlFault, match="larger"):
        read(HEAD + HOST * 50, 1000, max_document=10_000)
    with pytest.raises(XmlFault, match="single piece"):
        read(HEAD + b'<x y="' + b"a" * 200_000, 10_000, max_token=100_000)


def test_device_strings_are_cleaned_and_bounded():
    service = (
        b'<service method="probed" product="&#27;[31mEvil" version="' + b"9" * 5000 + b'">'
        + b"<cpe>cpe:/a:x:y</cpe>" * 1000 + b"</service>"
    )  # fmt: skip
    document = HEAD + HOST.replace(b'<service name="http-alt" method="table"/>', service)
    with pytest.raises(XmlFault):
        read(document)  # an escape character is no XML at all; nmap writes such as text
    seen = read(document.replace(b"&#27;", "\u202e\u2028".encode()))[0]
    evil = seen.host.services[1]
    assert evil.product == "[31mEvil"
    assert len(evil.version) == 1024
    assert len(evil.cpes) == 16


def test_port_numbers_that_are_none_are_left_out():
    for number in (b"0", b"70000", b"-1", b"x", "²".encode()):
        seen = read(HEAD + HOST.replace(b'portid="8000"', b'portid="' + number + b'"'))[0]
        assert [service.port for service in seen.host.services] == [22]


def test_memory_stays_flat_over_many_hosts():
    reader = NmapXmlReader()
    reader.feed(HEAD)
    reader.feed(HOST * 100)
    tracemalloc.start()
    try:
        for _ in range(50):
            assert len(reader.feed(HOST * 20)) == 20
        assert tracemalloc.get_traced_memory()[0] < 300_000
    finally:
        tracemalloc.stop()
