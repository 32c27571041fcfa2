"""OSV: in which package version a distribution (Debian, Ubuntu, Alpine, RPM rebuilds) has fixed a CVE.

Read are single records, one a line, and an ecosystem's whole zip with a file a record. Records of other ecosystems
(PyPI, npm, …) are read and give nothing. Source: the OSV schema, `affected[].ranges` of type ECOSYSTEM.
"""

from __future__ import annotations

import re
import struct
import tempfile
import zipfile
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from netvigil.catalogue.copying import ColumnType
from netvigil.catalogue.feeds.base import (
    BLOCK_SIZE,
    RECORD_LIMIT,
    RECORD_SEPARATOR,
    Block,
    DamagedFile,
    Reading,
    Target,
    parse_json,
)
from netvigil.catalogue.feeds.cutting import line_blocks, peek, single_block
from netvigil.catalogue.feeds.files import FILE_LIMIT
from netvigil.errors import FeedError
from netvigil.matching.package_versions import Scheme, package_key, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

ROW_LIMIT: Final = 100_000
"""Most rows of one record; a kernel's advisory with all its CVEs and packages has some ten thousand."""

MEMBER_LIMIT: Final = 1_000_000
"""Most files in a zip; the largest ecosystem has some hundred thousand records."""

_ZIP_MAGIC: Final = b"PK\x03\x04"
_ZIP_HEADER: Final = 30
# What zipfile raises at wrong offsets, sums, methods and passwords.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    OSError,
    ValueError,
    struct.error,
)
_DEFLATED: Final = 8
_TEXT_LIMIT: Final = 256
_CVE: Final = re.compile(r"(?:[A-Z]+-)?(CVE-\d{4}-\d{4,19})")
_RED_HAT: Final = re.compile(r"enterprise_linux:(\d+)\b")

_FIX: Final = "advisory, ecosystem, release, package, cve_id, introduced, fixed, last_affected"

OSV: Final = Target(
    name="osv",
    columns=(
        ("advisory", ColumnType.NAME),
        ("modified", ColumnType.TIME),
        ("withdrawn", ColumnType.BOOLEAN),
        ("ecosystem", ColumnType.NAME),
        ("release", ColumnType.NAME),
        ("package", ColumnType.NAME),  # None in the one row that stands for the record itself
        ("cve_id", ColumnType.NAME),
        ("introduced", ColumnType.TEXT),
        ("fixed", ColumnType.TEXT),
        ("last_affected", ColumnType.TEXT),
    ),
    merge=(
        """
        DELETE FROM incoming_osv older
        USING (SELECT advisory, max(modified) AS modified FROM incoming_osv GROUP BY advisory) newest
        WHERE older.advisory = newest.advisory AND older.modified < newest.modified
        """,
        """
        DELETE FROM incoming_osv incoming USING package_advisory held
        WHERE held.advisory = incoming.advisory AND held.modified > incoming.modified
        """,
        # what differs from before is matched again: a CVE counts as changed with its fixes
        f"""
        CREATE TEMPORARY TABLE changed_osv ON COMMIT DROP AS
        WITH before AS (
            SELECT {_FIX} FROM package_fix WHERE advisory IN (SELECT advisory FROM incoming_osv)
        ), after AS (SELECT {_FIX} FROM incoming_osv WHERE package IS NOT NULL)
        SELECT DISTINCT cve_id FROM (
            (TABLE before EXCEPT TABLE after) UNION ALL (TABLE after EXCEPT TABLE before)
        ) difference
        """,  # noqa: S608 - _FIX is a constant of ours
        "UPDATE cve SET catalogue_version = %(version)s WHERE cve_id IN (SELECT cve_id FROM changed_osv)",
        """
        DELETE FROM package_fix USING incoming_osv incoming
        WHERE package_fix.advisory = incoming.advisory AND incoming.package IS NULL
        """,
        f"INSERT INTO package_fix ({_FIX}) SELECT DISTINCT {_FIX} FROM incoming_osv WHERE package IS NOT NULL",  # noqa: S608 - a constant of ours
        """
        INSERT INTO package_advisory (advisory, catalogue_version, modified, withdrawn)
        SELECT advisory, %(version)s, max(modified), bool_or(withdrawn) FROM incoming_osv
        WHERE package IS NULL GROUP BY advisory
        ON CONFLICT (advisory) DO UPDATE SET (catalogue_version, modified, withdrawn) =
            ROW (excluded.catalogue_version, excluded.modified, excluded.withdrawn)
        """,
        "ANALYZE package_fix",
    ),
    held="SELECT 'osv', count(*) FROM package_advisory WHERE NOT withdrawn",
    changed="SELECT count(*) FROM changed_osv",
)


