"""PURE: what every export is made from, and what a form of export is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a CVE on a device stands at the moment of the export.

    `status` is the decision in force (open, accepted, mitigated), with who made it, why, when and until when. `state` is
    open, resolved (a later look at the device did not show it) or withdrawn (corrected data no longer support it).
    `priority` and `reason` say what to do first; None where nobody has computed them.
    """

    status: str = "open"
    state: str = "open"
    justification: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    expires_at: datetime | None = None
    regressed: bool = False
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    resolved_at: datetime | None = None
    priority: float | None = None
    reason: str | None = None


OPEN = Standing()


@dataclass(frozen=True, slots=True)
class Statuses:
    """The standings of a scan's findings by host id and CVE; `revision` grows with each decision about them."""

    rows: Mapping[tuple[str, str], Standing] = field(default_factory=dict)
    revision: int = 0

    def of(self, finding: Mapping[str, Any]) -> Standing:
        """The standing of a report's finding; what nobody has spoken of is open."""
        return self.rows.get((finding["host"]["id"], finding["cve_id"]), OPEN)


@dataclass(frozen=True, slots=True)
class Content:
    """A scan to be exported: the report's document (schema `netvigil.report/1`) and how its findings stand now."""

    report: Mapping[str, Any]
    statuses: Statuses = field(default_factory=Statuses)


@dataclass(frozen=True, slots=True)
class Options:
    """`bom`: text begins with a byte order mark, for spreadsheets that take UTF-8 for something else without."""

    bom: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A form of export: its name in `?format=`, its media type, the end of its file's name, and how it is made.

    `render` gives the file piece by piece; it does no I/O, so it can run in a thread. Strings that it gets are hostile.
    """

    name: str
    media_type: str
    extension: str
    render: Callable[[Content, Options], Iterator[bytes]]
