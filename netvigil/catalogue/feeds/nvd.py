"""NVD in its 2.0 form: API answers, feed files, and single records, one a line or one a file.

The form is NVD's JSON schema `cve_api_json_2.0`; `nvd_form` has what other feeds share of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import orjson

from netvigil.catalogue.encoding import pack
from netvigil.catalogue.feeds.base import Block, Reading
from netvigil.catalogue.feeds.cutting import (
    BYTE_ORDER_MARK,
    element_blocks,
    is_json,
    line_blocks,
    peek,
    single_block,
)
from netvigil.catalogue.feeds.nvd_form import (
    Configuration,
    Link,
    Text,
    decode,
    encode_configurations,
    english,
    links,
)
from netvigil.catalogue.feeds.scores import StoredMetric, best, ordered, stored_metric
from netvigil.catalogue.merging import merge_parts
from netvigil.catalogue.parts import CVE_PARTS, StoredPart
from netvigil.catalogue.records import CVE_ID, REJECTED, CveRecord
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Both can only match outside of strings: a quote inside of one is always escaped
_PAGE = re.compile(rb'"vulnerabilities"\s*:\s*\[\s*(?:\{\s*"cve"\s*:|(\]))')
_ELEMENT = re.compile(rb'\{\s*"cve"\s*:\s*\{')
_RECORD = re.compile(rb'\s*\{\s*(?:"cve"\s*:\s*\{\s*)?"id"\s*:\s*"CVE-')
_NVD_TIME = len("2018-08-02T07:29:00.280")
_WRAPPED = re.compile(rb'\s*\{\s*"cve"\s*:')


class _CvssData(msgspec.Struct, gc=False):
    version: str
    vectorString: str
    baseScore: float
    baseSeverity: str | None = None


class _Metric(msgspec.Struct, gc=False):
    cvssData: _CvssData
    source: str = ""
    type: str | None = None
    baseSeverity: str | None = None
    exploitabilityScore: float | None = None
    impactScore: float | None = None

    def stored(self) -> StoredMetric:
        data = self.cvssData
        return stored_metric(
            data.version,
            data.vectorString,
            data.baseScore,
            data.baseSeverity or self.baseSeverity,
            exploitability=self.exploitabilityScore,
            impact=self.impactScore,
            source=self.source,
            primary=self.type == "Primary",
        )


class _Metrics(msgspec.Struct, gc=False):
    cvssMetricV40: list[_Metric] = []
    cvssMetricV31: list[_Metric] = []
    cvssMetricV30: list[_Metric] = []
    cvssMetricV2: list[_Metric] = []


class _Weakness(msgspec.Struct, gc=False):
    description: list[Text]


class _Cve(msgspec.Struct, gc=False):
    id: str
    published: str
    lastModified: str
    vulnStatus: str
    descriptions: list[Text]
    sourceIdentifier: str = ""
    metrics: _Metrics | None = None
    weaknesses: list[_Weakness] = []
    configurations: list[Configuration] = []
    references: list[Link] = []
    cisaExploitAdd: str | None = None
    cisaActionDue: str | None = None
    cisaVulnerabilityName: str | None = None
    cisaRequiredAction: str | None = None


class _Wrapped(msgspec.Struct, gc=False):
    cve: _Cve


_bare = msgspec.json.Decoder(_Cve)
_wrapped = msgspec.json.Decoder(_Wrapped)


class Nvd:
    """The National Vulnerability Database, 2.0 form."""

    name = "nvd"
    label = "NVD 2.0 (API answers, feed files, or `cve` objects, one a line)"
    target = CVE_PARTS

    def recognises(self, head: bytes) -> bool:
        """True for a page of `vulnerabilities` with `cve` objects, or for such an object alone or in line one."""
        head = head.removeprefix(BYTE_ORDER_MARK)
        if not head.lstrip().startswith(b"{"):
            return False
        if page := _PAGE.search(head):
            return (
                page[1] is None or b'"NVD_CVE"' in head
            )  # CISA's list has the same key; empty, it looks alike
        for text in (head.lstrip().split(b"\n", 1)[0], head):
            try:
                return _looks_like_cve(orjson.loads(text))
            except orjson.JSONDecodeError:
                continue
        # a record above the head's size, or one over many lines
        return _RECORD.match(head) is not None and b'"sourceIdentifier"' in head

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Pages are cut between their elements, lines at line feeds, anything else is one record."""
        head, everything = peek(chunks)
        if _PAGE.search(head):
            return element_blocks(everything, _ELEMENT, "vulnerabilities")
        first, line_feed, _ = head.lstrip().partition(b"\n")
        if not line_feed or is_json(first):
            return line_blocks(everything)
        return iter([single_block(everything)])

    def read(self, raw: bytes, context: str = "") -> Reading:  # noqa: ARG002 - other feeds need it
        """A `cve` object, bare or as `{"cve": …}`; FeedError where it has another shape."""
        part = read_cve(raw)
        return Reading((part,), part.modified)


