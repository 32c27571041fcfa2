"""PURE: the parts of a CVE brought together to one record, each value with the source that it is from.

The same order of sources as in the SQL of `parts`, which computes what is filtered by; a test holds both together.
"""

from __future__ import annotations

from datetime import UTC, date
from typing import TYPE_CHECKING, Any

from netvigil.catalogue.encoding import decode_configurations, unpack
from netvigil.catalogue.records import REJECTED, CveRecord, KnownExploited, Metric, Reference, preference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netvigil.catalogue.parts import StoredPart

TELLS = ("nvd", "cvelist", "overrides", "starter")
"""Whose word on a CVE goes before whose."""

CONFIGURES = ("nvd", "overrides", "cvelist", "starter")
"""Whose configurations go before whose."""

_REJECTS = ("nvd", "cvelist")


class _Word:
    """One part, its details unpacked."""

    def __init__(self, part: StoredPart) -> None:
        self.part = part
        self.source = part.source
        details: list[Any] = unpack(part.details)
        self.description, self.assigner, self.metrics, self.cwes, self.references, self.exploited = details


def merge_parts(parts: Iterable[StoredPart], *, with_configurations: bool = True) -> CveRecord:
    """The record of one CVE from all of its parts, in any order; ValueError for no parts.

    Configurations cost the most and can be left out.
    """
    by_source = {part.source: part for part in parts}
    if not by_source:
        raise ValueError("a CVE without parts")
    if by_source.keys() & set(_REJECTS):
        by_source.pop("starter", None)
    words = [_Word(by_source[source]) for source in TELLS if source in by_source]
    first = words[0].part
    rejected = any(word.part.status == REJECTED for word in words if word.source in _REJECTS)
    configured = None if rejected else configured_by(list(by_source.values()))
    described = next((word for word in words if word.description), words[0])
    exploited = next((word for word in words if word.exploited), None)
    return CveRecord(
        cve_id=first.cve_id,
        assigner=next((word.assigner for word in words if word.assigner), ""),
        published=first.published.astimezone(UTC),  # the database answers in its session's zone
        modified=max(word.part.modified for word in words).astimezone(UTC),
        status=REJECTED if rejected else first.status,
        description=described.description,
        metrics=_metrics(words),
        cwes=tuple(dict.fromkeys(cwe for word in words for cwe in word.cwes)),
        references=_references(words),
        configurations=decode_configurations(configured.configurations)
        if configured is not None and with_configurations
        else (),
        known_exploited=None if exploited is None else _exploited(exploited.exploited),
        origins=_origins(words, described, configured, exploited),
    )


def configured_by(parts: Sequence[StoredPart]) -> StoredPart | None:
    """The part whose configurations count; None where no part has any."""
    having = {part.source: part for part in parts if part.configurations is not None}
    return next((having[source] for source in CONFIGURES if source in having), None)


def _origins(
    words: list[_Word], described: _Word, configured: StoredPart | None, exploited: _Word | None
) -> tuple[tuple[str, str], ...]:
    pairs = {"status": words[0].source}
    if described.description:
        pairs["description"] = described.source
    if configured is not None:
        pairs["configurations"] = configured.source
    for name in ("cwes", "references", "metrics"):
        sources = [word.source for word in words if getattr(word, name)]
        if sources:
            pairs[name] = ", ".join(sources)
    if exploited is not None:
        pairs["known_exploited"] = exploited.source
    return tuple(pairs.items())


def _metrics(words: list[_Word]) -> tuple[Metric, ...]:
    """Each score once (NVD repeats what the CNA gave to the CVE list), the one that counts first."""
    found = [Metric(*values) for values in words[0].metrics]
    seen = {(one.cvss_version, one.vector) for one in found}
    for word in words[1:]:
        more = [Metric(*values) for values in word.metrics]
        found += [one for one in more if (one.cvss_version, one.vector) not in seen]
        seen |= {(one.cvss_version, one.vector) for one in more}
    return tuple(
        sorted(found, key=lambda one: preference(one.cvss_version, one.base_score, primary=one.primary))
    )


def _references(words: list[_Word]) -> tuple[Reference, ...]:
    tags: dict[str, list[str]] = {}
    for word in words:
        for url, of_link in word.references:
            known = tags.setdefault(url, [])
            known += [tag for tag in of_link if tag not in known]
    return tuple(Reference(url, tuple(of_link)) for url, of_link in tags.items())


def _exploited(raw: list[str | None]) -> KnownExploited | None:
    added, due, name, action = raw
    if added is None:
        return None
    return KnownExploited(
        date.fromisoformat(added), date.fromisoformat(due) if due is not None else None, name, action
    )
