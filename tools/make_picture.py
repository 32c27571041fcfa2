"""Draw docs/quickstart.svg: scan the built-in lab for real and show the first findings as a terminal would."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from netvigil.lab.service import Lab

TARGET = Path(__file__).resolve().parent.parent / "docs" / "quickstart.svg"
COLUMNS = 130
ROWS = 18
# The viewer's own fonts: a picture that fetches something would tell others who reads this page.
FONTS = "ui-monospace, 'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"


async def scan_lab() -> dict[str, Any]:
    """What `netvigil scan --json` prints for the lab, with the starter catalogue of a fresh data directory."""
    with tempfile.TemporaryDirectory() as data_dir:
        async with Lab.start() as lab:
            command = (
                "-c",
                "from netvigil.cli import main; main()",
                "scan",
                lab.subnet,
                "--json",
                "--data-dir",
                data_dir,
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, stdout=asyncio.subprocess.PIPE
            )
            printed, _ = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"netvigil scan ended with {process.returncode}")
    result: dict[str, Any] = json.loads(printed)
    return result


def findings_table(result: dict[str, Any]) -> Table:
    """The worst finding of each product on each device, so that the picture shows how different they are."""
    found = [(host["ip"], one) for host in result["hosts"] for one in host["findings"]]
    found.sort(key=lambda row: (-(row[1]["score"] or 0), row[1]["cve_id"], row[0]))
    worst: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for address, one in found:
        worst.setdefault((address, one["cpe"]), (address, one))
    hosts = len(result["hosts"])
    table = Table(
        title=f"{len(found)} findings on {hosts} hosts; the worst of each product:",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("CVE", "Score", "Severity", "Address", "Port", "Confidence", "Seen", "Affected"):
        table.add_column(name, no_wrap=True)
    for address, one in list(worst.values())[:ROWS]:
        evidence = one["evidence"]
        table.add_row(
            one["cve_id"],
            f"{one['score']:.1f}",
            one["severity"],
            address,
            str(one["port"] or "-"),
            one["confidence"],
            evidence["seen"].removesuffix(" protocol 2.0"),
            evidence["range"],
        )
    return table


def draw(result: dict[str, Any]) -> str:
    """The SVG of a terminal that shows the table, without an address of anything outside."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print("$ make run")
    console.print(findings_table(result))
    svg = console.export_svg(title="netvigil", unique_id="netvigil")
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face\s*\{[^}]*\}", "", svg)
    svg = re.sub(r"font-family:[^;]*;", f"font-family: {FONTS};", svg)
    outside = set(re.findall(r"https?://[^\s\"'<)]+", svg)) - {"http://www.w3.org/2000/svg"}
    if outside or "url(http" in svg:
        raise SystemExit(f"The picture would refer to {', '.join(sorted(outside))}.")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(draw(asyncio.run(scan_lab())), encoding="utf-8")
