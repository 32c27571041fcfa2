"""Sequences of scans without a packet: what each saw is written by the run's own functions, and judged."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from uuid import UUID

from sqlalchemy import select

from netvigil.findings.life_models import Vulnerability, VulnerabilityEvent
from netvigil.findings.service import reconcile
from netvigil.inventory.models import Device
from netvigil.probing.observations import HostObservation, Method, Protocol, ServiceObservation
from netvigil.scans import run as writes
from netvigil.scans.models import SiteScan
from netvigil.scans.service import lock_scan
from netvigil.scans.states import SiteScanState

OFFICE = "9c3c1392-7f36-4240-85f2-273573c0384a"
BRANCH = "9c3c1392-7f36-4240-85f2-273573c0384b"
MAC = "00:1A:2B:3C:4D:5E"
OTHER = "00:1A:2B:3C:4D:5F"
START = datetime(2026, 1, 1, tzinfo=UTC)
CPE = "cpe:2.3:a:vsftpd_project:vsftpd:{}:*:*:*:*:*:*:*"


def cve(number, version, *, score=9.8, modified="2026-01-01T00:00:00.000", words="Made up for a test."):
    """A record of our own making that names one vsftpd version."""
    data = {
        "version": "3.1",
        "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "baseScore": score,
        "baseSeverity": "CRITICAL" if score >= 9 else "MEDIUM",
    }
    match = {"vulnerable": True, "criteria": CPE.format(version), "matchCriteriaId": "0"}
    return {
        "id": f"CVE-2099-{number:04}",
        "sourceIdentifier": "test",
        "published": "2026-01-01T00:00:00.000",
        "lastModified": modified,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": words}],
        "metrics": {"cvssMetricV31": [{"source": "test", "type": "Primary", "cvssData": data}]},
        "configurations": [{"nodes": [{"operator": "OR", "negate": False, "cpeMatch": [match]}]}],
        "references": [{"url": "https://example.org/advisory"}],
    }


def ftp(version="2.3.4", *, port=21, told=True):
    """vsftpd of a version, or a port that is open and silent."""
    if not told:
        return ServiceObservation(port=port, protocol=Protocol.TCP, method=Method.SWEEP)
    return ServiceObservation(
        port=port,
        protocol=Protocol.TCP,
        method=Method.NMAP,
        name="ftp",
        product="vsftpd",
        version=version,
        cpes=(f"cpe:/a:vsftpd:vsftpd:{version}",),
        banner=f"220 (vsFTPd {version})",
    )


def host(address, *services, mac=MAC, **more):
    """A live address; its time is set by the scan."""
    return HostObservation(
        address=IPv4Address(address),
        observed_at=START,
        reason="arp-response",
        mac=mac,
        services=services,
        **more,
    )


class Scans:
    """Runs of one schedule, a day apart."""

    def __init__(self, api, database):
        self.api, self.database, self.day = api, database, 0

    async def schedule(self, *sites, **more):
        """A schedule of (site, subnet) pairs; its id."""
        body = {
            "description": "A test", "day_of_week": 1, "time_of_day": "02:00", "every_n_weeks": 2, "timezone": "UTC",
            "min_cvss": 0, "warning_threshold": 9, "notification_group": "nobody",
            "sites": [{"id": site, "subnet": subnet} for site, subnet in sites], **more,
        }  # fmt: skip
        answer = await self.api.post("/scans/cve/scheduled", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def run(self, schedule_id, seen, *, states=None, cut_off=(), at=None):
        """A run that sees these hosts by site; `states` are how sites end if not well. Its id."""
        self.day += 1
        when = at or START + timedelta(days=self.day)
        scan_id = UUID((await self.api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).json()["scan_id"])
        async with self.database.session() as session:
            parts = list(await session.scalars(select(SiteScan).where(SiteScan.scan_id == scan_id)))
        for part in parts:
            await self._run_site(part, seen.get(str(part.site_id), ()), cut_off, when, states or {})
        await self.judge(scan_id)
        return scan_id

    async def _run_site(self, part, hosts, cut_off, when, states):
        run = await writes.begin(self.database, part.id)
        for one in hosts:
            fields = {name: getattr(one, name) for name in one.__slots__}
            timed = HostObservation(**{**fields, "observed_at": when})
            await writes.record_host(self.database, run, timed, identified=str(one.address) not in cut_off)
        await writes.end(self.database, run, states.get(str(part.site_id), SiteScanState.SCANNED))

    async def judge(self, scan_id, *, state="completed"):
        """Match a scan and end it, as its last jobs do."""
        async with self.database.transaction() as session:
            scan = await lock_scan(session, scan_id)
            await reconcile(session, scan)
            scan.state = state

    async def lives(self):
        """(MAC or address, CVE) to (state, regressed)."""
        async with self.database.session() as session:
            rows = await session.execute(
                select(Device, Vulnerability).join(Vulnerability, Vulnerability.device_id == Device.id)
            )
            return {(d.mac or str(d.address), v.cve_id): (v.state, v.regressed) for d, v in rows}

    async def changes(self, scan_id=...):
        """The events in their order, of one scan or of all."""
        query = select(VulnerabilityEvent).order_by(VulnerabilityEvent.id)
        if scan_id is not ...:
            query = query.where(VulnerabilityEvent.scan_id == scan_id)
        async with self.database.session() as session:
            return [(one.cve_id, one.change) for one in await session.scalars(query)]
