"""The manufacturer behind an address, and None wherever the list cannot know."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.inventory.oui import find_manufacturer

# IEEE's list writes the first with a no-break space and the second with a zero-width one.
ODD = {"00:B8:10:00:00:01": "Yichip Microelectronics", "48:BC:A6:00:00:01": "ASUNG TECHNO"}

FIRST_CALLS = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from netvigil.inventory.oui import find_manufacturer
together = Barrier(16)
def first(number):
    together.wait()
    return find_manufacturer("B8:27:EB:00:00:01")
with ThreadPoolExecutor(16) as pool:
    print(set(pool.map(first, range(16))))
"""


@pytest.mark.parametrize(
    ("mac", "part"),
    [
        ("4C:5E:0C:00:00:01", "Routerboard"),
        ("b8-27-eb-12-34-56", "Raspberry Pi"),
        ("000c.29aa.bbcc", "VMware"),
        ("00000C123456", "Cisco"),
        ("3C:52:82:00:00:01", "Hewlett Packard"),
        ("00:11:32:00:00:01", "Synology"),
    ],
)
def test_manufacturer_is_named(mac: str, part: str) -> None:
    name = find_manufacturer(mac)
    assert name is not None
    assert part in name


@pytest.mark.parametrize(
    ("mac", "why"),
    [
        ("52:54:00:12:34:56", "a virtual machine's own choice"),
        ("AA:00:04:00:01:04", "locally administered, although DEC once had it registered"),
        ("01:00:5E:00:00:FB", "a group"),
        ("FF:FF:FF:FF:FF:FF", "broadcast"),
        ("00:00:00:00:00:00", "no address, although Xerox owns the block"),
        ("70:B3:D5:00:00:01", "IEEE sold the block on in parts"),
        ("FC:FF:FF:00:00:01", "not registered"),
    ],
)
def test_none_where_nobody_can_know(mac: str, why: str) -> None:
    assert find_manufacturer(mac) is None, why


def test_none_for_a_holder_that_stays_unnamed() -> None:
    assert find_manufacturer("00:50:C7:00:00:01") is None  # IEEE's list says "Private"


@pytest.mark.parametrize(
    "text",
    ["", "4C:5E:0C", "4C5E0C", "../../etc/passwd", "4C:5E:0C:00:00:01\n", "+C:5E:0C:00:00:01", "\x00" * 12],
)
def test_none_for_what_is_no_address(text: str) -> None:
    assert find_manufacturer(text) is None


@given(st.text(max_size=40))
def test_hostile_text_is_safe(text: str) -> None:
    name = find_manufacturer(text)
    assert name is None or name.isprintable()


@given(st.integers(0, 2**22 - 1), st.binary(min_size=3, max_size=3))
def test_names_are_clean_for_the_whole_list(number: int, device: bytes) -> None:
    # Every 24-bit block with the local and group bits clear: the upper six bits of the first octet, then two octets.
    block = bytes([number >> 16 << 2, number >> 8 & 0xFF, number & 0xFF])
    name = find_manufacturer((block + device).hex())
    assert name is None or (name.isprintable() and name == " ".join(name.split()) and name != "")


@pytest.mark.parametrize(("mac", "start"), ODD.items())
def test_odd_spaces_of_the_list_are_evened_out(mac: str, start: str) -> None:
    assert (find_manufacturer(mac) or "").startswith(start)


def test_many_threads_agree() -> None:
    together = Barrier(8)

    def ask(_: int) -> list[str | None]:
        together.wait()
        return [find_manufacturer(f"4C:5E:0C:00:{i:02X}:{j:02X}") for i, j in product(range(16), range(16))]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {name for answer in answers for name in answer} == {find_manufacturer("4C:5E:0C:00:00:00")}


def test_first_calls_of_many_threads_at_once() -> None:
    # In a process of its own: here the list is long loaded.
    command = [sys.executable, "-W", "error", "-c", FIRST_CALLS]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert answer.stderr == ""
    assert "Raspberry Pi" in answer.stdout
    assert answer.stdout.count("'") == 2


async def test_first_call_inside_an_event_loop() -> None:
    command = "import asyncio\nfrom netvigil.inventory.oui import find_manufacturer\n"
    command += (
        "async def ask():\n    return find_manufacturer('00:0C:29:00:00:01')\nprint(asyncio.run(ask()))"
    )
    answer = subprocess.run(  # noqa: ASYNC221 - the child has the loop that matters
        [sys.executable, "-W", "error", "-c", command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (answer.stdout.strip(), answer.stderr) == ("VMware, Inc.", "")
