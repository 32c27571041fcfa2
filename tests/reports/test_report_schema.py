"""The published schema of the report against reports with everything in them."""

import json
from datetime import UTC, date, datetime
from importlib.resources import files

import jsonschema
from report_samples import MAC, SITE, ftp, host, load, record, run_scan

from netvigil.catalogue.models_enrichment import ExploitProbability, KnownExploitedCve
from netvigil.scans.states import SiteScanState

SCHEMA = json.loads(files("netvigil.reports.exports").joinpath("schemas", "report-1.json").read_text())
CHECK = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
STATUS = "/scans/cve/mac-address/cve/status"


def every_object(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from every_object(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from every_object(part)


def test_no_object_takes_unknown_fields():
    assert all(one["additionalProperties"] is False for one in every_object(SCHEMA))
    assert all(set(one["required"]) <= set(one["properties"]) for one in every_object(SCHEMA))
    CHECK.check_schema(SCHEMA)


async def test_a_report_with_a_history_decisions_and_enrichment_fits(api, database, make_schedule, tmp_path):
    await load(database.engine, tmp_path, record("CVE-2099-0001"), record("CVE-2099-0002", score=5.0))
    now = datetime.now(UTC)
    async with database.transaction() as session:
        session.add(
            KnownExploitedCve(
                cve_id="CVE-2099-0001", released=now, date_added=date(2026, 1, 1), due_date=date(2026, 2, 1),
                ransomware=True, name="x", required_action="Patch.",
            )
        )  # fmt: skip
        session.add(ExploitProbability(cve_id="CVE-2099-0001", scored_at=now, score=0.5, percentile=0.9))
    excluded = {"addresses": ["192.168.88.200"], "ports": [9100, "udp/161"], "macs": ["00:1A:2B:FF:FF:FF"]}
    site = {"id": SITE, "subnet": "192.168.88.0/24"}
    schedule = await make_schedule(site, exclusions=excluded)
    await run_scan(
        api, database, schedule, host(mac=MAC), host("192.168.88.2"), host("192.168.88.3", ftp("3.0"))
    )
    for cve_id, status in (("CVE-2099-0001", "accepted"), ("CVE-2099-0002", "mitigated")):
        body = {"mac_address": MAC, "cve_id": cve_id, "status": status, "justification": "Behind a firewall."}
        assert (await api.post(STATUS, json=body)).status_code == 201
    second = await run_scan(api, database, schedule, host("192.168.88.9", ftp(spared=True), mac=MAC))
    failed = await run_scan(api, database, schedule, host("192.168.88.4"), state=SiteScanState.FAILED)

    for scan in (second, failed):
        report = (await api.get(f"/scans/cve/{scan}?format=json")).json()
        errors = [f"{error.json_path}: {error.message[:200]}" for error in CHECK.iter_errors(report)]
        assert errors == []
    report = (await api.get(f"/scans/cve/{second}?format=json")).json()
    assert report["previous"] is not None
    assert report["sites"][0]["missing"]
    assert report["not_scanned"]
    assert any(finding["kev"] and finding["epss"] and finding["decision"] for finding in report["findings"])
