"""Names of weaknesses (CWE): MITRE's XML, its CSV of a view, or a plain CSV of numbers and names.

Only the XML has the old categories (CWE-264 and so on) that NVD still names, so it is what a sync fetches.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import orjson

from netvigil.catalogue.copying import ColumnType
from netvigil.catalogue.feeds.base import RECORD_SEPARATOR, Block, DamagedFile, Reading, Target, parse_json
from netvigil.catalogue.feeds.cutting import BYTE_ORDER_MARK
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_LIMIT = 64 << 20
"""Most bytes of a file; the XML of version 4.15 has 15 MB."""

_CSV = re.compile(rb'"?(?:CWE-ID|id)"?,"?[Nn]ame"?,', re.IGNORECASE)
_XML = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>)?\s*<Weakness_Catalog[\s>]")
_NAMED = frozenset({"Weakness", "Category", "View"})
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,3})")
_NUMBER = re.compile(r"[0-9]{1,6}")
_NAME_LIMIT = 1000

CWE = Target(
    name="cwe",
    columns=(("number", ColumnType.INTEGER), ("version", ColumnType.INTEGER), ("name", ColumnType.TEXT)),
    merge=(
        """INSERT INTO weakness AS held (number, version, name)
           SELECT DISTINCT ON (number) number, version, name FROM incoming_cwe ORDER BY number, version DESC, name
           ON CONFLICT (number) DO UPDATE SET (version, name) = ROW (excluded.version, excluded.name)
           WHERE excluded.version >= held.version""",
    ),
    held="SELECT 'cwe', count(*) FROM weakness",
)


class Cwe:
    """MITRE's Common Weakness Enumeration. Numbers are never given up, so an import only adds and renames."""

    name = "cwe"
    label = "CWE (MITRE's XML or CSV)"
    target = CWE

    def recognises(self, head: bytes) -> bool:
        """True for MITRE's XML, and for a CSV whose columns begin with the number and the name."""
        head = head.removeprefix(BYTE_ORDER_MARK)
        return bool(_CSV.match(head) or _XML.match(head))

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Number, name and version of the list as JSON arrays: fields of the CSV run over several lines."""
        data = _bounded(chunks).removeprefix(BYTE_ORDER_MARK)
        entries = _from_xml(data) if _XML.match(data) else _from_csv(data)
        if not entries:
            raise DamagedFile("The file is damaged: it names no weakness.")
        yield Block(RECORD_SEPARATOR.join(orjson.dumps(entry) for entry in entries))

    def read(self, raw: bytes, context: str) -> Reading:  # noqa: ARG002 - the version goes with the record
        """One entry; FeedError without a number or a name."""
        number, name, version = parse_json(raw)
        if not _NUMBER.fullmatch(number) or not 0 < len(name) <= _NAME_LIMIT:
            raise FeedError("An entry has no number, or no name.")
        return Reading(((int(number), version, name),))


def _bounded(chunks: Iterator[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > FILE_LIMIT:
            raise FeedError(f"The file has more than {FILE_LIMIT} bytes, which no list of weaknesses has.")
    return bytes(data)


def _from_csv(data: bytes) -> list[tuple[str, str, int]]:
    if not data.endswith(b"\n"):
        raise DamagedFile("The file is damaged: it ends in the middle of a line.")
    try:
        rows = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DamagedFile(f"The file is damaged: it is no CSV ({error}).") from error
    # a row too short has no name: an empty one, so that it is counted as skipped
    return [(row[0], row[1].strip() if len(row) > 1 else "", 0) for row in rows[1:] if row]


def _from_xml(data: bytes) -> list[tuple[str, str, int]]:
    """Numbers and names out of the XML; a document type is refused, so no entity can grow or reach outside."""
    parser = expat.ParserCreate()
    entries: list[tuple[str, str, int]] = []
    version = 0

    def start(tag: str, attributes: dict[str, Any]) -> None:
        nonlocal version
        if tag == "Weakness_Catalog" and (found := _VERSION.fullmatch(attributes.get("Version", ""))):
            version = int(found[1]) * 1000 + int(found[2])
        elif tag in _NAMED:
            entries.append((attributes.get("ID", ""), attributes.get("Name", "").strip(), version))

    def refuse(*_: object) -> None:
        raise DamagedFile("The file has a document type, which the list of weaknesses never has.")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise DamagedFile(f"The file is damaged: it is no XML ({error}).") from error
    return entries
