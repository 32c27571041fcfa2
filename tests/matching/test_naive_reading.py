"""The matcher against a reading of the records so simple that it is surely right, where the records are simple enough.

Simple are plain lists of vulnerable criteria without update and edition whose versions and bounds are dotted numbers;
there a version is affected when, as a list of numbers, it is in a range or is the one that is named.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import zstandard

from netvigil.matching.cpe import parse_cpe
from netvigil.matching.match import Inventory, match
from netvigil.matching.products import Confidence, Product
from netvigil.matching.ranges import AffectedRange, Configuration, Node, Operator

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "nvd" / "2.0-full"
FILES = [FOLDER / f"{year}.jsonl.zst" for year in (2012, 2015, 2018)]
DOTTED = re.compile(r"\d+(\.\d+)*")
BOUNDS = ("versionStartIncluding", "versionStartExcluding", "versionEndIncluding", "versionEndExcluding")
PRODUCTS = [
    "a:openbsd:openssh",
    "a:f5:nginx",
    "a:apache:http_server",
    "a:apache:tomcat",
    "a:samba:samba",
    "a:oracle:mysql",
    "a:mariadb:mariadb",
    "a:php:php",
    "a:redis:redis",
    "a:exim:exim",
    "a:dovecot:dovecot",
    "a:lighttpd:lighttpd",
    "a:isc:bind",
    "a:openssl:openssl",
    "a:squid-cache:squid",
    "a:postgresql:postgresql",
    "a:jenkins:jenkins",
    "a:nodejs:node.js",
    "a:webmin:webmin",
    "o:mikrotik:routeros",
    "o:synology:diskstation_manager",
    "o:cisco:ios",
    "o:qnap:qts",
    "o:fortinet:fortios",
    "o:vmware:esxi",
    "a:net-snmp:net-snmp",
    "a:drupal:drupal",
    "a:wordpress:wordpress",
    "a:gitlab:gitlab",
    "a:powerdns:recursor",
    "a:busybox:busybox",
]


class Criterion(NamedTuple):
    """A criterion's name, the nine attributes after it, and the four bounds of BOUNDS."""

    name: str
    rest: tuple[str, ...]
    bounds: tuple[str | None, ...]
    vulnerable: bool


Tree = list[tuple[str, bool, list[tuple[str, bool, list[Criterion]]]]]


@pytest.fixture(scope="module")
def trees() -> dict[str, list[tuple[str, Tree]]]:
    """For each product the CVEs that call it vulnerable."""
    found: dict[str, list[tuple[str, Tree]]] = defaultdict(list)
    needles = [f":{product.partition(':')[2]}:".encode() for product in PRODUCTS]
    for line in (line for path in FILES for line in lines_of(path)):
        if any(needle in line for needle in needles):
            record = orjson.loads(line)
            tree = [read_configuration(one) for one in record.get("configurations") or ()]
            criteria = [c for _, _, nodes in tree for _, _, criteria in nodes for c in criteria]
            for name in {c.name for c in criteria if c.vulnerable}:
                found[name].append((record["id"], tree))
    return found


def lines_of(path: Path) -> list[bytes]:
    with path.open("rb") as stream:
        return zstandard.ZstdDecompressor().stream_reader(stream).read().splitlines()


def read_configuration(raw: dict[str, Any]):
    nodes = [
        (node["operator"], bool(node.get("negate")), [read_criterion(one) for one in node["cpeMatch"]])
        for node in raw["nodes"]
    ]
    return raw.get("operator", "OR"), bool(raw.get("negate")), nodes


def read_criterion(raw: dict[str, Any]) -> Criterion:
    parts = re.split(r"(?<!\\):", raw["criteria"])
    bounds = tuple(raw.get(key) for key in BOUNDS)
    return Criterion(":".join(parts[2:5]), tuple(parts[5:]), bounds, raw["vulnerable"])


def numbers(version: str) -> list[int]:
    found = [int(one) for one in version.split(".")]
    while found and not found[-1]:
        found.pop()
    return found


def naive(product: str, version: str, tree: Tree) -> bool | None:
    """Whether it is affected; None where the record is not simple."""
    affected = False
    for _, negate, nodes in tree:
        if negate or len(nodes) != 1 or nodes[0][1] or nodes[0][0] != "OR":
            return None
        for criterion in nodes[0][2]:
            if not criterion.vulnerable:
                return None
            if criterion.name == product:
                one = _naive_criterion(version, criterion)
                if one is None:
                    return None
                affected = affected or one
            elif criterion.name.rpartition(":")[2] == product.rpartition(":")[2]:
                return None
    return affected


def _naive_criterion(version: str, criterion: Criterion) -> bool | None:
    named, *others = criterion.rest
    bounds = [bound for bound in criterion.bounds if bound is not None]
    if set(others) != {"*"} or (bounds and named != "*") or named == "-":
        return None
    if not all(map(DOTTED.fullmatch, bounds)):
        return None
    mine = numbers(version)
    if not bounds:
        return named == "*" or (DOTTED.fullmatch(named) is not None and numbers(named) == mine)
    start, after, through, before = (None if one is None else numbers(one) for one in criterion.bounds)
    return (
        (start is None or mine >= start)
        and (after is None or mine > after)
        and (through is None or mine <= through)
        and (before is None or mine < before)
    )


def versions_to_try(product: str, trees: list[tuple[str, Tree]]) -> list[str]:
    """Versions that records name, and their nearest neighbours."""
    criteria = [c for _, tree in trees for _, _, nodes in tree for _, _, cs in nodes for c in cs]
    tried: set[str] = set()
    for criterion in criteria:
        if criterion.name != product:
            continue
        for version in filter(None, (criterion.rest[0], *criterion.bounds)):
            if DOTTED.fullmatch(version):
                head, dot, last = version.rpartition(".")
                tried |= {version, f"{version}.0", f"{version}.1", f"{head}{dot}{int(last) + 1}"}
                tried |= {f"{head}{dot}{int(last) - 1}"} if int(last) else set()
    return random.Random(product).sample(sorted(tried), min(10, len(tried)))


def typed(tree: Tree) -> tuple[Configuration, ...]:
    return tuple(
        Configuration(Operator(operator), negate, tuple(_typed_node(*node) for node in nodes))
        for operator, negate, nodes in tree
    )


def _typed_node(operator: str, negate: bool, criteria: list[Criterion]) -> Node:  # noqa: FBT001 - the record's order
    ranges = tuple(
        AffectedRange(parse_cpe(":".join(("cpe:2.3", c.name, *c.rest))), c.vulnerable, *c.bounds)
        for c in criteria
    )
    return Node(Operator(operator), negate, ranges)


@pytest.mark.shared
@pytest.mark.skipif(not FOLDER.exists(), reason="the data beside the checkout is not there")
def test_all_simple_records_of_three_years_are_read_as_plainly_as_they_are(trees):
    compared = affected = 0
    wrong = []
    for product in PRODUCTS:
        configurations = {cve_id: typed(tree) for cve_id, tree in trees[product]}
        for version in versions_to_try(product, trees[product]):
            inventory = Inventory([Product(parse_cpe(f"cpe:2.3:{product}:{version}"), Confidence.EXACT, "")])
            for cve_id, tree in trees[product]:
                expected = naive(product, version, tree)
                if expected is None:
                    continue
                found = match(inventory, configurations[cve_id])
                said = found is not None and found.confidence is not Confidence.POSSIBLE
                compared, affected = compared + 1, affected + expected
                if said is not expected:
                    wrong.append((product, version, cve_id, expected, found and found.reasons))
    assert wrong == []
    assert compared > 3000
    assert affected > 500
