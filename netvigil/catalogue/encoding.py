"""PURE: the compact form in which the database holds a CVE, and the way back to typed values.

An import writes 2 million criteria and a match reads those of a few products, so the form is made for
both: criteria are split into product and rest once, products stand once per CVE, and decoding builds
values only for the products that are asked for.

    configurations   [products, [[operator, negate, [[operator, negate, [criterion, …]], …]], …]]
    products         ["o:mikrotik:routeros", …]         lower case, still escaped
    criterion        [product number, rest]             a plain vulnerable one, by far the most
                     [product number, rest, vulnerable 0 or 1, start_including, start_excluding,
                      end_including, end_excluding]
    rest             "6.41:*:*:*:*:*:*:*", the eight attributes after the product
    details          [description, assigner, metrics, cwes, references, known exploited]
"""

from __future__ import annotations

import re
from datetime import UTC, date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import orjson
import zstandard

from netvigil.catalogue.records import CveRecord, KnownExploited, Metric, Reference
from netvigil.matching.cpe import Cpe, parse_cpe
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Set as AbstractSet
    from datetime import datetime

Key = tuple[str, str, str]
"""Part, vendor and product as `Cpe` spells them."""

_UNBOUND: tuple[None, ...] = (None, None, None, None)
_PACK_FROM = 400  # bytes; below, a compressed frame saves nothing
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PACKED_LIMIT = 1 << 26
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # the escape itself, not a text that talks of it


class StoredCve(NamedTuple):
    """One row of the `cve` table, as a feed gives it; `score` and what belongs to it are the best metric's."""

    cve_id: str
    status: str
    published: datetime
    modified: datetime
    score: float | None
    severity: str | None
    vector: str | None
    cvss_version: str | None
    product_keys: tuple[int, ...]
    configurations: bytes | None
    details: bytes


def product_key(part: str, vendor: str, product: str) -> int:
    """The signed 32-bit number under which the index knows a product.

    Two products may share a number: an index may answer too much, decoding compares the names.
    """
    number = crc32(f"{part}\0{vendor}\0{product}".encode())
    return number - (1 << 32) if number >> 31 else number


@lru_cache(maxsize=65536)
def _name_of(product: str) -> Key:
    return parse_cpe(f"cpe:2.3:{product}").name


# --------------------------------------------------------------------- encoding
_COMPONENT = r"(?:[^:\\\s]|\\[^\s])+"
_CRITERIA = re.compile(rf"cpe:2\.3:([aoh*]:{_COMPONENT}:{_COMPONENT}):({_COMPONENT}(?::{_COMPONENT}){{7}})")


@lru_cache(maxsize=1 << 17)
def _split(criteria: str) -> tuple[str, str]:
    parts = _CRITERIA.fullmatch(criteria.lower())
    if parts is None:
        raise ValueError(f"{criteria[:200]!r} is no CPE 2.3 name")
    return parts[1], parts[2]


@lru_cache(maxsize=65536)
def _number_of(product: str) -> int:
    return product_key(*_name_of(product))


class ConfigurationEncoder:
    """Builds the stored form of one CVE's configurations; every feed that names CPEs goes through it."""

    def __init__(self) -> None:
        self._products: dict[str, int] = {}
        self._vulnerable: set[str] = set()

    def criterion(self, criteria: str, *bounds: str | None, vulnerable: bool) -> list[Any]:
        """One criterion; `bounds` are none, or start including and excluding, end including and excluding.

        ValueError when the criteria is no CPE 2.3 formatted string.
        """
        product, rest = _split(criteria)
        number = self._products.setdefault(product, len(self._products))
        if vulnerable:
            self._vulnerable.add(product)
            if not any(bounds):
                return [number, rest]
        return [number, rest, int(vulnerable), *(bounds or _UNBOUND)]

    def finish(self, configurations: list[list[Any]]) -> tuple[bytes | None, tuple[int, ...]]:
        """The bytes to store, and the numbers of the vulnerable products for the index; None for nothing."""
        if not configurations:
            return None, ()
        keys = {_number_of(product) for product in self._vulnerable}
        return pack([list(self._products), configurations]), tuple(sorted(keys))


# --------------------------------------------------------------------- packing
# a quick level: an import's time is dearer than the disk, of which this needs a sixth of the allowance
_compressor = zstandard.ZstdCompressor(level=-3, write_checksum=False, write_content_size=True)


