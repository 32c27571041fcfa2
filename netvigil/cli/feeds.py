"""`netvigil feeds`: bring vulnerability data in and show what there is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from netvigil.app.service import open_database, open_service
from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.queries import catalogue_state
from netvigil.cli.common import err, out, print_json, run, settings_from

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.catalogue.importer import ImportResult


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


def run_feeds_status(data_dir: Path | None, *, as_json: bool) -> None:
    """The catalogue's sources, sizes and ages."""

    async def work() -> dict[str, Any]:
        settings = settings_from(data_dir, quiet=True)
        async with (
            open_service(settings, "netvigil feeds status", share=True) as service,
            service.database.session() as session,
        ):
            return asdict(await catalogue_state(session))

    state = run(work)
    if as_json:
        print_json(state)
        return
    table = Table("Source", "Records", "Skipped", "Newest record", "Imported")
    for source in state["sources"]:
        table.add_row(
            source["source"],
            f"{source['records']:,}",
            f"{source['skipped']:,}",
            _age(source["data_date"]),
            _age(source["imported_at"]),
        )
    out.print(table)
    err.print(f"{state['cves']:,} CVEs, version {state['version']}.")
    if state["starter_only"]:
        err.print("Only the starter catalogue is loaded: import the NVD feeds with 'netvigil feeds import'.")


def _age(when: datetime | None) -> str:
    if when is None:
        return "unknown"
    return f"{when.astimezone(UTC):%Y-%m-%d} ({(datetime.now(UTC) - when).days} days ago)"
