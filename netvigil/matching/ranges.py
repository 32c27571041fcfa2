"""The matcher's language: what a CVE says is affected, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netvigil.matching.cpe import Cpe


class Operator(StrEnum):
    """How the parts of a node or configuration combine."""

    OR = "OR"
    AND = "AND"


@dataclass(frozen=True, slots=True)
class AffectedRange:
    """One criterion: a CPE pattern with optional version bounds (NVD `cpeMatch`).

    `vulnerable` is false for a "running on" part: it must be present but is not itself at fault.
    A bound is None where NVD gives none; bounds are raw version strings.
    """

    criteria: Cpe
    vulnerable: bool = True
    start_including: str | None = None
    start_excluding: str | None = None
    end_including: str | None = None
    end_excluding: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """Criteria under one operator (NVD `nodes[]`)."""

    operator: Operator
    negate: bool
    ranges: tuple[AffectedRange, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Nodes under one operator (NVD `configurations[]`); a CVE is present when any of its configurations is."""

    operator: Operator
    negate: bool
    nodes: tuple[Node, ...]
