"""What a language model writes is cleaned: a quotation with a few marks, no HTML, no images, no heading of its own."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from netvigil.mitigation.cleaning import MAX_CHARACTERS, clean_written

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALLOWED = {
    "text",
    "strong_open",
    "strong_close",
    "code_inline",
    "link_open",
    "link_close",
    "softbreak",
    "hardbreak",
}
NASTY = st.text(alphabet=st.sampled_from(list("ab1 \n\\`*_[]()<>#+-=.!|~&:/'\"")), max_size=200)


def assert_harmless(section):
    tokens = PARSER.parse(section)
    assert tokens[0].type == "blockquote_open"
    assert tokens[-1].type == "blockquote_close"
    assert sum(token.type == "blockquote_open" and token.level == 0 for token in tokens) == 1
    assert not [token.type for token in tokens if token.type.startswith(("heading", "html", "table"))]
    for token in tokens:
        for child in token.children or ():
            assert child.type in ALLOWED, child
            if child.type == "link_open":
                assert child.attrs["href"].startswith(("http://", "https://"))


@given(st.one_of(NASTY, st.text(max_size=200)))
def test_whatever_is_written_stays_a_harmless_quotation(text):
    section = clean_written(text)
    if section:
        assert_harmless(section)


def test_useful_marks_stay():
    section = clean_written(
        "## Steps\n\n1. **Restrict** access, see [MikroTik](https://mikrotik.com/a).\n- run `ip service print`\n\n"
        "```\n/ip service disable www\n# a comment\n```\n"
    )
    assert section.split("\n") == [
        "> **Steps**",
        ">",
        "> 1. **Restrict** access, see [MikroTik](<https://mikrotik.com/a>).",
        "> - run `ip service print`",
        ">",
        "> ```text",
        "> /ip service disable www",
        "> # a comment",
        "> ```",
    ]
    assert_harmless(section)


def test_html_images_and_other_links_go():
    section = clean_written(
        "<think>secret plans</think>Hello <b>you</b><script>alert(1)</script>\n"
        "![tracker](https://evil.example/p.png) [click](javascript:alert) <img src=x onerror=alert(1)>\n"
        "[ref]: https://evil.example\nhttps://evil.example/bare\n"
    )
    assert_harmless(section)
    rendered = PARSER.render(section)
    for word in ("<script", "alert(1)", "<img", "<a ", "secret plans", "javascript:"):
        assert word not in rendered, word
    assert "Hello" in rendered
    assert "click" in rendered


def test_it_cannot_pass_for_a_part_of_the_page():
    section = clean_written(
        "text\n\n# CVE-2018-14847: fixed\n\n## Your devices\n\n| a | b |\n| --- | --- |\n| c | d |\n---\n"
    )
    assert_harmless(section)
    assert all(line.startswith(">") for line in section.split("\n"))


def test_an_open_fence_is_closed():
    section = clean_written("```sh\nrm -rf /\n")
    assert section.split("\n")[-1] == "> ```"
    assert_harmless(section)


def test_nothing_but_markup_is_nothing():
    assert clean_written("") == ""
    assert clean_written("<p></p>\n![](x)\n#\n") == ""


def test_length_is_bounded():
    assert len(clean_written("word " * 100_000)) < 2 * MAX_CHARACTERS
    assert len(clean_written("\n".join("x" * 200_000)).split("\n")) <= 120
