"""BER's numbers, names and lengths, and SNMP's messages of any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.probing.speak import ber, snmp_message
from netvigil.probing.speak.snmp_vendors import find_enterprise, read_engine_id

DESCRIPTION = (1, 3, 6, 1, 2, 1, 1, 1, 0)


def tlv(tag, content):
    return ber.encode(tag, content)


def response(*bindings, request_id=2001, version=1, error=0):
    pairs = b"".join(tlv(0x30, ber.encode_oid(oid) + value) for oid, value in bindings)
    numbers = b"".join(map(ber.encode_integer, (request_id, error, 0)))
    pdu = tlv(snmp_message.RESPONSE, numbers + tlv(0x30, pairs))
    return tlv(0x30, ber.encode_integer(version) + tlv(4, b"public") + pdu)


GOOD = response(
    (DESCRIPTION, tlv(4, b"Linux")),
    ((1, 3, 6, 1, 2, 1, 1, 2, 0), ber.encode_oid((1, 3, 6, 1, 4, 1, 8072, 3, 2, 10))),
    ((1, 3, 6, 1, 2, 1, 1, 3, 0), tlv(snmp_message.TIME_TICKS, b"\x00\xff\xff\xff\xff")),
    ((1, 3, 6, 1, 2, 1, 4, 20, 1, 1), tlv(snmp_message.IP_ADDRESS, b"\x0a\x00\x00\x01")),
    ((1, 3, 6, 1, 2, 1, 9, 9, 9), tlv(snmp_message.NO_SUCH_OBJECT, b"")),
)


@given(st.integers(-(2**63), 2**63))
def test_integers_come_back_as_they_went(value):
    element, end = ber.read_element(encoded := ber.encode_integer(value))
    assert ber.decode_integer(element.content) == value
    assert end == len(encoded)


@pytest.mark.parametrize(("value", "encoded"), [(0, "020100"), (128, "02020080"), (-128, "020180")])
def test_integers_take_the_fewest_bytes(value, encoded):
    assert ber.encode_integer(value).hex() == encoded


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**32 - 1), max_size=40))
def test_object_identifiers_come_back_as_they_went(first, second, rest):
    oid = (first, second, *rest)
    assert ber.decode_oid(ber.read_element(ber.encode_oid(oid))[0].content) == oid


@pytest.mark.parametrize("oid", [(), (1,), (3, 1), (1, 3, -1), (1, 3, 2**32)])
def test_what_is_no_object_identifier_is_not_encoded(oid):
    with pytest.raises(ber.BerError):
        ber.encode_oid(oid)


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 70_000])
def test_lengths_of_every_form(size):
    element, end = ber.read_element(encoded := ber.encode(4, bytes(size)))
    assert (element.tag, len(element.content), end) == (4, size, len(encoded))


@pytest.mark.parametrize("data", ["", "04", "0401", "0480", "048500000000ff", "1f0100", "0482ffff00"])
def test_damaged_elements_are_refused(data):
    with pytest.raises(ber.BerError):
        ber.read_element(bytes.fromhex(data))


def test_too_many_elements_are_refused():
    with pytest.raises(ber.BerError):
        ber.read_elements(b"\x05\x00" * (ber.MAX_ELEMENTS + 1))


def test_a_response_is_read():
    found = snmp_message.parse_response(GOOD)
    assert (found.version, found.community, found.request_id, found.error) == (1, b"public", 2001, 0)
    values = [binding.value for binding in found.bindings]
    assert values == [b"Linux", "1.3.6.1.4.1.8072.3.2.10", 2**32 - 1, b"\x0a\x00\x00\x01", None]
    assert found.bindings[0].oid == DESCRIPTION
    assert found.bindings[-1].tag == snmp_message.NO_SUCH_OBJECT


@pytest.mark.parametrize("version", [snmp_message.V1, snmp_message.V2C])
def test_a_request_is_no_response_but_has_its_id(version):
    request = snmp_message.encode_get(b"public", 77, [DESCRIPTION], version)
    assert snmp_message.parse_response(request) is None
    assert snmp_message.find_id(request) == 77
    assert snmp_message.find_id(snmp_message.encode_discovery(78)) == 78
    assert snmp_message.find_id(GOOD) == 2001


def test_requests_are_those_of_the_rfc():
    assert (
        snmp_message.encode_get(b"public", 1, [(1, 3, 6, 1, 2, 1, 1, 1, 0)], snmp_message.V1).hex()
        == "302602010004067075626c6963a019020101020100020100300e300c06082b060102010101000500"
    )
    bulk = snmp_message.encode_get_bulk(b"public", 1, [(1, 3, 6)], non_repeaters=0, max_repetitions=25)
    assert bulk.hex() == "302002010104067075626c6963a51302010102010002011930083006" + "06022b060500"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    for read in (snmp_message.parse_response, snmp_message.parse_engine, snmp_message.find_id):
        read(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_a_damaged_response_is_read_or_refused(at, byte, end):
    damaged = bytearray(GOOD)
    damaged[at] = byte
    found = snmp_message.parse_response(bytes(damaged[:end]))
    assert found is None or len(found.bindings) <= 60


def test_engine_ids_name_the_maker_and_sometimes_a_mac():
    assert read_engine_id(bytes.fromhex("80003a8c034c5e0c112201")) == (14988, "4C:5E:0C:11:22:01")
    assert read_engine_id(bytes.fromhex("80001f88808348ee559bcb046b00000000")) == (8072, None)
    assert read_engine_id(bytes.fromhex("8000000b03")) == (11, None)
    assert find_enterprise("1.3.6.1.4.1.14988.1") == 14988
    assert find_enterprise("1.3.6.1.2.1") is None
