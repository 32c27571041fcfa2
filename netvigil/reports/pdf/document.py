"""PURE: the frozen report as the values that the template shows: strings made safe, things sorted, counted, and cut."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from netvigil.reports.pdf import heatmap, pictures, rows
from netvigil.reports.pdf.groups import (
    SEVERITIES,
    Finding,
    by_cve,
    count_severities,
    is_open,
    updates,
)
from netvigil.reports.pdf.text import shown
from netvigil.reports.pdf.verdict import numbers, verdict

Report = dict[str, Any]
CARDS = 30  # findings told in full; the others are a table, and beyond it a list
TABLE_ROWS = 400
UPDATES_FIRST_PAGE = 5
UPDATES = 40
MAPS = 48
STALE_AFTER_DAYS = 7
DAY = 10
SHORT_CARDS = 2  # a report with so little in it needs no page for each chapter
SHORT_HOSTS = 12


def build(report: Report) -> dict[str, Any]:
    """What the template shows of a frozen report (schema `netvigil.report/1`; a field that is absent reads as unknown).

    Every string in the answer is printable (`text.shown`) or ours. Findings are never left out: the most urgent are
    told in full, the next ones in a table, the rest in a list.
    """
    findings: list[Finding] = list(report.get("findings", []))
    open_ones = [one for one in findings if is_open(one)]
    groups = by_cve(open_ones)
    sites = {str(site.get("id")): shown(site.get("name")) for site in report.get("sites", [])}
    many = len(sites) > 1
    cards, rest = groups[:CARDS], groups[CARDS:]
    todo = updates(open_ones)
    return {
        "meta": _meta(report),
        "verdict": {name: shown(text, 400) for name, text in verdict(report).items()},
        "numbers": numbers(report),
        "pictures": _pictures(report, findings),
        "warnings": [shown(text, 500) for text in report.get("warnings", [])],
        "notes": [shown(text, 230) for text in report.get("warnings", [])[:2]],
        "stale": _stale(report),
        "updates": [rows.update_row(one) for one in todo[:UPDATES]],
        "updates_left": max(len(todo) - UPDATES, 0),
        "first": min(UPDATES_FIRST_PAGE, len(todo)),
        "cards": [rows.card(group, sites if many else {}) for group in cards],
        "table": [rows.table_row(group, sites if many else {}) for group in rest[:TABLE_ROWS]],
        "list": rows.listed(rest[TABLE_ROWS:]),
        "decided": [rows.decided_row(one) for one in findings if not is_open(one)],
        "maps": _maps(report, open_ones),
        "legend": heatmap.legend(),
        "hosts": _hosts(report),
        "not_scanned": [rows.not_scanned_row(one) for one in _not_scanned(report)],
        "not_affected": rows.not_affected(report.get("not_affected", [])),
        "data": _data(report),
        "short": len(groups) <= SHORT_CARDS and len(report.get("hosts", [])) <= SHORT_HOSTS,
    }


def _meta(report: Report) -> dict[str, Any]:
    scan = report.get("scan", {})
    state = "stopped" if scan.get("stopped") else "complete"
    sites = report.get("sites", [])
    if any(site.get("state") == "failed" for site in sites):
        state = "incomplete"
    return {
        "title": shown(scan.get("description"), 160) or "Vulnerability scan",
        "scan_id": shown(scan.get("scan_id")),
        "started": rows.moment(scan.get("started_at")),
        "generated": rows.moment(report.get("generated_at")),
        "sites": [shown(site.get("name")) for site in sites[:3]],
        "site_count": len(sites),
        "min_cvss": scan.get("min_cvss") or 0,
        "warning_threshold": scan.get("warning_threshold") or 0,
        "trigger": shown(scan.get("trigger")),
        "state": state,
        "findings": len(report.get("findings", [])),
    }


def _pictures(report: Report, findings: list[Finding]) -> dict[str, Any]:
    now = count_severities(findings)
    before = (report.get("previous") or {}).get("severities")
    trend = [
        (
            str(run.get("started_at") or "")[:DAY],
            run.get("severities"),
            int(run.get("cve_count") or 0),
            index == len(report["trend"]) - 1,
        )
        for index, run in enumerate(report.get("trend") or [])
    ]
    return {
        "bars": pictures.severity_bars(now, before),
        "bars_alt": pictures.describe_bars(now, before),
        "trend": pictures.trend_columns(trend) if len(trend) > 1 else None,
        "trend_alt": pictures.describe_trend(trend),
        "key": [
            {"name": name.lower(), "colour": pictures.COLOURS[name]} for name in SEVERITIES if name != "NONE"
        ],
    }


def _stale(report: Report) -> str | None:
    """The warning about old data, None while they are fresh or of unknown age."""
    age = report.get("catalogue", {}).get("age_days")
    if not isinstance(age, int) or age <= STALE_AFTER_DAYS:
        return None
    return (
        f"The vulnerability data is {age} days old. Whatever was published since then is not in this report."
    )


def _maps(report: Report, open_ones: list[Finding]) -> list[dict[str, Any]]:
    worst: dict[str, tuple[float, str]] = {}
    for one in open_ones:
        key = str(one["host"].get("id"))
        here = (float(one.get("score") or 0), str(one.get("severity") or "NONE").upper())
        worst[key] = max(worst.get(key, (-1.0, "")), here)
    per_site: dict[str, dict[str, tuple[str | None, bool]]] = {}
    for host in report.get("hosts", []):
        severity = worst.get(str(host.get("id")), (0.0, ""))[1]
        told = (severity if severity in SEVERITIES else None, bool(host.get("new")))
        per_site.setdefault(str(host.get("site_id")), {})[str(host["ip_address"])] = told
    left = MAPS
    maps = []
    for site in report.get("sites", []):
        name = str(site.get("id"))
        one, used = _site_maps(site, per_site.get(name, {}), _urgent(report, name), left)
        left -= used
        maps.append(one)
    return maps


def _site_maps(
    site: Report, hosts: dict[str, tuple[str | None, bool]], urgent: list[dict[str, Any]], left: int
) -> tuple[dict[str, Any], int]:
    whole = site.get("state") == "scanned"
    missing = site.get("missing", []) if whole else []
    exclusions = (site.get("exclusions") or {}).get("addresses", [])
    blocks = heatmap.blocks_of(
        site.get("subnets", []),
        hosts,
        missing=[one["ip_address"] for one in missing],
        excluded=rows.networks_of(exclusions),
        scanned=whole,
    )
    drawn = [block for block in blocks if not block.quiet][: max(left, 0)]
    missed = [block for block in blocks if not block.quiet][len(drawn) :]
    return {
        "site": shown(site.get("name")),
        "subnets": rows.joined([str(IPv4Network(text)) for text in site.get("subnets", [])], 12),
        "state": shown(site.get("state")),
        "live": len(hosts),
        "urgent": urgent,
        "missing": [rows.missing_row(one) for one in missing[:60]],
        "missing_left": max(len(missing) - 60, 0),
        "blocks": [
            {
                "name": block.name,
                "svg": heatmap.draw(block),
                "alt": heatmap.describe(block),
                "live": block.count(*pictures.COLOURS, heatmap.LIVE),
                "asked": len(block.cells),
            }
            for block in drawn
        ],
        "quiet": rows.joined([block.name for block in blocks if block.quiet], 8),
        "not_drawn": rows.joined([block.name for block in missed], 8),
    }, len(drawn)


def _urgent(report: Report, site_id: str) -> list[dict[str, Any]]:
    """The devices of a site whose findings weigh most, for the place beside its map."""
    here = [
        host
        for host in report.get("hosts", [])
        if str(host.get("site_id")) == site_id and host.get("cve_count")
    ]
    here.sort(key=lambda host: (-float(host["highest_score"]), -int(host["cve_count"])))
    return [{**rows.host_row(host), "name": shown(host.get("hostname"), 28)} for host in here[:10]]


def _hosts(report: Report) -> list[dict[str, Any]]:
    by_site: dict[str, list[dict[str, Any]]] = {}
    for host in report.get("hosts", []):
        by_site.setdefault(str(host.get("site_id")), []).append(host)
    known = report.get("sites", [])
    return [
        {
            "site": shown(site.get("name")),
            "hosts": [rows.host_row(host) for host in rows.by_address(by_site.get(str(site.get("id")), []))],
        }
        for site in known
        if by_site.get(str(site.get("id")))
    ]


def _not_scanned(report: Report) -> list[dict[str, Any]]:
    """The report's own list; of an older report what its sites say."""
    if "not_scanned" in report:
        return list(report["not_scanned"])
    return [
        {"site": site.get("name"), "what": "the whole site", "reason": site["error"]}
        for site in report.get("sites", [])
        if site.get("error")
    ]


def _data(report: Report) -> dict[str, Any]:
    catalogue = report.get("catalogue", {})
    age = catalogue.get("age_days")
    return {
        "version": shown(catalogue.get("version")),
        "cves": int(catalogue.get("cves") or 0),
        "date": rows.moment(catalogue.get("data_date"))[:DAY] or "unknown",
        "age": f"{age} day{'' if age == 1 else 's'} old" if isinstance(age, int) else "of unknown age",
        "starter_only": bool(catalogue.get("starter_only")),
        "feeds": [
            {
                "source": shown(one.get("source")),
                "records": int(one.get("records") or 0),
                "data_date": rows.moment(one.get("data_date")) or "unknown",
                "imported_at": rows.moment(one.get("imported_at")) or "unknown",
            }
            for one in catalogue.get("feeds", [])
        ],
    }
