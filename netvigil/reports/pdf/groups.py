"""PURE: a report's findings by CVE, in order of priority, and the updates that end most of them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from netvigil.matching.cpe import Cpe, CpeError, parse_cpe, unescape
from netvigil.matching.versions import Order, compare
from netvigil.matching.wording import display_name

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE")
Finding = dict[str, Any]

_THROUGH = re.compile(r"\bthrough (\S+)")  # as matching.wording says the end of a range that belongs to it

# Products by their CPE name, as their makers write them.
_NAMES = {
    "routeros": "MikroTik RouterOS",
    "winbox": "MikroTik WinBox",
    "openssh": "OpenSSH",
    "openssl": "OpenSSL",
    "nginx": "nginx",
    "http_server": "Apache HTTP Server",
    "tomcat": "Apache Tomcat",
    "samba": "Samba",
    "dropbear_ssh": "Dropbear SSH",
    "dnsmasq": "dnsmasq",
    "webmin": "Webmin",
    "redis": "Redis",
    "proftpd": "ProFTPD",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "postgresql": "PostgreSQL",
    "bind": "ISC BIND",
    "exim": "Exim",
    "postfix": "Postfix",
    "lighttpd": "lighttpd",
    "windows": "Microsoft Windows",
    "linux_kernel": "Linux kernel",
    "php": "PHP",
}


@dataclass(slots=True)
class CveGroup:
    """One CVE and every finding of it; `lead` is the one that matters most."""

    cve_id: str
    lead: Finding
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fix:
    """The version that ends a CVE, or, with `after`, the last one that has it."""

    version: str
    after: bool = False

    def __str__(self) -> str:
        """As one says it behind "update to"."""
        return f"a version after {self.version}" if self.after else f"{self.version} or later"


@dataclass(slots=True)
class Update:
    """One product to be updated: `fix` ends `ended` of its CVEs; None where the data name no end of any range."""

    product: str
    fix: Fix | None = None
    ended: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    cves: set[str] = field(default_factory=set)
    worst: float = 0.0
    exploited: int = 0
    priority: tuple[float, ...] = ()


def is_open(finding: Finding) -> bool:
    """Whether nobody has decided on it; a report of before decisions existed has none."""
    return (finding.get("status") or "open") == "open"


def priority_of(finding: Finding) -> tuple[float, ...]:
    """What sorts findings, the most urgent highest: the life's own priority, then exploited, score, likelihood."""
    epss = (finding.get("epss") or {}).get("score") or 0.0
    own = finding.get("priority")
    return (
        float(own) if isinstance(own, int | float) else 0.0,
        float(finding.get("kev") is not None),
        float(finding.get("score") or 0),
        float(epss),
    )


def by_cve(findings: list[Finding]) -> list[CveGroup]:
    """One group a CVE, the most urgent first; within it the findings by priority, then by address."""
    gathered: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        gathered[str(finding["cve_id"])].append(finding)
    groups = []
    for cve_id, members in gathered.items():
        members.sort(key=lambda one: (tuple(-x for x in priority_of(one)), address_key(one)))
        groups.append(CveGroup(cve_id, members[0], members))
    groups.sort(key=lambda group: (tuple(-x for x in priority_of(group.lead)), group.cve_id))
    return groups


def address_key(finding: Finding) -> int:
    """The finding's address as a number, 0 where it is none."""
    try:
        return int(IPv4Address(finding["host"]["ip_address"]))
    except (KeyError, TypeError, ValueError):
        return 0


def updates(findings: list[Finding]) -> list[Update]:
    """What to update, the most urgent first; products without a known fix are among them."""
    found: dict[str, Update] = {}
    for finding in findings:
        name = product_name(finding)
        one = found.setdefault(name, Update(name))
        one.hosts.add(str(finding["host"].get("id")))
        one.cves.add(str(finding["cve_id"]))
        one.worst = max(one.worst, float(finding.get("score") or 0))
        one.exploited += finding.get("kev") is not None
        fix = fix_of(finding)
        if fix is not None:
            one.fix = _newer(one.fix, fix)
            one.ended.add(str(finding["cve_id"]))
        one.priority = max(one.priority, priority_of(finding))
    return sorted(found.values(), key=lambda one: (*(-x for x in one.priority), -len(one.cves), one.product))


def product_name(finding: Finding) -> str:
    """What is to be updated, as one reads it: `mikrotik routeros`; the service's own word where there is no CPE."""
    evidence, service = finding.get("evidence") or {}, finding.get("service") or {}
    for text in (evidence.get("product"), service.get("cpe")):
        if isinstance(text, str):
            try:
                return _spoken_name(parse_cpe(text))
            except CpeError:
                continue
    return str(service.get("product") or service.get("name") or "unknown product")


def count_severities(findings: list[Finding]) -> dict[str, int]:
    """How many of each severity, all of them named."""
    counted = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        severity = str(finding.get("severity") or "NONE").upper()
        counted[severity if severity in counted else "NONE"] += 1
    return counted


def _spoken_name(cpe: Cpe) -> str:
    known = _NAMES.get(cpe.product)
    if known is not None:
        return known
    vendor = cpe.vendor.removesuffix("_project")
    if vendor in cpe.product or cpe.product in vendor:
        return unescape(cpe.product).replace("_", " ")
    return display_name(cpe)


def fix_of(finding: Finding) -> Fix | None:
    """What ends the finding: the fixed version, else what comes after the range; None where neither is named."""
    fixed = finding.get("fixed_in")
    if isinstance(fixed, str) and fixed:
        return Fix(fixed)
    last = _THROUGH.search(str((finding.get("evidence") or {}).get("range")))
    return Fix(last[1], after=True) if last else None


def newest_fix(findings: list[Finding]) -> Fix | None:
    """What ends all of these findings that have an end, None when none has."""
    newest: Fix | None = None
    for finding in findings:
        fix = fix_of(finding)
        newest = _newer(newest, fix) if fix is not None else newest
    return newest


def _newer(known: Fix | None, other: Fix) -> Fix:
    if known is None:
        return other
    order = compare(other.version, known.version)
    return other if order is Order.NEWER or (order is Order.EQUAL and other.after) else known
