"""Configurations in NVD's form for CVEs that NVD has not analysed, as others publish them (Anchore's NVD overrides).

A record has an `_annotation` that names the CVE and says why, and a `cve` of which only the configurations and references
count. Records without configurations say nothing about what is affected. One that names only a product `null` says that
nothing is: it stands for the configurations all the same.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from netvigil.catalogue.encoding import pack
from netvigil.catalogue.feeds.base import Block, Reading
from netvigil.catalogue.feeds.cutting import BYTE_ORDER_MARK, is_json, line_blocks, peek, single_block
from netvigil.catalogue.feeds.nvd import utc_time
from netvigil.catalogue.feeds.nvd_form import Configuration, Link, decode, encode_configurations, links
from netvigil.catalogue.parts import CVE_PARTS, StoredPart
from netvigil.catalogue.records import CVE_ID
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANNOTATION = re.compile(rb'\{\s*"_annotation"\s*:\s*\{')


class _Annotation(msgspec.Struct):
    cve_id: str
    cna: str = ""
    description: str = ""
    modified: str | None = None
    published: str | None = None
    references: list[str] = []


class _Cve(msgspec.Struct):
    configurations: list[Configuration] = []
    references: list[Link] = []


class _Override(msgspec.Struct):
    annotation: _Annotation = msgspec.field(name="_annotation")
    cve: _Cve


_decoder = msgspec.json.Decoder(_Override)


class Overrides:
    """Overrides for NVD's records."""

    name = "overrides"
    label = "NVD overrides (records with an `_annotation`, one a line or one a file)"
    target = CVE_PARTS

    def recognises(self, head: bytes) -> bool:
        """True for a record that begins with its annotation, or has one beside a `cve`."""
        head = head.removeprefix(BYTE_ORDER_MARK).lstrip()
        if _ANNOTATION.match(head):
            return True
        first = head.split(b"\n", 1)[0]
        return b'"_annotation"' in head[:65536] and (is_json(first) or is_json(head)) and b'"cve"' in head

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Lines, or one record."""
        head, everything = peek(chunks)
        first, line_feed, _ = head.lstrip().partition(b"\n")
        if not line_feed or is_json(first):
            return line_blocks(everything)
        return iter([single_block(everything)])

    def read(self, raw: bytes, context: str = "") -> Reading:  # noqa: ARG002 - other feeds need it
        """One override; FeedError where it has another shape."""
        override = decode(_decoder, raw, "an override")
        name = override.annotation.cve_id
        if CVE_ID.fullmatch(name) is None:
            raise FeedError("An override names no CVE.")
        try:
            part = _stored(name, override)
        except (TypeError, ValueError, OverflowError) as error:
            raise FeedError(f"{name} has not the form of an override: {error}.") from error
        return Reading((part,), part.modified)


def _stored(name: str, override: _Override) -> StoredPart:
    annotation = override.annotation
    configurations, keys = encode_configurations(override.cve.configurations)
    undated = datetime(int(name[4:8]), 1, 1, tzinfo=UTC)  # old overrides carry no date
    published = utc_time(annotation.published) if annotation.published else undated
    named = [*override.cve.references, *(Link(url) for url in annotation.references)]
    return StoredPart(
        name,
        "overrides",
        "overrides",
        "Published",
        published,
        utc_time(annotation.modified) if annotation.modified else published,
        None,
        None,
        None,
        None,
        None,
        keys,
        configurations,
        pack((annotation.description, annotation.cna, [], [], links(named), None)),
    )
