r"""PURE: strings that a device, a feed or a person wrote, made harmless for a file that other programs open."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

CUT: Final = " […]"
CELL_LIMIT: Final = 32_000  # Excel's cells end at 32,767 characters
URL_LIMIT: Final = 2_000
# Controls but tab and line feed, marks that reorder or hide text, halves of a pair that no UTF-8 can carry.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BREAKS: Final = re.compile(r"[\t\n\r]+")
# What a spreadsheet takes for a formula, at the start or behind what it may take for the end of a cell or of a quote;
# the wide forms are read as the narrow ones under some East Asian settings.
_FORMULA_FIRST: Final = re.compile(r"""[\s"']*[=+\-@\uff1d\uff0b\uff0d\uff20]""")
_FORMULA_LATER: Final = re.compile(r"""([,;|"'][\s"']*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/()-]*")
_URL_KEPT: Final = "%:/?#[]@!$&'()*+,;=~-._"


def visible(value: object, limit: int = CELL_LIMIT) -> str:
    r"""The value as text of at most `limit` characters in which nothing hides: what cannot be seen stands as `\x1b`, `\u202e`.

    Tabs and line feeds stay, CR LF becomes LF; None becomes the empty text.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    text = _HIDDEN.sub(_escaped, text.replace("\r\n", "\n"))
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT


def one_line(value: object, limit: int = CELL_LIMIT) -> str:
    """As `visible`, with every run of line ends and tabs a blank."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return visible(_BREAKS.sub(" ", text), limit)


def cell(value: object) -> str | int | float:
    """A value for a spreadsheet: numbers stay numbers, text is one line and is never read as a formula.

    A formula's first character is preceded by an apostrophe, at the start of the cell and behind a quote or a separator,
    where a program that expects another separator begins a cell of its own (OWASP, "CSV Injection").
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) < CELL_LIMIT and _PLAIN.fullmatch(value):
        return value  # most of a table, and nothing to be done
    text = one_line(value)
    safe = _FORMULA_LATER.sub(r"\1'\2", text)
    return f"'{safe}" if _FORMULA_FIRST.match(text) else safe


def safe_url(value: object) -> str | None:
    """A link of the web with every odd character percent-encoded (RFC 3986), or None when it is no such link."""
    if not isinstance(value, str) or len(value) > URL_LIMIT:
        return None
    try:
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname or "[" in parts.netloc:
            return None
        # one that is not encoded is read as the start of something else
        path = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", value.strip())
        encoded = quote(path, safe=_URL_KEPT, encoding="utf-8", errors="replace")
        return re.sub(r"[\[\]]|(?<=#)(.*)#", lambda found: quote(found[0], safe=""), encoded)
    except ValueError:  # a port or a bracket that is none
        return None


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:  # noqa: PLR2004 - two hexadecimal digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four of them
