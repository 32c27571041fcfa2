from __future__ import annotations

from netvigil.probing.text import clean_banner, clean_text


def test_terminal_sequences_and_controls_do_not_survive():
    assert clean_text("\x1b[31mroot\x1b[0m\x1b]0;title\x07 ok\x00\x07") == "root ok\\x00\\x07"


def test_invisible_direction_marks_and_half_characters_are_dropped():
    assert clean_text("a\u202eb\u200bc\ud800d") == "abcd"


def test_white_space_is_folded_and_nothing_is_none():
    assert clean_text(" a\r\n\tb  ") == "a b"
    assert clean_text(" \x1b[2J ") is None
    assert clean_text(None) is None


def test_length_is_cut_also_for_megabytes():
    assert clean_text("x" * 10_000_000) == "x" * 1024
    assert len(clean_banner(b"\xff" * 10_000_000)) == 2048


def test_a_banner_keeps_its_lines_and_shows_what_is_no_text():
    assert clean_banner(b"220 ready\r\n\xff\xfb\x01\x1b[1mhi\r\n\r\n") == "220 ready\n\\xff\\xfb\\x01hi"
    assert clean_banner("Grüße".encode()) == "Grüße"
    assert clean_banner(b"\r\n") is None
