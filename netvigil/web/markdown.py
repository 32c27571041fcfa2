"""PURE: Markdown to HTML that can hold no markup of its own: no HTML, no images, links to the web only."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

_SCHEMES = frozenset({"http", "https"})
_TOP_HEADING = 2  # the page has the one heading above
# What may be wider than its column scrolls, and whatever scrolls must be reached by keyboard. Text is escaped, so these
# are never anything but the renderer's own tags.
_WIDE = (
    ("<pre>", '<pre tabindex="0">'),
    ("<table>", '<div class="wide" role="region" aria-label="Table" tabindex="0"><table>'),
    ("</table>", "</table></div>"),
)


def _is_web_address(url: str) -> bool:
    try:
        return urlsplit(url).scheme in _SCHEMES
    except ValueError:
        return False


def _open_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, _env: Any
) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow external")
    return renderer.renderToken(tokens, index, options, _env)


def _make() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable("image")
    reader.validateLink = _is_web_address  # type: ignore[method-assign]
    reader.add_render_rule("link_open", _open_link)
    return reader


_READER = _make()


def render_markdown(text: str, *, skip_title: bool = False) -> Markup:
    """The text as HTML; `skip_title` leaves out a first heading that the page shows already."""
    tokens = _READER.parse(text)
    if skip_title and tokens and tokens[0].type == "heading_open":
        tokens = tokens[3:]
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, max(_TOP_HEADING, int(token.tag[1:])))}"
    html = _READER.renderer.render(tokens, _READER.options, {})
    for plain, wide in _WIDE:
        html = html.replace(plain, wide)
    return Markup(html)  # noqa: S704 - escaped by the renderer
