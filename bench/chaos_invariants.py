"""What must hold after a chaos run, checked in the database and through the API; each check yields its violations."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import psycopg

FINAL = ("completed", "stopped", "failed")
OVERLAP = """
    SELECT a.id, b.id FROM {table} a JOIN {table} b ON a.{key} = b.{key} AND a.id < b.id
    WHERE a.started_at < b.finished_at AND b.started_at < a.finished_at {more}"""


async def check_database(
    connection: psycopg.AsyncConnection[Any], expected: dict[str, set[str]]
) -> list[str]:
    """Every violation as a sentence. `expected`: the findings of one undisturbed scan, CVEs by address."""
    violations: list[str] = []
    for name, query in QUERIES.items():
        rows = await (await connection.execute(query)).fetchall()
        violations += [f"{name}: {row}" for row in rows[:20]]
    violations += [text async for text in _wrong_findings(connection, expected)]
    return violations


QUERIES = {
    "a scan never ended": "SELECT id, state FROM scan WHERE state NOT IN ('completed', 'stopped', 'failed')",
    "a site scan of an ended scan never ended": (
        "SELECT id, state FROM site_scan WHERE state NOT IN ('scanned', 'failed', 'stopped')"
    ),
    "a completed scan has a site that was not scanned": (
        "SELECT s.id FROM scan s JOIN site_scan p ON p.scan_id = s.id WHERE s.state = 'completed' AND p.state <> 'scanned'"
    ),
    "a scan that nobody stopped is stopped": (
        "SELECT id FROM scan WHERE state = 'stopped' AND stop_requested_at IS NULL"
    ),
    "a scan failed, though the lab was there": "SELECT id, error FROM scan WHERE state = 'failed'",
    "an ended scan has no report": (
        "SELECT s.id FROM scan s LEFT JOIN report r ON r.scan_id = s.id WHERE r.scan_id IS NULL"
    ),
    "an ended scan has no numbers": "SELECT id FROM scan WHERE summary IS NULL OR finished_at IS NULL",
    "a host of a completed scan was not identified": (
        "SELECT h.id FROM host h JOIN scan s ON s.id = h.scan_id WHERE s.state = 'completed' AND NOT h.identified"
    ),
    "a host is there twice": ("SELECT site_scan_id, address FROM host GROUP BY 1, 2 HAVING count(*) > 1"),
    "a finding is there twice": (
        "SELECT scan_id, host_id, cve_id FROM finding GROUP BY 1, 2, 3 HAVING count(*) > 1"
    ),
    "two runs of a schedule overlap": OVERLAP.format(
        table="scan",
        key="schedule_id",
        more="AND a.trigger IN ('schedule', 'manual') AND b.trigger IN ('schedule', 'manual')",
    ),
    "two scans of a site overlap": OVERLAP.format(table="site_scan", key="site_id", more=""),
    "a schedule has not exactly one future job": (
        "SELECT s.id, count(j.id) FROM scan_schedule s LEFT JOIN procrastinate_jobs j ON j.queueing_lock = 'schedule:' || s.id"
        " AND j.status IN ('todo', 'doing') GROUP BY s.id HAVING count(j.id) <> 1"
    ),
    "a job of an ended scan is left": (
        "SELECT j.id, j.task_name, j.status FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing')"
        " AND j.task_name IN ('scans.run_site_scan', 'findings.reconcile_scan', 'reports.freeze_report')"
    ),
}


async def _wrong_findings(connection: psycopg.AsyncConnection[Any], expected: dict[str, set[str]]):
    rows = await (
        await connection.execute(
            "SELECT s.id, host(h.address), f.cve_id FROM scan s JOIN host h ON h.scan_id = s.id"
            " LEFT JOIN finding f ON f.host_id = h.id WHERE s.state = 'completed' AND s.trigger = 'manual'"
        )
    ).fetchall()
    seen: dict[Any, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for scan, address, cve in rows:
        seen[scan][address] |= {cve} - {None}
    for scan, found in seen.items():
        if dict(found) != expected:
            wrong = {a: found.get(a, set()) ^ expected.get(a, set()) for a in found.keys() | expected.keys()}
            yield f"a completed scan differs from the undisturbed one: {scan}: { ({a: w for a, w in wrong.items() if w}) }"


def check_reports(reports: list[dict[str, Any]], started: set[str], stopped: set[str]) -> Iterator[str]:
    """What the API says of all scans; `started` and `stopped` are the ids that the run's requests were answered with."""
    known = {report["id"]: report for report in reports}
    for lost in started - known.keys():
        yield f"the API accepted a scan and does not know it: {lost}"
    for scan_id, report in known.items():
        if report["state"] not in FINAL or report["running"]:
            yield f"the API says that an ended scan runs: {scan_id}"
        if report["json_url"] is None:
            yield f"an ended scan has no report link: {scan_id}"
    for scan_id in stopped & known.keys():
        if known[scan_id]["state"] not in {"stopped", "completed"}:
            yield f"a stopped scan is {known[scan_id]['state']}: {scan_id}"


async def check_downloads(api: httpx.AsyncClient, reports: list[dict[str, Any]]) -> list[str]:
    """Every report opens by its link, without a token, and is of that scan."""
    wrong = []
    for report in reports:
        if report["json_url"] is None:
            continue
        answer = await api.get(report["json_url"], headers={"Authorization": ""})
        if answer.status_code != 200 or answer.json()["scan"]["id"] != report["id"]:
            wrong.append(f"the report of {report['id']} does not open: {answer.status_code}")
    return wrong
