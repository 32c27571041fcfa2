"""`netvigil worker`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netvigil.app.server import stop_on_signals
from netvigil.app.service import open_service, run_jobs
from netvigil.cli.common import err, run, settings_from

if TYPE_CHECKING:
    from pathlib import Path


def run_worker(vantages: list[str], data_dir: Path | None) -> None:
    """One more worker until SIGINT or SIGTERM; no vantages are those of the settings."""

    async def work() -> None:
        settings = settings_from(data_dir, vantages=vantages)
        stop = stop_on_signals()
        async with (
            open_service(settings, "netvigil worker", share=True) as service,
            run_jobs(service) as worker,
        ):
            err.print(f"netvigil worker runs for the vantages: {', '.join(worker.vantages)}.")
            await stop.wait()

    run(work)