def pack(value: object) -> bytes:
    """A JSON value as bytes, compressed where that saves space.

    ValueError for a NUL character: no text or JSONB column that these words may reach later can hold one.
    """
    data = orjson.dumps(value)
    if b"\\u0000" in data and _NUL.search(data):
        raise ValueError("a text holds a NUL character")
    return _compressor.compress(data) if len(data) >= _PACK_FROM else data


def unpack(data: bytes) -> Any:
    """The value that `pack` was given."""
    if data.startswith(_ZSTD_MAGIC):
        # a decompressor of its own: the shared one is not safe in two threads at once
        data = zstandard.ZstdDecompressor().decompress(data, max_output_size=_PACKED_LIMIT)
    return orjson.loads(data)


# --------------------------------------------------------------------- decoding
@lru_cache(maxsize=65536)
def _criteria(product: str, rest: str) -> Cpe:
    return parse_cpe(f"cpe:2.3:{product}:{rest}")


def decode_configurations(
    data: bytes | None, wanted: AbstractSet[Key] | None = None
) -> tuple[Configuration, ...]:
    """The configurations of a CVE; with `wanted`, only what an inventory of these products can tell.

    Left out then are configurations without a vulnerable criterion on a wanted product, and, where a
    configuration is a plain list (one OR node), the criteria on other products: neither can hold for an
    inventory that has none of those. Where parts must hold together everything stays, because what is
    known of one product (a Debian) can decide on a part that names another (a Linux kernel).
    """
    if data is None:
        return ()
    products, configurations = unpack(data)
    if wanted is None:
        return tuple(_configuration(products, raw, None) for raw in configurations)
    numbers = {number for number, text in enumerate(products) if _name_of(text) in wanted}
    if not numbers:
        return ()
    return tuple(_configuration(products, raw, numbers) for raw in configurations if _touches(raw, numbers))


def _touches(configuration: list[Any], numbers: AbstractSet[int]) -> bool:
    return any(
        criterion[0] in numbers and (len(criterion) == 2 or criterion[2])  # noqa: PLR2004 - the short form
        for node in configuration[2]
        for criterion in node[2]
    )


def _configuration(products: list[str], raw: list[Any], numbers: AbstractSet[int] | None) -> Configuration:
    operator, negate, nodes = raw
    if len(nodes) > 1:
        numbers = None
    return Configuration(Operator(operator), negate, tuple(_node(products, node, numbers) for node in nodes))


def _node(products: list[str], raw: list[Any], numbers: AbstractSet[int] | None) -> Node:
    operator, negate, criteria = raw
    if numbers is not None and operator == Operator.OR:
        criteria = [criterion for criterion in criteria if criterion[0] in numbers]
    return Node(Operator(operator), negate, tuple(_range(products, criterion) for criterion in criteria))


def _range(products: list[str], raw: list[Any]) -> AffectedRange:
    cpe = _criteria(products[raw[0]], raw[1])
    if len(raw) == 2:  # noqa: PLR2004 - the short form
        return AffectedRange(cpe)
    return AffectedRange(cpe, bool(raw[2]), *raw[3:])


def decode_record(
    stored: StoredCve, *, with_configurations: bool = True, wanted: Collection[Key] | None = None
) -> CveRecord:
    """The typed record of a row; configurations cost the most and can be left out."""
    description, assigner, metrics, cwes, references, exploited = unpack(stored.details)
    configurations = (
        decode_configurations(stored.configurations, None if wanted is None else frozenset(wanted))
        if with_configurations
        else ()
    )
    return CveRecord(
        cve_id=stored.cve_id,
        assigner=assigner,
        published=stored.published.astimezone(UTC),  # the database answers in its session's zone
        modified=stored.modified.astimezone(UTC),
        status=stored.status,
        description=description,
        metrics=tuple(Metric(*metric) for metric in metrics),
        cwes=tuple(cwes),
        references=tuple(Reference(url, tuple(tags)) for url, tags in references),
        configurations=configurations,
        known_exploited=_exploited(exploited),
    )


def _exploited(raw: list[str | None] | None) -> KnownExploited | None:
    if raw is None or raw[0] is None:
        return None
    _, due, name, action = raw
    return KnownExploited(
        date.fromisoformat(raw[0]), date.fromisoformat(due) if due is not None else None, name, action
    )
