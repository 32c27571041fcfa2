"""Findings, hosts and reports of our own making, with strings that attack whoever reads them."""

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address

from netvigil.catalogue.importer import import_paths
from netvigil.findings.service import reconcile
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.reports.content import freeze
from netvigil.scans import run as writes
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.states import SiteScanState

SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
OTHER_SITE = "1d4e5f60-7a8b-4c9d-8e0f-a1b2c3d4e5f6"
MAC = "00:1A:2B:3C:4D:5E"
EVIL = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.test";"click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r\n=1+1",
    '";=1+1;"',
    "\x1b[31mred\x1b[0m\x07\x7f\x85",
    "user\u202egpj.exe\u2066\u200b",
    "[click](http://evil.test) {0} {{1}} \\",
    "B" * 10_240,
    "\ufeff\uff1d1\ufffe\U000e0041",
    "]]>&amp;&#0;\u2028",
)  # fmt: skip
LONE = "\ud800=1\x00\udfff"


def record(cve_id, version="2.3.4", *, score=9.8, description="Made up for a test.", product="vsftpd"):
    """A CVE of our own making that names one version."""
    name = f"cpe:2.3:a:{product}_project:{product}:{version}:*:*:*:*:*:*:*"
    severity = "CRITICAL" if score >= 9 else "HIGH" if score >= 7 else "MEDIUM" if score >= 4 else "LOW"
    data = {
        "version": "3.1",
        "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "baseScore": score,
        "baseSeverity": severity,
    }
    return {
        "id": cve_id,
        "sourceIdentifier": "test",
        "published": "2026-01-01T00:00:00.000",
        "lastModified": "2026-01-01T00:00:00.000",
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": description}],
        "metrics": {"cvssMetricV31": [{"source": "test", "type": "Primary", "cvssData": data}]},
        "weaknesses": [{"source": "test", "type": "Primary", "description": [{"lang": "en", "value": "CWE-78"}]}],
        "configurations": [
            {"nodes": [{"operator": "OR", "negate": False, "cpeMatch": [
                {"vulnerable": True, "criteria": name, "matchCriteriaId": "0"}
            ]}]}
        ],
        "references": [
            {"url": "https://example.test/a b?q=<x>#f#g", "source": "test"},
            {"url": "javascript:alert(1)", "source": "test"},
            {"url": "http://[bad/", "source": "test"},
        ],
    }  # fmt: skip


async def load(engine, folder, *records):
    """Import the records as a feed of NVD's form."""
    path = folder / "feed.json"
    body = {"vulnerabilities": [{"cve": one} for one in records], "totalResults": len(records)}
    path.write_text(json.dumps(body))
    await import_paths(engine, [path])


def ftp(version="2.3.4", port=21, **words):
    return ServiceObservation(
        port=port,
        protocol=Protocol.TCP,
        method=Method.NMAP,
        **{
            "name": "ftp",
            "product": "vsftpd",
            "version": version,
            "cpes": (f"cpe:/a:vsftpd:vsftpd:{version}",),
            **words,
        },
    )


def host(address="192.168.88.1", *services, **words):
    return HostObservation(
        address=IPv4Address(address),
        observed_at=datetime.now(UTC),
        reason="syn-ack",
        services=services or (ftp(),),
        **words,
    )


def evil_host(number, text):
    """A host that says `text` wherever a device can say something."""
    spoken = ftp(
        name=text, product=f"vsftpd {text}", extra_info=text, hostname=text, tunnel=text, os_type=text,
        device_type=text, banner=text, facts={text: text, "sysName": text},
        cpes=("cpe:/a:vsftpd:vsftpd:2.3.4", text),
    )  # fmt: skip
    return host(
        f"192.168.88.{number}",
        spoken,
        mac=f"00:1A:2B:00:00:{number:02X}",
        manufacturer=text,
        hostname=text,
        os_name=text,
        model=text,
        notes=(text,),
    )


async def run_scan(api, database, schedule_id, *hosts, state=SiteScanState.SCANNED, site_hosts=None):
    """A run of the schedule that saw these hosts at its first site; its id. The jobs' work is done here, in order."""
    started = await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
    assert started.status_code == 202, started.text
    scan_id = started.json()["scan_id"]
    async with database.transaction() as session:
        scan = await session.get_one(Scan, scan_id)
        parts = [site.id for site in scan.sites]
    for number, part in enumerate(parts):
        run = await writes.begin(database, part)
        for seen in (site_hosts or {}).get(number, hosts if number == 0 else ()):
            await writes.record_host(database, run, seen, identified=True)
        await writes.end(
            database, run, state, error=None if state == SiteScanState.SCANNED else "It was off."
        )
    async with database.transaction() as session:
        scan = await session.get_one(Scan, scan_id, populate_existing=True)
        await reconcile(session, scan)
        numbers = await freeze(session, scan)
        scan.summary = numbers.model_dump()
        scan.state = "completed" if state == SiteScanState.SCANNED else "failed"
        scan.finished_at = datetime.now(UTC)
        assert isinstance(scan.sites[0], SiteScan)
    return scan_id
