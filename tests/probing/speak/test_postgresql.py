"""PostgreSQL's first words, with and without TLS, and what is sent to hear them."""

from __future__ import annotations

import struct

import pytest
from binary_samples import (
    NO_ENTRY,
    SCRAM,
    SERVER_VERSION,
    TRUSTED,
    postgresql_error,
    postgresql_message,
    sent_to,
)
from scripted import says

from netvigil.probing.speak.tcp.postgresql import PROTOCOL, parse, recognise

TLS_REQUEST = struct.pack(">2I", 8, 80877103)


def test_scram_tells_the_least_version_and_no_more():
    answer = parse(SCRAM, tls=False)
    assert (answer.name, answer.product, answer.version) == ("postgresql", "PostgreSQL DB", None)
    assert answer.facts == {"tls": "no", "authentication": "scram-sha-256", "version_at_least": "10"}
    assert answer.complete


def test_an_error_is_kept_with_its_place_in_the_source():
    answer = parse(NO_ENTRY, tls=True)
    assert answer.version is None
    assert answer.extra_info == "9.6 or later"
    assert answer.facts["error_routine"] == "ClientAuthentication"
    assert answer.facts["error_line"] == "543"
    assert b"no pg_hba.conf entry" in answer.banner


def test_a_server_that_asks_for_no_proof_states_its_version():
    answer = parse(TRUSTED + SERVER_VERSION, tls=False)
    assert answer.version == "15.20 (Debian 15.20-0+deb12u1)"
    assert answer.facts["authentication"] == "none"
    assert answer.banner == b"PostgreSQL 15.20 (Debian 15.20-0+deb12u1)"


@pytest.mark.parametrize(
    "data",
    [
        postgresql_error(
            S="FATAL", C="0A000", M="unsupported frontend protocol 65363.19778", F="postmaster.c"
        ),
        b"EFATAL:  invalid length of startup packet\n\0",
    ],
)
def test_its_errors_are_recognised(data):
    assert recognise(data)
    assert parse(data, tls=None).extra_info is None


@pytest.mark.parametrize(
    "data",
    [b"", b"E", b"ERROR\r\n", b"E\0\0\0\x04", postgresql_error(S="FATAL"), postgresql_message(b"R", b"")],
)
def test_other_bytes_are_not_postgresql(data):
    assert not recognise(data)
    assert parse(data, tls=False) is None


def test_a_server_that_asks_for_no_proof_misses_our_user():
    missing = postgresql_error(
        S="FATAL", V="FATAL", C="28000", M='role "netvigil" does not exist', R="InitializeSessionUserId"
    )
    answer = parse(TRUSTED + missing, tls=True)
    assert answer.facts["authentication"] == "none"
    assert answer.facts["message"] == 'role "netvigil" does not exist'
    assert answer.extra_info == "9.6 or later"


async def test_no_password_is_sent(bench):
    port = await bench.serve(says(b"", b"N", SCRAM))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.facts["authentication"] == "scram-sha-256"
    sent = bench.received[port][0]
    assert sent[:8] == TLS_REQUEST
    assert sent[8:12] == struct.pack(">I", len(sent) - 8)
    assert sent[12:] == b"\0\3\0\0user\0netvigil\0database\0postgres\0application_name\0netvigil\0\0"


async def test_a_session_that_began_by_itself_is_ended(bench):
    port = await bench.serve(says(b"", b"N", TRUSTED + SERVER_VERSION))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"")
    line.close()
    assert answer.version.startswith("15.20")
    end = b"netvigil\0\0X\0\0\0\x04"
    assert (await sent_to(bench, port, end)).endswith(end)


async def test_what_a_web_request_drew_is_followed_by_a_line_of_its_own(bench):
    port = await bench.serve(says(b"", b"N", NO_ENTRY))
    line = await bench.dial(port)
    answer = await PROTOCOL.converse(line, b"EFATAL:  invalid length of startup packet\n\0")
    line.close()
    assert answer.facts["sqlstate"] == "28000"
    assert bench.received[port][0] == b""
    assert bench.received[port][1].startswith(TLS_REQUEST)


@pytest.mark.parametrize("said", [b"X", b"HTTP/1.0 400 Bad\r\n\r\n", b"E\xff\xff\xff\xff"])
async def test_another_server_gets_no_second_request(bench, said):
    port = await bench.serve(says(b"", said))
    line = await bench.dial(port)
    assert await PROTOCOL.converse(line, b"") is None
    line.close()
    assert bench.received[port] == [TLS_REQUEST]
