"""Affected ranges and versions in plain words, for reports and for a match's reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netvigil.matching.cpe import ANY, NA, unescape

if TYPE_CHECKING:
    from netvigil.matching.cpe import Cpe
    from netvigil.matching.ranges import AffectedRange

_CHANNELS: Final = {"ltr": "long-term channel", NA: "stable channel", "testing": "testing channel"}
QUALIFIERS: Final = ("edition", "language", "sw_edition", "target_sw", "target_hw", "other")
QUALIFIER_WORDS: Final = {
    "edition": "edition",
    "language": "language",
    "sw_edition": "edition",
    "target_sw": "platform",
    "target_hw": "hardware",
    "other": "variant",
}


def describe_range(affected: AffectedRange) -> str:
    """The versions that a criterion names: `from 6.29 through 6.42`, `before 7.5`, `exactly 6.46.8`, `all versions`."""
    criteria = affected.criteria
    words = _bounds(affected) or _unbounded(criteria)
    if criteria.update not in (ANY, NA) and "exactly" not in words:
        words += f" (update {unescape(criteria.update)})"
    extras = [describe_qualifier(criteria, name) for name in QUALIFIERS if getattr(criteria, name) != ANY]
    return f"{words} ({', '.join(extras)})" if extras else words


def describe_qualifier(criteria: Cpe, name: str) -> str:
    """One further attribute that a criterion asks for: `platform windows`, `long-term channel` for RouterOS."""
    value: str = getattr(criteria, name)
    if name == "sw_edition" and criteria.product == "routeros" and value in _CHANNELS:
        return _CHANNELS[value]
    word = QUALIFIER_WORDS[name]
    return f"no {word}" if value == NA else f"{word} {unescape(value)}"


def version_text(cpe: Cpe) -> str:
    """Version and update as one would say them: `9.2p1`, `4.0.0 sp2`; empty when unknown."""
    version = "" if cpe.version in (ANY, NA) else unescape(cpe.version)
    update = "" if cpe.update in (ANY, NA) else unescape(cpe.update)
    short = update[:1] == "p" or len(update) == 1 or update.startswith(("rc", "beta"))
    return f"{version}{update}" if version and short else f"{version} {update}".strip()


def display_name(cpe: Cpe) -> str:
    """Vendor and product as one reads them: `f5 nginx`."""
    return f"{unescape(cpe.vendor)} {unescape(cpe.product)}".replace("_", " ")


def _bounds(affected: AffectedRange) -> str:
    start = end = ""
    if affected.start_including is not None:
        start = f"from {unescape(affected.start_including)}"
    elif affected.start_excluding is not None:
        start = f"after {unescape(affected.start_excluding)}"
    if affected.end_including is not None:
        end = f"through {unescape(affected.end_including)}"
    elif affected.end_excluding is not None:
        end = f"before {unescape(affected.end_excluding)}"
    if start and not end:
        return f"{start} on" if affected.start_including is not None else start
    return f"{start} {end}".strip()


def _unbounded(criteria: Cpe) -> str:
    if criteria.version == ANY:
        return "all versions"
    if criteria.version == NA:
        return "no version named"
    return f"exactly {version_text(criteria)}"
