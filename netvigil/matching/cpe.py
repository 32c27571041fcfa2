r"""CPE names as immutable values: formatted strings (CPE 2.3) and URIs (CPE 2.2) in, one normal form out.

Every attribute is kept as CPE 2.3 binds it: lower case, `*` for ANY, `-` for NA, and every other character that is no
letter, digit, dot, hyphen or underscore behind a backslash. So a literal `\*` or `\-` never reads as ANY or NA.
Source: NISTIR 7695 (naming), sections 6.1 and 6.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

ANY: Final = "*"
NA: Final = "-"
MAX_LENGTH: Final = 2000  # the longest criterion in NVD has a few hundred characters

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_FAST: Final = _PLAIN | frozenset("*:")
_PREFIX23: Final = "cpe:2.3:"
_PREFIX22: Final = "cpe:/"
_ATTRIBUTES: Final = 11
_NAMING_ATTRIBUTES: Final = 3
_URI_ATTRIBUTES: Final = 7
_PACKED_PARTS: Final = 6
_EDITION: Final = 5
_PARTS: Final = frozenset("aoh*")


class CpeError(ValueError):
    """The text is no CPE name; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Cpe:
    """One CPE name; values are in bound form (see the module), so build literals with `escape`."""

    part: str = ANY
    vendor: str = ANY
    product: str = ANY
    version: str = ANY
    update: str = ANY
    edition: str = ANY
    language: str = ANY
    sw_edition: str = ANY
    target_sw: str = ANY
    target_hw: str = ANY
    other: str = ANY

    def __str__(self) -> str:
        """The CPE 2.3 formatted string."""
        return (
            f"cpe:2.3:{self.part}:{self.vendor}:{self.product}:{self.version}:{self.update}:{self.edition}"
            f":{self.language}:{self.sw_edition}:{self.target_sw}:{self.target_hw}:{self.other}"
        )

    @property
    def name(self) -> tuple[str, str, str]:
        """(part, vendor, product): what a catalogue looks candidates up by."""
        return (self.part, self.vendor, self.product)


@lru_cache(maxsize=1 << 15)  # a feed repeats its criteria about five times, mostly close together
def parse_cpe(text: str) -> Cpe:
    """Read a CPE 2.3 formatted string or a CPE 2.2 URI.

    Short 2.3 strings are taken (from `cpe:2.3:part:vendor:product` on); what is missing is ANY.

    Raises:
        CpeError: no CPE prefix, a bad part, too few or too many attributes, control characters, too long.
    """
    if len(text) > MAX_LENGTH:
        raise CpeError(f"a CPE name of {len(text)} characters is too long")
    text = text.strip().lower()
    if text.startswith(_PREFIX23):
        body = text[len(_PREFIX23) :]
        values = body.split(":") if _FAST.issuperset(body) else [_normal(value) for value in _split(body)]
    elif text.startswith(_PREFIX22):
        values = _uri_values(text[len(_PREFIX22) :])
    else:
        raise CpeError(f"not a CPE name: {text[:60]!r}")
    return _build(values, text)


def escape(literal: str) -> str:
    """Bind a literal text as an attribute's value: lower case, blanks as `_`, punctuation behind a backslash."""
    text = "_".join(literal.lower().split())
    if text == NA:
        return r"\-"
    if _PLAIN.issuperset(text):
        return text or ANY
    return "".join(char if char in _PLAIN or char.isalnum() else f"\\{char}" for char in text)


def unescape(value: str) -> str:
    r"""The literal text of a bound value (`6.0\(2\)` → `6.0(2)`); `*` and `-` stay as they are."""
    if "\\" not in value:
        return value
    chars = iter(value)
    return "".join(next(chars, "") if char == "\\" else char for char in chars)


def _build(values: list[str], text: str) -> Cpe:
    count = len(values)
    if not _NAMING_ATTRIBUTES <= count <= _ATTRIBUTES:
        raise CpeError(f"a CPE name has 3 to 11 attributes, not {count}: {text[:80]!r}")
    if "" in values:
        values = [value or ANY for value in values]
    if values[0] not in _PARTS:
        raise CpeError(f"the part of a CPE name is a, o or h, not {values[0][:20]!r}")
    return Cpe(*values)


def _split(body: str) -> list[str]:
    """Split at colons that are not behind a backslash."""
    if "\\" not in body:
        return body.split(":")
    pieces = body.split(":")
    values: list[str] = []
    pending = ""
    for piece in pieces:
        whole = f"{pending}:{piece}" if pending else piece
        # An odd run of backslashes at the end quotes the colon that we split at.
        if (len(whole) - len(whole.rstrip("\\"))) % 2:
            pending = whole
        else:
            values.append(whole)
            pending = ""
    if pending:
        raise CpeError("a CPE name ends in a lone backslash")
    return values


def _normal(value: str) -> str:
    """Bring one 2.3 value into the one form: quoted where it must be, and only there."""
    if value in ("", ANY, NA, r"\-") or _PLAIN.issuperset(value):
        return value
    out: list[str] = []
    chars = iter(value)
    for char in chars:
        if char == "\\":
            out.append(_quoted(next(chars, "\\")))
        elif char in "*?":
            out.append(char)
        else:
            out.append(_quoted(char))
    normal = "".join(out)
    return r"\-" if normal == NA else normal


def _quoted(char: str) -> str:
    if char in _PLAIN or char.isalnum():
        return char
    if not char.isprintable() or char == " ":
        raise CpeError(f"a CPE name cannot hold the character {char!r}")
    return f"\\{char}"


def _uri_values(body: str) -> list[str]:
    parts = body.split(":")
    if len(parts) > _URI_ATTRIBUTES:
        raise CpeError(f"a CPE 2.2 URI has at most 7 attributes, not {len(parts)}")
    values = [_decoded(part) for part in parts[:_EDITION]]
    if len(parts) > _EDITION:
        packed = parts[_EDITION]
        language = _decoded(parts[_EDITION + 1]) if len(parts) > _EDITION + 1 else ANY
        if packed.startswith("~"):
            fields = packed.split("~")
            if len(fields) != _PACKED_PARTS:
                raise CpeError(f"a packed edition has five fields: {packed[:60]!r}")
            edition, *extended = (_decoded(field) for field in fields[1:])
            values += [edition, language, *extended]
        else:
            values += [_decoded(packed), language]
    return values


def _decoded(value: str) -> str:
    """One URI value: `%01` is `?`, `%02` is `*`, every other percent code a literal character (NISTIR 7695, 6.1.3)."""
    if value in ("", NA):
        return value or ANY
    if _PLAIN.issuperset(value):
        return value
    out: list[str] = []
    for index, piece in enumerate(value.split("%")):
        code, rest = (piece[:2], piece[2:]) if index else ("", piece)
        if code == "01":
            out.append("?")
        elif code == "02":
            out.append(ANY)
        elif code:
            decoded = unquote(f"%{code}", errors="replace").lower()
            out.append(decoded if decoded in _PLAIN else _quoted(decoded) if len(decoded) == 1 else r"\%")
        out.extend(_quoted(char) for char in rest)
    text = "".join(out)
    return r"\-" if text == NA else text
