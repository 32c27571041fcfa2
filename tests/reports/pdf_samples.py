"""Frozen reports made up for the PDF's tests and its bench: plausible products, any number of hosts and findings."""

import random

PRODUCTS = (
    ("mikrotik", "routeros", "6.42.1", "6.49.10", 8291, "winbox", "MikroTik RouterOS"),
    ("openbsd", "openssh", "8.9p1", "9.8p1", 22, "ssh", "OpenSSH"),
    ("f5", "nginx", "1.18.0", "1.25.3", 80, "http", "nginx"),
    ("vsftpd_project", "vsftpd", "2.3.4", None, 21, "ftp", "vsftpd"),
    ("apache", "http_server", "2.4.49", "2.4.51", 8080, "http", "Apache httpd"),
)
SEVERITIES = ((9.8, "CRITICAL"), (8.1, "HIGH"), (6.5, "MEDIUM"), (5.3, "MEDIUM"), (3.1, "LOW"), (7.5, "HIGH"))
SITE = "9c3c1392-7f36-4240-85f2-2735{:08d}"
REASON = "inside the range that the CVE names"


def make_host(site, number, subnet, **fields):
    """A live host with one to three services; `subnet` are its first three octets."""
    products = random.Random(site * 100_000 + number).sample(PRODUCTS, number % 3 + 1)
    services = [
        {"port": port, "protocol": "tcp", "name": name, "product": title, "version": version, "extra_info": None,
         "tunnel": None, "cpes": [f"cpe:/a:{vendor}:{product}:{version}"], "banner": f"{title} {version} ready",
         "seen_by": "spoken", "spared": False, "facts": {}}
        for vendor, product, version, _, port, name, title in products
    ]  # fmt: skip
    mac = f"02:00:{site % 256:02X}:{number // 65536:02X}:{number // 256 % 256:02X}:{number % 256:02X}"
    return {
        "id": f"{site:04d}-{number:06d}", "hostname": f"device-{number}.office.example", "mac_address": mac,
        "manufacturer": "Routerboard.com", "ip_address": f"{subnet}.{number % 254 + 1}", "site_id": SITE.format(site),
        "os": "RouterOS 6.42", "model": "RB750Gr3", "mac_source": "arp", "notes": [], "alive_because": "arp-response",
        "observed_at": "2026-11-20T02:03:04Z", "cve_count": 0, "highest_score": 0, "new": number % 11 == 5,
        "services": services, **fields,
    }  # fmt: skip


def make_finding(host, number, *, serial, **fields):
    """The CVE of that serial number on the host."""
    vendor, product, version, fixed, port, name, title = PRODUCTS[serial % len(PRODUCTS)]
    score, severity = SEVERITIES[serial % len(SEVERITIES)]
    cpe = f"cpe:2.3:a:{vendor}:{product}:{version}:*:*:*:*:*:*:*"
    host["cve_count"] += 1
    host["highest_score"] = max(host["highest_score"], score)
    return {
        "id": f"finding-{number}", "cve_id": f"CVE-2024-{10000 + serial}",
        "description": f"Whoever reaches {title} over the network can make it run code of their choice by a crafted "
        "request that is longer than its buffer; no account is needed. " * (1 + serial % 2),
        "published_at": "2024-03-01T10:00:00Z", "created_at": "2026-11-20T02:05:00Z",
        "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "score": score, "severity": severity,
        "assigner": "cna.example", "references": [{"url": "https://vendor.example/advisory/1", "name": "Advisory"}],
        "cve_detail": {"cvss_version": "3.1"}, "scan_id": "s", "compliance_tags": [],
        "host": {key: host[key] for key in ("id", "hostname", "mac_address", "manufacturer", "ip_address", "site_id")},
        "status": "open", "source": "scan", "other_occurrences": [],
        "service": {"port": port, "protocol": "tcp", "name": name, "product": title, "version": version, "cpe": cpe},
        "evidence": {"seen": f"{title} {version} on port {port}", "product": cpe,
                     "range": f"before {fixed}" if fixed else f"exactly {version}", "fixed_in": fixed,
                     "reasons": [REASON], "services": []},
        "confidence": ("exact", "likely", "possible")[serial % 3],
        "epss": {"score": 0.031 + serial % 9 / 10, "percentile": 0.9, "date": "2026-11-19"},
        "kev": {"date_added": "2024-04-01", "due_date": "2024-04-22", "ransomware": True} if serial in {0, 6} else None,
        "cwe": ["CWE-120"], "fixed_in": fixed, **fields,
    }  # fmt: skip


