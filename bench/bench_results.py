"""Results at size: lists, a device's history and CVEs by MAC among millions of findings, and finishing a large scan.

100,000 devices at 500 sites, two scans of each with ten findings a host: two million findings, one million lives. Every
request is asked by itself, in this process, with devices chosen at random; the limit is 300 ms at the 99th percentile. Then
a scan of 1,000 hosts and 20,000 findings is finished (matched, reconciled, reported without its PDF), and the same again as a
second scan that finds a tenth gone. `--devices`, `--rounds` change the size.
"""

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import select, text

from netvigil.access.keys import load_keys
from netvigil.app.factory import create_app
from netvigil.app.service import Service, authority_of
from netvigil.catalogue.importer import import_paths
from netvigil.db.embedded import EmbeddedServer
from netvigil.db.migrate import migrate
from netvigil.db.session import Database
from netvigil.findings.queries import get_device, list_by_priority
from netvigil.findings.service import reconcile
from netvigil.inventory.models import Device
from netvigil.jobs import apply_schema
from netvigil.reports.content import freeze
from netvigil.scans.service import lock_scan
from netvigil.settings import Settings

CVES, HOST_CVES, SITES = 2000, 20, 500
CPE = "cpe:2.3:a:vsftpd_project:vsftpd:{}:*:*:*:*:*:*:*"
LIMIT_MS, FINISH_LIMIT_S = 300, 30
SCHEDULE = {
    "description": "bench", "day_of_week": 1, "time_of_day": "02:00", "every_n_weeks": 2, "timezone": "UTC", "min_cvss": 4,
    "warning_threshold": 7, "notification_group": "nobody",
    "sites": [{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": "10.0.0.0/22"}],
}  # fmt: skip

# As a year leaves it: sites, two scans a site, hosts with three services, ten findings a host of CVEs by frequency.
MANY = """
INSERT INTO site (organisation_id, id, name, networks, vantage, registration)
  SELECT :org, md5('site' || n)::uuid, 'Site ' || n, '{10.0.0.0/16}', '{"type": "local"}', 'manual'
  FROM generate_series(1, :sites) n;
INSERT INTO scan (id, organisation_id, human_id, trigger, state, description, min_cvss, warning_threshold,
    ignore_offline_sites, created_at, started_at, finished_at, summary)
  SELECT md5('scan' || n || '.' || r)::uuid, :org, 'X' || n || '-' || r, 'manual', 'completed', 'many', 4, 7, false,
    now() - make_interval(days => 30 * (3 - r), secs => n), now() - make_interval(days => 30 * (3 - r), secs => n),
    now() - make_interval(days => 30 * (3 - r)), '{"cve_count": 2000}'
  FROM generate_series(1, :sites) n, generate_series(1, 2) r;
INSERT INTO site_scan (id, scan_id, organisation_id, site_id, site_name, position, targets, vantage, state)
  SELECT md5('part' || n || '.' || r)::uuid, md5('scan' || n || '.' || r)::uuid, :org, md5('site' || n)::uuid, 'Site ' || n, 0,
    '{10.0.0.0/16}', 'local', 'scanned' FROM generate_series(1, :sites) n, generate_series(1, 2) r;
INSERT INTO device (id, organisation_id, site_id, mac, manufacturer, hostname, scan_id, first_seen_at, last_seen_at)
  SELECT md5('device' || d)::uuid, :org, md5('site' || (d % :sites + 1))::uuid,
    upper(regexp_replace(lpad(to_hex(d), 12, '001a2b000000'), '(..)(?!$)', '\\1:', 'g')), 'Routerboard.com', 'device-' || d,
    md5('scan' || (d % :sites + 1) || '.2')::uuid, now() - interval '60 days', now() - make_interval(days => 30, secs => d % 5000)
  FROM generate_series(1, :devices) d;
INSERT INTO device_address (device_id, site_id, address, first_seen_at, last_seen_at)
  SELECT id, site_id, inet '10.0.0.0' + (row_number() OVER ()) % 65000, first_seen_at, last_seen_at FROM device;
INSERT INTO host (id, site_scan_id, scan_id, organisation_id, site_id, device_id, address, mac, manufacturer, hostname, reason,
    identified, observed_at)
  SELECT md5('host' || d || '.' || r)::uuid, md5('part' || (d % :sites + 1) || '.' || r)::uuid,
    md5('scan' || (d % :sites + 1) || '.' || r)::uuid, :org, md5('site' || (d % :sites + 1))::uuid, md5('device' || d)::uuid,
    inet '10.0.0.0' + (d / :sites + 1), (SELECT mac FROM device WHERE id = md5('device' || d)::uuid), 'Routerboard.com',
    'device-' || d, 'arp-response', true, now() - make_interval(days => 30 * (3 - r), secs => d % 5000)
  FROM generate_series(1, 2) r, generate_series(1, :devices) d;
INSERT INTO service (host_id, port, protocol, method, name, product, version, cpes, banner, spared)
  SELECT id, port, 'tcp', 'spoken', 'service', 'vsftpd', '2.3.4', '[]', '220 (vsFTPd 2.3.4)', false
  FROM host, unnest(ARRAY[21, 80, 8291]) port;
INSERT INTO finding (id, organisation_id, scan_id, host_id, service_id, cve_id, score, severity, vector, cvss_version, confidence,
    kev, cpe, evidence, source, created_at)
  SELECT md5('finding' || d || '.' || r || '.' || c)::uuid, :org, md5('scan' || (d % :sites + 1) || '.' || r)::uuid,
    md5('host' || d || '.' || r)::uuid, NULL, 'CVE-2098-' || lpad(((d * 7 + c * c * 31) % :cves)::text, 4, '0'), 4 + (d + c) % 60 / 10.0,
    'HIGH', 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', '3.1', 'exact', d % 97 = 0,
    'cpe:2.3:a:vsftpd_project:vsftpd:2.3.4:*:*:*:*:*:*:*',
    '{"seen": "vsftpd 2.3.4", "product": "cpe:2.3:a:vsftpd_project:vsftpd:2.3.4", "range": "before 3.0", "reasons": ["seen as vsftpd 2.3.4"],
      "fixed_in": "3.0", "configured_by": "nvd", "services": [{"port": 21, "protocol": "tcp", "seen": "vsftpd 2.3.4"}]}', 'scan',
    now() - make_interval(days => 30 * (3 - r), secs => d % 5000)
  FROM generate_series(1, 2) r, generate_series(1, :devices) d, generate_series(1, 10) c ON CONFLICT DO NOTHING;
INSERT INTO vulnerability (organisation_id, device_id, site_id, cve_id, finding_id, address, ports, state, score, severity,
    confidence, kev, priority, reason, first_seen_at, last_seen_at)
  SELECT f.organisation_id, h.device_id, h.site_id, f.cve_id, f.id, h.address, '["tcp/21"]', 'open', f.score, f.severity,
    f.confidence, f.kev, f.score * 3 + random() * 20, 'CVSS; seen exactly', h.observed_at - interval '30 days', h.observed_at
  FROM finding f JOIN host h ON h.id = f.host_id JOIN device d ON d.id = h.device_id AND d.scan_id = h.scan_id;
INSERT INTO vulnerability_event (organisation_id, vulnerability_id, device_id, site_id, cve_id, scan_id, change, score, severity, kev)
  SELECT organisation_id, id, device_id, site_id, cve_id, NULL, 'new', score, severity, kev FROM vulnerability;
INSERT INTO cve_decision (organisation_id, mac, device_id, cve_id, status, justification, created_by)
  SELECT v.organisation_id, d.mac, d.id, v.cve_id, 'accepted', 'Decided in a meeting', 'bench'
  FROM vulnerability v JOIN device d ON d.id = v.device_id WHERE v.score > 9.5
"""
HOSTS = """
WITH made AS (
  INSERT INTO host (site_scan_id, scan_id, organisation_id, site_id, address, mac, hostname, reason, identified, observed_at)
  SELECT p.id, p.scan_id, p.organisation_id, p.site_id, inet '10.0.0.1' + n,
    upper(regexp_replace(lpad(to_hex(n), 12, '00aa2b000000'), '(..)(?!$)', '\\1:', 'g')), 'new-' || n, 'arp-response', true,
    clock_timestamp()
  FROM site_scan p, generate_series(1, 1000) n WHERE p.scan_id = :scan RETURNING id, address)
INSERT INTO service (host_id, port, protocol, method, name, product, version, cpes, banner, spared)
  SELECT id, 21, 'tcp', 'nmap', 'ftp', 'vsftpd', v.version, jsonb_build_array('cpe:/a:vsftpd:vsftpd:' || v.version),
    '220 (vsFTPd ' || v.version || ')', false
  FROM made, LATERAL (SELECT CASE WHEN (address - inet '10.0.0.1') % 10 < :gone THEN '3.0.3' ELSE '2.3.4' END AS version) v
"""


def record(cve_id, version):
    """A made-up CVE with a description and references of the usual length."""
    data = {"version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "baseScore": 9.8,
            "baseSeverity": "CRITICAL"}  # fmt: skip
    match = {"vulnerable": True, "criteria": CPE.format(version), "matchCriteriaId": "0"}
    return {
        "id": cve_id, "sourceIdentifier": "bench", "published": "2026-01-01T00:00:00.000",
        "lastModified": "2026-01-01T00:00:00.000", "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": f"{cve_id}: an overflow in a parser of the service. " * 6}],
        "metrics": {"cvssMetricV31": [{"source": "bench", "type": "Primary", "cvssData": data}]},
        "configurations": [{"nodes": [{"operator": "OR", "negate": False, "cpeMatch": [match]}]}],
        "references": [{"url": f"https://example.org/{cve_id}/{n}"} for n in range(5)],
    }  # fmt: skip


