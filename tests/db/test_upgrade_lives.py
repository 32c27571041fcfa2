"""Hosts and findings of before revision 0009 come to life: devices, vulnerabilities, and what happened to them."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from netvigil.db.migrate import migrate
from netvigil.db.session import libpq_url

ORGANISATION, SITE, SCHEDULE = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2, 3))
REVISION = "0008"
ROWS = f"""
INSERT INTO organisation (id, key) VALUES ('{ORGANISATION}', 'acme');
INSERT INTO site (organisation_id, id, name, networks, vantage, registration)
  VALUES ('{ORGANISATION}', '{SITE}', 'Office', '{{192.168.88.0/24}}', '{{"type": "local"}}', 'auto');
"""  # noqa: S608 - ours
SCAN = """
WITH s AS (
  INSERT INTO scan (organisation_id, human_id, trigger, state, description, min_cvss, warning_threshold,
      ignore_offline_sites, started_at)
  VALUES (%(organisation)s, %(name)s, 'manual', %(state)s, 'Weekly', 4, 7, false, now()) RETURNING id)
INSERT INTO site_scan (scan_id, organisation_id, site_id, site_name, position, targets, vantage, state, exclusions)
SELECT id, %(organisation)s, %(site)s, 'Office', 0, '{192.168.88.0/24}', 'local', 'scanned', %(exclusions)s FROM s
RETURNING id, scan_id"""
HOST = """
INSERT INTO host (site_scan_id, scan_id, organisation_id, site_id, address, mac, hostname, reason, identified, observed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'arp', true, %s) RETURNING id"""
FINDING = """
INSERT INTO finding (organisation_id, scan_id, host_id, cve_id, score, severity, confidence, kev, cpe, evidence, source)
VALUES (%s, %s, %s, %s, 9.8, 'CRITICAL', 'exact', false, 'cpe', %s, 'scan')"""
EVIDENCE = '{"services": [{"port": 21, "protocol": "tcp", "seen": "vsftpd"}]}'
MAC, VRRP = "00:1A:2B:3C:4D:5E", "00:00:5E:00:01:07"
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 5)]


class History:
    """Writes rows as revision 0008 had them."""

    def __init__(self, connection):
        self.connection, self.scans = connection, []

    def scan(self, *, state="completed", exclusions="{}"):
        values = {
            "organisation": ORGANISATION, "site": SITE, "name": uuid4().hex[:11], "state": state, "exclusions": exclusions,
        }  # fmt: skip
        self.scans.append(self.connection.execute(SCAN, values).fetchone())

    def host(self, address, mac, when, *cves, name=None):
        part, scan = self.scans[-1]
        values = (part, scan, ORGANISATION, SITE, address, mac, name, when)
        (host,) = self.connection.execute(HOST, values).fetchone()
        for one in cves:
            self.connection.execute(FINDING, (ORGANISATION, scan, host, one, EVIDENCE))
        return host


def rows(url, query):
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(query).fetchall()


async def test_history_so_far_comes_to_life(old_url):
    with psycopg.connect(libpq_url(old_url)) as connection:
        history = History(connection)
        history.scan()
        history.host("192.168.88.1", MAC, DAYS[0], "CVE-2099-0001", "CVE-2099-0002", name="old")
        history.host("192.168.88.2", VRRP, DAYS[0], "CVE-2099-0001")
        history.host("192.168.88.3", None, DAYS[0], "CVE-2099-0001")
        history.scan(exclusions='{"ports": ["tcp/21"]}')
        history.host("192.168.88.3", None, DAYS[1])
        history.scan()
        history.host("192.168.88.1", MAC, DAYS[2], "CVE-2099-0001", name="new")
        silent = history.host("192.168.88.2", VRRP, DAYS[2])
        connection.execute(
            "INSERT INTO service (host_id, port, protocol, method, cpes, spared) VALUES (%s, 21, 'tcp', 'sweep', '[]', false)",
            (silent,),
        )
        history.scan(state="processing")
        history.host("192.168.88.1", MAC, DAYS[3], "CVE-2099-0003")
        scans = [scan for _, scan in history.scans]
    await migrate(old_url)
    assert rows(
        old_url, "SELECT mac, host(address), hostname, first_seen_at, last_seen_at FROM device ORDER BY 1, 2"
    ) == [
        (MAC, None, "new", DAYS[0], DAYS[2]),
        (None, "192.168.88.2", None, DAYS[0], DAYS[2]),
        (None, "192.168.88.3", None, DAYS[0], DAYS[1]),
    ]
    lives = rows(
        old_url,
        "SELECT coalesce(d.mac, host(d.address)), cve_id, state, v.first_seen_at, v.last_seen_at, resolved_at, ports"
        " FROM vulnerability v JOIN device d ON d.id = device_id ORDER BY 1, 2",
    )
    port = ["tcp/21"]
    # resolved where the port was looked at again and told what it is; not where it was left out or silent
    assert lives == [
        (MAC, "CVE-2099-0001", "open", DAYS[0], DAYS[2], None, port),
        (MAC, "CVE-2099-0002", "resolved", DAYS[0], DAYS[0], DAYS[2], port),
        ("192.168.88.2", "CVE-2099-0001", "open", DAYS[0], DAYS[0], None, port),
        ("192.168.88.3", "CVE-2099-0001", "open", DAYS[0], DAYS[0], None, port),
    ]
    events = rows(old_url, "SELECT cve_id, change, scan_id, at FROM vulnerability_event ORDER BY id")
    assert events.count(("CVE-2099-0001", "new", scans[0], DAYS[0])) == 3
    assert events[-1] == ("CVE-2099-0002", "resolved", scans[2], DAYS[2])
    assert len(events) == 5
    # the scan under way is judged when it ends
    assert rows(old_url, "SELECT count(*) FROM host WHERE device_id IS NULL") == [(1,)]
    assert rows(old_url, "SELECT count(*), count(DISTINCT device_id) FROM device_address") == [(3, 3)]


async def test_nothing_to_bring_to_life(old_url):
    await migrate(old_url)
    assert rows(old_url, "SELECT count(*) FROM device") == [(0,)]