class Osv:
    """The feed; see the module."""

    name = "osv"
    label = "OSV (a record, one a line, or an ecosystem's zip)"
    target = OSV

    def recognises(self, head: bytes) -> bool:
        """A record of OSV at the start, or in the first file of a zip."""
        if head.startswith(_ZIP_MAGIC):
            head = _first_member(head)
        return _is_record(_first_line(head)) or _is_record(head)

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """The records: a zip's files, the lines, or the whole as one."""
        head, whole = peek(chunks)
        if head.startswith(_ZIP_MAGIC):
            yield from _zip_blocks(whole)
        elif _is_record(_first_line(head)):
            yield from line_blocks(whole)
        else:
            yield single_block(whole)

    def read(self, raw: bytes, context: str) -> Reading:  # noqa: ARG002 - the records say all themselves
        """One row for the record, and one for each affected range of each package and CVE."""
        record = parse_json(raw)
        if not isinstance(record, dict):
            raise FeedError("An OSV record is an object.")
        advisory, modified = _text(record.get("id"), "id"), _time(record.get("modified"))
        withdrawn = record.get("withdrawn") is not None
        rows: list[tuple[Any, ...]] = [(advisory, modified, withdrawn, *[None] * 7)]
        cve_ids = [] if withdrawn else _cve_ids(advisory, record)
        for place in _places(record) if cve_ids else ():
            rows += [(advisory, modified, False, *place[:3], cve_id, *place[3:]) for cve_id in cve_ids]
            if len(rows) > ROW_LIMIT:
                raise FeedError(f"The record gives more than {ROW_LIMIT} rows.")
        return Reading(rows, modified)


# --------------------------------------------------------------------- form
def _first_line(head: bytes) -> bytes:
    return head.lstrip().partition(b"\n")[0]


def _is_record(text: bytes) -> bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(value, dict) or not {"id", "modified"} <= value.keys():
        return False
    affected = value.get("affected")
    first = affected[0] if isinstance(affected, list) and affected else None
    return "schema_version" in value or (isinstance(first, dict) and "package" in first)


def _first_member(head: bytes) -> bytes:
    """The start of a zip's first file; the local header in front of it is enough for that (APPNOTE 4.3.7)."""
    method = int.from_bytes(head[8:10], "little")
    name, extra = (int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
    size = int.from_bytes(head[18:22], "little")
    data = head[_ZIP_HEADER + name + extra :]
    if method != _DEFLATED:
        return data[:size]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, RECORD_LIMIT)
    except zlib.error:
        return b""


def _zip_blocks(chunks: Iterable[bytes]) -> Iterator[Block]:
    """A zip's index stands at its end, so it goes to disk first; a member that lies about its size is refused."""
    with tempfile.TemporaryFile(prefix="netvigil-osv-") as spool:
        for chunk in chunks:
            spool.write(chunk)
        spool.seek(0)
        try:
            yield from _member_blocks(spool)
        except _UNREADABLE as error:
            raise DamagedFile(f"The zip is damaged or cut off: {error}.") from error


def _member_blocks(spool: BinaryIO) -> Iterator[Block]:
    records: list[bytes] = []
    size = total = 0
    with zipfile.ZipFile(spool) as archive:
        members = [one for one in archive.infolist() if one.filename.endswith(".json")]
        if len(members) > MEMBER_LIMIT:
            raise FeedError(f"The zip holds more than {MEMBER_LIMIT} files.")
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise FeedError("The zip is packed in a way that netvigil does not read.")
            with archive.open(member) as file:
                data = file.read(RECORD_LIMIT + 1)
            size, total = size + len(data), total + len(data)
            if len(data) > RECORD_LIMIT or total > FILE_LIMIT:
                raise FeedError(
                    f"The zip holds a record of more than {RECORD_LIMIT}, or in all {FILE_LIMIT} bytes."
                )
            records.append(data)
            if size >= BLOCK_SIZE:
                yield _block(records)
                records, size = [], 0
    yield _block(records)


