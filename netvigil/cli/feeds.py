"""`netvigil feeds`: bring vulnerability data in and show what there is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from netvigil.app.service import open_database, open_service
from netvigil.catalogue.feed_states import read_feeds
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.sync.run import Outcome, sync_all
from netvigil.catalogue.sync.settings import read_feed_settings
from netvigil.cli.common import err, fail, out, print_json, run, settings_from
from netvigil.errors import FeedError

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.catalogue.feed_states import FeedsState
    from netvigil.catalogue.importer import ImportResult
    from netvigil.catalogue.sync.run import SyncResult


def run_feeds_import(paths: list[Path], data_dir: Path | None, *, as_json: bool) -> None:
    """Import and say what came in."""

    async def work() -> list[ImportResult]:
        settings = settings_from(data_dir, quiet=True)
        async with open_database(settings, "netvigil feeds import", share=True) as database:
            return await import_paths(database.engine, paths)

    results = run(work)
    if as_json:
        print_json([{k: v for k, v in asdict(result).items() if not k.startswith("_")} for result in results])
        return
    table = Table("File", "Source", "Records", "Skipped", "Seconds")
    for result in results:
        table.add_row(
            str(result.path),
            result.source,
            f"{result.records:,}",
            f"{result.skipped:,}",
            f"{result.seconds:.1f}",
        )
    out.print(table)


def run_feeds_sync(sources: list[str], data_dir: Path | None, *, as_json: bool) -> None:
    """Fetch and import; exit 1 when a source failed, with its reason in the table."""

    async def work() -> list[SyncResult]:
        settings = settings_from(data_dir, quiet=True)
        feeds = read_feed_settings()
        with Progress(
            TextColumn("{task.description}"), TimeElapsedColumn(), console=err, transient=True
        ) as bar:
            task = bar.add_task("asking the sources", total=None)

            def on_progress(source: str, done: int, total: int) -> None:
                bar.update(task, description=f"{source}: {done:,} of {total:,} records")

            async with open_database(settings, "netvigil feeds sync", share=True) as database:
                return await sync_all(
                    database, settings.data_dir, feeds, only=sources, on_progress=on_progress
                )

    results = run(work)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        table = Table("Source", "Outcome", "Records", "Skipped", "Seconds", "Reason")
        for one in results:
            counts = (f"{one.records:,}", f"{one.skipped:,}", f"{one.seconds:.1f}")
            table.add_row(one.source, one.outcome, *counts, one.error or "")
        out.print(table)
    failed = [one.source for one in results if one.outcome is Outcome.FAILED]
    if failed:
        fail(FeedError(f"These sources could not be fetched, their old data stays: {', '.join(failed)}."))


def run_feeds_status(data_dir: Path | None, *, as_json: bool) -> None:
    """Every source: what the catalogue holds of it, how old that is, and how its last sync went."""

    async def work() -> FeedsState:
        settings = settings_from(data_dir, quiet=True)
        async with (
            open_service(settings, "netvigil feeds status", share=True) as service,
            service.database.session() as session,
        ):
            return await read_feeds(session, read_feed_settings(), dead_after=settings.worker_dead_after)

    state = run(work)
    if as_json:
        print_json(asdict(state))
        return
    table = Table("Source", "Records", "Skipped", "Newest record", "Last sync", "Last error")
    for one in state.sources:
        table.add_row(
            one.source,
            f"{one.records:,}",
            f"{one.skipped:,}",
            _age(one.data_date),
            _age(one.last_success_at) if one.enabled else "off",
            one.last_error or "",
        )
    out.print(table)
    err.print(f"{state.cves:,} CVEs, version {state.catalogue_version}.")
    if state.starter_only:
        err.print("Only the starter catalogue is loaded: type 'netvigil feeds sync', or import files.")


def _age(when: datetime | None) -> str:
    if when is None:
        return "-"
    return f"{when.astimezone(UTC):%Y-%m-%d} ({(datetime.now(UTC) - when).days} days ago)"
