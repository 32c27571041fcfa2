"""PURE: one finding, host or gap of a report as the row that the template shows."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import TYPE_CHECKING, Any

from netvigil.reports.pdf.groups import CveGroup, Finding, Update, newest_fix, priority_of, product_name
from netvigil.reports.pdf.text import LONG, safe_url, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PLACES_IN_CARD = 24
BANNER = 90
SERVICES_PER_HOST = 40
_SOURCES = {"scan": "this scan", "catalogue": "a later update of the vulnerability data"}
_SURE = {
    "exact": "exact: product and version were named",
    "likely": "likely: the product is known, the version was read from its words",
    "possible": "possible: something that decides is unknown",
}


def moment(value: Any) -> str:
    """An ISO time as `2026-01-31 14:05 UTC`; empty when there is none."""
    if not isinstance(value, str) or len(value) < len("2026-01-31T14:05"):
        return shown(value)
    return shown(f"{value[:10]} {value[11:16]} UTC")


def card(group: CveGroup, sites: Mapping[str, str]) -> dict[str, Any]:
    """A CVE told in full: where, why we think so, how sure, and what to do."""
    lead = group.lead
    evidence = lead.get("evidence") or {}
    return {
        **_head(group),
        "description": shown(lead.get("description"), LONG),
        "reason": shown(lead.get("priority_reason") or lead.get("reason"), 300) or _reason(lead),
        "product": shown(product_name(lead)),
        "seen": _seen(group),
        "range": shown(evidence.get("range"), 200),
        "why": [shown(text, 300) for text in evidence.get("reasons", [])[:4]],
        "confidence": shown(_SURE.get(str(lead.get("confidence")), lead.get("confidence"))),
        "source": shown(_SOURCES.get(str(lead.get("source")), lead.get("source"))),
        "action": _action(group),
        "places": _places(group, sites, PLACES_IN_CARD),
        "long": len(group.findings) > PLACES_IN_CARD,
        "tags": [shown(tag, 60) for tag in lead.get("compliance_tags", [])[:8]],
        "vector": shown(lead.get("vector")),
        "published": moment(lead.get("published_at"))[:10],
        "due": shown((lead.get("kev") or {}).get("due_date")),
        "links": _links(lead),
    }


def table_row(group: CveGroup, sites: Mapping[str, str]) -> dict[str, Any]:
    """A CVE in one line: what, where, and the version that ends it."""
    return {
        **_head(group),
        "product": shown(product_name(group.lead), 60),
        "places": _places(group, sites, 10_000),
        "fixed": shown(newest_fix(group.findings) or "", 40),
    }


def listed(groups: Iterable[CveGroup]) -> list[dict[str, Any]]:
    """The CVEs of lesser urgency by severity: each its number, score and addresses in one string."""
    by_severity: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        score = float(group.lead.get("score") or 0)
        places = ", ".join(_compressed(group.findings))
        by_severity[str(group.lead.get("severity") or "NONE").upper()].append(
            f"{shown(group.cve_id)} ({score:.1f}) {places}"
        )
    return [{"severity": name.lower(), "lines": lines} for name, lines in by_severity.items()]


def update_row(one: Update) -> dict[str, Any]:
    """One thing to do: update this product to that version, and what it ends."""
    name = shown(one.product, 60)
    return {
        "product": name,
        "do": f"Update {name} to {shown(one.fix, 60)}"
        if one.fix
        else f"No fixed version of {name} is known: restrict access to it, or replace it",
        "ends": f"{len(one.ended):,} of {len(one.cves):,} CVEs",
        "hosts": len(one.hosts),
        "worst": one.worst,
        "severity": severity_of(one.worst),
        "exploited": one.exploited,
    }


def decided_row(finding: Finding) -> dict[str, Any]:
    """A finding that a person has decided on."""
    decision = finding.get("decision") or {}
    return {
        "cve_id": shown(finding.get("cve_id")),
        "score": float(finding.get("score") or 0),
        "severity": str(finding.get("severity") or "NONE").lower(),
        "place": _place(finding),
        "status": shown(finding.get("status")),
        "why": shown(decision.get("justification"), LONG),
        "who": shown(decision.get("created_by"), 80),
        "until": moment(decision.get("expiration_date"))[:10],
        "when": moment(decision.get("created_at"))[:10],
    }


def host_row(host: dict[str, Any]) -> dict[str, Any]:
    """A host and its open ports."""
    services = host.get("services", [])
    name = shown(host.get("hostname"), 80)
    facts = [
        shown(host.get("model"), 60),
        shown(host.get("os"), 80),
        shown(host.get("manufacturer"), 60),
        shown(host.get("mac_address")),
    ]
    return {
        "address": shown(host.get("ip_address")),
        "name": name,
        "facts": [fact for fact in facts if fact],
        "new": bool(host.get("new")),
        "findings": int(host.get("cve_count") or 0),
        "worst": float(host.get("highest_score") or 0),
        "severity": severity_of(float(host.get("highest_score") or 0)),
        "services": [_service(one) for one in services[:SERVICES_PER_HOST]],
        "services_left": max(len(services) - SERVICES_PER_HOST, 0),
        "notes": [shown(note, 200) for note in host.get("notes", [])[:5]],
    }


def missing_row(one: dict[str, Any]) -> dict[str, Any]:
    """A host of the previous scan that was silent now."""
    return {
        "address": shown(one.get("ip_address")),
        "name": shown(one.get("hostname"), 60),
        "moved_to": shown(one.get("moved_to")),
    }


def not_scanned_row(one: dict[str, Any]) -> dict[str, Any]:
    """Something that was not looked at, and why."""
    return {
        "site": shown(one.get("site")),
        "what": shown(one.get("what"), 300),
        "reason": shown(one.get("reason"), 500),
    }


def not_affected(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Packages whose distributor has fixed what their version number suggests: each once, with its CVEs."""
    gathered: dict[tuple[str, str], dict[str, Any]] = {}
    for one in entries:
        key = (str(one.get("seen")), str(one.get("fixed_in")))
        row = gathered.setdefault(
            key, {"seen": shown(one.get("seen"), 160), "because": shown(one.get("because"), 240), "cves": {}}
        )
        row["cves"][shown(one.get("cve_id"), 40)] = None
        row.setdefault("places", {})[shown(one.get("ip_address"))] = None
    return [
        {**row, "cves": joined(list(row["cves"]), 12), "places": joined(list(row["places"]), 6)}
        for row in gathered.values()
    ][:60]


