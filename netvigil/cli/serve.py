"""`netvigil serve` and `netvigil worker`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from netvigil.app.factory import create_app
from netvigil.app.server import bind, serve_until, stop_on_signals
from netvigil.app.service import open_service, run_jobs
from netvigil.cli.common import err, run, settings_from

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)


def run_serve(host: str, port: int, data_dir: Path | None) -> None:
    """API, scheduler and one worker until SIGINT or SIGTERM."""

    async def work() -> None:
        settings = settings_from(data_dir)
        stop = stop_on_signals()
        listener = bind(host, port)
        bound = listener.getsockname()[1]
        with listener:
            async with open_service(settings, f"netvigil serve --port {bound}") as service, run_jobs(service):
                err.print(f"netvigil serves on http://{in_url(host)}:{bound} (data in {settings.data_dir}).")
                await serve_until(create_app(service), listener, stop)
                log.info("stopping")

    run(work)


def run_worker(data_dir: Path | None) -> None:
    """One more worker until SIGINT or SIGTERM."""

    async def work() -> None:
        settings = settings_from(data_dir)
        stop = stop_on_signals()
        async with open_service(settings, "netvigil worker", share=True) as service, run_jobs(service):
            err.print("netvigil worker runs.")
            await stop.wait()

    run(work)


def in_url(host: str) -> str:
    """The host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
