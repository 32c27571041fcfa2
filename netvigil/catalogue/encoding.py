"""PURE: the compact form in which the database holds a CVE, and the way back to typed values.

An import writes 2 million criteria and a match reads those of a few products, so the form is made for
both: criteria are split into product and rest once, products stand once per CVE, and decoding builds
values only for the products that are asked for.

    configurations   [products, [[operator, negate, [[operator, negate, [criterion, …]], …]], …]]
    products         ["o:mikrotik:routeros", …]         lower case, still escaped; "?a:…" where the name is a guess
    criterion        [product number, rest]             a plain vulnerable one, by far the most
                     [product number, rest, vulnerable 0 or 1, start_including, start_excluding,
                      end_including, end_excluding]
    rest             "6.41", "2.4.1:rc1:*:*:*:*:*:*": the eight attributes after the product, or the first alone
    details          [description, assigner, metrics, cwes, references, known exploited]
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import orjson
import zstandard

from netvigil.matching.cpe import Cpe, parse_cpe
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

Key = tuple[str, str, str]
"""Part, vendor and product as `Cpe` spells them."""

_GUESS = "?"
_UNBOUND: tuple[None, ...] = (None, None, None, None)
_SHORT = 2  # values of a plain criterion
_PACK_FROM = 400  # bytes; below, a compressed frame saves nothing
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PACKED_LIMIT = 1 << 26
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # the escape itself, not a text that talks of it


def product_key(part: str, vendor: str, product: str) -> int:
    """The signed 32-bit number under which the index knows a product.

    Two products may share a number: an index may answer too much, decoding compares the names.
    """
    number = crc32(f"{part}\0{vendor}\0{product}".encode())
    return number - (1 << 32) if number >> 31 else number


@lru_cache(maxsize=65536)
def _name_of(product: str) -> Key:
    return parse_cpe(f"cpe:2.3:{product.removeprefix(_GUESS)}").name


# --------------------------------------------------------------------- encoding
_COMPONENT = r"(?:[^:\\\s]++|\\\S)++"
_CRITERIA = re.compile(rf"cpe:2\.3:([aoh*]:{_COMPONENT}:{_COMPONENT}):({_COMPONENT}(?::{_COMPONENT}){{7}}+)")
_PLAIN_PRODUCT = re.compile(r"[aoh]:[a-z0-9._-]++:[a-z0-9._-]++")  # it is its own normal form
_PREFIX = "cpe:2.3:"
_TAIL = ":*" * 7  # most criteria end so; a shorter CPE means the same
_ATTRIBUTES = 11
_PARTS = ("a", "o", "h", "*")
_SPLIT_KEPT = 1 << 17

_splits: dict[str, tuple[str, str, int]] = {}


def split_criteria(criteria: str) -> tuple[str, str, int]:
    """The product, the rest and the product's key of a CPE 2.3 formatted string; ValueError for another text."""
    found = _splits.get(criteria)
    if found is None:
        product, rest = _divided(criteria.lower())
        if (
            len(_splits) >= _SPLIT_KEPT
        ):  # a feed repeats its criteria close together, so starting anew costs little
            _splits.clear()
        found = _splits[criteria] = (product, rest.removesuffix(_TAIL), _number_of(product))
    return found


def _divided(criteria: str) -> tuple[str, str]:
    if "\\" not in criteria:  # nearly all; a plain split is four times as fast as the pattern
        values = criteria.removeprefix(_PREFIX).split(":")
        if len(values) == _ATTRIBUTES and criteria.startswith(_PREFIX) and len(criteria.split()) == 1:
            part, vendor, product, *rest = values
            if part in _PARTS and "" not in values:
                return f"{part}:{vendor}:{product}", ":".join(rest)
    found = _CRITERIA.fullmatch(criteria)
    if found is None:
        raise ValueError(f"{criteria[:200]!r} is no CPE 2.3 name")
    return found[1], found[2]


@lru_cache(maxsize=65536)
def _number_of(product: str) -> int:
    return product_key(*(product.split(":") if _PLAIN_PRODUCT.fullmatch(product) else _name_of(product)))


class NvdMatch(Protocol):
    """A criterion in NVD's form, as `feeds.nvd_form` reads it."""

    criteria: str
    vulnerable: bool
    versionStartIncluding: str | None
    versionStartExcluding: str | None
    versionEndIncluding: str | None
    versionEndExcluding: str | None


