"""PURE: take a few texts out of a device's XML, safely: no entities, bounded, and a cut-off document counts as far as it goes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DOCUMENT: Final = 64 * 1024
MAX_DEPTH: Final = 16
MAX_TEXT: Final = 1024


def read_xml_texts(document: bytes, wanted: Mapping[str, str], limit: int = MAX_TEXT) -> dict[str, str]:
    """The texts of the first element of each wanted name, whatever its namespace prefix, by what the name maps to.

    White space is folded and a text cut at `limit` characters. expat is used itself because ElementTree's parsers
    cannot refuse entities: a document that declares a type is refused from there on.
    """
    reader = _Reader(wanted, limit)
    # ValueError and LookupError: an encoding that nobody knows
    with contextlib.suppress(expat.ExpatError, _RefusedError, ValueError, LookupError):
        reader.parser.Parse(document[:MAX_DOCUMENT], True)  # noqa: FBT003 - expat's own positional flag
    return reader.found


class _RefusedError(Exception):
    """The document is none that a device writes."""


class _Reader:
    def __init__(self, wanted: Mapping[str, str], limit: int) -> None:
        self.found: dict[str, str] = {}
        self._wanted = wanted
        self._limit = limit
        self._depth = 0
        self._fact: str | None = None
        self._text = ""
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._on_start
        self.parser.EndElementHandler = self._on_end
        self.parser.CharacterDataHandler = self._on_text

    def _refuse(self, *_: object) -> None:
        raise _RefusedError

    def _on_start(self, tag: str, _: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _RefusedError
        fact = self._wanted.get(tag.rpartition(":")[2])
        self._fact = fact if fact not in self.found else None
        self._text = ""

    def _on_end(self, _: str) -> None:
        self._depth -= 1
        if self._fact is not None and (text := " ".join(self._text.split())):
            self.found[self._fact] = text
        self._fact = None

    def _on_text(self, text: str) -> None:
        if self._fact is not None and len(self._text) < self._limit:
            self._text = (self._text + text)[: self._limit]
