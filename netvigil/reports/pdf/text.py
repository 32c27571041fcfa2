"""PURE: foreign strings as the PDF prints them: bounded, breakable, and every character visible as what it is."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import Any
from urllib.parse import quote, urlsplit

SHORT = 120
LONG = 600
BREAK = "\u200b"  # zero-width space: a line may break here, and nothing is printed

# What IBM Plex Sans and DejaVu Sans Mono draw between them: Latin with every accent, phonetics, Greek, Cyrillic,
# Armenian, Georgian, Arabic, punctuation, currency, arrows, mathematics, boxes and symbols.
_RANGES = (
    (0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x1C3), (0x1CD, 0x1E3), (0x1E6, 0x1F0), (0x1F8, 0x221), (0x224, 0x241),
    (0x250, 0x2B9), (0x2BB, 0x2C1), (0x300, 0x33F), (0x384, 0x38A), (0x38E, 0x3A1), (0x3A3, 0x3CE), (0x3D0, 0x3E1),
    (0x3F0, 0x45F), (0x490, 0x4C4), (0x4CF, 0x4F9), (0x531, 0x556), (0x561, 0x587), (0x60C, 0x60C), (0x61B, 0x61B),
    (0x61F, 0x61F), (0x621, 0x63A), (0x640, 0x655), (0x660, 0x66D), (0x6F0, 0x6F9), (0x10D0, 0x10FC), (0x1E00, 0x1E13),
    (0x1E18, 0x1E2D), (0x1E30, 0x1E4D), (0x1E54, 0x1E63), (0x1E68, 0x1E79), (0x1E7C, 0x1E99), (0x1E9E, 0x1EF9),
    (0x2010, 0x2023), (0x2026, 0x2026), (0x2030, 0x2037), (0x2039, 0x203A), (0x2044, 0x2049), (0x2074, 0x208E),
    (0x20A0, 0x20B5), (0x2116, 0x2116), (0x2122, 0x2122), (0x2153, 0x215F), (0x2190, 0x2213), (0x2217, 0x2220),
    (0x2227, 0x222D), (0x2234, 0x223D), (0x2241, 0x2269), (0x2308, 0x2315), (0x2500, 0x262F), (0x270C, 0x2727),
    (0x2729, 0x274D), (0x2761, 0x2775), (0x2798, 0x27AF), (0x27E6, 0x27EB),
)  # fmt: skip
_STARTS = [first for first, _ in _RANGES]
_PLAIN = re.compile(r"[\x20-\x7e]*")
_LONG_RUN = re.compile(r"[^\s\u200b]{21,}")
_PIECES = re.compile(r"[^/.,:;=&?_@+-]{1,12}[/.,:;=&?_@+-]?|[/.,:;=&?_@+-]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]")
_TELLS_LENGTH = 50
_AGAIN = re.compile(r"(\\u\{[0-9a-f]+\})\1{3,}")
_MARKS_IN_A_ROW = 2  # more is no writing: letters drowned in stacked accents


def shown(value: Any, limit: int = SHORT) -> str:
    r"""Any value as one printable line; cut at `limit` characters with a mark that says how long it was.

    Characters that the fonts do not draw appear as their number, `\u{4e2d}`, control and direction characters too, so
    that nothing is invisible and nothing turns a line around; half characters (lone surrogates) likewise. Long words
    get places to break. Never raises.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    cut = text[:limit]
    note = "" if len(text) <= limit else "…" if limit < _TELLS_LENGTH else f"… ({len(text):,} characters)"
    if not _PLAIN.fullmatch(cut):
        cut = _visible(unicodedata.normalize("NFC", cut))
    line = _LONG_RUN.sub(_breakable, " ".join(cut.split()))
    if _RIGHT_TO_LEFT.search(line):
        line = f"\u2068{line}\u2069"  # first strong isolate: its direction ends with it
    return line + note


def safe_url(value: Any) -> str | None:
    """The address when it is http or https with a host and nothing odd in it, else None: anything else gets no link."""
    if not isinstance(value, str) or not 0 < len(value) <= 500 or not _PLAIN.fullmatch(value):  # noqa: PLR2004 - a URL
        return None
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or port == 0:
        return None
    return quote(value, safe=":/?#[]@!$&'()*+,;=%-._~")


def _visible(text: str) -> str:
    out: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if character.isspace() and character not in "\x1c\x1d\x1e\x1f\x85\u2028\u2029":
            out.append(" ")
        elif _drawn(ord(character)) and marks <= _MARKS_IN_A_ROW:
            out.append(character)
        else:
            out.append(f"\\u{{{ord(character):x}}}")
    return _AGAIN.sub(lambda run: f"{run[1]}*{len(run[0]) // len(run[1])}", "".join(out))


def _drawn(code: int) -> bool:
    at = bisect_right(_STARTS, code) - 1
    return at >= 0 and code <= _RANGES[at][1]


def _breakable(run: re.Match[str]) -> str:
    return BREAK.join(_PIECES.findall(run[0]))
