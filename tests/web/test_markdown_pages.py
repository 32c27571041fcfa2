"""Markdown in pages: what feeds and models say stays text, whatever it looks like."""

import pytest

from netvigil.web.markdown import render_markdown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "<javascript:alert(1)>",
        "[x](//evil.test)",
        "[x]: javascript:alert(1)\n\n[x]",
        "<a href='https://evil.test' onclick='x'>y</a>",
        "`</code><script>alert(1)</script>`",
        "```\n</code></pre><script>alert(1)</script>\n```",
    ],
)
def test_nothing_runs_or_loads(text):
    html = render_markdown(text).lower()
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html


def test_pictures_are_not_fetched():
    html = render_markdown("![x](https://evil.test/x.png)")
    assert "<img" not in html
    assert "src" not in html


def test_links_to_the_web_are_links_without_trust():
    html = render_markdown('[NVD](https://nvd.nist.gov/x?a=1&b="2")')
    assert 'rel="noopener noreferrer nofollow external"' in html
    assert 'href="https://nvd.nist.gov/x?a=1&amp;b=' in html


def test_page_keeps_its_one_first_heading():
    assert render_markdown("# Title\n\n# Next\n\ntext", skip_title=True) == "<h2>Next</h2>\n<p>text</p>\n"


def test_tables_are_tables():
    assert "<td>1</td>" in render_markdown("| a |\n|---|\n| 1 |")
