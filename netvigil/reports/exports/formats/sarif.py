"""Findings as SARIF 2.1.0 (OASIS), for tools that collect results: a rule a CVE, a result a finding."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from netvigil.reports.exports.base import Content, Format, Options, Standing
from netvigil.reports.exports.texts import one_line, safe_url, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ADVISORY: Final = "https://nvd.nist.gov/vuln/detail/"
LEVELS: Final = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "warning", "LOW": "note", "NONE": "note"}
PRECISIONS: Final = {"exact": "very-high", "likely": "high", "possible": "medium"}
FINGERPRINT: Final = "netvigilFinding/v1"
WITHDRAWN: Final = "Corrected vulnerability data no longer support it."
NAME_LIMIT: Final = 200
MESSAGE_LIMIT: Final = 2_000
HELP_LIMIT: Final = 8_000
RESULTS_AT_ONCE: Final = 100
CWE_ID: Final = re.compile("CWE-[0-9]{1,6}")
# Messages may hold placeholders and links (3.11.5, 3.11.6); those that a device wrote are text.
_LITERAL: Final = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})


def render(content: Content, _options: Options) -> Iterator[bytes]:
    """One run; its results are written some at a time, for the whole as one tree takes ten times the memory."""
    report = content.report
    rules = list(_rules(report["findings"]))
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    run = orjson.dumps(_run(report, rules))
    yield b'{"$schema":' + orjson.dumps(SCHEMA) + b',"version":"2.1.0","runs":[' + run[:-1] + b',"results":['
    names = {site["id"]: site["name"] for site in report["sites"]}
    findings = report["findings"]
    for start in range(0, len(findings), RESULTS_AT_ONCE):
        some = [
            orjson.dumps(_result(one, names, content.statuses.of(one), index[one["cve_id"]]))
            for one in findings[start : start + RESULTS_AT_ONCE]
        ]
        yield (b"," if start else b"") + b",".join(some)
    yield b"]}]}"


def fingerprint(finding: Mapping[str, Any]) -> str:
    """The same for a CVE on a device in every scan: the MAC names the device, else its site and address."""
    host = finding["host"]
    device = host["mac_address"] or f"{host['site_id']}/{host['ip_address']}"
    return hashlib.sha256(f"{device}\n{finding['cve_id']}".encode()).hexdigest()


def _run(report: Mapping[str, Any], rules: Sequence[dict[str, Any]]) -> dict[str, Any]:
    scan = report["scan"]
    schedule = scan["scan_schedule_id"] or "on-demand"
    tool_version = version("netvigil")
    return {
        "tool": {
            "driver": {
                "name": "netvigil",
                "version": tool_version,
                "semanticVersion": tool_version,
                "rules": rules,
                "properties": {"catalogueVersion": report["catalogue"]["version"]},
            }
        },
        "automationDetails": {"id": f"netvigil/{schedule}/{scan['scan_id']}", "guid": scan["id"]},
        "invocations": [
            {
                "executionSuccessful": not scan["stopped"]
                and all(s["error"] is None for s in report["sites"]),
                "startTimeUtc": scan["started_at"],
                "endTimeUtc": report["generated_at"],
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": _message(said)}} for said in report["warnings"]
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
    }


def _rules(findings: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for finding in findings:
        cve_id = finding["cve_id"]
        if cve_id in seen:
            continue
        seen.add(cve_id)
        description = visible(finding["description"], HELP_LIMIT) or f"{cve_id} has no description."
        yield {
            "id": cve_id,
            "name": cve_id.replace("-", ""),
            "shortDescription": {"text": _short(cve_id, finding)},
            "fullDescription": {"text": one_line(description, 1_000)},
            "help": {"text": f"{description}\n\n{_references(finding)}".strip()},
            "helpUri": ADVISORY + quote(cve_id),
            "defaultConfiguration": {"level": LEVELS.get(finding["severity"], "warning")},
            "properties": _rule_properties(finding),
        }


def _short(cve_id: str, finding: Mapping[str, Any]) -> str:
    version_of = finding["cve_detail"]["cvss_version"]
    scored = f"CVSS {version_of} {finding['score']:.1f}" if version_of else "not scored"
    return f"{cve_id}: {one_line(finding['severity'].lower(), 20)} ({one_line(scored, 40)})"


def _references(finding: Mapping[str, Any]) -> str:
    links = [link for one in finding["references"][:20] if (link := safe_url(one["url"]))]
    return "\n".join(["References:", *links]) if links else ""


def _rule_properties(finding: Mapping[str, Any]) -> dict[str, Any]:
    weaknesses = [cwe.lower() for cwe in finding["cwe"] if CWE_ID.fullmatch(cwe)]
    return {
        "tags": ["security", "vulnerability", *(f"external/cwe/{cwe}" for cwe in dict.fromkeys(weaknesses))],
        "security-severity": f"{finding['score']:.1f}",
        "cvssVector": one_line(finding["vector"], NAME_LIMIT),
        "kev": finding["kev"] is not None,
        "epss": (finding["epss"] or {}).get("score"),
    }


def _result(
    finding: Mapping[str, Any], sites: Mapping[str, str], standing: Standing, rule: int
) -> dict[str, Any]:
    mark = fingerprint(finding)
    return {
        "ruleId": finding["cve_id"],
        "ruleIndex": rule,
        "level": LEVELS.get(finding["severity"], "warning"),
        "message": {"text": _said(finding)},
        "locations": _locations(finding, sites.get(finding["host"]["site_id"]) or finding["host"]["site_id"]),
        "fingerprints": {FINGERPRINT: mark},
        "partialFingerprints": {"primaryLocationLineHash": f"{mark[:16]}:1"},
        # an empty list says that somebody may have decided and nobody has (3.27.23)
        "suppressions": _suppressions(finding, standing),
        "properties": {
            "precision": PRECISIONS.get(finding["confidence"], "medium"),
            "security-severity": f"{finding['score']:.1f}",
            "state": standing.state,
            "status": standing.status,
            "regressed": standing.regressed,
            "priority": finding.get("priority") if standing.priority is None else standing.priority,
            "fixedIn": one_line(finding["fixed_in"], NAME_LIMIT) or None,
            "macAddress": finding["host"]["mac_address"],
            "siteId": finding["host"]["site_id"],
        },
    }


def _said(finding: Mapping[str, Any]) -> str:
    host, evidence = finding["host"], finding["evidence"]
    name = f" ({one_line(host['hostname'], NAME_LIMIT)})" if host["hostname"] else ""
    verb = "may be" if finding["confidence"] == "possible" else "is"
    # not the CVE first: programs cut a message that begins with its rule's name
    seen = one_line(evidence.get("seen"), 500).rstrip(". ") or "something seen there"
    rated = f"{finding['cve_id']} ({one_line(finding['severity'].lower(), 20)}, {finding['score']:.1f})"
    parts = [f"{host['ip_address']}{name}: {seen} {verb} affected by {rated}"]
    if evidence.get("range"):
        parts.append(f"Affected: {one_line(evidence['range'], 300)}")
    if finding["fixed_in"]:
        parts.append(f"Fixed in {one_line(finding['fixed_in'], NAME_LIMIT)}")
    parts.append(f"Confidence: {finding['confidence']}")
    return _message(". ".join(part.rstrip(". ") for part in parts) + ".")


def _message(text: str) -> str:
    return one_line(text, MESSAGE_LIMIT).translate(_LITERAL)


def _locations(finding: Mapping[str, Any], site: str) -> list[dict[str, Any]]:
    """A location a service that shows the CVE, the host itself without any.

    The path is relative: collectors of code refuse other schemes than `file`, and want a line.
    """
    host = finding["host"]
    services = finding["evidence"].get("services") or [finding["service"] or {}]
    found = []
    for service in services[:50]:
        end = f"/{service['protocol'] or 'tcp'}/{service['port']}" if service.get("port") else ""
        where = f"{host['ip_address']}{end}"
        found.append(
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"sites/{host['site_id']}/hosts/{quote(where)}"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [
                    {
                        "name": where,
                        "fullyQualifiedName": f"{one_line(site, NAME_LIMIT)}/{where}",
                        "kind": "resource",
                    }
                ],
            }
        )
    return found


def _suppressions(finding: Mapping[str, Any], standing: Standing) -> list[dict[str, Any]]:
    if standing.state == "withdrawn":
        return [{"kind": "external", "status": "accepted", "justification": WITHDRAWN}]
    if standing.status not in {"accepted", "mitigated"}:
        return []
    by = f" ({one_line(standing.decided_by, NAME_LIMIT)})" if standing.decided_by else ""
    said = one_line(f"{standing.status.capitalize()}: {standing.justification or ''}{by}", MESSAGE_LIMIT)
    return [
        {
            "kind": "external",
            "status": "accepted",
            "justification": said,
            "properties": {"decision": standing.status, "cve": finding["cve_id"]},
        }
    ]


FORMAT = Format("sarif", "application/sarif+json", "sarif", render)
