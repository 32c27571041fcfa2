"""CPE names: one normal form from both bindings, and back."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.matching.cpe import Cpe, CpeError, escape, parse_cpe, unescape

LITERALS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def test_a_formatted_string_fills_all_eleven_attributes():
    text = "cpe:2.3:a:x:y:1.0:rc1:ed:en:pro:windows:x64:rest"
    cpe = parse_cpe(text)
    assert [getattr(cpe, field.name) for field in fields(Cpe)] == text.split(":")[2:]
    assert str(cpe) == text
    assert cpe.name == ("a", "x", "y")


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("CPE:2.3:O:MikroTik:RouterOS:6.41", "product", "routeros"),
        ("cpe:2.3:o:mikrotik:routeros", "version", "*"),
        (r"cpe:2.3:o:cisco:ios:12.2\(55\)se3", "version", r"12.2\(55\)se3"),
        ("cpe:2.3:o:cisco:ios:12.2(55)se3", "version", r"12.2\(55\)se3"),
        (r"cpe:2.3:a:x:a\:b:1", "product", r"a\:b"),
        (r"cpe:2.3:a:x:y\\:1", "product", r"y\\"),
        (r"cpe:2.3:a:x:y:1\.0\-2\_3", "version", "1.0-2_3"),
        (r"cpe:2.3:a:x:y:\-", "version", r"\-"),
        ("cpe:2.3:a:x:y:-", "version", "-"),
        (r"cpe:2.3:a:x:y:\*", "version", r"\*"),
        ("cpe:2.3:a:x:y::p1", "version", "*"),
        ("cpe:/a:igor_sysoev:nginx:1.22.1", "version", "1.22.1"),
        ("cpe:/a:mariadb:mariadb:10.11.19-0%2Bdeb12u1", "version", r"10.11.19-0\+deb12u1"),
        ("cpe:/a:x:y:%02", "version", "*"),
        ("cpe:/a:x:y:1%01", "version", "1?"),
        ("cpe:/a:x:y:%2a", "version", r"\*"),
        ("cpe:/a:x:y:%2d", "version", r"\-"),
        ("cpe:/a:x:y:1:-", "update", "-"),
        ("cpe:/a:x:y:1:p1:~~pro~windows~x64~", "sw_edition", "pro"),
        ("cpe:/a:x:y:1:p1:~~pro~windows~x64~", "target_hw", "x64"),
        ("cpe:/a:x:y:1:p1:home:de", "language", "de"),
        ("cpe:/a:x:y%zz", "product", r"y\%"),
    ],
)
def test_attributes_come_in_one_form(text, attribute, value):
    cpe = parse_cpe(text)
    assert getattr(cpe, attribute) == value
    assert parse_cpe(str(cpe)) == cpe


@pytest.mark.parametrize(
    "text",
    [
        "",
        "routeros 6.41",
        "cpe:2.2:a:x:y",
        "cpe:2.3:a:x",
        "cpe:/a:x",
        "cpe:2.3:z:x:y",
        "cpe:2.3:a:1:2:3:4:5:6:7:8:9:10:11",
        "cpe:/a:1:2:3:4:5:6:7",
        "cpe:/a:x:y:1:p1:~broken",
        "cpe:2.3:a:x:y\\",
        "cpe:2.3:a:x:y\x00z",
        "cpe:2.3:a:x:" + "y" * 3000,
    ],
)
def test_what_is_no_cpe_is_a_cpe_error(text):
    with pytest.raises(CpeError):
        parse_cpe(text)


@given(st.lists(LITERALS, min_size=10, max_size=10))
def test_any_literals_survive_a_round_trip(literals):
    cpe = Cpe("a", *(escape(literal) for literal in literals))
    assert parse_cpe(str(cpe)) == cpe


@given(LITERALS)
def test_a_literal_never_reads_as_any_or_na(literal):
    value = escape(literal)
    assert value not in ("*", "-")
    assert unescape(value) == literal.lower()


@given(st.text(max_size=60))
def test_nothing_but_a_cpe_error_comes_of_any_text(text):
    for candidate in (text, f"cpe:2.3:a:{text}", f"cpe:/a:x:{text}"):
        try:
            cpe = parse_cpe(candidate)
        except CpeError:
            continue
        assert parse_cpe(str(cpe)) == cpe
