"""`netvigil match`: which CVEs products have, without a scan.

It answers over a bare connection when it can: what the service needs to start would take ten times as long
as the answer.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import psycopg

from netvigil.catalogue import lookup
from netvigil.catalogue.matcher import match_candidates, names_of
from netvigil.db.datadir import DataDirectory
from netvigil.db.endpoint import find_endpoint, url_of
from netvigil.errors import NetvigilError, UsageError
from netvigil.findings.evidence import evidence_of
from netvigil.matching.cpe import CpeError, parse_cpe
from netvigil.matching.host_packages import wanted_packages
from netvigil.matching.products import Confidence, Product
from netvigil.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netvigil.catalogue.matcher import CveMatch
    from netvigil.settings import Settings

Answer = tuple[list["CveMatch"], int | None]
"""The matches, and the catalogue's size while it is only the starter."""


def answer_match(cpes: list[str], data_dir: Path | None, as_json: bool) -> int:  # noqa: FBT001 - argv's own order
    """Print the CVEs of one host's inventory; returns the exit status."""
    try:
        inventory = [_product(text) for text in cpes]
        settings = read_settings(data_dir=data_dir)
        matches, starter = _match_quickly(settings, inventory) or _match_slowly(settings, inventory)
    except NetvigilError as error:
        sys.stderr.write(f"netvigil: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    found = [found_cve(one, inventory) for one in matches]
    if as_json:
        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print_table(found)
    if starter is not None:
        sys.stderr.write(
            f"Only the starter catalogue of {starter} CVEs is loaded: see 'netvigil feeds sync'.\n"
        )
    return 0


def found_cve(found: CveMatch, inventory: list[Product]) -> dict[str, Any]:
    """One match for programs."""
    return {
        "cve_id": found.cve.cve_id,
        "score": found.cve.score,
        "severity": found.cve.severity,
        "vector": found.cve.vector,
        "cvss_version": found.cve.cvss_version,
        "confidence": str(found.match.confidence),
        "cpe": str(found.match.product.cpe),
        "evidence": evidence_of(found, inventory),
    }


def _match_quickly(settings: Settings, inventory: list[Product]) -> Answer | None:
    """The answer over a bare connection; None where the long way is needed (new data directory, packaged products)."""
    if wanted_packages(inventory):
        return None
    try:
        with _database_url(settings) as url, psycopg.connect(url) as connection:
            if not lookup.is_current(connection):
                return None
            candidates = lookup.find_candidates(connection, names_of(inventory))
            starter = lookup.count_starter(connection)
    except psycopg.OperationalError:
        return None  # the long way says what is wrong, and how to mend it
    [host] = match_candidates([inventory], candidates)
    return host.matches, starter


@contextmanager
def _database_url(settings: Settings) -> Iterator[str]:
    """The database of these settings: external, a running service's, or the embedded one started for this command."""
    if settings.database_url is not None:
        from netvigil.db.session import libpq_url

        yield libpq_url(settings.database_url)
        return
    directory = DataDirectory(settings.data_dir)
    if directory.holder() is not None:
        yield url_of(find_endpoint(settings.data_dir.absolute()))
        return
    from netvigil.db.embedded import EmbeddedServer

    with directory.hold("netvigil match"):
        server = EmbeddedServer(settings.data_dir)
        url = asyncio.run(server.start())
        try:
            yield url
        finally:
            asyncio.run(server.stop())


def _match_slowly(settings: Settings, inventory: list[Product]) -> Answer:
    from netvigil.log import set_up_logging

    set_up_logging(json=settings.log_json, level=logging.WARNING)
    return asyncio.run(_match(settings, inventory))


async def _match(settings: Settings, inventory: list[Product]) -> Answer:
    from netvigil.app.service import open_service
    from netvigil.catalogue.queries import catalogue_state
    from netvigil.catalogue.service import match_inventory

    async with (
        open_service(settings, "netvigil match", share=True) as service,
        service.database.session() as session,
    ):
        state = await catalogue_state(session)
        return await match_inventory(session, inventory), state.cves if state.starter_only else None


def _product(text: str) -> Product:
    try:
        cpe = parse_cpe(text)
    except CpeError as error:
        raise UsageError(f"{text!r} is no CPE name: {error}.") from None
    return Product(cpe=cpe, confidence=Confidence.EXACT, evidence=text)


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from netvigil.cli.common import out

    table = Table()
    for name in ("CVE", "Score", "Severity", "Confidence"):
        table.add_column(name, no_wrap=True)
    table.add_column("Affected")
    table.add_column("Why")
    for one in found:
        score = "-" if one["score"] is None else f"{one['score']:.1f}"
        evidence = one["evidence"]
        table.add_row(
            one["cve_id"],
            score,
            one["severity"] or "-",
            one["confidence"],
            evidence["range"],
            "; ".join(evidence["reasons"]),
        )
    out.print(table)
