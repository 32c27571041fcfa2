"""PURE: CVEs that may concern a product, decoded from their stored form only as far as they are looked at."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netvigil.catalogue.encoding import Key, PackedConfigurations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netvigil.matching.ranges import Configuration

_PAUSE_FROM = 5000  # rows


@dataclass(frozen=True)
class Candidate:
    """A CVE that names a wanted product as vulnerable, and its score, with what is left to compare.

    `packed` holds its configurations pruned to the wanted products, None where it has none; they are decoded when they
    are asked for. `configured_by` is the source that they are from. The score's four fields are None where nobody has
    scored the CVE.
    """

    cve_id: str
    score: float | None
    severity: str | None
    vector: str | None
    cvss_version: str | None
    configured_by: str
    packed: PackedConfigurations | None = field(default=None, repr=False, compare=False)

    @cached_property
    def configurations(self) -> tuple[Configuration, ...]:
        """What is affected, typed."""
        return self.packed.decode() if self.packed else ()

    @cached_property
    def guesses(self) -> frozenset[Key]:
        """The products among them whose CPE names the source did not give."""
        return self.packed.guesses() if self.packed else frozenset()

    def vulnerable_products(self) -> set[Key]:
        """The products that its criteria call vulnerable."""
        return {name for name, _ in self.packed.vulnerable()} if self.packed else set()


@contextmanager
def collection_paused(rows: int) -> Iterator[None]:
    """No garbage collection while very many rows are worked on.

    They hold no cycles, but each look for some goes over all the lists that they consist of, which doubles the time.
    """
    pause = rows > _PAUSE_FROM and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.freeze()  # and back: what was made meanwhile counts as old, and is not gone over three times now
            gc.unfreeze()
            gc.enable()


def decode_candidates(rows: dict[str, Sequence[Any]], wanted: frozenset[Key]) -> list[Candidate]:
    """Candidates from their rows (in the order of `Candidate`'s fields) by name, pruned to the wanted products."""
    with collection_paused(len(rows)):
        return _candidates(rows, wanted)


def _candidates(rows: dict[str, Sequence[Any]], wanted: frozenset[Key]) -> list[Candidate]:
    candidates = []
    for _, (cve_id, score, severity, vector, cvss_version, configured_by, data) in sorted(rows.items()):
        packed = PackedConfigurations(data, wanted)
        if packed:  # an index number can stand for two products, then nothing is left here
            candidates.append(Candidate(cve_id, score, severity, vector, cvss_version, configured_by, packed))
    return candidates
