"""PURE: Markdown in which whatever a feed or a device says is text, and never a heading, a link, an image or HTML.

Source: CommonMark 0.31 (any ASCII punctuation may stand behind a backslash; entities never begin a construct) and GitHub's
extensions: tables end a cell at a bare `|`, and bare addresses become links where `://` or `www.` stands in plain text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from netvigil.probing.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEXT_LIMIT: Final = 6000
CELL_LIMIT: Final = 160
URL_LIMIT: Final = 2000
_LINK_TEXT_LIMIT: Final = 90
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "&#64;"}
_ALWAYS: Final = re.compile(r"[\\`*_\[\]#~$]")
# what makes a bare address: a colon before a slash, a dot before a letter, as in https://x, www.x and x.com
_ADDRESS: Final = re.compile(r"(?<=\S)(?::(?=/)|\.(?=[^\W\d_]))")
_AT_START: Final = re.compile(r"^(?:([-+=])|(\d{1,9})([.)])(?=\s|$))")
_URL_SAFE: Final = "!#$&'()*+,/:;=?@[]~%"
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
_FENCE_RUN: Final = re.compile(r"`+")


def escape_markdown(value: str, limit: int = TEXT_LIMIT) -> str:
    """One line of text that renders as itself wherever text may stand: in a paragraph, a list, a table's cell, a link.

    White space is folded, invisible and direction-changing characters are left out, the rest is at most `limit`
    characters, an ellipsis marking the cut.
    """
    plain = plain_text(value, limit)
    escaped = _ADDRESS.sub(r"\\\g<0>", "".join(_escape(character) for character in plain))
    start = _AT_START.match(escaped)
    if start is None:
        return escaped
    if start[1]:
        return f"\\{escaped}"
    return f"{start[2]}\\{escaped[len(start[2]) :]}"


def plain_text(value: str, limit: int = TEXT_LIMIT) -> str:
    """The text that `escape_markdown` shows, without its escapes."""
    text = clean_text(value, limit + 1) or ""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def cell(value: str | None) -> str:
    """A table's cell: bounded text; a dash for what is not known."""
    return escape_markdown(value, CELL_LIMIT) if value and value.strip() else "-"


def code(value: str) -> str:
    """A code span of text that we vouch for, such as a vector; a pipe would end a cell and is shown as a bar."""
    text = plain_text(value, CELL_LIMIT).replace("|", "¦")
    if not text:
        return "-"
    fence = "`" * (max((len(run) for run in _FENCE_RUN.findall(text)), default=0) + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(lines: Iterable[str], language: str) -> str:
    """A block of commands. The lines are ours and hold validated values only; a fence longer than any run keeps them in."""
    body = "\n".join(lines)
    fence = "`" * max(3, max((len(run) for run in _FENCE_RUN.findall(body)), default=0) + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [_row(header), _row(["---"] * len(header))]
    return "\n".join([*lines, *(_row(row) for row in rows)])


def safe_url(url: str) -> str | None:
    """The URL in a form that cannot end a link, None where it is not http(s) to a host, or hides one behind a name."""
    text = url.strip()
    if len(text) > URL_LIMIT or any(not character.isprintable() or character.isspace() for character in text):
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    if not _HOST.fullmatch(host):
        return None
    return quote(text, safe=_URL_SAFE)


def link(url: str, text: str | None = None) -> str | None:
    """A link to an http(s) address, shown as `text` or as the address itself; None where the address is no such one."""
    safe = safe_url(url)
    if safe is None:
        return None
    return f"[{escape_markdown(text, _LINK_TEXT_LIMIT)}](<{safe}>)" if text else f"<{safe}>"


def _escape(character: str) -> str:
    return _ENTITIES.get(character) or (f"\\{character}" if _ALWAYS.match(character) else character)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
