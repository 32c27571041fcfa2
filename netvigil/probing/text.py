"""PURE: make a device's words safe to store and show: bounded, printable, without escape sequences."""

from __future__ import annotations

import re
import unicodedata

FIELD_LIMIT = 1024
BANNER_LIMIT = 2048

# Terminal sequences: CSI (ESC [ … final byte), OSC and its kin (ESC ] … BEL or ESC \), two-character escapes.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b.?", re.DOTALL)
_DROPPED = {"Cf", "Cs", "Co", "Cn"}  # direction marks, half characters, private and unassigned ones


def clean_text(value: str | None, limit: int = FIELD_LIMIT) -> str | None:
    r"""One line of at most `limit` characters, or None when nothing printable is left.

    Terminal sequences and invisible characters are removed, white space is folded, other control
    characters (NUL too: PostgreSQL stores none) become visible as `\xNN`.
    """
    if value is None:
        return None
    # Cut before the work: a device that sends ten megabytes must not cost ten megabytes of it.
    text = _ESCAPES.sub("", value[: limit * 4])
    cleaned = "".join(_visible(character) for character in text)
    return " ".join(cleaned.split())[:limit].rstrip() or None


def clean_banner(data: bytes, limit: int = BANNER_LIMIT) -> str | None:
    r"""What a service sent, as text of at most `limit` characters; lines are kept, what is no UTF-8 shows as `\xNN`."""
    text = data[: limit * 2].decode("utf-8", "backslashreplace")
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    cleaned = "".join(character if character == "\n" else _visible(character) for character in text)
    return cleaned[:limit].strip() or None


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace() and character not in "\x1c\x1d\x1e\x1f":
        return " "
    if unicodedata.category(character) in _DROPPED:
        return ""
    return f"\\x{ord(character):02x}"
