"""Findings as a table for spreadsheets: one row a finding, as the report counts them, all its services in one cell.

RFC 4180: CR LF, a header, a comma; UTF-8. Numbers are numbers, texts are never formulas (see `texts.cell`).
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from netvigil.access.wire import utc_text
from netvigil.reports.exports.base import Content, Format, Options, Standing
from netvigil.reports.exports.texts import cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

COLUMNS: Final = (
    "scan_id", "started_at", "site_id", "site", "ip_address", "mac_address", "hostname", "manufacturer",
    "port", "protocol", "service", "product", "version", "all_services", "cve_id", "severity", "score",
    "cvss_version", "vector", "epss", "epss_percentile", "epss_date", "kev", "kev_due_date", "kev_ransomware",
    "confidence", "state", "status", "justification", "decided_by", "decided_at", "expires_at", "regressed", "priority",
    "priority_reason", "first_seen_at", "last_seen_at", "resolved_at", "fixed_in", "affected", "seen", "cwe",
    "published_at", "description", "finding_id",
)  # fmt: skip
ROWS_AT_ONCE: Final = 200
DESCRIPTION_LIMIT: Final = 4_000


def render(content: Content, options: Options) -> Iterator[bytes]:
    """The header, then some hundred rows a piece."""
    rows = StringIO()
    writer = csv.writer(rows, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    if options.bom:
        yield "\ufeff".encode()
    names = {site["id"]: site["name"] for site in content.report["sites"]}
    for number, finding in enumerate(content.report["findings"], start=1):
        row = _row(finding, content.report["scan"], names, content.statuses.of(finding))
        writer.writerow([cell(row[name]) for name in COLUMNS])
        if number % ROWS_AT_ONCE == 0:
            yield _taken(rows)
    yield _taken(rows)


def _taken(rows: StringIO) -> bytes:
    text = rows.getvalue()
    rows.seek(0)
    rows.truncate()
    return text.encode()


def _row(
    finding: Mapping[str, Any], scan: Mapping[str, Any], sites: Mapping[str, str], standing: Standing
) -> dict[str, Any]:
    host, evidence = finding["host"], finding["evidence"]
    service = finding["service"] or {}
    return {
        "scan_id": scan["scan_id"],
        "started_at": scan["started_at"],
        "site": sites.get(host["site_id"]),
        **{name: host[name] for name in ("site_id", "ip_address", "mac_address", "hostname", "manufacturer")},
        **{name: service.get(name) for name in ("port", "protocol", "product", "version")},
        "service": service.get("name"),
        "all_services": " ".join(f"{one['protocol']}/{one['port']}" for one in evidence.get("services", ())),
        **{name: finding[name] for name in ("cve_id", "severity", "score", "vector", "confidence")},
        "cvss_version": finding["cve_detail"]["cvss_version"],
        **_likelihood(finding),
        **_standing(standing, finding),
        "fixed_in": finding["fixed_in"],
        "affected": evidence.get("range"),
        "seen": evidence.get("seen"),
        "cwe": " ".join(finding["cwe"]),
        "published_at": finding["published_at"],
        "description": finding["description"][:DESCRIPTION_LIMIT],
        "finding_id": finding["id"],
    }


def _likelihood(finding: Mapping[str, Any]) -> dict[str, Any]:
    epss, kev = finding["epss"] or {}, finding["kev"]
    listed = kev or {}
    return {
        "epss": epss.get("score"),
        "epss_percentile": epss.get("percentile"),
        "epss_date": epss.get("date"),
        "kev": kev is not None,
        "kev_due_date": listed.get("due_date"),
        "kev_ransomware": listed.get("ransomware"),
    }


def _standing(standing: Standing, finding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": standing.state,
        "status": standing.status,
        "justification": standing.justification,
        "decided_by": standing.decided_by,
        "decided_at": _time(standing.decided_at),
        "expires_at": _time(standing.expires_at),
        "regressed": standing.regressed,
        "priority": finding.get("priority") if standing.priority is None else standing.priority,
        "priority_reason": standing.reason or finding.get("priority_reason"),
        "first_seen_at": _time(standing.first_seen_at),
        "last_seen_at": _time(standing.last_seen_at),
        "resolved_at": _time(standing.resolved_at),
    }


def _time(value: datetime | None) -> str | None:
    return utc_text(value) if value is not None else None


FORMAT = Format("csv", "text/csv; charset=utf-8; header=present", "csv", render)
