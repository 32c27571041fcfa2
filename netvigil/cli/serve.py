"""`netvigil serve`."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import structlog

from netvigil.app.factory import create_app
from netvigil.app.server import bind, serve_until, stop_on_signals
from netvigil.app.service import open_service, run_jobs
from netvigil.cli.common import err, run, settings_from

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)


def run_serve(host: str, port: int, vantages: list[str], data_dir: Path | None) -> None:
    """API, scheduler and one worker until SIGINT or SIGTERM; no vantages are those of the settings."""

    async def work() -> None:
        settings = settings_from(data_dir, vantages=vantages)
        stop = stop_on_signals()
        listener = bind(host, port)
        bound = listener.getsockname()[1]
        with listener:
            async with (
                open_service(settings, f"netvigil serve --port {bound}") as service,
                run_jobs(service) as worker,
            ):
                app = create_app(service, why_idle=worker.why_idle)
                # what is there now stays: looking through it again and again made requests wait a tenth of a second
                gc.collect()
                gc.freeze()
                err.print(f"netvigil serves on http://{in_url(host)}:{bound} (data in {settings.data_dir}).")
                await serve_until(app, listener, stop)
                log.info("stopping")

    run(work)


def in_url(host: str) -> str:
    """The host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
