"""File servers: what Windows and Samba show before a login, in SMB 2 and 3 and in SMB 1."""

from __future__ import annotations

import struct

import pytest
from binary_samples import (
    challenge,
    sent_to,
    smb1_named,
    smb1_negotiated,
    smb2_challenge,
    smb2_negotiated,
)
from scripted import says

from netvigil.probing.speak import smb1, smb2
from netvigil.probing.speak.tcp.smb import PROTOCOL, describe, recognise

SAMBA = challenge((6, 1, 0), netbios="NAS", domain="NAS", dns="nas.lan")
WINDOWS = challenge((10, 0, 20348), netbios="SRV", domain="CORP", dns="srv.corp.example")
CLOSE = says(b"")


def described(port=445, modern=None, token=None, old=None, named=None):
    return describe(
        port,
        smb2.parse_negotiated(modern) if modern else None,
        smb2.parse_challenge(smb2_challenge(token)) if token else None,
        smb1.parse_negotiated(old) if old else None,
        smb1.parse_named(named) if named else None,
    )


def test_samba_names_its_version_in_smb_1_only():
    modern = described(modern=smb2_negotiated(), token=SAMBA)
    assert (modern.name, modern.product, modern.version) == ("netbios-ssn", "Samba smbd", None)
    both = described(
        modern=smb2_negotiated(),
        token=SAMBA,
        old=smb1_negotiated(),
        named=smb1_named("Windows 6.1", "Samba 4.17.12-Debian", "WORKGROUP"),
    )
    assert (both.version, both.extra_info) == ("4.17.12-Debian", "workgroup: WORKGROUP")
    assert both.banner == b"Samba 4.17.12-Debian\nWindows 6.1"
    assert (both.hostname, both.os_name, both.complete) == ("nas.lan", None, True)
    assert both.facts["dialect"] == "3.1.1"
    assert "os_build" not in both.facts


@pytest.mark.parametrize(("port", "name"), [(445, "microsoft-ds"), (139, "netbios-ssn")])
def test_windows_tells_its_build(port, name):
    answer = described(port, modern=smb2_negotiated(security=3, boot=132_999_999_999_999_999), token=WINDOWS)
    assert (answer.name, answer.product) == (name, f"Microsoft Windows Server 2022 {name}")
    assert (answer.os_name, answer.hostname) == ("Windows Server 2022", "srv.corp.example")
    assert answer.facts["os_build"] == "10.0.20348"
    assert answer.facts["signing"] == "required"
    assert answer.facts["boot_time"].startswith("2022-")
    assert answer.version is None


def test_an_old_windows_names_its_edition():
    named = smb1_named(
        "Windows Server 2008 R2 Standard 7601 Service Pack 1", "Windows Server 2008 R2 Standard 6.1", ""
    )
    answer = described(old=smb1_negotiated(), named=named)
    assert answer.os_name == "Windows Server 2008 R2 Standard 7601 Service Pack 1"
    assert answer.facts["dialect"] == "NT LM 0.12"


def test_a_server_that_is_neither_is_no_product():
    answer = described(modern=smb2_negotiated(), token=challenge(None, netbios="MAC"))
    assert (answer.name, answer.product, answer.hostname, answer.complete) == (
        "microsoft-ds",
        None,
        "MAC",
        False,
    )


def test_the_host_is_named_by_netbios_where_dns_tells_another():
    assert (
        described(modern=smb2_negotiated(), token=challenge((6, 1, 0), netbios="NAS", dns="vm")).hostname
        == "NAS"
    )


def test_an_old_printer_tells_its_domain_and_name_at_once():
    answer = described(
        old=smb1_negotiated(extended=False), named=smb1_named("Unix", "Samba 2.0.7", "HOME", None)
    )
    assert (answer.version, answer.facts["workgroup"], answer.hostname) == ("2.0.7", "HOME", "PRINTER")


def responder(*turns: bytes):
    """One script for each connection, in their order."""
    queue = list(turns)

    async def script(reader, writer):
        await queue.pop(0)(reader, writer)

    return script


async def test_both_protocols_stop_at_the_challenge(bench):
    new = says(b"", smb2_negotiated(), smb2_challenge(SAMBA))
    old = says(b"", smb1_negotiated(), smb1_named("Windows 6.1", "Samba 4.9.5-Debian", "WORKGROUP", SAMBA))
    port = await bench.serve(responder(new, old))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert (answer.product, answer.version) == ("Samba smbd", "4.9.5-Debian")
    for number, magic in ((0, b"\xfeSMB"), (1, b"\xffSMB")):
        sent = bench.received[port][number]
        frames = []
        while sent:
            size = int.from_bytes(sent[:4], "big")
            frames.append(sent[4 : 4 + size])
            sent = sent[4 + size :]
        assert [frame[:4] for frame in frames] == [magic] * 2
        assert frames[1].count(b"NTLMSSP\0\x01\0\0\0") == 1
        assert b"NTLMSSP\0\x03" not in frames[1]
    assert struct.unpack_from("<5H", bench.received[port][0], 104) == (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)


async def test_a_session_of_nobody_is_ended(bench):
    async def refuse(reader, writer):
        return

    old = says(b"", smb1_negotiated(extended=False), smb1_named("Unix", "Samba 2.0.7", "HOME", None))
    port = await bench.serve(responder(refuse, old))
    line = await bench.dial(port)
    line.port = 445
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version == "2.0.7"
    logoff = smb1.logoff_request(2048)
    assert (await sent_to(bench, port, logoff, 1)).endswith(logoff)


async def test_port_139_begins_with_a_session_by_the_name_for_any_server(bench):
    port = await bench.serve(
        responder(says(b"", b"\x82\0\0\0", smb2_negotiated(), smb2_challenge(WINDOWS)), CLOSE)
    )
    line = await bench.dial(port, patience=0.2)
    line.port = 139
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.name == "netbios-ssn"
    assert bench.received[port][0].startswith(b"\x81\0\0\x44\x20CKFDENECFDEFFCFGEFFCCACACACACACA\0\x20")


@pytest.mark.parametrize("said", [b"", b"\0\0\0\x05hello", b"\0\xff\xff\xff\xfeSMB", smb2_negotiated()[:90]])
async def test_garbage_is_no_file_server(bench, said):
    port = await bench.serve(says(b"", said))
    line = await bench.dial(port, patience=0.15)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()


def test_its_messages_are_recognised():
    assert recognise(smb2_negotiated())
    assert recognise(smb1_negotiated())
    assert not recognise(b"\0\0\0\x04SMB?")
