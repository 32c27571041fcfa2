"""Whatever a feed or a device says is text: rendered by a real Markdown parser, it is the text that went in."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from netvigil.mitigation.markdown import (
    cell,
    code,
    escape_markdown,
    fenced,
    link,
    plain_text,
    safe_url,
    table,
)

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = st.text(alphabet=st.sampled_from(list("ab1 \t\n\\`*_{}[]()<>#+-=.!|~&:/@\"'$^;w")), max_size=60)
ANY = st.one_of(NASTY, st.text(max_size=60))


def rendered_text(markdown):
    """The one paragraph's text; fails when anything but text came out."""
    tokens = PARSER.parse(markdown)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], tokens
    assert {child.type for child in tokens[1].children} <= {"text"}, tokens[1].children
    return "".join(child.content for child in tokens[1].children)


@given(ANY)
@example("# heading")
@example("1. item")
@example("- item")
@example("===")
@example("```")
@example("[x]: http://a.example")
@example("![x](http://a.example/p.png)")
@example("<script>alert(1)</script>")
@example("&lt;b&gt;")
@example("a\n\n# b")
@example("    code")
@example("a\\")
def test_text_renders_as_itself(value):
    plain = plain_text(value)
    if plain:
        assert rendered_text(escape_markdown(value)) == plain


@given(ANY)
def test_nothing_is_left_that_a_renderer_links_by_itself(value):
    escaped = escape_markdown(value)
    assert not re.search(r"://|www\.|[^\s\\]\.[a-z]|@|<|>", escaped)


@given(st.lists(ANY, min_size=2, max_size=2))
def test_a_table_keeps_its_cells(values):
    tokens = PARSER.parse(table(("a", "b"), [[cell(one) for one in values]]))
    inline = [token for token in tokens if token.type == "inline"][2:]
    assert len(inline) == 2
    for token, value in zip(inline, values, strict=True):
        assert {child.type for child in token.children} <= {"text"}
        assert token.content == "-" or plain_text(value, 160).replace(" ", "") == "".join(
            child.content for child in token.children
        ).replace(" ", "")


@given(ANY)
def test_a_code_span_stays_one(value):
    tokens = PARSER.parse(f"x {code(value)} y")
    assert [child.type for child in tokens[1].children if child.type != "text"] in (["code_inline"], [])
    assert not any(token.type.startswith(("heading", "html", "fence")) for token in tokens)


@given(st.lists(ANY, max_size=4))
def test_a_block_of_commands_holds_its_lines(lines):
    lines = [plain_text(one) for one in lines]
    tokens = PARSER.parse(fenced(lines, "sh"))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content.rstrip("\n") == "\n".join(lines).rstrip("\n")


@given(ANY)
def test_a_url_never_leaves_its_link(value):
    shown = link(f"https://host.example/{value}", "text")
    if shown is not None:
        [inline] = [token for token in PARSER.parse(f"before {shown} after") if token.type == "inline"]
        opened = [child for child in inline.children if child.type == "link_open"]
        assert len(opened) == 1
        assert opened[0].attrs["href"].startswith("https://host.example/")
        assert not any(child.type in {"html_inline", "image"} for child in inline.children)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://host.example/",
        "https://user@host.example/",
        "https:///path",
        "https://ho st.example/",
        "https://host.example/\x00",
        "https://[bad",
        "https://r\u0430ypal.example/",
        "//host.example/",
        "",
        "https://host.example/" + "a" * 3000,
    ],
)
def test_only_plain_web_addresses_become_links(url):
    assert safe_url(url) is None
    assert link(url) is None


def test_a_reference_shows_its_address():
    shown = link("https://host.example/a_(b)?c=<d>|e")
    assert shown == "<https://host.example/a_(b)?c=%3Cd%3E%7Ce>"
    assert html.unescape(PARSER.render(shown)).count("<a ") == 1


def test_long_text_is_cut_with_an_ellipsis():
    assert plain_text("a" * 50, 10) == "aaaaaaaaa…"
    assert len(plain_text("x " * 9000)) <= 6000


def test_direction_marks_and_terminal_sequences_are_left_out():
    assert escape_markdown("rou\u202eter\x1b[31m\u200b") == "router"


def test_ordinary_words_stay_readable():
    assert escape_markdown("RouterOS before 6.49.7, see CVE-2018-14847: a test.") == (
        "RouterOS before 6.49.7, see CVE-2018-14847: a test."
    )
