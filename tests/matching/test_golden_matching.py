"""The golden matching cases of the shared data, each against the real record that it was derived from."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from netvigil.matching.cpe import parse_cpe
from netvigil.matching.match import match
from netvigil.matching.products import Confidence, Product
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
NVD = SHARED / "data" / "nvd"
GOLDEN = SHARED / "golden" / "matching.csv"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not GOLDEN.exists(), reason="the shared data are not beside the checkout"),
]


def cases():
    if not GOLDEN.exists():
        return []
    with GOLDEN.open(encoding="utf-8", newline="") as stream:
        return [(row["cpe23"], row["cve"], row["expected"] == "1") for row in csv.DictReader(stream)]


@pytest.fixture(scope="module")
def configurations() -> dict[str, tuple[Configuration, ...]]:
    return find_configurations(cve_id for _, cve_id, _ in cases())


@pytest.mark.parametrize(("inventory", "cve_id", "reported"), cases())
def test_golden_case(configurations, inventory, cve_id, reported):
    products = [Product(parse_cpe(text), Confidence.EXACT, "") for text in inventory.split(" ; ")]
    found = match(products, configurations[cve_id])
    assert (found is not None and found.confidence is not Confidence.POSSIBLE) is reported


def test_the_winbox_hole_of_2018_is_found_on_routeros_6_41():
    configurations = find_configurations(["CVE-2018-14847"])["CVE-2018-14847"]
    found = match(
        [Product(parse_cpe("cpe:2.3:o:mikrotik:routeros:6.41"), Confidence.EXACT, "")], configurations
    )
    assert found is not None
    assert found.confidence is Confidence.EXACT
    assert found.reasons == ("6.41 is in the affected range: through 6.42",)


def find_configurations(ids: Iterable[str]) -> dict[str, tuple[Configuration, ...]]:
    """The configurations of these CVEs; an id that is nowhere is absent. The complete files win over partial ones."""
    wanted = set(ids)
    found: dict[str, tuple[Configuration, ...]] = {}
    for source in (_extra, _lines, _retired):
        for cve_id, configurations in source(wanted - set(found)):
            found.setdefault(cve_id, configurations)
    return found


def _extra(ids: set[str]) -> Iterator[tuple[str, tuple[Configuration, ...]]]:
    for cve_id in ids:
        path = NVD / "2.0-extra" / f"{cve_id}.json"
        if path.exists():
            yield cve_id, _convert(json.loads(path.read_bytes()))


def _lines(ids: set[str]) -> Iterator[tuple[str, tuple[Configuration, ...]]]:
    """Only the lines that name an id are parsed: the rest is skipped as bytes."""
    for year in {cve_id[4:8] for cve_id in ids}:
        mine = {cve_id for cve_id in ids if cve_id[4:8] == year}
        for folder in ("2.0-full", "2.0-partial"):
            path = NVD / folder / f"{year}.jsonl.zst"
            if path.exists():
                yield from _lines_of(path, mine)


def _lines_of(path: Path, ids: set[str]) -> Iterator[tuple[str, tuple[Configuration, ...]]]:
    with path.open("rb") as stream:
        data = zstandard.ZstdDecompressor().stream_reader(stream).read()
    for cve_id in ids:
        at = data.find(f'"{cve_id}"'.encode())
        while at >= 0:
            start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            record = json.loads(data[start : end if end >= 0 else len(data)])
            if record["id"] == cve_id:
                yield cve_id, _convert(record)
                break
            at = data.find(f'"{cve_id}"'.encode(), end)


def _retired(ids: set[str]) -> Iterator[tuple[str, tuple[Configuration, ...]]]:
    """The 1.1 feeds, for what is nowhere else."""
    for year in {cve_id[4:8] for cve_id in ids}:
        path = NVD / "1.1" / f"nvdcve-1.1-{year}.json.gz"
        if not path.exists():
            continue
        for item in json.loads(gzip.decompress(path.read_bytes()))["CVE_Items"]:
            cve_id = item["cve"]["CVE_data_meta"]["ID"]
            if cve_id in ids:
                yield cve_id, tuple(_retired_configuration(node) for node in item["configurations"]["nodes"])


def _convert(record: dict[str, Any]) -> tuple[Configuration, ...]:
    return tuple(
        Configuration(
            Operator(entry.get("operator", "OR")),
            bool(entry.get("negate")),
            tuple(_node(node, "cpeMatch", "criteria") for node in entry["nodes"]),
        )
        for entry in record.get("configurations") or ()
    )


def _retired_configuration(node: dict[str, Any]) -> Configuration:
    children = node.get("children") or [node]
    operator = Operator(node["operator"]) if node.get("children") else Operator.OR
    return Configuration(operator, False, tuple(_node(child, "cpe_match", "cpe23Uri") for child in children))  # noqa: FBT003 the field's own order


def _node(node: dict[str, Any], key: str, name: str) -> Node:
    ranges = tuple(
        AffectedRange(
            parse_cpe(entry[name]),
            entry["vulnerable"],
            entry.get("versionStartIncluding"),
            entry.get("versionStartExcluding"),
            entry.get("versionEndIncluding"),
            entry.get("versionEndExcluding"),
        )
        for entry in node[key]
    )
    return Node(Operator(node["operator"]), bool(node.get("negate")), ranges)