def make_site(number, prefix=24, **fields):
    """A site that was scanned whole."""
    return {
        "id": SITE.format(number), "name": f"Branch {number + 1}", "subnets": [f"10.{number}.0.0/{prefix}"],
        "vantage": "local", "state": "scanned", "error": None, "limitations": [], "profile": "standard",
        "started_at": "2026-11-20T02:00:00Z", "finished_at": "2026-11-20T02:06:00Z", "hosts": 0, "exclusions": {},
        "missing": [{"ip_address": f"10.{number}.0.250", "hostname": "old-printer", "mac_address": None,
                     "moved_to": None}], **fields,
    }  # fmt: skip


def make_report(*, sites=1, hosts=12, findings=20, cves=400, prefix=24, **fields):
    """A whole report; hosts are spread over the sites, and each finding is another CVE of its host."""
    per_site = max(hosts // sites, 1) if hosts else 0
    blocks = 2 ** (24 - prefix)
    rows = [
        make_host(site, number, f"10.{site}.{number * blocks // per_site % blocks}")
        for site in range(sites)
        for number in range(per_site)
    ]
    found = []
    for number in range(findings if rows else 0):
        turn, at = divmod(number, len(rows))
        found.append(make_finding(rows[at], number, serial=(at * 7 + turn) % cves))
    counts = {name: sum(one["severity"] == name for one in found) for _, name in SEVERITIES}
    scan = {
        "id": "5e0e6c0e-0000-4000-8000-000000000001", "scan_id": "BCD-FGH-JKL", "scan_schedule_id": "x",
        "description": "Weekly scan of the main office", "trigger": "schedule", "started_at": "2026-11-20T02:00:00Z",
        "stopped": False, "min_cvss": 0, "warning_threshold": 7, "cve_count": len(found),
        "unique_cves": len({one["cve_id"] for one in found}), "hosts_scanned": len(rows),
        "hosts_with_cves": sum(host["cve_count"] > 0 for host in rows), "open_ports": 2 * len(rows),
        "kev_count": sum(one["kev"] is not None for one in found), "new_count": len(found) // 5, "resolved_count": 8,
    }  # fmt: skip
    before = {**counts, "LOW": counts["LOW"] + 3}
    runs = [
        {"scan_id": f"R{n}", "started_at": f"2026-{n + 4:02d}-20T02:00:00Z",
         "cve_count": sum(counts.values()) + 21 - 3 * n, "severities": {**counts, "LOW": counts["LOW"] + 21 - 3 * n}}
        for n in range(8)
    ]  # fmt: skip
    catalogue = {
        "version": "12.2026-11-18", "cves": 312_404, "data_date": "2026-11-18T22:00:00Z", "age_days": 1,
        "imported_at": "2026-11-19T01:00:00Z", "starter_only": False, "sources": ["nvd", "kev"],
        "feeds": [{"source": "nvd", "records": 312_404, "imported_at": "2026-11-19T01:00:00Z",
                   "data_date": "2026-11-18T22:00:00Z"}],
    }  # fmt: skip
    previous = {"id": "p", "scan_id": "LMN-PQR-STV", "started_at": "2026-10-20T02:00:00Z", "severities": before,
                "numbers": {**scan, "cve_count": scan["cve_count"] + 3, "kev_count": 1}}  # fmt: skip
    return {
        "schema": "netvigil.report/1", "generated_at": "2026-11-20T02:06:30Z", "scan": scan, "catalogue": catalogue,
        "warnings": [], "sites": [make_site(number, prefix) for number in range(sites)], "hosts": rows,
        "findings": found, "not_affected": [], "severities": counts, "previous": previous, "trend": runs,
        "not_scanned": [], **fields,
    }  # fmt: skip
