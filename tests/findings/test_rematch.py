"""A data update reaches what the last scans saw, without a new scan."""

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from sqlalchemy import select, text

from netvigil.catalogue.importer import import_paths
from netvigil.findings.jobs import request_rematch
from netvigil.findings.models import Finding
from netvigil.findings.rematch import Rematched, rematch
from netvigil.findings.service import reconcile
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.scans import run as writes
from netvigil.scans.models import Scan, ScanEvent, SiteScan
from netvigil.scans.states import SiteScanState

VSFTPD = "cpe:2.3:a:vsftpd_project:vsftpd:{}:*:*:*:*:*:*:*"


def record(version, modified):
    """A CVE of our own making that names one vsftpd version."""
    match = {"vulnerable": True, "criteria": VSFTPD.format(version), "matchCriteriaId": "0"}
    data = {
        "version": "3.1",
        "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "baseScore": 9.8,
        "baseSeverity": "CRITICAL",
    }
    return {
        "id": "CVE-2099-0001",
        "sourceIdentifier": "test",
        "published": "2026-01-01T00:00:00.000",
        "lastModified": modified,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": "Made up for a test."}],
        "metrics": {"cvssMetricV31": [{"source": "test", "type": "Primary", "cvssData": data}]},
        "configurations": [{"nodes": [{"operator": "OR", "negate": False, "cpeMatch": [match]}]}],
        "references": [],
    }


@pytest.fixture
def load(tmp_path, database):
    """Imports one version of the record."""

    async def load(version, modified):
        path = tmp_path / "feed.json"
        path.write_text(
            json.dumps({"vulnerabilities": [{"cve": record(version, modified)}], "totalResults": 1})
        )
        await import_paths(database.engine, [path])

    return load


@pytest.fixture
async def scan_id(api, database):
    """A finished scan that saw vsftpd 2.3.4 on one host, matched with an empty catalogue."""
    body = {
        "description": "A test",
        "day_of_week": 1,
        "time_of_day": "02:00",
        "every_n_weeks": 2,
        "timezone": "UTC",
        "min_cvss": 0,
        "warning_threshold": 9,
        "notification_group": "nobody",
        "sites": [{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": "192.168.88.0/30"}],
    }
    schedule_id = (await api.post("/scans/cve/scheduled", json=body)).json()["id"]
    await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
    async with database.session() as session:
        run = await writes.begin(database, await session.scalar(select(SiteScan.id)))
    ftp = ServiceObservation(
        port=21,
        protocol=Protocol.TCP,
        method=Method.NMAP,
        name="ftp",
        product="vsftpd",
        version="2.3.4",
        cpes=("cpe:/a:vsftpd:vsftpd:2.3.4",),
    )
    seen = HostObservation(
        address=IPv4Address("192.168.88.1"), observed_at=datetime.now(UTC), reason="syn-ack", services=(ftp,)
    )
    await writes.record_host(database, run, seen, identified=True)
    await writes.end(database, run, SiteScanState.SCANNED)
    async with database.transaction() as session:
        scan = await session.get_one(Scan, run.scan_id)
        assert await reconcile(session, scan) == 0
        scan.state = "completed"
    return run.scan_id


async def findings(database):
    async with database.session() as session:
        rows = await session.scalars(select(Finding))
        return [(one.cve_id, one.source, one.withdrawn_at is not None) for one in rows]


async def test_new_and_corrected_cves_reach_the_last_scan(api, database, load, scan_id):
    await load("2.3.4", "2026-01-01T00:00:00.000")
    assert await rematch(database) == Rematched(hosts=1, new=1, withdrawn=0)
    assert await findings(database) == [("CVE-2099-0001", "catalogue", False)]
    [shown] = (await api.get(f"/scans/cve/{scan_id}/findings")).json()
    assert (shown["cve_id"], shown["source"], shown["confidence"]) == ("CVE-2099-0001", "catalogue", "exact")
    assert await rematch(database) == Rematched(hosts=0, new=0, withdrawn=0)

    await load("2.3.5", "2026-01-02T00:00:00.000")
    assert await rematch(database) == Rematched(hosts=1, new=0, withdrawn=1)
    assert await findings(database) == [("CVE-2099-0001", "catalogue", True)]
    assert (await api.get(f"/scans/cve/{scan_id}/findings")).json() == []

    await load("2.3.4", "2026-01-03T00:00:00.000")
    assert await rematch(database) == Rematched(hosts=1, new=1, withdrawn=0)
    assert await findings(database) == [("CVE-2099-0001", "catalogue", False)]
    async with database.session() as session:
        lines = (
            await session.scalars(select(ScanEvent.message).where(ScanEvent.kind == "data_update"))
        ).all()
    assert len(lines) == 3


async def test_import_is_noticed_by_itself(database, load, scan_id):
    await load("2.3.4", "2026-01-01T00:00:00.000")
    await request_rematch(database)
    await request_rematch(database)
    async with database.session() as session:
        waiting = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'findings.rematch'")
        assert await session.scalar(waiting) == 1
    await rematch(database)
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'findings.rematch'"))
    await request_rematch(database)
    async with database.session() as session:
        assert await session.scalar(waiting) == 0