def _block(records: Iterable[bytes]) -> Block:
    return Block(RECORD_SEPARATOR.join(records))


# --------------------------------------------------------------------- record
def _cve_ids(advisory: str, record: dict[str, Any]) -> list[str]:
    """The CVEs that a record is about: by its own name, `aliases` and `upstream`; `related` only where those say none."""
    for names in (
        [advisory, *_list(record, "aliases"), *_list(record, "upstream")],
        _list(record, "related"),
    ):
        found = {match[1] for name in names if isinstance(name, str) and (match := _CVE.fullmatch(name))}
        if found:
            return sorted(found)
    return []


def _places(record: dict[str, Any]) -> Iterator[tuple[str | None, ...]]:
    """(ecosystem, release, package, introduced, fixed, last affected) of every affected range."""
    for affected in _list(record, "affected"):
        package = affected.get("package") if isinstance(affected, dict) else None
        if not isinstance(package, dict):
            raise FeedError("An affected entry names no package.")
        ecosystem, _, release = _text(package.get("ecosystem"), "ecosystem").partition(":")
        scheme = scheme_of(ecosystem)
        if scheme is None:
            continue
        where = (ecosystem, _release(release), _text(package.get("name"), "name"))
        ranges = [one for one in _list(affected, "ranges") if isinstance(one, dict)]
        for one in ranges:
            if one.get("type") == "ECOSYSTEM":
                yield from ((*where, *bounds) for bounds in _intervals(_list(one, "events"), scheme))
        if not ranges:
            yield from ((*where, *bounds) for bounds in _listed(_list(affected, "versions"), scheme))


def _release(text: str) -> str:
    """`12`, `22.04`, `Pro:18.04`, `v3.18`; of Red Hat's long names the major version."""
    named = _RED_HAT.match(text)
    return named[1] if named else text.removesuffix(":LTS")


def _intervals(events: list[Any], scheme: Scheme) -> Iterator[tuple[str | None, str | None, str | None]]:
    """(introduced, fixed, last affected) of a range's events, in the versions' order as the schema demands."""
    found: list[tuple[tuple[Any, ...], int, str]] = []
    for event in events:
        for order, kind in enumerate(("introduced", "fixed", "last_affected")):
            version = event.get(kind) if isinstance(event, dict) else None
            if version is not None:
                text = _text(version, kind)
                key = () if text == "0" else package_key(scheme, text)
                if key is None:
                    raise FeedError(f"{text[:60]!r} is no version of a package there.")
                found.append((key, order, text))
    start: str | None = None
    for _, order, version in sorted(found):
        if order == 0:
            start = start if start is not None else version
        elif start is not None:
            introduced = None if start == "0" else start
            yield (introduced, version, None) if order == 1 else (introduced, None, version)
            start = None
    if start is not None:
        yield (None if start == "0" else start, None, None)


def _listed(versions: list[Any], scheme: Scheme) -> Iterator[tuple[str | None, str | None, str | None]]:
    """Where only single versions are named: from the first to the last, for a distribution names all that it had."""
    keys = {package_key(scheme, text): text for text in versions if isinstance(text, str)}
    known = sorted((key, text) for key, text in keys.items() if key is not None)
    if known:
        yield (known[0][1], None, known[-1][1])


def _list(value: dict[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise FeedError(f"OSV's {key!r} is a list.")
    return found


def _text(value: object, key: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_LIMIT:
        raise FeedError(f"OSV's {key!r} is a text of at most {_TEXT_LIMIT} characters.")
    return value


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(_text(value, "modified"))
    except ValueError as error:
        raise FeedError("OSV's 'modified' is no time.") from error
    if time.tzinfo is None:
        raise FeedError("OSV's 'modified' has no zone.")
    return time
