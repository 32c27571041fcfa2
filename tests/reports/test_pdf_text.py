"""Foreign strings as the PDF prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netvigil.reports.pdf.text import BREAK, safe_url, shown


@pytest.mark.parametrize(
    "text",
    ['#eval("1")', "*bold* _x_", "$x$", "<label>", "@ref", "= heading", "- item", "`raw`", "\\u{41}", "// c", "/* c */",
     "a--b", "~", '#import "x"', "grün & größer", "Сервер-1", "Ελλάδα", "İstanbul"],
)  # fmt: skip
def test_writable_strings_stay_as_they_are(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\u202eabc", "\\u{202e}abc"),
        ("a\x00b\x1b[31m", "a\\u{0}b\\u{1b}[31m"),
        ("\ud800x", "\\u{d800}x"),
        ("中文", "\\u{4e2d}\\u{6587}"),
        ("ok 😀", "ok \\u{1f600}"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("zero\u200bwidth\ufeff", "zero\\u{200b}width\\u{feff}"),
        ("soft\u00adhyphen", "soft\\u{ad}hyphen"),
        ("u\u0308ber", "über"),
        (None, ""),
        (7, "7"),
    ],
)
def test_what_no_font_draws_is_written_as_its_number(text, printed):
    assert shown(text).replace(BREAK, "") == printed


def test_stacked_accents_do_not_climb_over_other_lines():
    assert shown("q" + "\u0301" * 50).count("\u0301") == 2


def test_right_to_left_names_keep_to_themselves():
    name = "\u062e\u0627\u062f\u0645"
    assert shown(name) == f"\u2068{name}\u2069"


def test_long_words_are_cut_with_a_mark_and_can_break():
    printed = shown("A" * 10_240, 600)
    assert printed.endswith("… (10,240 characters)")
    assert max(len(piece) for piece in printed.split(BREAK)) <= 40
    assert printed.replace(BREAK, "").startswith("A" * 600 + "…")


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_nothing_raises_and_nothing_invisible_is_left(text):
    printed = shown(text)
    assert all(one.isprintable() or one in {BREAK, "\u2068", "\u2069", "\xa0"} for one in printed)
    printed.encode()  # no half character is left


@pytest.mark.parametrize("url", ["https://vendor.example/a?b=c#d", "http://10.0.0.1:8080/"])
def test_web_addresses_are_links(url):
    assert safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "file:///etc/passwd", "https://", "https://user@host.example/", "data:text/html,x",
     "https://a.example/\u202e", "https://a.example:99999/", "//a.example", "mailto:a@b.example", "", None, 7,
     "https://a.example/" + "x" * 600, "https://[::1"],
)  # fmt: skip
def test_anything_else_is_none(url):
    assert safe_url(url) is None
