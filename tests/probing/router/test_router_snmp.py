"""Reading a router through SNMP: both tables, bulk walks, lost datagrams, hostile and silent agents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from ipaddress import IPv4Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_router import HOST

from netvigil.errors import ProbeFault
from netvigil.probing.router.credentials import RouterAccess, SnmpCommunity
from netvigil.probing.router.read import read_router
from netvigil.probing.router.snmp import read_by_snmp
from netvigil.probing.speak import ber
from netvigil.probing.speak.snmp_message import END_OF_MIB_VIEW, GET, GET_BULK, RESPONSE, parse_oid
from netvigil.probing.vantage import LOCAL, Sockets

COMMUNITY = "s3cr3t-c0mmunity"
MEDIA, PHYSICAL = parse_oid("1.3.6.1.2.1.4.22.1"), parse_oid("1.3.6.1.2.1.4.35.1")
MAC = bytes.fromhex("941882AA0110")


def row(table, address: str, mac: bytes = MAC, kind: int = 3) -> dict:
    numbers = tuple(map(int, address.split(".")))
    index = (7, *numbers) if table == MEDIA else (7, 1, 4, *numbers)
    column = (2, 4) if table == MEDIA else (4, 6)
    return {(*table, column[0], *index): mac, (*table, column[1], *index): kind}


class Agent(asyncio.DatagramProtocol):
    """Answers Get and GetBulk from a table of bytes and integers; may lose, loop, or say what it likes."""

    def __init__(self) -> None:
        self.table: dict = {
            parse_oid("1.3.6.1.2.1.1.5.0"): b"gw-main",
            parse_oid("1.3.6.1.4.1.14988.1.1.4.4.0"): b"6.42",
            parse_oid("1.3.6.1.4.1.14988.1.1.7.8.0"): b"RB750Gr3",
            parse_oid("1.3.6.1.6.3.1"): b"the end",
        }
        self.kinds: list[int] = []
        self.lose = 0
        self.loops = False
        self.instead: bytes | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        _, community, pdu = ber.read_sequence(data)
        number, _, count, names = ber.read_elements(pdu.content)
        self.kinds.append(pdu.tag)
        if self.lose:
            self.lose -= 1
            return
        if community.content != COMMUNITY.encode():
            return
        asked = [
            ber.decode_oid(ber.read_elements(item.content)[0].content)
            for item in ber.read_elements(names.content)
        ]
        if pdu.tag == GET:
            found = [(oid, self.table.get(oid)) for oid in asked]
        else:
            later = [oid for oid in sorted(self.table) if oid > asked[0]][: ber.decode_integer(count.content)]
            found = [(oid, self.table[oid]) for oid in later] or [(asked[0], None)]
            if self.loops:
                found = [(asked[0], b"x")]
        bindings = b"".join(self._binding(*pair) for pair in found)
        body = ber.encode_integer(ber.decode_integer(number.content)) + ber.encode_integer(0) * 2
        answer = ber.encode(RESPONSE, body + ber.encode(ber.SEQUENCE, bindings))
        message = ber.encode_integer(1) + ber.encode(ber.OCTET_STRING, community.content) + answer
        self.transport.sendto(self.instead or ber.encode(ber.SEQUENCE, message), addr)

    @staticmethod
    def _binding(oid, value) -> bytes:
        if value is None:
            told = ber.encode(END_OF_MIB_VIEW, b"")
        elif isinstance(value, int):
            told = ber.encode_integer(value)
        else:
            told = ber.encode(ber.OCTET_STRING, value)
        return ber.encode(ber.SEQUENCE, ber.encode_oid(oid) + told)


@pytest.fixture
async def agent():
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(Agent, local_addr=(HOST, 0))
    yield made
    transport.close()


async def read(agent: Agent, community: str = COMMUNITY, within: float = 10.0):
    port = agent.transport.get_extra_info("sockname")[1]
    access = RouterAccess(IPv4Address(HOST), SnmpCommunity(community, port))
    async with Sockets(LOCAL) as sockets:
        return await read_router(sockets, access, within=within)


@pytest.mark.parametrize("table", [MEDIA, PHYSICAL])
async def test_either_table_is_walked(agent, table):
    for n in range(1, 61):
        agent.table |= row(table, f"10.0.0.{n}", bytes([2, 0, 0, 0, 0, n]))
    agent.table |= row(table, "10.0.0.99", kind=2)
    agent.table |= row(table, "10.0.0.98", b"")
    tables = await read(agent)
    assert len(tables.arp) == 60
    assert tables.arp[IPv4Address("10.0.0.60")] == "02:00:00:00:00:3C"
    assert (tables.resource.version, tables.resource.board, tables.resource.identity) == (
        "6.42",
        "RB750Gr3",
        "gw-main",
    )
    assert set(agent.kinds) == {GET, GET_BULK}
    assert len(agent.kinds) < 12


async def test_a_table_of_ipv6_neighbours_is_passed_over(agent):
    agent.table[(*PHYSICAL, 4, 7, 2, 16, *range(16))] = MAC
    agent.table |= row(MEDIA, "10.0.0.1")
    assert list(map(str, (await read(agent)).arp)) == ["10.0.0.1"]


async def test_an_agent_that_knows_nothing(agent):
    agent.table = {}
    tables = await read(agent)
    assert (tables.arp, tables.resource) == ({}, None)


async def test_an_agent_that_goes_in_circles(agent):
    agent.loops = True
    assert (await read(agent, within=3)).arp == {}


async def read_directly(agent: Agent, community: str = COMMUNITY, **limits):
    login = SnmpCommunity(community, agent.transport.get_extra_info("sockname")[1])
    async with Sockets(LOCAL) as sockets:
        return await read_by_snmp(sockets, IPv4Address(HOST), login, **limits)


async def test_a_table_without_an_end(agent):
    for n in range(1, 100):
        agent.table |= row(MEDIA, f"10.0.0.{n}")
    with pytest.raises(ProbeFault, match="lists more than 40 rows"):
        await read_directly(agent, max_rows=40)


async def test_silence_is_said_without_the_community(agent, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ProbeFault) as raised:
        await read_directly(agent, "wr0ng-c0mmunity", wait=0.05)
    assert "does not answer SNMP" in str(raised.value)
    assert "wr0ng-c0mmunity" not in str(raised.value) + caplog.text
    assert len(agent.kinds) == 3


async def test_a_lost_datagram_is_asked_again(agent):
    agent.lose = 1
    agent.table |= row(MEDIA, "10.0.0.1")
    assert (await read_directly(agent, wait=0.2)).arp


async def test_a_whole_reading_is_bounded_in_time(agent):
    agent.lose = 100
    with pytest.raises(ProbeFault, match=r"did not finish answering within 0\.2 seconds"):
        await read(agent, within=0.2)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=80))
async def test_any_bytes_are_survived(agent, data):
    agent.instead = data
    with contextlib.suppress(ProbeFault):
        assert (await read(agent, within=0.05)).arp == {}