def joined(words: Sequence[str], limit: int) -> str:
    """The words with commas; beyond `limit` the number of the others."""
    more = f" and {len(words) - limit:,} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def networks_of(entries: Iterable[Any]) -> list[IPv4Network]:
    """The networks of exclusions as `sites.exclusions` writes them; what is no address is left out."""
    found: list[IPv4Network] = []
    for entry in entries:
        try:
            if "-" in str(entry):
                first, last = str(entry).split("-", 1)
                found += summarize_address_range(IPv4Address(first), IPv4Address(last))
            else:
                found.append(IPv4Network(entry))
        except (ValueError, TypeError):
            continue
    return found


def by_address(hosts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The hosts in the order of their addresses."""
    return sorted(hosts, key=lambda host: int(IPv4Address(host["ip_address"])))


def severity_of(score: float) -> str:
    """CVSS's own word for a score (FIRST, CVSS v3.1, table 14), in lower case."""
    for floor, word in ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low")):
        if score >= floor:
            return word
    return "none"


def _head(group: CveGroup) -> dict[str, Any]:
    lead = group.lead
    epss = (lead.get("epss") or {}).get("score")
    return {
        "cve_id": shown(group.cve_id, 40),
        "score": float(lead.get("score") or 0),
        "cvss": shown(lead.get("cvss_version") or (lead.get("cve_detail") or {}).get("cvss_version"), 10),
        "severity": str(lead.get("severity") or "NONE").lower(),
        "kev": lead.get("kev") is not None,
        "ransomware": bool((lead.get("kev") or {}).get("ransomware")),
        "epss": f"{epss * 100:.1f} %" if isinstance(epss, int | float) else "",
        "regressed": any(one.get("regressed") for one in group.findings),
        "devices": len({one["host"].get("id") for one in group.findings}),
    }


def _reason(lead: Finding) -> str:
    _, exploited, score, likelihood = priority_of(lead)
    said = [f"score {score:g}"]
    if exploited:
        said.insert(0, "known to be exploited")
    if likelihood:
        said.append(f"{likelihood * 100:.1f} % chance of attacks within 30 days")
    return ", ".join(said)


def _seen(group: CveGroup) -> list[str]:
    """What was seen, each thing once: devices of one kind say the same."""
    said = dict.fromkeys(
        shown((one.get("evidence") or {}).get("seen"), 240)
        for one in group.findings
        if (one.get("evidence") or {}).get("seen")
    )
    words = list(said)
    return words[:3] + ([f"and {len(words) - 3} other wordings"] if len(words) > 3 else [])  # noqa: PLR2004 - as shown


def _action(group: CveGroup) -> str:
    name, fix = shown(product_name(group.lead), 60), newest_fix(group.findings)
    if fix:
        return f"Update {name} to {shown(fix, 80)}."
    return f"No fixed version of {name} is named in the data: restrict who can reach it, or ask its vendor."


def _place(finding: Finding) -> str:
    host, service = finding.get("host") or {}, finding.get("service") or {}
    address = str(host.get("ip_address"))
    port = f":{service['port']}" if service.get("port") else ""
    name = f" ({host['hostname']})" if host.get("hostname") else ""
    return shown(f"{address}{port}{name}", 100)


def _places(group: CveGroup, sites: Mapping[str, str], limit: int) -> list[dict[str, str]]:
    """Where, by site; a single site is not named. Beyond `limit` names are dropped, never addresses."""
    by_site: dict[str, list[Finding]] = defaultdict(list)
    for one in group.findings:
        by_site[str((one.get("host") or {}).get("site_id"))].append(one)
    long = len(group.findings) > limit or limit > PLACES_IN_CARD
    return [
        {
            "site": sites.get(site, ""),
            "hosts": ", ".join(_compressed(members) if long else [_place(one) for one in members]),
        }
        for site, members in by_site.items()
    ]


def _compressed(findings: Sequence[Finding]) -> list[str]:
    """Addresses with their ports, those of one port together: `10.0.0.1, 10.0.0.2 (port 22)`."""
    by_port: dict[str, list[str]] = defaultdict(list)
    for one in findings:
        service = one.get("service") or {}
        port = f"{service['protocol']}/{service['port']}" if service.get("port") else ""
        by_port[port].append(str((one.get("host") or {}).get("ip_address")))
    return [
        shown(f"{', '.join(addresses)}{f' ({port})' if port else ''}", 1_000_000)
        for port, addresses in by_port.items()
    ]


def _links(lead: Finding) -> list[dict[str, str]]:
    """The CVE's own page first, then advisories; http and https only."""
    found = [f"https://www.cve.org/CVERecord?id={lead.get('cve_id')}"]
    found += [str(one.get("url")) for one in lead.get("references", [])[:1] if isinstance(one, dict)]
    urls = dict.fromkeys(url for text in found if (url := safe_url(text)))
    return [{"url": url, "word": shown(url, 90)} for url in urls]


def _service(service: dict[str, Any]) -> dict[str, Any]:
    words = [service.get("product"), service.get("version"), service.get("extra_info")]
    said = " ".join(str(word) for word in words if word)
    banner = service.get("banner")
    note = "left alone on purpose: the port is fragile" if service.get("spared") else ""
    return {
        "port": shown(f"{service.get('port')}/{service.get('protocol')}"),
        "name": shown(service.get("name"), 40),
        "says": shown(said, 160) or (f"“{shown(banner, BANNER)}”" if banner else note),
    }