def percentile(values, share):
    """The value that this share of the values stays below."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def check(good):
    """A wrong answer is not worth measuring."""
    if not good:
        raise SystemExit("a wrong answer")


async def fill(service, directory, devices):
    """The catalogue and the rows; the organisation's id."""
    records = [record(f"CVE-2098-{n:04}", "1.0") for n in range(CVES)]
    records += [record(f"CVE-2097-{n:04}", "2.3.4") for n in range(HOST_CVES)]
    path = directory / "feed.json"
    path.write_text(
        json.dumps({"vulnerabilities": [{"cve": one} for one in records], "totalResults": len(records)})
    )
    await import_paths(service.database.engine, [path])
    began = time.monotonic()
    async with service.database.transaction() as session:
        org = await session.scalar(text("INSERT INTO organisation (key) VALUES ('acme') RETURNING id"))
        for statement in MANY.split(";\n"):
            await session.execute(text(statement.replace('":', '"\\:')), {
                name: value
                for name, value in {"org": org, "sites": SITES, "devices": devices, "cves": CVES}.items()
                if f":{name}" in statement
            })  # fmt: skip
    async with service.database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE"))
        counts = {
            name: await connection.scalar(text(f"SELECT count(*) FROM {name}"))  # noqa: S608 - ours
            for name in ("device", "finding", "vulnerability")
        }
    print(f"filled in {time.monotonic() - began:.0f} s: {counts}")
    return org


