"""The CVE list in record format 5, with what CISA adds to it (its ADP container).

Source: CVE JSON record format 5.1. The CNA's container tells what the CVE is; every container's scores, weaknesses,
links and affected products count. The second source after NVD, and the first where NVD has not analysed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from netvigil.catalogue.encoding import pack
from netvigil.catalogue.feeds.base import Block, Reading
from netvigil.catalogue.feeds.cutting import BYTE_ORDER_MARK, is_json, line_blocks, peek, single_block
from netvigil.catalogue.feeds.cvelist_affected import Affected, encode_affected
from netvigil.catalogue.feeds.nvd import utc_time
from netvigil.catalogue.feeds.nvd_form import Link, Text, decode, english, links
from netvigil.catalogue.feeds.scores import StoredMetric, best, ordered, stored_metric
from netvigil.catalogue.parts import CVE_PARTS, StoredPart
from netvigil.catalogue.records import CVE_ID, REJECTED
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD = re.compile(rb'"dataType"\s*:\s*"CVE_RECORD"')
_FORM = "the CVE list 5"


class _Score(msgspec.Struct, gc=False):
    version: str
    vectorString: str
    baseScore: float
    baseSeverity: str | None = None


class _Metric(msgspec.Struct, gc=False):
    cvssV4_0: _Score | None = None
    cvssV3_1: _Score | None = None
    cvssV3_0: _Score | None = None
    cvssV2_0: _Score | None = None


class _Problem(msgspec.Struct, gc=False):
    cweId: str | None = None
    description: str | None = None


class _Problems(msgspec.Struct, gc=False):
    descriptions: list[_Problem] = []


class _Provider(msgspec.Struct, gc=False):
    shortName: str = ""


class _Container(msgspec.Struct, gc=False):
    providerMetadata: _Provider = msgspec.field(default_factory=_Provider)
    descriptions: list[Text] = []
    rejectedReasons: list[Text] = []
    affected: list[Affected] = []
    metrics: list[_Metric] = []
    problemTypes: list[_Problems] = []
    references: list[Link] = []


class _Containers(msgspec.Struct, gc=False):
    cna: _Container
    adp: list[_Container] = []


class _Meta(msgspec.Struct, gc=False):
    cveId: str
    state: str
    dateUpdated: str | None = None
    datePublished: str | None = None
    dateReserved: str | None = None
    dateRejected: str | None = None
    assignerShortName: str = ""


class _Record(msgspec.Struct, gc=False):
    cveMetadata: _Meta
    containers: _Containers


_decoder = msgspec.json.Decoder(_Record)


class CveList:
    """The CVE list, record format 5."""

    name = "cvelist"
    label = "CVE list 5 (records, one a line or one a file)"
    target = CVE_PARTS

    def recognises(self, head: bytes) -> bool:
        """True for a record of type CVE_RECORD, alone or in line one."""
        head = head.removeprefix(BYTE_ORDER_MARK).lstrip()
        return head.startswith(b"{") and _RECORD.search(head) is not None

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Lines, or one record."""
        head, everything = peek(chunks)
        first, line_feed, _ = head.lstrip().partition(b"\n")
        if not line_feed or is_json(first):
            return line_blocks(everything)
        return iter([single_block(everything)])

    def read(self, raw: bytes, context: str = "") -> Reading:  # noqa: ARG002 - other feeds need it
        """One record; FeedError where it has another shape."""
        record = decode(_decoder, raw, _FORM)
        name = record.cveMetadata.cveId
        if CVE_ID.fullmatch(name) is None:
            raise FeedError("A record has no CVE identifier.")
        try:
            part = _stored(record)
        except (TypeError, ValueError, OverflowError) as error:
            raise FeedError(f"{name} has not the form of {_FORM}: {error}.") from error
        return Reading((part,), part.modified)


def _stored(record: _Record) -> StoredPart:
    meta, cna = record.cveMetadata, record.containers.cna
    rejected = meta.state.upper() == "REJECTED"
    every = [cna, *record.containers.adp]
    metrics = ordered(metric for container in every for metric in _metrics(container))
    affected = [] if rejected else [entry for container in every for entry in container.affected]
    configurations, keys = encode_affected(affected)
    published, modified = _times(meta)
    details = (
        english(cna.descriptions or cna.rejectedReasons),
        meta.assignerShortName,
        metrics,
        _cwes(every),
        links([link for container in every for link in container.references]),
        None,
    )
    return StoredPart(
        meta.cveId,
        "cvelist",
        "cvelist",
        REJECTED if rejected else "Published",
        published,
        modified,
        *best(metrics),
        keys,
        configurations,
        pack(details),
    )


def _times(meta: _Meta) -> tuple[datetime, datetime]:
    """When it was published and last changed. A record without any date is as old as its year."""
    every = (meta.datePublished, meta.dateReserved, meta.dateRejected, meta.dateUpdated)
    published = next(
        (utc_time(text) for text in every if text), datetime(int(meta.cveId[4:8]), 1, 1, tzinfo=UTC)
    )
    return published, utc_time(meta.dateUpdated) if meta.dateUpdated else published


def _metrics(container: _Container) -> Iterator[StoredMetric]:
    for metric in container.metrics:
        for score in (metric.cvssV4_0, metric.cvssV3_1, metric.cvssV3_0, metric.cvssV2_0):
            if score is not None:
                yield stored_metric(
                    score.version,
                    score.vectorString,
                    score.baseScore,
                    score.baseSeverity,
                    source=container.providerMetadata.shortName,
                )


def _cwes(containers: list[_Container]) -> list[str]:
    """CWE numbers once each, from their field or from the text that starts with them."""
    names = []
    for container in containers:
        for problem in container.problemTypes:
            for one in problem.descriptions:
                found = re.match(r"CWE-[0-9]+", one.cweId or one.description or "")
                if found:
                    names.append(found[0])
    return list(dict.fromkeys(names))
