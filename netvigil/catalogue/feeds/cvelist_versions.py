"""PURE: which versions an entry of the CVE list means: its fields, and the words that people put into them.

Source: CVE record format 5, `affected[].versions[]`: a version alone, or a range from `version` to `lessThan` or
`lessThanOrEqual`, whose status may change on the way (`changes`); `defaultStatus` holds for all that is not listed.
Many write a range into `version` in words instead (`< 1.2.3`, `1.2 and prior`). What we cannot read says nothing: a guess
would be a false alarm or, worse, a false silence.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from netvigil.matching.versions import Order, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AFFECTED, UNAFFECTED = "affected", "unaffected"

_ALL = frozenset({"*", "all", "all versions", "any", "all version"})
_NO_START = frozenset(
    {"0", "0.0", "0.0.0", "unspecified", "n/a", "-", "", "various", "previous versions", "x", "none"}
)
_INCOMPARABLE = frozenset(
    {"git", "original_commit_for_fix", "commit hash", "rpm", "deb", "dpkg", "apk", "purl"}
)
_PLAIN = re.compile(r"[vV]?(?=[0-9])([0-9A-Za-z][0-9A-Za-z._+~()\-]{0,60})")
_COMMIT = re.compile(r"[0-9a-f]{12,64}")
_COMPARISON = re.compile(r"(<=|>=|<|>|=)\s*(\S+)")
_BEFORE = re.compile(
    r"(?:all )?(?:versions? )?(?:prior to|before|earlier than|below|older than)(?: versions?)? (\S+)"
)
_DOWN = re.compile(
    r"(?:versions? )?(\S+),? (?:and|or) (?:all )?(?:prior|earlier|below|before|lower|older)(?: versions?)?"
)
_UP_TO = re.compile(r"(?:up to|through|<=)(?: and including)? (\S+)")
_FROM_TO = re.compile(r"(?:from )?(\S+) (?:to|through|thru|-|\u2013) (\S+)")


class Change(msgspec.Struct):
    """From this version on, another status."""

    at: str
    status: str


class Version(msgspec.Struct):
    """An entry of `versions`."""

    version: str = ""
    status: str = AFFECTED
    versionType: str | None = None
    lessThan: str | None = None
    lessThanOrEqual: str | None = None
    changes: list[Change] = []


class Span(NamedTuple):
    """Versions from a start to an end; None is no bound. A single version has only `only`, all versions have nothing."""

    start: str | None = None
    end: str | None = None
    end_included: bool = False
    start_excluded: bool = False
    only: str | None = None


def affected_spans(versions: Sequence[Version], default_status: str | None) -> list[Span]:
    """The affected versions of one product, each span once.

    Where an entry lists affected versions, these are meant, whatever the default. Where it lists only unaffected ones
    and all others are affected by default, what lies before the last of them is.
    """
    usable = [one for one in versions if (one.versionType or "").lower() not in _INCOMPARABLE]
    affected = [span for one in usable for span in _spans(one, AFFECTED)]
    unaffected = [span for one in usable for span in _spans(one, UNAFFECTED)]
    if not affected and default_status == AFFECTED:
        if not versions:
            return [Span()]
        affected = _gaps(unaffected)
    elif unaffected:
        affected = [_closed(span, unaffected) for span in affected]
    return list(dict.fromkeys(affected))


def plain_version(text: str | None) -> str | None:
    """A text as a version that can be compared: `v1.2.3 ` is `1.2.3`; None for anything else."""
    found = _PLAIN.fullmatch((text or "").strip().lstrip("<=> "))
    if found is None or _COMMIT.fullmatch(found[1]):
        return None
    return found[1].removesuffix(".x") if found[1].endswith(".x") else found[1]


def _spans(one: Version, status: str) -> Iterator[Span]:
    end = one.lessThan or one.lessThanOrEqual
    if end is None:
        if one.status == status:
            yield from _words(one.version)
        return
    start = None if one.version.strip().lower() in _NO_START | _ALL else plain_version(one.version)
    unbounded = end.strip() in ("*", "n/a", "unspecified")
    last = None if unbounded else plain_version(end)
    if not unbounded and last is None:
        return
    current, begun = one.status, start
    for change in one.changes:
        at = plain_version(change.at)
        if at is None:
            return
        if current == status and begun != at:
            yield Span(begun, at)
        current, begun = change.status, at
    if current == status and (begun is None or begun != last or one.lessThan is None):
        yield Span(begun, last, end_included=one.lessThan is None and last is not None)


def _words(text: str) -> Iterator[Span]:
    """The versions that a text in the place of one version names; nothing where it cannot be read."""
    text = " ".join(text.strip().split())
    lower = text.lower()
    if lower in _ALL:
        yield Span()
    elif lower in _NO_START:
        return
    elif text[0] in "<>=":
        yield from _compared(text)
    elif version := plain_version(text):
        series = text.lower().endswith(".x")
        yield Span(only=f"{version}.*" if series else version)
    else:
        yield from _told(lower)


def _compared(text: str) -> Iterator[Span]:
    """`>= 1.0, < 1.4.2` and the like, as GitHub writes all of its ranges."""
    span = Span()
    for part in text.split(","):
        found = _COMPARISON.fullmatch(part.strip())
        version = plain_version(found[2]) if found else None
        if found is None or version is None:
            return
        match found[1]:
            case "<" | "<=":
                span = span._replace(end=version, end_included=found[1] == "<=")
            case ">" | ">=":
                span = span._replace(start=version, start_excluded=found[1] == ">")
            case _:
                span = Span(only=version)
    yield span


def _told(text: str) -> Iterator[Span]:
    if found := _BEFORE.fullmatch(text):
        if version := plain_version(found[1]):
            yield Span(end=version)
    elif found := _DOWN.fullmatch(text) or _UP_TO.fullmatch(text):
        if version := plain_version(found[1]):
            yield Span(end=version, end_included=True)
    elif found := _FROM_TO.fullmatch(text):
        start, end = plain_version(found[1]), plain_version(found[2])
        if start and end and compare(start, end) is Order.OLDER:
            yield Span(start, end, end_included=True)


def _age_order(one: str, other: str) -> int:
    return compare(one, other).value or 0  # where the order is not known, the caller finds out


_by_age = cmp_to_key(_age_order)


def _gaps(unaffected: list[Span]) -> list[Span]:
    """What is affected where only unaffected versions are listed: all before them and between them.

    Nothing where their order is not clear. What comes after the last is not called affected, because such lists name
    the fixed versions of each branch and are not written again when the next one appears.
    """
    starts = {span.only or span.start or "*": span for span in unaffected}
    if any(start.endswith("*") for start in starts):
        return []
    gaps: list[Span] = []
    begin: str | None = None
    excluded = False
    for start in sorted(starts, key=_by_age):
        span = starts[start]
        if begin is not None and compare(begin, start) is not Order.OLDER:
            return []
        gaps.append(Span(begin, start, start_excluded=excluded))
        if span.only is None and span.end is None:
            break  # from here on all are fixed
        begin, excluded = (span.only or span.end), span.only is not None or span.end_included
    return gaps


def _closed(span: Span, unaffected: list[Span]) -> Span:
    """A span without an end ends where the first unaffected version after its start begins."""
    if span.only is not None or span.end is not None:
        return span
    ends = [one.only or one.start for one in unaffected]
    later = [end for end in ends if end and (span.start is None or compare(span.start, end) is Order.OLDER)]
    if not later:
        return span
    return span._replace(end=min(later, key=_by_age))
