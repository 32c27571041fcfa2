"""NVD in its retired 1.1 form, which many mirrors still hold.

The form is NVD's JSON schema `nvd_cve_feed_json_1.1`. Its word is NVD's as much as that of the 2.0 form: the newer of both
stays, and at the same time the 2.0 form's, whose dates know seconds where these know minutes. It has no status: a rejected
CVE says so in its description.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

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
from netvigil.catalogue.feeds.nvd import utc_time
from netvigil.catalogue.feeds.nvd_form import (
    Configuration,
    CpeMatch,
    Link,
    Node,
    Text,
    decode,
    encode_configurations,
    english,
    links,
)
from netvigil.catalogue.feeds.scores import StoredMetric, best, ordered, stored_metric
from netvigil.catalogue.parts import CVE_PARTS, StoredPart
from netvigil.catalogue.records import CVE_ID, REJECTED
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = re.compile(rb'"CVE_Items"\s*:\s*\[')
_ELEMENT = re.compile(rb'\{\s*"cve"\s*:\s*\{')
_RECORD = re.compile(rb'\s*\{\s*"cve"\s*:\s*\{.{0,400}?"CVE_data_meta"\s*:', re.DOTALL)
_REJECTED = re.compile(r"\*\*\s*REJECT|Rejected reason:")
_NVD = "nvd@nist.gov"


class _Match(CpeMatch, gc=False):
    criteria: str = msgspec.field(name="cpe23Uri")
    vulnerable: bool


class _Node(msgspec.Struct, gc=False):
    operator: Literal["OR", "AND"] = "OR"
    negate: bool = False
    children: list[_Node] = []
    cpeMatch: list[_Match] = msgspec.field(name="cpe_match", default_factory=list)


class _Configurations(msgspec.Struct, gc=False):
    nodes: list[_Node] = []


class _Cvss(msgspec.Struct, gc=False):
    version: str
    vectorString: str
    baseScore: float
    baseSeverity: str | None = None


class _MetricV3(msgspec.Struct, gc=False):
    cvssV3: _Cvss
    exploitabilityScore: float | None = None
    impactScore: float | None = None


class _MetricV2(msgspec.Struct, gc=False):
    cvssV2: _Cvss
    severity: str | None = None
    exploitabilityScore: float | None = None
    impactScore: float | None = None


class _Impact(msgspec.Struct, gc=False):
    baseMetricV3: _MetricV3 | None = None
    baseMetricV2: _MetricV2 | None = None


class _Meta(msgspec.Struct, gc=False):
    ID: str
    ASSIGNER: str = ""


class _Description(msgspec.Struct, gc=False):
    description_data: list[Text]


class _Problem(msgspec.Struct, gc=False):
    description: list[Text] = []


class _Problems(msgspec.Struct, gc=False):
    problemtype_data: list[_Problem] = []


class _References(msgspec.Struct, gc=False):
    reference_data: list[Link] = []


class _Cve(msgspec.Struct, gc=False):
    CVE_data_meta: _Meta
    description: _Description
    problemtype: _Problems | None = None
    references: _References | None = None


class _Item(msgspec.Struct, gc=False):
    cve: _Cve
    publishedDate: str
    lastModifiedDate: str
    configurations: _Configurations | None = None
    impact: _Impact | None = None


_decoder = msgspec.json.Decoder(_Item)


class Nvd11:
    """The National Vulnerability Database, 1.1 form."""

    name = "nvd11"
    label = "NVD 1.1 (the retired feed files, or its items, one a line)"
    target = CVE_PARTS

    def recognises(self, head: bytes) -> bool:
        """True for a document with `CVE_Items`, or an item of it alone or in line one."""
        head = head.removeprefix(BYTE_ORDER_MARK).lstrip()
        return head.startswith(b"{") and (_PAGE.search(head) or _RECORD.match(head)) is not None

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Documents are cut between their items, lines at line feeds, anything else is one record."""
        head, everything = peek(chunks)
        if _PAGE.search(head):
            return element_blocks(everything, _ELEMENT, "CVE_Items")
        first, line_feed, _ = head.lstrip().partition(b"\n")
        if not line_feed or is_json(first):
            return line_blocks(everything)
        return iter([single_block(everything)])

    def read(self, raw: bytes, context: str = "") -> Reading:  # noqa: ARG002 - other feeds need it
        """An item; FeedError where it has another shape."""
        item = decode(_decoder, raw, "NVD 1.1")
        name = item.cve.CVE_data_meta.ID
        if CVE_ID.fullmatch(name) is None:
            raise FeedError("A record has no CVE identifier.")
        try:
            part = _stored(name, item)
        except (TypeError, ValueError, OverflowError) as error:
            raise FeedError(f"{name} has not the form of NVD 1.1: {error}.") from error
        return Reading((part,), part.modified)


def _stored(name: str, item: _Item) -> StoredPart:
    cve = item.cve
    metrics = _metrics(item.impact)
    description = english(cve.description.description_data)
    nodes = item.configurations.nodes if item.configurations else []
    rejected = _REJECTED.match(description) is not None
    configurations, keys = (None, ()) if rejected else encode_configurations([_today(node) for node in nodes])
    problems = cve.problemtype.problemtype_data if cve.problemtype else []
    cwes = [one.value for problem in problems for one in problem.description if one.value.startswith("CWE-")]
    details = (
        description,
        cve.CVE_data_meta.ASSIGNER,
        metrics,
        list(dict.fromkeys(cwes)),
        links(cve.references.reference_data if cve.references else []),
        None,
    )
    return StoredPart(
        name,
        "nvd",
        "nvd11",
        REJECTED if rejected else "Analyzed" if nodes else "Received",
        utc_time(item.publishedDate),
        utc_time(item.lastModifiedDate),
        *best(metrics),
        keys,
        configurations,
        pack(details),
    )


def _today(node: _Node) -> Configuration:
    """A node of the 1.1 form as a configuration of the 2.0 form, which has exactly two levels.

    ValueError for a deeper tree; NVD has none.
    """
    if any(child.children for child in node.children):
        raise ValueError("its configurations are nested deeper than two levels")
    nodes = [_criteria(child) for child in node.children]
    if node.cpeMatch:
        nodes.append(_criteria(node) if not nodes else Node(list(node.cpeMatch), node.operator))
    return Configuration(nodes, node.operator, node.negate) if node.children else Configuration(nodes)


def _criteria(node: _Node) -> Node:
    return Node(list(node.cpeMatch), node.operator, node.negate)


def _metrics(impact: _Impact | None) -> list[StoredMetric]:
    metrics = []
    if impact is not None and (v3 := impact.baseMetricV3) is not None:
        metrics.append(_metric(v3.cvssV3, v3.cvssV3.baseSeverity, v3.exploitabilityScore, v3.impactScore))
    if impact is not None and (v2 := impact.baseMetricV2) is not None:
        metrics.append(_metric(v2.cvssV2, v2.severity, v2.exploitabilityScore, v2.impactScore))
    return ordered(metrics)


def _metric(
    data: _Cvss, severity: str | None, exploitability: float | None, impact: float | None
) -> StoredMetric:
    return stored_metric(
        data.version,
        data.vectorString,
        data.baseScore,
        severity,
        exploitability=exploitability,
        impact=impact,
        source=_NVD,
        primary=True,
    )
