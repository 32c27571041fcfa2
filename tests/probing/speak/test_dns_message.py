"""The DNS codec: real shapes of messages, hostile names, random bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.probing.speak.dns_message import (
    CH,
    IN,
    MAX_RECORDS,
    PTR,
    SRV,
    TXT,
    A,
    encode_name,
    encode_query,
    parse_message,
)


def record(name: bytes, type_: int, rdata: bytes, class_: int = IN) -> bytes:
    return name + struct.pack(">2HIH", type_, class_, 60, len(rdata)) + rdata


def response(*records: bytes, question: bytes = b"", counts: tuple[int, int, int] | None = None) -> bytes:
    asked = 1 if question else 0
    counts = counts or (len(records), 0, 0)
    return struct.pack(">6H", 7, 0x8400, asked, *counts) + question + b"".join(records)


def test_a_query_has_one_question_and_nothing_else():
    data = encode_query(0x1234, "version.bind", TXT, CH)
    assert data == b"\x12\x34\0\0\0\1\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03"
    message = parse_message(data)
    assert (message.id, message.response, message.whole) == (0x1234, False, True)
    assert (message.questions[0].name, message.questions[0].type) == ("version.bind", TXT)
    assert encode_query(1, "a", A, IN, recursion=True)[2:4] == b"\1\0"


def test_names_keep_their_dots_and_come_back():
    name = r"HP LaserJet M1\.2 \\ büro._ipp._tcp.local"
    message = parse_message(encode_query(1, name, PTR, IN))
    assert message.questions[0].name == name
    assert encode_name("") == encode_name(".") == b"\0"


@pytest.mark.parametrize("name", ["a" * 64, ".".join(["a" * 60] * 5)])
def test_a_name_that_dns_cannot_carry_is_refused(name):
    with pytest.raises(ValueError, match="too long"):
        encode_name(name)


def test_answers_are_decoded_by_type():
    data = response(
        record(encode_name("_http._tcp.local"), PTR, b"\x03nas\xc0\x0c"),
        record(b"\xc0\x0c", SRV, struct.pack(">3H", 0, 5, 80) + b"\xc0\x0c", class_=0x8001),
        record(b"\xc0\x0c", TXT, b"\x03a=1\x00\x05b=\xffzz"),
        record(b"\xc0\x0c", A, bytes([10, 0, 0, 1])),
        record(b"\xc0\x0c", A, b"\x0a"),
    )
    message = parse_message(data)
    assert [r.text for r in message.answers] == [
        "nas._http._tcp.local",
        "0 5 80 _http._tcp.local",
        "a=1\n\nb=\N{REPLACEMENT CHARACTER}zz",
        "10.0.0.1",
        None,
    ]
    assert message.answers[1].class_ == IN
    assert message.answers[2].strings[0] == "a=1"
    assert (message.whole, message.authoritative, message.rcode) == (True, True, 0)


def test_sections_are_told_apart():
    one = record(encode_name("x"), A, bytes(4))
    message = parse_message(response(one, one, one, one, counts=(1, 2, 1)))
    assert list(map(len, (message.answers, message.authorities, message.additionals))) == [1, 2, 1]
    assert len(message.records) == 4


@pytest.mark.parametrize(
    "name",
    [b"\xc0\x0c", b"\x01a\xc0\x0c", b"\xc0\xff", b"\x40" + b"a" * 64, b"\x3f" + b"a" * 63, b"\xc0"],
    ids=["itself", "circle", "forward", "label type", "no end", "half pointer"],
)
def test_a_hostile_name_ends_the_reading(name):
    message = parse_message(response(record(name, A, bytes(4)) if len(name) < 60 else name))
    assert message.answers == ()
    assert not message.whole


def test_a_long_chain_of_pointers_is_no_long_name():
    labels = b"".join(b"\x3f" + b"a" * 63 for _ in range(4)) + b"\0"
    assert parse_message(response(record(labels, A, bytes(4)))).answers == ()


def test_no_more_records_than_the_limit():
    message = parse_message(response(*[record(b"\0", A, bytes(4))] * (MAX_RECORDS + 9)))
    assert len(message.records) == MAX_RECORDS
    assert not message.whole


def test_what_came_before_a_broken_record_is_kept():
    data = response(record(encode_name("x"), A, bytes(4)), record(encode_name("y"), A, bytes(4)))
    message = parse_message(data[:-2])
    assert [r.name for r in message.answers] == ["x"]
    assert not message.whole


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 11, b"\0\0\0\0\xff\xff" + b"\0" * 6, b"\0" * 5 + b"\1" + b"\0" * 7]
)
def test_no_message(data):
    assert parse_message(data) is None


@given(st.binary(max_size=600))
def test_any_bytes_are_read_without_an_exception(data):
    message = parse_message(data)
    assert message is None or len(message.records) <= MAX_RECORDS


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_mutated_answer_is_read_without_an_exception(at, byte):
    data = bytearray(
        response(
            record(b"\xc0\x0c", PTR, b"\x03nas\xc0\x0c"),
            record(b"\xc0\x0c", TXT, b"\x09192.0.2.1"),
            question=encode_name("_http._tcp.local") + b"\0\x0c\0\1",
        )
    )
    data[at % len(data)] = byte
    message = parse_message(bytes(data))
    assert message is None or all(len(r.name) <= 1024 for r in message.records)
