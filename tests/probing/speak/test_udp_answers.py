"""What answers over UDP say, and to which products they lead."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from test_udp_parsers import (
    ANNOUNCEMENT,
    COAP_REPLY,
    IKE_REPLY,
    NBSTAT_REPLY,
    NTP_REPLY,
    SADP_REPLY,
    SIP_REPLY,
    SSDP_REPLY,
    UBIQUITI_REPLY,
    UUID,
    VERSION_REPLY,
    WSD_REPLY,
)

from netvigil.matching.identify import identify
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.probing.speak.udp import coap, dns, ike, mndp, netbios, ntp, sadp, sip, ssdp, ubiquiti, wsd


def products(answer, port: int) -> set[str]:
    service = ServiceObservation(
        port,
        Protocol.UDP,
        Method.NMAP,
        answer.name,
        answer.product,
        answer.version,
        answer.extra_info,
        cpes=answer.cpes,
        banner=answer.banner.decode("utf-8", "replace") or None,
    )
    host = HostObservation(IPv4Address("192.0.2.1"), datetime.now(UTC), "echo-reply", services=(service,))
    return {str(each.cpe) for each in identify(host) if not each.platform_only}


def test_mndp_tells_version_and_channel():
    answer = mndp.parse(ANNOUNCEMENT)
    assert (answer.product, answer.version) == ("MikroTik RouterOS", "6.49.10")
    assert (answer.mac, answer.hostname, answer.model) == ("64:D1:54:11:22:03", "ap-yard", "RBcAPGi-5acD2nD")
    assert answer.facts == {
        "identity": "ap-yard",
        "platform": "MikroTik",
        "software_id": "T0PL-88AB",
        "board": "RBcAPGi-5acD2nD",
        "interface": "bridge",
        "channel": "long-term",
        "uptime_seconds": "86400",
        "address": "192.168.88.3",
    }
    assert products(answer, 5678) == {"cpe:2.3:o:mikrotik:routeros:6.49.10:*:*:*:ltr:*:*:*"}


def field(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


def test_mndp_from_a_switch_with_swos_is_no_routeros():
    fields = ((1, bytes(5) + b"\x01"), (5, b"sw"), (7, b"2.13"), (8, b"MikroTik"), (12, b"CSS326-24G-2S+"))
    answer = mndp.parse(bytes(4) + b"".join(field(*each) for each in fields))
    assert (answer.product, answer.version, answer.cpes) == ("MikroTik SwOS", "2.13", ())


@pytest.mark.parametrize(
    "data", [bytes(4), bytes(9), bytes(4) + field(1, b"123456"), bytes(4) + field(5, b"x")]
)
def test_mndp_requests_are_no_announcements(data):
    assert mndp.parse(data) is None


@pytest.mark.parametrize(
    ("said", "product", "version", "cpe"),
    [
        ("9.18.49-1~deb12u3-Debian", "ISC BIND", "9.18.49-1~deb12u3", "isc:bind:9.18.49"),
        ("9.11.4-P2-RedHat-9.11.4-26.P2.el7", "ISC BIND", "9.11.4-P2", "isc:bind:9.11.4"),
        ("BIND 8.4.7-REL", "ISC BIND", "8.4.7-REL", "isc:bind:8.4.7"),
        ("dnsmasq-2.90", "dnsmasq", "2.90", "thekelleys:dnsmasq:2.90"),
        ("dnsmasq-pi-hole-v2.92", "dnsmasq", "2.92", "thekelleys:dnsmasq:2.92"),
        ("unbound 1.17.1", "Unbound", "1.17.1", "nlnetlabs:unbound:1.17.1"),
        ("NSD 4.6.1", "NLnet Labs NSD", "4.6.1", "nlnetlabs:nsd:4.6.1"),
        ("PowerDNS Recursor 4.8.8 (built Jan)", "PowerDNS Recursor", "4.8.8", "powerdns:recursor:4.8.8"),
        ("Microsoft DNS 10.0.17763 (456345ED)", "Microsoft DNS", "10.0.17763", None),
        ("none of your business", None, None, None),
        ("10.1", None, None, None),
    ],
)
def test_dns_servers_by_their_words(said, product, version, cpe):
    answer = dns.name_program(said)
    assert (answer.product, answer.version) == (product, version)
    found = products(answer, 53)
    assert any(f":{cpe}:" in each for each in found) if cpe else not found, found


def test_dns_that_refuses_is_dns_and_no_more():
    refused = bytes.fromhex("123481850001000000000000") + VERSION_REPLY[12:30]
    answer = dns.parse(refused)
    assert (answer.name, answer.product, answer.version, answer.banner) == ("domain", None, None, b"")
    assert answer.facts == {"rcode": "5"}
    assert dns.parse(VERSION_REPLY).extra_info == "Debian Linux"


def test_netbios_tells_name_workgroup_and_mac_but_samba_has_none():
    answer = netbios.parse(NBSTAT_REPLY)
    assert (answer.hostname, answer.mac, answer.product) == ("PC-ANNA", "8C:8D:28:AA:01:24", None)
    assert answer.extra_info == "workgroup: WORKGROUP"
    samba = netbios.parse(NBSTAT_REPLY[:-6] + bytes(6))
    assert (samba.hostname, samba.mac, samba.product) == ("PC-ANNA", None, "Samba nmbd netbios-ns")


def test_ubiquiti_tells_firmware_model_and_mac():
    answer = ubiquiti.parse(UBIQUITI_REPLY)
    assert (answer.version, answer.model, answer.hostname) == ("6.3.6", "LM5", "roof")
    assert (answer.mac, answer.os_name) == ("F0:9F:C2:AA:01:27", "AirOS")


@pytest.mark.parametrize(
    ("agent", "product", "version"),
    [
        ("Yealink SIP-T46S 66.84.0.15", "Yealink SIP-T46S", "66.84.0.15"),
        ("Asterisk PBX 18.2.0", "Asterisk PBX", "18.2.0"),
        ("FPBX-16.0.40(18.9.0)", "FPBX", "16.0.40"),
        ("PolycomVVX-VVX_411-UA/5.9.2.3446", "PolycomVVX-VVX_411-UA", "5.9.2.3446"),
        ("Grandstream GXP1625 1.0.4.132", "Grandstream GXP1625", "1.0.4.132"),
        ("kamailio (5.5.4 (x86_64/linux))", "kamailio", "5.5.4"),
        ("Cisco-CP7841/12.5.1", "Cisco-CP7841", "12.5.1"),
        ("softphone", "softphone", None),
    ],
)
def test_sip_agents(agent, product, version):
    answer = sip.parse(SIP_REPLY.replace(b"Yealink SIP-T46S 66.84.0.15", agent.encode()))
    assert (answer.name, answer.product, answer.version) == ("sip", product, version)
    assert sip.parse(SIP_REPLY.replace(b"200 OK", b"404 Not Found")).facts["status"] == "404 Not Found"


@pytest.mark.parametrize(
    ("server", "product", "version", "cpe"),
    [
        ("Debian DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.0", "MiniDLNA", "1.3.0", "readymedia"),
        ("SHP, UPnP/1.0, Samsung UPnP SDK/1.0", "Samsung UPnP", "1.0", None),
        ("ipos/7.0 UPnP/1.0 TL-WR841N/9.0", "TL-WR841N", "9.0", None),
        ("Linux/2.6, UPnP/1.0, Portable SDK for UPnP devices/1.6.18", "Portable SDK for UPnP devices", "1.6.18", "libupnp"),
        ("OpenWRT/19.07 UPnP/1.1 MiniUPnPd/2.1", "MiniUPnPd", "2.1", "miniupnpd"),
        ("Linux UPnP/1.0 Sonos/57.3-79200 (ZPS9)", "Sonos", "57.3-79200", None),
        ("nothing like it", None, None, None),
    ],
)  # fmt: skip
def test_upnp_servers(server, product, version, cpe):
    answer = ssdp.parse(SSDP_REPLY.replace(b"Debian DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.0", server.encode()))
    assert (answer.product, answer.version) == (product, version)
    assert answer.facts["location"] == "http://192.0.2.1:8200/rootDesc.xml"
    assert any(f":{cpe}:" in each for each in products(answer, 1900)) if cpe else True


def test_ntp_tells_its_place_and_with_leave_its_program():
    answer = ntp.parse(NTP_REPLY)
    assert (answer.extra_info, answer.version) == ("v4; secondary server", None)
    assert answer.facts == {"protocol_version": "4", "stratum": "3", "reference": "192.0.2.9"}
    said = b'version="ntpd 4.2.8p15@1.3728-o Wed Sep 23", processor="x86_64", system="Linux/5.10"'
    head = struct.pack(">BBHHHHH", 0x16, 0x82, 5, 0, 0, 0, len(said))
    more = ntp.add_variables(answer, head + said)
    assert (more.product, more.version, more.os_name) == ("NTP", "4.2.8p15", "Linux")
    assert products(more, 123) == {"cpe:2.3:a:ntp:ntp:4.2.8:p15:*:*:*:*:*:*"}
    assert ntp.add_variables(answer, head[:1] + b"\xc2" + head[2:] + said) == answer


def test_ike_names_whom_its_vendor_id_names():
    answer = ike.parse(IKE_REPLY)
    assert (answer.product, answer.extra_info) == ("strongSwan ISAKMP", "IKEv1")


def test_onvif_tells_maker_model_and_mac():
    answer = wsd.parse(WSD_REPLY)
    assert (answer.product, answer.model, answer.mac, answer.device_type) == (
        "HIKVISION DS-2CD2042WD",
        "DS-2CD2042WD",
        "44:19:B6:AA:01:21",
        "webcam",
    )
    assert wsd.key(WSD_REPLY) == UUID


def test_sadp_tells_model_firmware_and_mac_but_no_serial():
    answer = sadp.parse(SADP_REPLY)
    assert (answer.product, answer.version, answer.model) == (
        "Hikvision",
        "5.4.5 build 170123",
        "DS-2CD2042WD-I",
    )
    assert (answer.mac, "AAWR" in str(answer)) == ("44:19:B6:AA:01:21", False)


def test_coap_lists_its_resources():
    answer = coap.parse(COAP_REPLY)
    assert answer.facts == {"code": "2.05", "resources": "</sensors>;ct=40"}
    assert coap.parse(bytes([0x70, 0, 0, 1])) is None
