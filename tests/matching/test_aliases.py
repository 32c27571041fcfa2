"""The alias table: symmetrical groups of names that exist, each with a reason."""

from __future__ import annotations

import csv
import gzip
import json
from importlib.resources import files
from pathlib import Path

import pytest

from netvigil.matching.aliases import equivalents, preferred

TABLE = json.loads(files("netvigil.matching").joinpath("data/aliases.json").read_text(encoding="utf-8"))
PAIRS = Path(__file__).resolve().parents[2].parent / "shared/data/cpe/derived-vendor-product-from-nvd.csv.gz"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a:igor_sysoev:nginx", {"a:f5:nginx", "a:nginx:nginx"}),
        (
            "a:matt_johnston:dropbear_ssh_server",
            {"a:dropbear_ssh_project:dropbear_ssh", "a:dropbear_project:dropbear"},
        ),
        ("a:vsftpd:vsftpd", {"a:vsftpd_project:vsftpd", "a:beasts:vsftpd"}),
        ("a:redislabs:redis", {"a:redis:redis"}),
        ("a:mysql:mysql", {"a:oracle:mysql"}),
        ("a:proftpd:proftpd", {"a:proftpd_project:proftpd"}),
        ("a:exim:exim", {"a:university_of_cambridge:exim"}),
        ("a:minidlna:minidlna", {"a:readymedia_project:readymedia", "a:minidlna_project:minidlna"}),
        ("a:apple:cups", {"a:openprinting:cups"}),
        ("o:ubnt:edgeos", {"o:ui:edgeos"}),
        ("o:dahua:ipc_firmware", {"o:dahuasecurity:ipc_firmware"}),
    ],
)
def test_a_name_leads_to_the_others(given, wanted):
    names = {":".join(name) for name in equivalents(*given.split(":"))}
    assert wanted | {given} <= names


def test_a_name_comes_first_among_its_own_equivalents_and_alone_when_unknown():
    assert equivalents("a", "nginx", "nginx")[0] == ("a", "nginx", "nginx")
    assert equivalents("a", "nobody", "nothing") == (("a", "nobody", "nothing"),)
    assert preferred("a", "igor_sysoev", "nginx") == ("a", "f5", "nginx")
    assert preferred("a", "nobody", "nothing") == ("a", "nobody", "nothing")


def test_groups_are_symmetrical_and_disjoint():
    seen: set[str] = set()
    for entry in TABLE["products"]:
        names = [*entry["names"], *entry.get("also", ())]
        assert len(names) > 1
        assert len(entry["reason"]) > 10
        assert not seen & set(names)
        seen.update(names)
        for name in names:
            assert {":".join(other) for other in equivalents(*name.split(":"))} >= set(names)


@pytest.mark.shared
@pytest.mark.skipif(not PAIRS.exists(), reason="the shared data are not beside the checkout")
def test_every_name_that_is_said_to_be_nvds_is_in_nvd():
    with gzip.open(PAIRS, "rt", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    known = {f"{row['part']}:{row['vendor']}:{row['product']}" for row in rows}
    vendors = {row["vendor"] for row in rows}
    for entry in TABLE["products"]:
        assert set(entry["names"]) <= known
        assert not set(entry.get("also", ())) & known
    for entry in TABLE["vendors"]:
        assert set(entry["vendors"]) <= vendors