async def measure(name, rounds, ask):
    """Ask again and again, first once without being counted; say how long it took."""
    await ask()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    p99 = percentile(times, 0.99)
    verdict = "" if p99 < LIMIT_MS else "   OVER THE LIMIT"
    print(f"{name:<44} p50 {percentile(times, 0.5):6.1f} ms   p99 {p99:6.1f} ms{verdict}")


async def measure_reads(api, database, org, rounds, devices):
    """Every list's first page, a device's history, CVEs by MAC."""
    async with database.session() as session:
        known = (await session.execute(select(Device.id, Device.mac).limit(devices))).all()
    scan = (await api.get("/scans/cve?limit=1")).json()[0]["id"]

    async def get(path):
        answer = await api.get(path)
        check(answer.status_code == 200)
        return answer

    async def by_mac():
        macs = [mac for _, mac in random.sample(known, 500)]
        answer = await api.post("/scans/cve/mac-address/cves", json={"mac_addresses": macs})
        check(
            b'"total_host_count":500,' in answer.content
        )  # the client's own reading is no part of the answer

    async def history():
        async with database.reading() as session:
            detail = await get_device(session, org, random.choice(known)[0])
            check(bool(detail.vulnerabilities))

    async def first():
        async with database.reading() as session:
            check(len(await list_by_priority(session, org, limit=500)) > 500)

    paths = ("/scans/cve", "/sites", "/scans/cve/mac-address/list", "/scans/cve/mac-address/cve/status",
             f"/scans/cve/{scan}/hosts", f"/scans/cve/{scan}/findings")  # fmt: skip
    for path in paths:
        await measure(f"GET {path.replace(scan, '…')}", rounds, lambda path=path: get(path))
    await measure("POST …/mac-address/cves, 500 MACs", rounds, by_mac)
    await measure("a device with its history", rounds, history)
    await measure("vulnerabilities by priority", rounds, first)


async def finish(api, database, schedule_id, gone):
    """Time from the last host to the frozen report."""
    scan_id = UUID((await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")).json()["scan_id"])
    async with database.transaction() as session:
        await session.execute(text(HOSTS), {"scan": scan_id, "gone": gone})
        await session.execute(
            text("UPDATE site_scan SET state = 'scanned' WHERE scan_id = :scan"), {"scan": scan_id}
        )
    began = time.monotonic()
    async with database.transaction() as session:
        scan = await lock_scan(session, scan_id)
        number = await reconcile(session, scan)
    reconciled = time.monotonic()
    async with database.transaction() as session:
        scan = await lock_scan(session, scan_id)
        numbers = await freeze(session, scan)
        scan.state, scan.finished_at, scan.summary = "completed", datetime.now(UTC), numbers.model_dump()
    ended = time.monotonic()
    verdict = "" if ended - began < FINISH_LIMIT_S else "   OVER THE LIMIT"
    print(
        f"finished {number} findings: match and reconcile {reconciled - began:.1f} s, report {ended - reconciled:.1f} s, "
        f"{numbers.new_count} new, {numbers.resolved_count} resolved{verdict}"
    )


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        server = EmbeddedServer(directory / "postgres")
        url = await server.start()
        await migrate(url, then=apply_schema)
        database = Database(url)
        try:
            settings = Settings(data_dir=directory / "data", database_url=url)
            keys = load_keys(settings.keys_dir)
            service = Service(settings, database, keys, authority_of(settings, keys))
            org = await fill(service, directory, options.devices)
            token = service.authority.issue(organisation="acme", scopes=("*",), subject="bench", ttl=3600)
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=create_app(service)), base_url="http://bench.test",
                headers={"Authorization": f"Bearer {token}"},
            ) as api:  # fmt: skip
                # what the filling left behind belongs to no service; else each full collection walks through it
                gc.collect()
                gc.freeze()
                await measure_reads(api, database, org, options.rounds, options.devices)
                schedule_id = (await api.post("/scans/cve/scheduled", json=SCHEDULE)).json()["id"]
                for gone in (0, 1, 1):
                    await finish(api, database, schedule_id, gone)
        finally:
            await database.close()
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
