"""`netvigil lab`: the emulated devices, served until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from netvigil.app.server import stop_on_signals
from netvigil.cli.common import err, out, run
from netvigil.lab.service import Lab

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def run_lab() -> None:
    """Serve the lab and show what stands in it."""

    async def work() -> None:
        stop = stop_on_signals()
        async with Lab.start() as lab:
            out.print(lab_table(lab.truth()))
            err.print(
                f"The lab serves {lab.subnet}; scan it with: netvigil scan {lab.subnet}. Ctrl-C ends it."
            )
            await stop.wait()

    run(work)


def lab_table(truth: Mapping[str, Any]) -> Table:
    """The lab's devices, one a row."""
    table = Table(title=f"Emulated devices on {truth['subnet']}", title_justify="left")
    for column in ("Address", "Name", "Kind", "Open ports"):
        table.add_column(column)
    for host in truth["hosts"]:
        ports = " ".join(str(service["port"]) for service in host["services"])
        table.add_row(host["ip"], host["name"], host["kind"], ports)
    return table