def parse_cve(raw: bytes) -> CveRecord:
    """The typed record of a `cve` object; FeedError where it has another shape."""
    return merge_parts([read_cve(raw)])


def read_cve(raw: bytes) -> StoredPart:
    """A `cve` object, bare or as `{"cve": …}`, in the form that is stored; FeedError for another shape."""
    cve = decode(_wrapped, raw, "NVD 2.0").cve if _WRAPPED.match(raw) else decode(_bare, raw, "NVD 2.0")
    if CVE_ID.fullmatch(cve.id) is None:
        raise FeedError("A record has no CVE identifier.")
    try:
        return _stored(cve)
    except (TypeError, ValueError, OverflowError) as error:
        raise FeedError(f"{cve.id} has not the form of NVD 2.0: {error}.") from error


def _looks_like_cve(value: object) -> bool:
    cve = value.get("cve", value) if isinstance(value, dict) else None
    return (
        isinstance(cve, dict)
        and isinstance(cve.get("id"), str)
        and CVE_ID.fullmatch(cve["id"]) is not None
        and "descriptions" in cve
        and "lastModified" in cve
    )


def _stored(cve: _Cve) -> StoredPart:
    metrics = _metrics(cve.metrics)
    rejected = cve.vulnStatus == REJECTED
    configurations, keys = (None, ()) if rejected else encode_configurations(cve.configurations)
    details = (
        english(cve.descriptions),
        cve.sourceIdentifier,
        metrics,
        _cwes(cve.weaknesses),
        links(cve.references),
        _known_exploited(cve),
    )
    return StoredPart(
        cve.id,
        "nvd",
        "nvd",
        cve.vulnStatus,
        utc_time(cve.published),
        utc_time(cve.lastModified),
        *best(metrics),
        keys,
        configurations,
        pack(details),
    )


def utc_time(text: str) -> datetime:
    """A time of NVD's: without a zone it is UTC."""
    if len(text) == _NVD_TIME:
        return datetime.fromisoformat(text + "+00:00")
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _metrics(groups: _Metrics | None) -> list[StoredMetric]:
    """All scores, the one that counts first."""
    if groups is None:
        return []
    every = groups.cvssMetricV40 + groups.cvssMetricV31 + groups.cvssMetricV30 + groups.cvssMetricV2
    metrics = [metric.stored() for metric in every]
    return metrics if len(metrics) < 2 else ordered(metrics)  # noqa: PLR2004 - one is in order


def _cwes(weaknesses: list[_Weakness]) -> list[str]:
    """CWE numbers once each; NVD's `NVD-CWE-noinfo` and `-Other` name no weakness."""
    names = [
        one.value for weakness in weaknesses for one in weakness.description if one.value.startswith("CWE-")
    ]
    return list(dict.fromkeys(names))


def _known_exploited(cve: _Cve) -> tuple[str | None, ...] | None:
    if cve.cisaExploitAdd is None:
        return None
    for day in (cve.cisaExploitAdd, cve.cisaActionDue):
        if day is not None:
            datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 - a day has no zone, only its form is asked
    return (cve.cisaExploitAdd, cve.cisaActionDue, cve.cisaVulnerabilityName, cve.cisaRequiredAction)
