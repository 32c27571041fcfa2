"""Hosts and findings as tables for people; identifiers stay whole however narrow the terminal is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NARROW_BELOW = 110  # columns of the terminal


class FindingRow(NamedTuple):
    """One line of the findings' table."""

    cve_id: str
    score: float | None
    severity: str | None
    address: str
    port: int | None
    confidence: str
    seen: str
    affected: str


def findings_table(rows: Iterable[FindingRow], width: int) -> Table:
    """The findings in the given order; a terminal of few columns (`width`) gets the columns that nothing else says."""
    narrow = width < NARROW_BELOW
    table = Table(title="Findings", title_justify="left")
    for name in ("CVE", "Score", *(() if narrow else ("Severity",)), "Address", "Port"):
        table.add_column(name, no_wrap=True)
    for name in (*(() if narrow else ("Confidence",)), "Seen", "Affected"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row.cve_id,
            "-" if row.score is None else f"{row.score:.1f}",
            *(() if narrow else (row.severity or "-",)),
            row.address,
            str(row.port or "-"),
            *(() if narrow else (row.confidence,)),
            row.seen,
            row.affected,
        )
    return table


def hosts_table(hosts: Sequence[Mapping[str, Any]]) -> Table:
    """The hosts of `netvigil scan --json` with their services; a column that nobody fills is left out."""
    columns = {
        "MAC": [host["mac"] for host in hosts],
        "Hostname": [host["hostname"] for host in hosts],
        "Device": [_device(host) for host in hosts],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(title="Hosts", title_justify="left")
    table.add_column("Address", no_wrap=True)
    for name in shown:
        table.add_column(name, no_wrap=name == "MAC")
    table.add_column("Services")
    for place, host in enumerate(hosts):
        services = "\n".join(map(_service, host["services"])) or "no open port seen"
        table.add_row(host["ip"], *(cells[place] or "-" for cells in shown.values()), services)
    return table


def _device(host: Mapping[str, Any]) -> str:
    """What it is: the model, else who made it; then its system."""
    return "\n".join(filter(None, (host["model"] or host["manufacturer"], host["os"])))


def _service(service: Mapping[str, Any]) -> str:
    words = [service["product"] or service["service"] or "unknown", service["version"] or ""]
    spared = " (fragile: not spoken to)" if service["spared"] else ""
    return f"{service['port']}/{service['protocol']} {' '.join(words)}".rstrip() + spared
