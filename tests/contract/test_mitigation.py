"""Operation 15: what to do about a CVE, from facts, with the organisation's own devices and nobody else's."""

import json
import re
from datetime import UTC, datetime
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from markdown_it import MarkdownIt
from sqlalchemy import select

from netvigil.catalogue.importer import import_paths
from netvigil.findings.service import reconcile
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.scans import run as writes
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.states import SiteScanState

CVE = "CVE-2099-0001"
PATH = f"/scans/cve/mitigation/{CVE}"
HOSTILE = "r1](http://evil.example) <script>alert(1)</script> | x `"


def record(cve_id=CVE, **changes):
    criteria = {
        "vulnerable": True,
        "criteria": "cpe:2.3:o:mikrotik:routeros:*:*:*:*:*:*:*:*",
        "matchCriteriaId": "0",
    }
    data = {
        "version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "baseScore": 9.8, "baseSeverity": "CRITICAL",
    }  # fmt: skip
    return {
        "id": cve_id,
        "sourceIdentifier": "test",
        "published": "2026-01-01T00:00:00.000",
        "lastModified": "2026-01-02T00:00:00.000",
        "vulnStatus": "Analyzed",
        "descriptions": [
            {"lang": "en", "value": "A fault in WinBox.\n# Not a heading [x](http://evil.example)"}
        ],
        "metrics": {"cvssMetricV31": [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": data}]},
        "weaknesses": [
            {"source": "x", "type": "Primary", "description": [{"lang": "en", "value": "CWE-22"}]}
        ],
        "configurations": [
            {
                "nodes": [
                    {
                        "operator": "OR",
                        "negate": False,
                        "cpeMatch": [{**criteria, "versionEndExcluding": "6.49.7"}],
                    }
                ]
            }
        ],
        "references": [
            {"url": "https://vendor.example/a", "source": "x", "tags": ["Vendor Advisory"]},
            {"url": "javascript:alert(1)", "source": "x", "tags": ["Exploit"]},
        ],
        **changes,
    }


@pytest.fixture
async def catalogue(tmp_path, database):
    rejected = record(
        "CVE-2099-0002",
        vulnStatus="Rejected",
        configurations=[],
        metrics={},
        descriptions=[{"lang": "en", "value": "Withdrawn."}],
    )
    bare = record("CVE-2099-0003", configurations=[], metrics={}, weaknesses=[], references=[])
    path = tmp_path / "feed.json"
    cves = [{"cve": one} for one in (record(), rejected, bare)]
    path.write_text(json.dumps({"vulnerabilities": cves, "totalResults": len(cves)}))
    await import_paths(database.engine, [path])


@pytest.fixture
def scan(create, api, database, catalogue):
    """Scans one router, matches it, and gives the finished scan."""

    async def run(version="6.42", port=18291):
        schedule = await create(
            min_cvss=0, sites=[{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": "192.168.88.0/24"}]
        )
        scan_id = (await api.post(f"/scans/cve/scheduled/{schedule['id']}/invoke")).json()["scan_id"]
        async with database.session() as session:
            site = await session.scalar(select(SiteScan.id).where(SiteScan.scan_id == UUID(scan_id)))
            run = await writes.begin(database, site)
        services = tuple(
            ServiceObservation(
                port=number, protocol=Protocol.TCP, method=Method.NMAP, name=name, product=product, version=version,
                cpes=(f"cpe:/o:mikrotik:routeros:{version}",) if product else (),
            )
            for number, name, product in ((port, "winbox", "MikroTik RouterOS"), (2222, "ssh", None))
        )  # fmt: skip
        seen = HostObservation(
            address=IPv4Address("192.168.88.1"), observed_at=datetime.now(UTC), reason="syn-ack", mac="4C:5E:0C:00:00:01",
            hostname=HOSTILE, services=services,
        )  # fmt: skip
        await writes.record_host(database, run, seen, identified=True)
        await writes.end(database, run, SiteScanState.SCANNED)
        async with database.transaction() as session:
            row = await session.get_one(Scan, run.scan_id)
            await reconcile(session, row)
            row.state = "completed"
        return run.scan_id

    return run


async def test_the_published_form(api, catalogue):
    answer = await api.get(PATH)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"cve_id", "mitigation", "format", "source", "generated_at"}
    assert (body["cve_id"], body["format"], body["source"]) == (CVE, "markdown", "netvigil (NVD)")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["generated_at"])
    assert body["mitigation"].startswith(f"# {CVE}: Path traversal in MikroTik RouterOS\n")
    assert "No device in your newest scans is known to have it." in body["mitigation"]
    assert "| MikroTik RouterOS | before 6.49.7 | 6.49.7 |" in body["mitigation"]
    assert (await api.get(PATH.lower() + "/")).json()["cve_id"] == CVE


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/markdown", "text/markdown"),
        ("text/markdown, application/json;q=0.5", "text/markdown"),
        ("application/json, text/markdown;q=0.5", "application/json"),
        ("text/markdown;q=0", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
async def test_markdown_itself_is_given_to_who_asks_for_it(api, catalogue, accept, media):
    answer = await api.get(PATH, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["vary"] == "Accept"
    if media == "text/markdown":
        assert answer.text.startswith(f"# {CVE}")


async def test_who_asks_for_what_is_not_there(api, catalogue, token_of):
    unknown = await api.get("/scans/cve/mitigation/CVE-2099-9999")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "resource_missing")
    for bad in ("CVE-20-1", "CVE-2099-1", "CVE-2099-0001x", "hosts", "%3Cscript%3E", "CVE-2099-0001%0A"):
        wrong = await api.get(f"/scans/cve/mitigation/{bad}")
        assert (wrong.status_code, wrong.json()["code"]) == (422, "parameter_invalid"), bad
        assert set(wrong.json()["errors"]) == {"cve_id"}
    denied = await api.get(PATH, headers=token_of("cve:update"))
    assert (denied.status_code, denied.json()["code"]) == (403, "scope_missing")


async def test_rejected_and_bare_ones_say_so(api, catalogue):
    rejected = (await api.get("/scans/cve/mitigation/CVE-2099-0002")).json()["mitigation"]
    assert rejected.startswith("# CVE-2099-0002: rejected\n")
    assert "Nothing to do" in rejected
    assert "Withdrawn." in rejected
    assert "How to update" not in rejected
    bare = (await api.get("/scans/cve/mitigation/CVE-2099-0003")).json()["mitigation"]
    assert "No source names affected versions yet" in bare
    assert "nobody has scored it yet" in bare


async def test_the_organisations_devices_are_named_and_their_ports_used(api, scan, token_of):
    await scan()
    page = (await api.get(PATH)).json()["mitigation"]
    assert "1 device of yours has it" in page
    assert "192.168.88.1" in page
    assert "4C:5E:0C:00:00:01" in page
    assert "dst-port=18291 " in page
    assert "These are the ports seen on your devices" in page
    other = (await api.get(PATH, headers=token_of("*", organisation="globex"))).json()["mitigation"]
    assert "No device in your newest scans" in other
    for secret in ("192.168.88.1", "4C:5E:0C", "18291", "evil"):
        assert secret not in other.replace("evil\\.example", "")


async def test_a_hostile_name_is_text(api, scan):
    await scan()
    page = (await api.get(PATH)).json()["mitigation"]
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    children = [child for token in tokens for child in token.children or ()]
    links = [child.attrs["href"] for child in children if child.type == "link_open"]
    assert links
    assert not [one for one in links if "evil" in one or not one.startswith("https://")]
    assert not [child for child in children if child.type in {"html_inline", "image"}]
    assert not [token for token in tokens if token.type == "html_block"]
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert not [one for one in headings if "Not a heading" in one]
    rows = [token.content for token in tokens if token.type == "inline" and "r1" in token.content]
    assert rows
    for fence in (token.content for token in tokens if token.type == "fence"):
        assert "evil" not in fence
        assert "script>" not in fence


async def test_a_newer_scan_that_sees_the_fix_takes_the_device_off(api, scan, database):
    await scan("6.42")
    await scan("6.49.8")
    page = (await api.get(PATH)).json()["mitigation"]
    assert "No device in your newest scans" in page
