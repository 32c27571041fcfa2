"""CISA's list of known exploited vulnerabilities (KEV), the JSON form; each import replaces the list as a whole.

Source of the form: CISA, known_exploited_vulnerabilities_schema.json.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from netvigil.catalogue.copying import ColumnType
from netvigil.catalogue.feeds.base import RECORD_SEPARATOR, Block, DamagedFile, Reading, Target, parse_json
from netvigil.catalogue.feeds.cutting import whole_document
from netvigil.catalogue.records import CVE_ID
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

import orjson

_START = re.compile(rb'\s*\{\s*"')
_TITLE = re.compile(rb'"(?:catalogVersion|dateReleased)"\s*:\s*"')
_LIST = re.compile(rb'"vulnerabilities"\s*:\s*\[')
_COLUMNS = "cve_id, released, date_added, due_date, ransomware, name, required_action"

KEV = Target(
    name="kev",
    columns=(
        ("cve_id", ColumnType.NAME),
        ("released", ColumnType.TIME),
        ("date_added", ColumnType.DAY),
        ("due_date", ColumnType.DAY),
        ("ransomware", ColumnType.BOOLEAN),
        ("name", ColumnType.TEXT),
        ("required_action", ColumnType.TEXT),
    ),
    merge=(
        # only the newest list counts, be it of this call or the one that is held
        """DELETE FROM incoming_kev WHERE released < (SELECT max(released) FROM incoming_kev)
           OR released < (SELECT max(released) FROM known_exploited_cve)""",
        """DELETE FROM known_exploited_cve held WHERE EXISTS (SELECT FROM incoming_kev)
           AND NOT EXISTS (SELECT FROM incoming_kev incoming WHERE incoming.cve_id = held.cve_id)""",
        f"""INSERT INTO known_exploited_cve ({_COLUMNS})
           SELECT DISTINCT ON (cve_id) {_COLUMNS} FROM incoming_kev
           ORDER BY cve_id, date_added, due_date, ransomware DESC, name, required_action
           ON CONFLICT (cve_id) DO UPDATE SET ({_COLUMNS}) =
           ROW ({", ".join(f"excluded.{name}" for name in _COLUMNS.split(", "))})""",  # noqa: S608 - constants of ours
    ),
    held="SELECT 'kev', count(*) FROM known_exploited_cve",
)


class Kev:
    """CISA's Known Exploited Vulnerabilities."""

    name = "kev"
    label = "CISA KEV (JSON)"
    target = KEV

    def recognises(self, head: bytes) -> bool:
        """True for an object that has the list's version or date and a list of vulnerabilities."""
        return bool(_START.match(head) and _TITLE.search(head) and _LIST.search(head))

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """The list's entries; DamagedFile where their number is not the one that the list states."""
        document = whole_document(chunks)
        entries = document.get("vulnerabilities") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not entries:
            raise DamagedFile("The file is damaged: it lists no vulnerabilities.")
        stated = document.get("count", len(entries))
        if stated != len(entries):
            raise DamagedFile(
                f"The file is damaged: it states {stated!r:.20} entries and has {len(entries)}."
            )
        try:
            released = _released(document)
        except (TypeError, ValueError) as error:
            raise DamagedFile("The file is damaged: it does not say when it was released.") from error
        data = RECORD_SEPARATOR.join(orjson.dumps(entry) for entry in entries)
        yield Block(data, context=released.isoformat())

    def read(self, raw: bytes, context: str) -> Reading:
        """One entry; FeedError without a CVE's name or the day on which it was added."""
        entry = parse_json(raw)
        if not isinstance(entry, dict):
            raise FeedError("An entry is no JSON object.")
        cve_id = entry.get("cveID")
        if not isinstance(cve_id, str) or CVE_ID.fullmatch(cve_id) is None:
            raise FeedError("An entry has no CVE identifier.")
        released = datetime.fromisoformat(context)
        try:
            row = (
                cve_id,
                released,
                _day(entry["dateAdded"]),
                _day(entry["dueDate"]) if entry.get("dueDate") else None,
                _text(entry.get("knownRansomwareCampaignUse", "")).strip().lower() == "known",
                _text(entry.get("vulnerabilityName", "")) or None,
                _text(entry.get("requiredAction", "")) or None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FeedError(f"The entry of {cve_id} has not the form of KEV: {error}.") from error
        return Reading((row,), released)


def _released(document: dict[str, Any]) -> datetime:
    when = datetime.fromisoformat(_text(document["dateReleased"]))
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _day(value: object) -> date:
    return date.fromisoformat(_text(value)[:10])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is expected where {type(value).__name__} stands")
    return value
