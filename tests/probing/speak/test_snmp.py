"""SNMP: what devices of several makers say, and the further questions to them."""

from __future__ import annotations

import pytest
from test_ber import response, tlv

from netvigil.probing.speak import ber, snmp_message
from netvigil.probing.speak.snmp_systems import describe
from netvigil.probing.speak.udp import snmp

SYSTEM = "1.3.6.1.2.1.1"


def answer_to(request: bytes, variables: dict[str, str]) -> bytes:
    """What an agent with these variables answers to a get or a get-bulk of ours."""
    _, _, pdu = ber.read_sequence(request)
    request_id, _, _, wanted = ber.read_elements(pdu.content)
    names = [
        ber.decode_oid(ber.read_elements(each.content)[0].content)
        for each in ber.read_elements(wanted.content)
    ]
    known = {snmp_message.parse_oid(name): value for name, value in variables.items()}
    found = []
    for name in names:
        if pdu.tag == snmp_message.GET:
            value = known.get(name)
            found.append((name, encode(value)))
        else:
            found += [(each, encode(known[each])) for each in sorted(known) if each[: len(name)] == name]
    return response(*found, request_id=ber.decode_integer(request_id.content))


def encode(value: str | None) -> bytes:
    if value is None:
        return tlv(snmp_message.NO_SUCH_OBJECT, b"")
    if value.startswith("oid:"):
        return ber.encode_oid(snmp_message.parse_oid(value[4:]))
    return tlv(ber.OCTET_STRING, value.encode())


async def converse(variables: dict[str, str]):
    async def ask(request: bytes) -> bytes:
        return answer_to(request, variables)

    first = snmp.parse(answer_to(snmp.request(None), variables))
    return await snmp.more(ask, first)


async def test_routeros_tells_its_version_in_a_scalar_of_its_own():
    answer = await converse(
        {
            f"{SYSTEM}.1.0": "RouterOS RB750Gr3",
            f"{SYSTEM}.2.0": "oid:1.3.6.1.4.1.14988.1",
            f"{SYSTEM}.5.0": "gw-main",
            "1.3.6.1.4.1.14988.1.1.4.4.0": "6.42",
            "1.3.6.1.4.1.14988.1.1.4.1.0": "9K1B-XW2P",
            "1.3.6.1.4.1.14988.1.1.7.8.0": "hEX",
        }
    )
    assert (answer.product, answer.version, answer.hostname, answer.model) == (
        "MikroTik RouterOS",
        "6.42",
        "gw-main",
        "hEX",
    )
    assert answer.facts["software_id"] == "9K1B-XW2P"
    assert answer.cpes == ("cpe:/o:mikrotik:routeros:6.42",)
    assert b"RouterOS 6.42" in answer.banner


async def test_a_printer_is_called_what_its_device_is_called():
    answer = await converse(
        {
            f"{SYSTEM}.1.0": "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD149",
            f"{SYSTEM}.2.0": "oid:1.3.6.1.4.1.11.2.3.9.1",
            "1.3.6.1.2.1.25.3.2.1.3.1": "HP LaserJet 400 M401dn",
            "1.3.6.1.2.1.43.5.1.1.16.1": "LaserJet",
        }
    )
    assert (answer.product, answer.device_type, answer.complete) == (
        "HP LaserJet 400 M401dn",
        "printer",
        True,
    )


async def test_a_switch_tells_model_and_revision_of_its_first_entity():
    answer = await converse(
        {
            f"{SYSTEM}.1.0": "GS724Tv4 ProSafe",
            f"{SYSTEM}.2.0": "oid:1.3.6.1.4.1.99999.1",
            "1.3.6.1.2.1.47.1.1.1.1.10.1": "6.3.1.19",
            "1.3.6.1.2.1.47.1.1.1.1.12.1": "Netgear",
            "1.3.6.1.2.1.47.1.1.1.1.13.1": "GS724Tv4",
        }
    )
    assert (answer.product, answer.version, answer.model) == ("Netgear GS724Tv4", "6.3.1.19", "GS724Tv4")


async def test_a_linux_inside_a_synology_says_so():
    answer = await converse(
        {
            f"{SYSTEM}.1.0": "Linux nas 4.4.59+ #25426",
            f"{SYSTEM}.2.0": "oid:1.3.6.1.4.1.8072.3.2.10",
            "1.3.6.1.4.1.6574.1.5.1.0": "DS218+",
            "1.3.6.1.4.1.6574.1.5.3.0": "DSM 7.1-42661",
        }
    )
    assert (answer.product, answer.version, answer.model) == ("net-snmp", None, "DS218+")
    assert b"DSM 7.1-42661" in answer.banner


async def test_an_agent_that_keeps_silent_then_stays_what_its_engine_says():
    async def silent(_):
        return None

    engine = bytes.fromhex("80003a8c034c5e0c112201")
    security = tlv(0x30, tlv(4, engine) + ber.encode_integer(1) * 2 + tlv(4, b"") * 3)
    header = tlv(
        0x30, ber.encode_integer(9) + ber.encode_integer(65507) + tlv(4, b"\0") + ber.encode_integer(3)
    )
    report = tlv(0x30, ber.encode_integer(3) + header + tlv(4, security) + tlv(0x30, b""))
    answer = await snmp.more(silent, snmp.parse(report))
    assert (answer.product, answer.mac) == ("MikroTik SNMPv3 server", "4C:5E:0C:11:22:01")
    assert snmp.key(report) == b"9"


@pytest.mark.parametrize(
    ("text", "product", "version"),
    [
        ("Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(55)SE5, RELEASE", "Cisco IOS", "12.2(55)SE5"),
        ("Cisco IOS Software [Amsterdam], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 17.3.4, R", "Cisco IOS XE", "17.3.4"),
        ("Cisco NX-OS(tm) n5000, Software (n5000-uk9), Version 5.2(1)N1(4), RELEASE", "Cisco NX-OS", "5.2(1)N1(4)"),
        ("HP J9773A 2530-24G-PoEP Switch, revision YA.15.12.0007, ROM YA.15.11", "HP J9773A 2530-24G-PoEP Switch", "YA.15.12.0007"),
        ("Juniper Networks, Inc. ex2200 Ethernet Switch, kernel JUNOS 12.3R6.6, Build", "Juniper JUNOS", "12.3R6.6"),
        ("pfSense fw.lan 2.6.0-RELEASE FreeBSD 12.3-STABLE amd64", "pfSense", "2.6.0-RELEASE"),
        ("Hardware: Intel64 - Software: Windows Version 6.3 (Build 9600 Free)", "Microsoft Windows", None),
        ("RouterOS CCR1009", "MikroTik RouterOS", None),
        ("a box", None, None),
    ],
)  # fmt: skip
def test_descriptions(text, product, version):
    system = describe(text, None)
    assert (system.product, system.version) == (product, version)


def test_a_cisco_version_is_escaped_as_the_dictionary_has_it():
    assert describe("Cisco IOS Software, X (X), Version 12.2(55)SE5, R", 9).cpes == (
        r"cpe:2.3:o:cisco:ios:12.2\(55\)se5:*:*:*:*:*:*:*",
    )
