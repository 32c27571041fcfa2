"""PURE: the `affected` entries of a CVE list record as configurations in the stored form.

Where an entry gives CPEs, their names are taken, with the versions that the entry lists. Elsewhere vendor and product are
spelled as NVD would most likely spell them, and marked as guessed: what rests on a guess is at most possible, unless NVD
knows a product of that name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from netvigil.catalogue.encoding import ConfigurationEncoder
from netvigil.catalogue.feeds.cvelist_versions import Span, Version, affected_spans
from netvigil.matching.cpe import ANY, NA, Cpe, CpeError, escape, parse_cpe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CRITERIA_LIMIT = 20_000
"""Most criteria of one record; NVD's longest has 4,891."""

_NAMELESS = frozenset({"", "unknown", "n/a", "na", "-", "none", "unspecified", "multiple vendors", "various"})
_GUESSED_PARTS = ("a", "o")  # the record does not say which; hardware has no version to be fixed in
_LEGAL = re.compile(
    r"(?:[ ,]+(?:inc|ltd|llc|co|corp|corporation|gmbh|ag|s\.?a|b\.?v|company|limited|technologies|technology|systems|"
    r"software|foundation|project|group|team|community|networks|electronics)\.?)+$"
)
_TARGETS = {
    "windows": "windows", "linux": "linux", "macos": "macos", "mac": "macos", "osx": "macos", "android": "android",
    "ios": "iphone_os", "iphone os": "iphone_os",
}  # fmt: skip


class Affected(msgspec.Struct):
    """An entry of `affected`."""

    vendor: str | None = None
    product: str | None = None
    cpes: list[str] = []
    versions: list[Version] = []
    platforms: list[str] = []
    defaultStatus: str | None = None


class _Name(NamedTuple):
    cpe: Cpe
    guessed: bool


def encode_affected(entries: Iterable[Affected]) -> tuple[bytes | None, tuple[int, ...]]:
    """The stored form and the product keys; None where no entry says anything that can be compared."""
    encoder = ConfigurationEncoder()
    criteria = []
    seen = set()
    for criterion in _criteria(entries):
        if criterion not in seen:
            seen.add(criterion)
            cpe, guessed, bounds = criterion
            criteria.append(encoder.criterion(cpe, *bounds, vulnerable=True, guessed=guessed))
        if len(criteria) > CRITERIA_LIMIT:
            raise ValueError(f"it names more than {CRITERIA_LIMIT} products and versions")
    if not criteria:
        return None, ()
    return encoder.finish([("OR", False, [("OR", False, criteria)])])


def _criteria(entries: Iterable[Affected]) -> Iterator[tuple[str, bool, tuple[str | None, ...]]]:
    for entry in entries:
        given = _given(entry.cpes)
        names = list(dict.fromkeys(_unversioned(cpe) for cpe in given))
        spans = affected_spans(entry.versions, entry.defaultStatus)
        if given and not entry.versions and entry.defaultStatus != "affected":
            yield from ((str(cpe), False, ()) for cpe in given if cpe.version not in (ANY, NA))
        for name in [_Name(cpe, guessed=False) for cpe in names] or _guessed(entry):
            for span in spans:
                yield _criterion(name, span)


def _given(texts: Sequence[str]) -> list[Cpe]:
    found = []
    for text in texts:
        try:
            found.append(parse_cpe(text))
        except CpeError:
            continue  # the others of the entry may still be good
    # firmware and its hardware stand side by side here; the version belongs to the software
    return [cpe for cpe in found if cpe.part != "h"] or found


def _unversioned(cpe: Cpe) -> Cpe:
    return Cpe(cpe.part, cpe.vendor, cpe.product, target_sw=cpe.target_sw, sw_edition=cpe.sw_edition)


def _criterion(name: _Name, span: Span) -> tuple[str, bool, tuple[str | None, ...]]:
    cpe = name.cpe
    version = ANY
    if span.only is not None:
        version = f"{escape(span.only[:-1])}*" if span.only.endswith("*") else escape(span.only)
    text = (
        f"cpe:2.3:{cpe.part}:{cpe.vendor}:{cpe.product}:{version}:*:*:*:{cpe.sw_edition}:{cpe.target_sw}:*:*"
    )
    bounds = (
        None if span.start_excluded else span.start,
        span.start if span.start_excluded else None,
        span.end if span.end_included else None,
        None if span.end_included else span.end,
    )
    return text, name.guessed, bounds if any(bounds) else ()


# --------------------------------------------------------------------- names
def _guessed(entry: Affected) -> list[_Name]:
    """The names that NVD may use for the vendor and product; none where either is missing."""
    vendor, product = _words(entry.vendor), _words(entry.product)
    if vendor in _NAMELESS or product in _NAMELESS:
        return []
    target = _target(entry.platforms)
    vendors = dict.fromkeys((vendor, _LEGAL.sub("", vendor) or vendor))
    names = []
    for who in vendors:
        for what in dict.fromkeys((product, product.removeprefix(f"{_LEGAL.sub('', vendor)} ") or product)):
            for part in _GUESSED_PARTS:
                try:
                    cpe = parse_cpe(f"cpe:2.3:{part}:{escape(who)}:{escape(what)}")
                except CpeError:
                    continue
                names.append(
                    _Name(
                        Cpe(part, cpe.vendor, cpe.product, target_sw=target if part == "a" else ANY),
                        guessed=True,
                    )
                )
    return names


def _words(text: str | None) -> str:
    return " ".join((text or "").lower().replace("®", "").replace("™", "").split())[:120]


def _target(platforms: Sequence[str]) -> str:
    """The one operating system that the product is affected on, where the entry names just one."""
    known = {_TARGETS.get(platform.strip().lower()) for platform in platforms}
    only = known.pop() if len(known) == 1 else None
    return only or ANY
