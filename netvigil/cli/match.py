"""`netvigil match`: which CVEs products have, without a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from netvigil.app.service import open_service
from netvigil.catalogue.queries import catalogue_state
from netvigil.catalogue.service import match_inventory
from netvigil.cli.common import err, out, print_json, run, settings_from
from netvigil.errors import UsageError
from netvigil.findings.service import evidence_of
from netvigil.matching.cpe import CpeError, parse_cpe
from netvigil.matching.products import Confidence, Product

if TYPE_CHECKING:
    from pathlib import Path

    from netvigil.catalogue.queries import CatalogueState
    from netvigil.catalogue.service import CveMatch


def run_match(cpes: list[str], data_dir: Path | None, *, as_json: bool) -> None:
    """Print the CVEs of one host's inventory."""

    async def work() -> tuple[list[dict[str, Any]], CatalogueState]:
        inventory = [_product(text) for text in cpes]
        settings = settings_from(data_dir, quiet=True)
        async with (
            open_service(settings, "netvigil match", share=True) as service,
            service.database.session() as session,
        ):
            found = await match_inventory(session, inventory)
            return [found_cve(one, inventory) for one in found], await catalogue_state(session)

    found, catalogue = run(work)
    if as_json:
        print_json(found)
    else:
        out.print(_table(found))
    if catalogue.starter_only:
        err.print(
            f"Only the starter catalogue of {catalogue.cves} CVEs is loaded: see 'netvigil feeds import'."
        )


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


def _product(text: str) -> Product:
    try:
        cpe = parse_cpe(text)
    except CpeError as error:
        raise UsageError(f"{text!r} is no CPE name: {error}.") from None
    return Product(cpe=cpe, confidence=Confidence.EXACT, evidence=text)


def _table(found: list[dict[str, Any]]) -> Table:
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
    return table
