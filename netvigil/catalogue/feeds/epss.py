"""EPSS, the probability that a CVE is exploited, as its daily CSV; each import replaces all scores.

The form: a comment with the model's version and the scores' date, a line of column names, a line for each CVE.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netvigil.catalogue.copying import ColumnType
from netvigil.catalogue.feeds.base import Block, DamagedFile, Reading, Target
from netvigil.catalogue.feeds.cutting import BYTE_ORDER_MARK, line_blocks
from netvigil.catalogue.records import CVE_ID
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_LIMIT = 4096
_COMMENT = re.compile(rb"#model_version:[^,\r\n]{0,100},score_date:([0-9TZ:.+-]{10,40})\s*")
_WANTED = ("cve", "epss", "percentile")

EPSS = Target(
    name="epss",
    columns=(
        ("cve_id", ColumnType.NAME),
        ("scored_at", ColumnType.TIME),
        ("score", ColumnType.FLOAT),
        ("percentile", ColumnType.FLOAT),
    ),
    merge=(
        # only the newest scores count, be they of this call or those that are held
        """DELETE FROM incoming_epss WHERE scored_at < (SELECT max(scored_at) FROM incoming_epss)
           OR scored_at < (SELECT max(scored_at) FROM exploit_probability)""",
        """DELETE FROM exploit_probability held WHERE EXISTS (SELECT FROM incoming_epss)
           AND NOT EXISTS (SELECT FROM incoming_epss incoming WHERE incoming.cve_id = held.cve_id)""",
        """INSERT INTO exploit_probability AS held (cve_id, scored_at, score, percentile)
           SELECT DISTINCT ON (cve_id) cve_id, scored_at, score, percentile FROM incoming_epss
           ORDER BY cve_id, score DESC, percentile DESC
           ON CONFLICT (cve_id) DO UPDATE SET (scored_at, score, percentile) =
           ROW (excluded.scored_at, excluded.score, excluded.percentile)
           WHERE (held.scored_at, held.score, held.percentile)
           IS DISTINCT FROM (excluded.scored_at, excluded.score, excluded.percentile)""",
    ),
    held="SELECT 'epss', count(*) FROM exploit_probability",
)


class Epss:
    """The Exploit Prediction Scoring System of FIRST."""

    name = "epss"
    label = "EPSS (CSV)"
    target = EPSS

    def recognises(self, head: bytes) -> bool:
        """True where the comment line of EPSS stands first."""
        return _COMMENT.match(head.removeprefix(BYTE_ORDER_MARK)) is not None

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """The lines behind the column names; the date and the columns' places go along as context."""
        context, body = _opened(chunks)
        yield from line_blocks(_whole_lines(body), context)

    def read(self, raw: bytes, context: str) -> Reading:
        """One line; FeedError where it is not a CVE with two numbers from 0 to 1."""
        date, cve, score, percentile = context.split()
        fields = raw.decode("ascii", "replace").strip().split(",")
        scored_at = datetime.fromisoformat(date)
        try:
            cve_id = fields[int(cve)]
            values = (float(fields[int(score)]), float(fields[int(percentile)]))
        except (IndexError, ValueError) as error:
            raise FeedError("A line has not the columns of EPSS.") from error
        if CVE_ID.fullmatch(cve_id) is None or not all(0 <= value <= 1 for value in values):
            raise FeedError("A line has no CVE, or a number that is not from 0 to 1.")
        return Reading(((cve_id, scored_at, *values),), scored_at)


def _opened(chunks: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """What the first two lines say, and the rest of the stream."""
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if head.count(b"\n") > 1 or len(head) > _HEAD_LIMIT:
            break
    comment, _, rest = bytes(head).removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    names, line_feed, body = rest.partition(b"\n")
    found = _COMMENT.fullmatch(comment)
    columns = names.decode("ascii", "replace").strip().split(",")
    if found is None or not line_feed or len(names) > _HEAD_LIMIT or not set(_WANTED) <= set(columns):
        raise DamagedFile(
            f"The file is damaged: its first lines do not name a date and {', '.join(_WANTED)}."
        )
    try:
        date = datetime.fromisoformat(found[1].decode())
    except ValueError as error:
        raise DamagedFile("The file is damaged: the date of its scores is none.") from error
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    places = [str(columns.index(name)) for name in _WANTED]
    return " ".join([date.isoformat(), *places]), _with_first(body, chunks)


def _with_first(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same; DamagedFile when there is no line, or the last one is cut off, for its number may be, too."""
    last = b""
    for chunk in chunks:
        last = chunk or last
        yield chunk
    if not last.endswith(b"\n"):
        raise DamagedFile("The file is damaged: it ends in the middle of a line.")
