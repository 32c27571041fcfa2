"""Every spelling of a MAC address comes to one form; anything else is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.errors import Invalid
from netvigil.inventory.mac import is_local, is_multicast, parse_mac

if TYPE_CHECKING:
    from random import Random

OCTETS = st.binary(min_size=6, max_size=6)


@pytest.mark.parametrize(
    "text",
    [
        "00:1A:2B:3C:4D:5E",
        "00:1a:2b:3c:4d:5e",
        "00-1A-2B-3C-4D-5E",
        "00-1a-2B-3c-4D-5e",
        "001a.2b3c.4d5e",
        "001A.2B3C.4D5E",
        "001a2b3c4d5e",
        "001A2B3C4D5E",
    ],
)
def test_every_spelling_is_the_same_address(text: str) -> None:
    assert parse_mac(text) == "00:1A:2B:3C:4D:5E"


@given(OCTETS, st.sampled_from([":", "-", ".", ""]), st.randoms(use_true_random=False))
def test_any_octets_in_any_spelling_and_case(octets: bytes, separator: str, random: Random) -> None:
    written = octets.hex(separator, 2 if separator == "." else 1) if separator else octets.hex()
    mixed = "".join(random.choice((c.lower(), c.upper())) for c in written)
    normal = parse_mac(mixed)
    assert bytes.fromhex(normal.replace(":", "")) == octets
    assert re.fullmatch(r"([0-9A-F]{2}:){5}[0-9A-F]{2}", normal)
    assert parse_mac(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00:1A:2B:3C:4D",
        "00:1A:2B:3C:4D:5E:6F",
        "00:1A:2B:3C:4D:5G",
        "00:1A:2B:3C:4D:5E\n",
        " 00:1A:2B:3C:4D:5E",
        "00:1A-2B:3C-4D:5E",
        "00:1A:2B:3C:4D5E",
        "001A:2B3C:4D5E",
        "001a-2b3c-4d5e",
        "00.1a.2b.3c.4d.5e",
        "0:1a:2b:3c:4d:5e",
        "001A2B3C4D5",
        "0x1A2B3C4D5E",
        "00 1A 2B 3C 4D 5E",
        "00:1A:2B:3C:4D:5E\x00",
        "00:1A:2B:3C:4D:\u0665E",
        "\uff10\uff10:1A:2B:3C:4D:5E",
        "00:1A:2B:3C:4D:5E' OR '1'='1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not a MAC address") as caught:
        parse_mac(text)
    assert caught.value.code == "parameter_invalid"


@given(st.text(max_size=20) | st.text(alphabet="09afAF:-.", min_size=12, max_size=17))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        normal = parse_mac(text)
    except Invalid:
        return
    assert normal.replace(":", "").lower() == re.sub(r"[^0-9a-f]", "", text.lower())


def test_message_does_not_repeat_a_flood() -> None:
    with pytest.raises(Invalid) as caught:
        parse_mac("0" * 1_000_000)
    assert len(caught.value.message) < 120


@pytest.mark.parametrize(
    ("mac", "local", "multicast"),
    [
        ("00:1A:2B:3C:4D:5E", False, False),
        ("52:54:00:12:34:56", True, False),
        ("DA:A1:19:00:00:01", True, False),
        ("01:00:5E:00:00:FB", False, True),
        ("33:33:00:00:00:01", True, True),
        ("FF:FF:FF:FF:FF:FF", True, True),
        ("00:00:00:00:00:00", False, False),
        ("0200.0000.0001", True, False),
    ],
)
def test_who_chose_it_and_whom_it_names(mac: str, *, local: bool, multicast: bool) -> None:
    assert is_local(mac) is local
    assert is_multicast(mac) is multicast


@given(OCTETS)
def test_bits_are_those_of_the_first_octet(octets: bytes) -> None:
    mac = octets.hex(":")
    assert is_local(mac) == bool(octets[0] & 2)
    assert is_multicast(mac) == bool(octets[0] & 1)


def test_bits_of_what_is_no_address_are_no_answer() -> None:
    with pytest.raises(Invalid):
        is_local("02")
    with pytest.raises(Invalid):
        is_multicast("01")
