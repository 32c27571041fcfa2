"""The golden cases through the real path: every NVD file imported, then matched as `netvigil match` does."""

import csv
from pathlib import Path

import pytest

from netvigil.catalogue.importer import import_paths
from netvigil.catalogue.queries import catalogue_state
from netvigil.catalogue.service import match_inventory
from netvigil.matching.cpe import parse_cpe
from netvigil.matching.products import Confidence, Product

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.mark.shared
async def test_every_golden_case_after_importing_all_of_nvd(database):
    results = await import_paths(database.engine, [SHARED / "data" / "nvd"])
    assert sum(one.skipped for one in results) == 0
    wrong = []
    async with database.session() as session:
        assert (await catalogue_state(session)).cves > 255_000
        with (SHARED / "golden" / "matching.csv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                inventory = [
                    Product(parse_cpe(text), Confidence.EXACT, text) for text in row["cpe23"].split(" ; ")
                ]
                sure = {
                    one.cve.cve_id
                    for one in await match_inventory(session, inventory)
                    if one.match.confidence is not Confidence.POSSIBLE
                }
                if (row["cve"] in sure) != (row["expected"] == "1"):
                    wrong.append((row["cpe23"], row["cve"], row["expected"], row["why"]))
    assert wrong == []
