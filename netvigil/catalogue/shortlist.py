"""PURE: which criteria a version can meet at all, found by its number instead of by comparing with each.

A product like Linux has tens of thousands of criteria, of which a given version meets few. What is left out here is left
out for one reason only: the release numbers on both sides are plain and tell the versions apart. All else stays in and is
judged in full (`matching.criteria`); leaving out less than possible costs time, leaving out too much a finding.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from netvigil.matching.versions import Kind, Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHORT = 2  # values of a criterion without bounds, see `encoding`
_Release = tuple[int, ...]


class Entry(NamedTuple):
    """A stored criterion of the candidate with this number; `place` is its place among the candidate's."""

    number: int
    place: int
    criterion: list[Any]


class Shortlist:
    """All criteria on one product."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._always: set[int] = set()
        self._named: dict[str | _Release, set[int]] = {}
        ranges: list[tuple[_Release, _Release, int]] = []
        endless: list[tuple[_Release, int]] = []
        for number, (_, _, criterion) in enumerate(entries):
            if len(criterion) == _SHORT or not any(criterion[3:]):
                self._add_named(number, criterion[1])
                continue
            span = _span(criterion)
            if span is None:
                self._always.add(number)
            elif span[1] is None:
                endless.append((span[0], number))
            else:
                ranges.append((span[1], span[0], number))
        ranges.sort()
        self._ends = [end for end, _, _ in ranges]
        self._ranges = ranges
        self._endless = endless

    def find(self, version: str, update: str) -> Iterable[Entry]:
        """The criteria that this version may meet, and perhaps some that it does not."""
        mine = parse_version(version, update)
        if mine is None or not _is_plain(mine):
            return self._entries
        release = mine.release
        found = self._always | self._named.get(version, set()) | self._named.get(release, set())
        found.update(
            [
                number
                for _, start, number in self._ranges[bisect_left(self._ends, release) :]
                if start <= release
            ]
        )
        found.update([number for start, number in self._endless if start <= release])
        entries = self._entries
        return [entries[number] for number in found]

    def _add_named(self, number: int, rest: str) -> None:
        version, _, others = rest.partition(":")
        if "\\" in rest or "*" in version or "?" in version or version == "-":
            self._always.add(number)
            return
        self._named.setdefault(version, set()).add(number)
        parsed = parse_version(version, others.partition(":")[0] or "*")
        if parsed is not None:
            self._named.setdefault(parsed.release, set()).add(number)


def _is_plain(version: Version) -> bool:
    """Whether another release number says for sure that it is an older or newer version."""
    return (
        not version.prefix
        and not version.is_date
        and all(item.kind is not Kind.WORD for item in version.items)
    )


def _span(criterion: list[Any]) -> tuple[_Release, _Release | None] | None:
    """The release numbers between which a criterion's versions are; None where they do not say it all."""
    version, _, others = criterion[1].partition(":")
    if "\\" in criterion[1] or version != "*" or (others.partition(":")[0] or "*") != "*":
        return None
    start_including, start_excluding, end_including, end_excluding = criterion[3:]
    ends: list[_Release | None] = []
    for bound in (start_including or start_excluding, end_including or end_excluding):
        parsed = parse_version(bound) if bound else None
        if bound and (parsed is None or not _is_plain(parsed)):
            return None
        ends.append(None if parsed is None else parsed.release)
    return ends[0] or (), ends[1]
