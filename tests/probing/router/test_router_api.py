"""Reading a router through its API: both logins, TLS, refusals, hostile servers, and secrets that stay secret."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
import time
from ipaddress import IPv4Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_router import HOST, ScriptedRouter, sentence

from netvigil.errors import ProbeFault
from netvigil.probing.router.credentials import RouterAccess, RouterOsLogin
from netvigil.probing.router.read import read_router
from netvigil.probing.router.routeros_api import read_by_api
from netvigil.probing.vantage import LOCAL, Sockets

SECRET = "s3cr3t-w0rd"
ARP, LEASES = "/ip/arp/print", "/ip/dhcp-server/lease/print"
TABLES = {
    ARP: [
        {
            "address": "192.168.88.10",
            "mac-address": "94:18:82:AA:01:10",
            "complete": "true",
            "status": "stale",
        },
        {"address": "192.168.88.11", "mac-address": "C0:25:A5:AA:01:11", "complete": "true"},
        {"address": "192.168.88.12", "complete": "false"},
        {"address": "192.168.88.13", "mac-address": "C0:25:A5:AA:01:13", "complete": "false"},
        {"address": "192.168.88.14", "mac-address": "C0:25:A5:AA:01:14", "invalid": "true"},
        {"address": "192.168.88.15", "mac-address": "C0:25:A5:AA:01:15", "disabled": "true"},
        {"address": "192.168.88.16", "mac-address": "C0:25:A5:AA:01:16", "published": "true"},
        {"address": "192.168.88.17", "mac-address": "C0:25:A5:AA:01:17", "status": "failed"},
    ],
    LEASES: [
        {
            "address": "192.168.88.10",
            "mac-address": "94:18:82:AA:01:10",
            "host-name": "yes",
            "status": "bound",
        },
        {
            "address": "192.168.88.11",
            "mac-address": "C0:25:A5:AA:01:11",
            "host-name": "0042",
            "status": "bound",
        },
        {"active-address": "192.168.88.20", "active-mac-address": "C0:25:A5:AA:01:20", "status": "bound"},
        {
            "address": "192.168.88.21",
            "mac-address": "C0:25:A5:AA:01:21",
            "host-name": "gone",
            "status": "waiting",
        },
    ],
    "/system/resource/print": [{"version": "6.42 (stable)", "board-name": "hEX"}],
    "/system/identity/print": [{"name": "gw-main"}],
    "/system/routerboard/print": [{"model": "RB750Gr3"}],
}


@pytest.fixture
async def router():
    made = ScriptedRouter(dict(TABLES))
    await made.start()
    yield made
    await made.stop()


async def read(router: ScriptedRouter, *, within: float = 5.0, tls: bool = False, **login):
    access = RouterAccess(
        IPv4Address(HOST),
        RouterOsLogin(
            login.get("username", "reader"),
            login.get("password", SECRET),
            login.get("port", router.port),
            tls=tls,
        ),
    )
    async with Sockets(LOCAL) as sockets:
        return await read_router(sockets, access, within=within)


@pytest.mark.parametrize("old", [False, True])
async def test_the_tables_are_read_and_nothing_else(router, old):
    router.old = old
    tables = await read(router)
    assert {str(address): mac for address, mac in tables.arp.items()} == {
        "192.168.88.10": "94:18:82:AA:01:10",
        "192.168.88.11": "C0:25:A5:AA:01:11",
        "192.168.88.20": "C0:25:A5:AA:01:20",
    }
    assert {str(address): name for address, name in tables.names.items()} == {
        "192.168.88.10": "yes",
        "192.168.88.11": "0042",
    }
    assert (tables.resource.version, tables.resource.board, tables.resource.identity) == (
        "6.42 (stable)",
        "RB750Gr3",
        "gw-main",
    )
    async with asyncio.timeout(2):
        while router.asked[-1] != ["/quit"]:
            await asyncio.sleep(0.01)
    assert {words[0] for words in router.asked} == {"/login", "/quit", *TABLES}


@pytest.mark.parametrize("old", [False, True])
async def test_wrong_credentials_are_said_and_not_shown(router, old, caplog):
    router.old = old
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ProbeFault) as raised:
        await read(router, password="wr0ng-s3cr3t")
    assert str(raised.value) == f"The router {HOST} refused the site's credentials."
    assert "wr0ng-s3cr3t" not in caplog.text


async def test_no_secret_in_logs_and_errors(router, caplog):
    caplog.set_level(logging.DEBUG)
    await read(router)
    router.tables[ARP] = sentence("!fatal", SECRET)
    with pytest.raises(ProbeFault) as raised:
        await read(router)
    assert SECRET not in caplog.text + repr(raised.value)
    assert str(raised.value) == f"The router {HOST} broke off the conversation with its API."


async def test_a_password_beyond_ascii(router):
    router.password = "gehe1m-äöü"
    assert (await read(router, password="gehe1m-äöü")).arp
    router.old = True
    with pytest.raises(ProbeFault, match="too old for a password with letters beyond ASCII"):
        await read(router, password="gehe1m-äöü")


async def test_what_the_router_lacks_is_left_out(router):
    router.tables = {ARP: TABLES[ARP]}
    tables = await read(router)
    assert len(tables.arp) == 2
    assert (tables.names, tables.resource) == ({}, None)


async def test_empty_tables(router):
    router.tables = {command: [] for command in TABLES}
    assert (await read(router)).arp == {}


async def test_a_login_that_may_not_read(router):
    del router.tables[ARP]
    with pytest.raises(ProbeFault, match="does not let the site's login read its ARP table"):
        await read(router)


async def test_a_refusal_that_is_never_done_is_still_one(router):
    router.tables[LEASES] = sentence("!trap", "=odd", "==", "=message=x") + sentence("!done")
    assert (await read(router)).names == {}


async def test_nobody_listens(router):
    with pytest.raises(ProbeFault, match=f"{HOST} takes no connection on port 1"):
        await read(router, port=1)


async def test_long_words_are_read(router):
    long = "n" * 20_000
    router.tables[LEASES] = [{**TABLES[LEASES][0], "host-name": long, "comment": "c" * 300}]
    assert (await read(router)).names[IPv4Address("192.168.88.10")] == long[:255]


HOSTILE = [
    b"\xef\xff\xff\xff" + b"A" * 1000,  # a word of 268 MB
    b"\xf0\x10\x00\x00\x00",  # a form that RouterOS never uses
    b"\xff" * 64,
    b"\x00" * 64,
    b"\x03abc\x00",
    sentence("!re", *["=a=b"] * 300),
    b"HTTP/1.0 400 Bad Request\r\n\r\n",
    b"SSH-2.0-ROSSSH\r\n",
]


@pytest.mark.parametrize("data", HOSTILE)
async def test_hostile_lengths_and_words(router, data):
    router.tables[ARP] = data
    with pytest.raises(ProbeFault, match=r"is no RouterOS API|broke off"):
        await read(router)


async def test_a_table_without_an_end(router):
    router.tables[ARP] = TABLES[ARP] * 20
    login = RouterOsLogin("reader", SECRET, router.port)
    async with Sockets(LOCAL) as sockets:
        with pytest.raises(ProbeFault, match="lists more than 50 rows"):
            await read_by_api(sockets, IPv4Address(HOST), login, max_rows=50)


@pytest.mark.parametrize("data", [b"", b"\x05!do", sentence("!re", "=a=b")])
async def test_a_router_that_stops_speaking(router, data):
    router.tables[ARP] = data
    with pytest.raises(ProbeFault, match=r"did not finish answering within 0\.3 seconds"):
        await read(router, within=0.3)


async def test_a_stop_is_obeyed_at_once(router):
    router.tables[ARP] = b""
    reading = asyncio.create_task(read(router, within=20))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - began < 0.3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    made = tmp_path_factory.mktemp("tls") / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", made, "-out", made]
    subprocess.run([*command, "-subj", "/CN=router", "-days", "2"], check=True, capture_output=True)
    return made


@pytest.mark.parametrize("anonymous", [False, True])
async def test_tls_with_a_certificate_of_its_own_or_none(certificate, anonymous):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if anonymous:
        context.set_ciphers("ADH:AECDH:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        context.load_cert_chain(certificate)
    router = ScriptedRouter(dict(TABLES))
    await router.start(ssl=context)
    try:
        assert len((await read(router, tls=True)).arp) == 3
    finally:
        await router.stop()


async def test_a_port_without_tls(router):
    router.greeting = b"220 plain\r\n"
    with pytest.raises(ProbeFault, match="speaks no TLS"):
        await read(router, tls=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
async def test_any_bytes_are_survived(router, data):
    router.tables[ARP] = data + b"\xff"
    with pytest.raises(ProbeFault):
        await read(router, within=0.2)
