"""The starter catalogue that ships in the package: real, complete, unique, in our own words."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path

import pytest
import zstandard

STARTER = files("netvigil.catalogue").joinpath("starter", "cves.jsonl")
LAB_TRUTH = files("netvigil.lab").joinpath("truth.json")
RECORDS = [json.loads(line) for line in STARTER.read_text(encoding="utf-8").splitlines()]
BOUNDS = {"versionStartIncluding", "versionStartExcluding", "versionEndIncluding", "versionEndExcluding"}
NVD = (
    Path(os.environ.get("NETVIGIL_SHARED", Path(__file__).parents[3] / "shared"))
    / "data"
    / "nvd"
    / "2.0-full"
)


def test_holds_at_least_eighty_records_with_unique_ids():
    ids = [record["id"] for record in RECORDS]
    assert len(ids) >= 80
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"CVE-\d{4}-\d{4,}", cve) for cve in ids)


def test_no_record_is_rejected():
    assert "Rejected" not in {record["vulnStatus"] for record in RECORDS}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["id"])
def test_record_has_score_own_words_weakness_form_and_references(record):
    metric = next(iter(record["metrics"].values()))[0]
    assert 0 < metric["cvssData"]["baseScore"] <= 10
    assert "/" in metric["cvssData"]["vectorString"]
    assert metric["cvssData"].get("baseSeverity") or metric["baseSeverity"]
    assert {"exploitabilityScore", "impactScore", "source", "type"} <= metric.keys()
    [description] = record["descriptions"]
    assert description["lang"] == "en"
    assert 30 < len(description["value"]) < 300
    assert all(d["value"].startswith("CWE-") for w in record["weaknesses"] for d in w["description"])
    assert 1 <= len(record["references"]) <= 3
    assert all(reference["url"].startswith("http") for reference in record["references"])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["id"])
def test_configurations_have_the_form_of_nvd(record):
    assert record["configurations"]
    for configuration in record["configurations"]:
        assert configuration.get("operator", "OR") in {"AND", "OR"}
        matches = [match for node in configuration["nodes"] for match in node["cpeMatch"]]
        assert any(match["vulnerable"] for match in matches)
        for node in configuration["nodes"]:
            assert node["operator"] in {"AND", "OR"}
            assert node["negate"] is False
        for match in matches:
            assert len(re.split(r"(?<!\\):", match["criteria"])) == 13
            assert match["criteria"].startswith("cpe:2.3:")
            assert match.keys() <= BOUNDS | {"vulnerable", "criteria"}


def test_covers_what_stands_on_lans():
    products = {
        match["criteria"].split(":")[4]
        for record in RECORDS
        for configuration in record["configurations"]
        for node in configuration["nodes"]
        for match in node["cpeMatch"]
    }
    assert {
        "routeros", "openssh", "dropbear_ssh", "dnsmasq", "vsftpd", "proftpd", "samba", "nginx", "http_server",
        "lighttpd", "exim", "redis", "bind", "mysql", "mariadb", "cups", "webmin", "mosquitto", "diskstation_manager",
        "qts", "airos", "archer_ax21_firmware", "ds-2cd2032-i_firmware", "ipc-hx3xxx_firmware",
    } <= products  # fmt: skip
    assert sum("mikrotik:routeros" in json.dumps(record) for record in RECORDS) >= 30


def test_names_the_exploited_ones():
    exploited = {record["id"]: record["cisaExploitAdd"] for record in RECORDS if "cisaExploitAdd" in record}
    assert exploited["CVE-2018-14847"] == "2021-12-01"
    assert len(exploited) >= 20


def test_every_cve_of_the_lab_is_present():
    ids = {record["id"] for record in RECORDS}
    for host in json.loads(LAB_TRUTH.read_text(encoding="utf-8"))["hosts"]:
        assert set(host["cves"]) <= ids, host["name"]
        assert set(host["not_cves"]) <= ids, host["name"]
        assert not set(host["cves"]) & set(host["not_cves"]), host["name"]


@pytest.mark.shared
@pytest.mark.skipif(
    not NVD.is_dir(), reason="the NVD files stand beside the checkout only on development machines"
)
def test_no_description_repeats_eight_words_of_nvds():
    own = {record["id"]: record["descriptions"][0]["value"] for record in RECORDS}
    compared = 0
    for line in zstandard.open(NVD / "2018.jsonl.zst", "rt", encoding="utf-8"):
        record = json.loads(line)
        if record["id"] in own:
            original = {run for d in record["descriptions"] for run in runs_of_eight(d["value"])}
            assert not original & runs_of_eight(own[record["id"]]), record["id"]
            compared += 1
    assert compared >= 15


def runs_of_eight(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[n : n + 8]) for n in range(len(words) - 7)}
