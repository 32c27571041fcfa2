"""PURE: a language model's text made harmless: a few marks of Markdown are kept, all else is text inside a quotation."""

from __future__ import annotations

import re
from typing import Final

from netvigil.mitigation.markdown import escape_markdown, fenced, link, plain_text

MAX_CHARACTERS: Final = 6000
MAX_LINES: Final = 120
_LINE_LIMIT: Final = 1000
_THINKING: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_SCRIPT: Final = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z][^<>]{0,500}>", re.DOTALL)
_IMAGE: Final = re.compile(r"!\[([^\[\]]{0,300})\](?:\([^()]{0,2000}\)|\[[^\[\]]{0,300}\])")
_FENCE: Final = re.compile(r"\s{0,3}(?:`{3,}|~{3,})")
_HEADING: Final = re.compile(r"\s{0,3}#{1,6}(?:\s+(.*?))?[#\s]*$")
_ITEM: Final = re.compile(r"(\s{0,12})(?:[-*+•]|(\d{1,3})[.)])\s+(.*)$")
_SPANS: Final = re.compile(
    r"(?P<code>`[^`\n]{1,200}`)"
    r"|\[(?P<text>[^\[\]\n]{1,200})\]\((?P<url>[^()\s<>]{1,1000})\)"
    r"|\*\*(?P<strong>[^*\n]{1,300})\*\*"
)


def clean_written(text: str) -> str:
    """The text as a quotation: headings become bold, lists, code, bold and http(s) links stay, images and HTML go.

    Every line begins with `>`, so that nothing in it can pass for a part of our page. Empty where nothing is left.
    """
    for pattern in (_THINKING, _SCRIPT, _TAG):
        text = pattern.sub(" ", text[: 4 * MAX_CHARACTERS])
    text = _IMAGE.sub(r"\1", text)[:MAX_CHARACTERS]
    cleaned = _lines(text.replace("\r\n", "\n").split("\n")[:MAX_LINES])
    joined = "\n".join(cleaned).strip("\n")
    return "\n".join(f"> {line}".rstrip() for line in joined.split("\n")) if joined.strip() else ""


def _lines(lines: list[str]) -> list[str]:
    cleaned: list[str] = []
    block: list[str] | None = None
    for line in lines:
        if _FENCE.match(line):
            if block is None:
                block = []
            else:
                cleaned += fenced(block, "text").split("\n")
                block = None
        elif block is not None:
            block.append(_code_line(line))
        else:
            cleaned.append(_line(line))
    if block:
        cleaned += fenced(block, "text").split("\n")
    return cleaned


def _line(line: str) -> str:
    if not line.strip():
        return ""
    if heading := _HEADING.match(line):
        words = (heading[1] or "").strip("*_ ")
        return f"**{escape_markdown(words, _LINE_LIMIT)}**" if words else ""
    if item := _ITEM.match(line):
        indent = "  " * min(len(item[1]) // 2, 3)
        return f"{indent}{f'{item[2]}.' if item[2] else '-'} {_inline(item[3])}"
    return _inline(line)


def _inline(line: str) -> str:
    parts: list[str] = []
    at = 0
    for span in _SPANS.finditer(line[:_LINE_LIMIT]):
        parts += [_text(line[at : span.start()], first=not parts), _span(span)]
        at = span.end()
    parts.append(_text(line[at:_LINE_LIMIT], first=not parts))
    return "".join(parts).strip()


def _span(span: re.Match[str]) -> str:
    if span["code"]:
        inner = plain_text(span["code"].strip("`"))
        return f"`{inner}`" if inner else ""
    if span["strong"]:
        return f"**{escape_markdown(span['strong'])}**" if span["strong"].strip() else ""
    return link(span["url"], span["text"]) or escape_markdown(span["text"])


def _text(text: str, *, first: bool) -> str:
    """Escaped, with the blanks at its ends, which part it from the next span."""
    if not text.strip():
        return " " if text and not first else ""
    before = " " if text[0].isspace() and not first else ""
    return f"{before}{escape_markdown(text)}{' ' if text[-1].isspace() else ''}"


def _code_line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * min(indent, 12) + plain_text(line, _LINE_LIMIT)