class ConfigurationEncoder:
    """Builds the stored form of one CVE's configurations; every feed that names CPEs goes through it.

    Products that a feed had to guess the name of are marked, so that what rests on them is never called sure.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._keys: set[int] = set()
        self._given: set[str] = set()
        self._guessed: set[str] = set()

    def criterion(
        self, criteria: str, *bounds: str | None, vulnerable: bool, guessed: bool = False
    ) -> tuple[Any, ...]:
        """One criterion; `bounds` are none, or start including and excluding, end including and excluding.

        ValueError when the criteria is no CPE 2.3 formatted string.
        """
        product, rest, key = split_criteria(criteria)
        number = self._numbers.setdefault(product, len(self._numbers))
        (self._guessed if guessed else self._given).add(product)
        if vulnerable:
            self._keys.add(key)
            if not any(bounds):
                return (number, rest)
        return (number, rest, int(vulnerable), *(bounds or _UNBOUND))

    def nvd_criteria(self, matches: Iterable[NvdMatch]) -> list[tuple[Any, ...]]:
        """The criteria of a node in NVD's form: `criterion` for each, in one go, for they come by the million."""
        numbers, keys, known = self._numbers, self._keys, _splits
        criteria: list[tuple[Any, ...]] = []
        for one in matches:
            product, rest, key = known.get(one.criteria) or split_criteria(one.criteria)
            number = numbers.get(product)
            if number is None:
                number = numbers[product] = len(numbers)
            bounds = (
                one.versionStartIncluding,
                one.versionStartExcluding,
                one.versionEndIncluding,
                one.versionEndExcluding,
            )
            if not one.vulnerable:
                criteria.append((number, rest, 0, *bounds))
                continue
            keys.add(key)
            criteria.append((number, rest) if bounds == _UNBOUND else (number, rest, 1, *bounds))
        return criteria

    def finish(self, configurations: Sequence[Any]) -> tuple[bytes | None, tuple[int, ...]]:
        """The bytes to store, and the numbers of the vulnerable products for the index; None for nothing."""
        if not configurations:
            return None, ()
        guesses = self._guessed - self._given
        products = [f"?{one}" if one in guesses else one for one in self._numbers]
        return pack((products, configurations)), tuple(sorted(self._keys))


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
    return parse_cpe(f"cpe:2.3:{product.removeprefix(_GUESS)}:{rest}")


class PackedConfigurations:
    """The configurations of a CVE as they are stored, for an inventory of the `wanted` products; None wants all.

    Left out are configurations without a vulnerable criterion on a wanted product, and, where a configuration is a
    plain list (one OR node), the criteria on other products: neither can hold for an inventory that has none of those.
    Where parts must hold together everything stays, because what is known of one product (a Debian) can decide on a
    part that names another (a Linux kernel).
    """

    __slots__ = ("_configurations", "_names", "_numbers", "_products")

    def __init__(self, data: bytes | None, wanted: AbstractSet[Key] | None = None) -> None:
        self._products, configurations = ([], []) if data is None else unpack(data)
        self._names: list[Key] = [_name_of(text) for text in self._products]
        self._numbers: set[int] | None = None
        if wanted is not None:
            self._numbers = {number for number, name in enumerate(self._names) if name in wanted}
            configurations = [raw for raw in configurations if _touches(raw, self._numbers)]
        self._configurations: list[Any] = configurations

    def __bool__(self) -> bool:
        return bool(self._configurations)

    @property
    def is_plain(self) -> bool:
        """Whether each criterion counts by itself, so that no product changes what another one has."""
        return all(
            len(nodes) == 1
            and not negate
            and not nodes[0][1]
            and (nodes[0][0] == "OR" or len(nodes[0][2]) == 1)
            for _, negate, nodes in self._configurations
        )

    def guesses(self) -> frozenset[Key]:
        """The products whose names the feed had to guess."""
        return frozenset(
            name for text, name in zip(self._products, self._names, strict=True) if text[0] == _GUESS
        )

    def vulnerable(self) -> Iterator[tuple[Key, list[Any]]]:
        """Each vulnerable criterion on a wanted product as its product and its stored form."""
        names, numbers = self._names, self._numbers
        for _, _, nodes in self._configurations:
            for node in nodes:
                for criterion in node[2]:
                    number = criterion[0]
                    if (numbers is None or number in numbers) and (len(criterion) == _SHORT or criterion[2]):
                        yield names[number], criterion

    def choose(self, criteria: Iterable[list[Any]]) -> Configuration:
        """Some of its criteria, of which one is enough."""
        ranges = tuple([_range(self._products, criterion) for criterion in criteria])
        return Configuration(
            Operator.OR, negate=False, nodes=(Node(Operator.OR, negate=False, ranges=ranges),)
        )

    def decode(self) -> tuple[Configuration, ...]:
        """The typed values."""
        return tuple([_configuration(self._products, raw, self._numbers) for raw in self._configurations])


def decode_configurations(
    data: bytes | None, wanted: AbstractSet[Key] | None = None
) -> tuple[Configuration, ...]:
    """The configurations of a CVE, typed; with `wanted` as `PackedConfigurations` leaves them."""
    return PackedConfigurations(data, wanted).decode()


def _touches(configuration: list[Any], numbers: AbstractSet[int]) -> bool:
    return any(
        criterion[0] in numbers and (len(criterion) == _SHORT or criterion[2])
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
    if len(raw) == _SHORT:
        return AffectedRange(cpe)
    return AffectedRange(cpe, bool(raw[2]), *raw[3:])
