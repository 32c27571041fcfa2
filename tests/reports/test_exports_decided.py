"""What people decided, and what a later look showed, in the exports of past and present scans."""

import csv
import io
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from report_samples import MAC, ftp, host, load, record, run_scan
from sqlalchemy import select

from netvigil.findings.models import Unaffected
from netvigil.inventory.models import Host
from netvigil.reports.content import freeze
from netvigil.scans.models import Scan

STATUS = "/scans/cve/mac-address/cve/status"


@pytest.fixture
async def scanned(api, database, make_schedule, tmp_path):
    """A schedule and a scan of it: one device with one CVE."""
    await load(database.engine, tmp_path, record("CVE-2099-0001"))
    schedule = await make_schedule()
    return schedule, await run_scan(api, database, schedule, host(mac=MAC))


@pytest.fixture
def forms(api):
    async def get(scan):
        table, sarif, bom = [
            (await api.get(f"/scans/cve/{scan}", params={"format": name}))
            for name in ("csv", "sarif", "cyclonedx")
        ]
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom.text) is None
        [row] = csv.DictReader(io.StringIO(table.text, newline=""))
        return row, sarif.json()["runs"][0]["results"][0], bom.json()

    return get


async def decide(api, status, **more):
    body = {
        "mac_address": MAC,
        "cve_id": "CVE-2099-0001",
        "status": status,
        "justification": "Behind a firewall.",
        **more,
    }
    answer = await api.post(STATUS, json=body)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("status", "analysis"),
    [
        ("accepted", {"state": "exploitable", "response": ["will_not_fix"]}),
        (
            "mitigated",
            {
                "state": "not_affected",
                "justification": "protected_by_mitigating_control",
                "response": ["workaround_available"],
            },
        ),
    ],
)
async def test_a_decision_is_in_every_form(api, forms, scanned, status, analysis):
    _, scan = scanned
    _, before, bom_before = await forms(scan)
    assert before["suppressions"] == []
    await decide(api, status)
    row, result, bom = await forms(scan)
    assert (row["status"], row["justification"], row["decided_by"]) == (
        status,
        "Behind a firewall.",
        "tester",
    )
    [suppression] = result["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == f"{status.capitalize()}: Behind a firewall. (tester)"
    [entry] = bom["vulnerabilities"]
    assert {**entry["analysis"], **analysis} == entry["analysis"]
    assert entry["analysis"]["detail"] == "Behind a firewall. (tester)"
    assert bom["serialNumber"] == bom_before["serialNumber"] == f"urn:uuid:{scan}"
    assert bom["version"] == bom_before["version"] + 1

    await decide(api, "open")
    row, result, bom = await forms(scan)
    assert (row["status"], result["suppressions"]) == ("open", [])
    assert bom["vulnerabilities"][0]["analysis"] == {"state": "in_triage"}


async def test_the_same_finding_has_the_same_fingerprint_wherever_the_device_went(
    api, database, forms, scanned
):
    schedule, first = scanned
    second = await run_scan(api, database, schedule, host("192.168.88.77", mac=MAC))
    _, old, _ = await forms(first)
    _, new, _ = await forms(second)
    assert old["fingerprints"] == new["fingerprints"]
    assert old["locations"] != new["locations"]


async def test_a_later_scan_that_does_not_find_it_resolves_it(api, database, forms, scanned):
    schedule, first = scanned
    await run_scan(api, database, schedule, host("192.168.88.1", ftp("3.0.5"), mac=MAC))
    row, _, bom = await forms(first)
    assert row["state"] == "resolved"
    assert bom["vulnerabilities"][0]["analysis"]["state"] == "resolved"


async def test_mitigated_and_seen_again_is_open_and_exploitable(api, database, forms, scanned):
    schedule, first = scanned
    await decide(api, "mitigated")
    second = await run_scan(api, database, schedule, host(mac=MAC))
    for scan in (first, second):
        row, result, bom = await forms(scan)
        assert (row["status"], row["regressed"], result["suppressions"]) == ("open", "true", [])
        assert bom["vulnerabilities"][0]["analysis"]["state"] == "exploitable"


async def test_an_expired_decision_counts_no_more(api, database, forms, scanned):
    _, scan = scanned
    await decide(api, "accepted", expires_at=(datetime.now(UTC) + timedelta(seconds=1.5)).isoformat())
    assert (await forms(scan))[0]["status"] in {"accepted", "open"}
    import asyncio  # noqa: PLC0415

    await asyncio.sleep(2)
    assert (await forms(scan))[0]["status"] == "open"


async def test_packages_that_a_distribution_fixed_are_not_affected(api, database, forms, scanned):
    _, scan_id = scanned
    cpe = "cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*"
    async with database.transaction() as session:
        seen = (await session.scalars(select(Host).where(Host.scan_id == scan_id))).one()
        session.add(
            Unaffected(
                organisation_id=seen.organisation_id, scan_id=seen.scan_id, host_id=seen.id, cve_id="CVE-2099-0009",
                cpe=cpe, port=22, seen="OpenSSH 9.2p1 Debian-2+deb12u3", reason="Debian has fixed it.",
                fixed_in="1:9.2p1-2+deb12u3", advisory="DSA-0000-1",
            )
        )  # fmt: skip
        await freeze(session, await session.get_one(Scan, scan_id))
    bom = (await forms(scan_id))[2]
    [entry] = [one for one in bom["vulnerabilities"] if one["id"] == "CVE-2099-0009"]
    assert entry["analysis"] == {
        "state": "not_affected",
        "justification": "code_not_present",
        "detail": "Debian has fixed it. Fixed in 1:9.2p1-2+deb12u3. Advisory: DSA-0000-1.",
    }
    assert entry["affects"][0]["ref"].endswith(cpe)
    assert entry["affects"][0]["versions"] == [{"version": "9.2 p1", "status": "unaffected"}]


def undeclared(schema, value, where=""):
    """The places where a value has a field that its schema lacks, and the fields that it never shows."""
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


async def test_a_field_that_the_published_schema_lacks_is_an_error(api, scanned):
    schema = (await api.get("/schemas/report-1.json")).json()
    report = (await api.get(f"/scans/cve/{scanned[1]}?format=json")).json()
    assert undeclared(schema, report) == []
    assert set(schema["properties"]) == set(report)
    for name, value in (
        ("host", report["hosts"][0]),
        ("finding", report["findings"][0]),
        ("scan", report["scan"]),
    ):
        assert set(schema["$defs"][name]["properties"]) == set(value), name
    for place in (report, report["scan"], report["findings"][0], report["hosts"][0]["services"][0]):
        place["surprise"] = 1
        assert len(undeclared(schema, report)) == 1
        del place["surprise"]
    assert (await api.get("/schemas/report-2.json")).status_code == 404
    assert (await api.get("/schemas/..%2f__init__.py")).status_code == 404
