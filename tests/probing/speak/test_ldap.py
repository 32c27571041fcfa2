"""Directories and what they tell of themselves without a bind."""

from __future__ import annotations

import pytest
from binary_samples import ldap_done, ldap_entry, sent_to
from scripted import says

from netvigil.probing.speak.ber import read_element, read_elements
from netvigil.probing.speak.tcp.ldap import PROTOCOL, parse, recognise

UNBIND = b"\x30\x05\x02\x01\x02\x42\x00"
ACTIVE_DIRECTORY = ldap_entry(
    dnsHostName=["DC1.corp.example"],
    defaultNamingContext=["DC=corp,DC=example"],
    dsServiceName=["CN=NTDS Settings,CN=DC1,CN=Servers,CN=Main,CN=Sites,CN=Configuration,DC=corp,DC=example"],
    domainControllerFunctionality=["7"],
)


@pytest.mark.parametrize(
    ("entry", "product", "version", "os_name"),
    [
        (ldap_entry(objectClass=["top", "OpenLDAProotDSE"]), "OpenLDAP", None, None),
        (
            ldap_entry(vendorName=["389 Project"], vendorVersion=["389-Directory/2.3.6 B2023.297"]),
            "389 Directory Server",
            "2.3.6",
            None,
        ),
        (
            ldap_entry(vendorName=["Samba Team (https://www.samba.org)"]),
            "Samba Active Directory LDAP",
            None,
            None,
        ),
        (ACTIVE_DIRECTORY, "Microsoft Windows Active Directory LDAP", None, "Windows"),
        (
            ldap_entry(vendorName=["Novell, Inc."], vendorVersion=["LDAP Agent v8.8.5"]),
            "Novell, Inc.",
            "8.8.5",
            None,
        ),
        (ldap_entry(supportedLDAPVersion=["3"]), None, None, None),
    ],
)
def test_products(entry, product, version, os_name):
    answer = parse(entry + ldap_done())
    assert (answer.name, answer.product, answer.version, answer.os_name) == (
        "ldap",
        product,
        version,
        os_name,
    )


def test_a_domain_controller_tells_its_domain_and_name():
    answer = parse(ACTIVE_DIRECTORY + ldap_done())
    assert answer.extra_info == "Domain: corp.example, Site: Main"
    assert answer.hostname == "DC1.corp.example"
    assert answer.facts["domain_controller_level"] == "2016"


def test_a_refusal_is_an_answer():
    answer = parse(ldap_done(48, b"anonymous access disallowed"))
    assert (answer.name, answer.extra_info, answer.complete) == ("ldap", "anonymous access disallowed", False)


@pytest.mark.parametrize(
    "data", [b"", b"0", b"\x30\x05\x02\x01\x01\x04\0", b"HTTP/1.0 200 OK\r\n\r\n", b"\x30\x80"]
)
def test_other_bytes_are_not_ldap(data):
    assert not recognise(data)
    assert parse(data) is None


async def test_it_searches_the_root_and_unbinds(bench):
    entry = ACTIVE_DIRECTORY
    done = ldap_done()

    async def script(reader, writer):
        await reader.read(4096)
        for piece in (entry[:7], entry[7:], done):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    port = await bench.serve(script)
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.hostname == "DC1.corp.example"
    sent = await sent_to(bench, port, UNBIND)
    request, end = read_element(sent)
    assert sent[end:] == UNBIND
    _, search = read_elements(request.content)
    assert search.tag == 0x63
    parts = read_elements(search.content)
    assert (parts[0].content, parts[1].content, parts[6].content) == (b"", b"\0", b"objectClass")


async def test_garbage_is_not_waited_for(bench):
    port = await bench.serve(says(b"", b"who are you?\r\n"))
    line = await bench.dial(port)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()
