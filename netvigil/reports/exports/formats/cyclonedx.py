"""A scan as CycloneDX 1.6 (ECMA-424): the inventory, and VEX with what people decided.

An open finding is `in_triage`, for nobody has spoken of it yet; accepted is `exploitable` with `will_not_fix`; mitigated
is `not_affected`, protected by a mitigating control; seen again after that, or after having been resolved, is `exploitable`;
no longer seen is `resolved`, no longer supported by the data `false_positive`. What a distribution has fixed in its package is `not_affected`: the code is not in it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import orjson

from netvigil.access.wire import utc_text
from netvigil.reports.exports.base import Content, Format, Options, Standing
from netvigil.reports.exports.components import HostComponents, list_components, properties
from netvigil.reports.exports.texts import one_line, safe_url, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

METHODS: Final = {"4.0": "CVSSv4", "3.1": "CVSSv31", "3.0": "CVSSv3", "2.0": "CVSSv2"}
SEVERITIES: Final = frozenset({"critical", "high", "medium", "low", "none"})
ADVISORY: Final = "https://nvd.nist.gov/vuln/detail/"
DETAIL_LIMIT: Final = 4_000
AT_ONCE: Final = 100
GONE: Final[Mapping[str, dict[str, Any]]] = {
    "resolved": {"state": "resolved", "detail": "A later look at the device did not show it any more."},
    "withdrawn": {"state": "false_positive", "detail": "Corrected vulnerability data no longer support it."},
}
DECIDED: Final[Mapping[str, dict[str, Any]]] = {
    "accepted": {"state": "exploitable", "response": ["will_not_fix"]},
    "mitigated": {
        "state": "not_affected",
        "justification": "protected_by_mitigating_control",
        "response": ["workaround_available"],
    },
}
SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def render(content: Content, _options: Options) -> Iterator[bytes]:
    """One BOM, written some hundred entries at a time."""
    report = content.report
    hosts = list_components(report["hosts"])
    # before the components: a CVE may name a product that the services' words did not
    entries = _vulnerabilities(content, hosts)
    sites = {site["id"]: one_line(site["name"], 200) for site in report["sites"]}
    head = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{report['scan']['id']}",
        "version": 1 + content.statuses.revision,
        "metadata": _metadata(report),
    }
    yield orjson.dumps(head)[:-1]
    devices = (host.device(sites.get(host.host["site_id"], host.host["site_id"])) for host in hosts.values())
    yield from _array("components", devices)
    yield from _array("services", (one for host in hosts.values() for one in host.services()))
    yield from _array("dependencies", (one for host in hosts.values() for one in host.dependencies()))
    yield from _array("vulnerabilities", entries)
    yield b"}"


def _array(name: str, entries: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    yield f',"{name}":['.encode()
    piece: list[bytes] = []
    first = True
    for entry in entries:
        piece.append(orjson.dumps(entry))
        if len(piece) == AT_ONCE:
            yield (b"" if first else b",") + b",".join(piece)
            piece, first = [], False
    if piece:
        yield (b"" if first else b",") + b",".join(piece)
    yield b"]"


def _metadata(report: Mapping[str, Any]) -> dict[str, Any]:
    scan, catalogue = report["scan"], report["catalogue"]
    return {
        "timestamp": report["generated_at"],
        "lifecycles": [{"phase": "operations"}],
        "tools": {
            "components": [{"type": "application", "name": "netvigil", "version": version("netvigil")}]
        },
        "component": {
            "type": "platform",
            "bom-ref": f"scan:{scan['id']}",
            "name": one_line(scan["description"], 300) or scan["scan_id"],
            "version": scan["scan_id"],
        },
        "properties": properties(
            {
                "scan_id": scan["scan_id"],
                "started_at": scan["started_at"],
                "catalogue_version": catalogue["version"],
                "data_date": catalogue["data_date"],
                **{f"warning:{number}": said for number, said in enumerate(report["warnings"], 1)},
            }
        ),
    }


def _vulnerabilities(content: Content, hosts: dict[str, HostComponents]) -> list[dict[str, Any]]:
    """An entry a CVE, analysis and fix: devices about which the same is to be said share one."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    affected: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for finding in content.report["findings"]:
        host = hosts.get(finding["host"]["id"])
        if host is None:
            continue
        analysis = _analysis(content.statuses.of(finding))
        key = finding["cve_id"], repr((analysis, finding["fixed_in"]))
        if key not in found:
            found[key] = _vulnerability(finding, analysis)
        cpe = finding["evidence"].get("product") or (finding["service"] or {}).get("cpe")
        affects = _affects(host, cpe, "affected")
        affected.setdefault(key, {})[affects["ref"]] = affects
    for one in content.report["not_affected"]:
        analysis = _fixed_by_packager(one)
        key = one["cve_id"], repr(analysis)
        for host in _hosts_of(one, hosts):
            found.setdefault(key, {**_named(one["cve_id"]), "analysis": analysis})
            affects = _affects(host, one["cpe"], "unaffected")
            affected.setdefault(key, {})[affects["ref"]] = affects
    for number, (key, entry) in enumerate(found.items(), start=1):
        entry["affects"] = list(affected[key].values())
        entry["bom-ref"] = f"vulnerability:{number}:{entry['id']}"
    return list(found.values())


def _hosts_of(one: Mapping[str, Any], hosts: dict[str, HostComponents]) -> list[HostComponents]:
    if "host_id" in one:
        return [hosts[one["host_id"]]] if one["host_id"] in hosts else []
    # reports of before: sites may overlap, so only a host that has the product
    same = [host for host in hosts.values() if host.host["ip_address"] == one["ip_address"]]
    return same if len(same) == 1 else [host for host in same if one["cpe"] in host.products]


def _affects(host: HostComponents, cpe: str | None, status: str) -> dict[str, Any]:
    if not cpe:
        return {"ref": host.ref}
    ref = host.product_ref(cpe)
    shown = host.products[cpe].get("version")
    return {"ref": ref, "versions": [{"version": shown, "status": status}]} if shown else {"ref": ref}


def _named(cve_id: str) -> dict[str, Any]:
    return {
        "id": one_line(cve_id, 60),
        "source": {"name": "NVD", "url": safe_url(ADVISORY + cve_id) or ADVISORY},
    }


def _vulnerability(finding: Mapping[str, Any], analysis: dict[str, Any]) -> dict[str, Any]:
    epss, kev = finding["epss"] or {}, finding["kev"]
    entry: dict[str, Any] = {
        **_named(finding["cve_id"]),
        "ratings": [_rating(finding)],
        "description": visible(finding["description"], DETAIL_LIMIT),
        "advisories": [{"url": link} for one in finding["references"][:50] if (link := safe_url(one["url"]))],
        "analysis": analysis,
        "properties": properties(
            {
                "epss:score": epss.get("score"),
                "epss:percentile": epss.get("percentile"),
                "epss:date": epss.get("date"),
                "kev": kev is not None,
                **{f"kev:{name}": value for name, value in (kev or {}).items()},
            }
        ),
    }
    weaknesses = [
        int(number) for cwe in finding["cwe"] if (number := cwe[4:13]).isascii() and number.isdigit()
    ]
    if weaknesses := [number for number in dict.fromkeys(weaknesses) if number > 0]:
        entry["cwes"] = weaknesses
    if finding["fixed_in"]:
        entry["recommendation"] = f"Upgrade to {one_line(finding['fixed_in'], 300)} or later."
    if finding["published_at"]:
        entry["published"] = finding["published_at"]
    return entry


def _rating(finding: Mapping[str, Any]) -> dict[str, Any]:
    severity = finding["severity"].lower()
    rating: dict[str, Any] = {
        "score": finding["score"],
        "severity": severity if severity in SEVERITIES else "unknown",
        "method": METHODS.get(finding["cve_detail"]["cvss_version"] or "", "other"),
    }
    if finding["vector"]:
        rating["vector"] = one_line(finding["vector"], 300)
    return rating


def _analysis(standing: Standing) -> dict[str, Any]:
    if standing.state in GONE:
        analysis = dict(GONE[standing.state])
    elif standing.status in DECIDED:
        analysis = dict(DECIDED[standing.status])
    elif standing.regressed:
        return {"state": "exploitable", "detail": "Seen again after it was mitigated or resolved."}
    else:
        return {"state": "in_triage"}
    if standing.status in DECIDED:
        by = f" ({one_line(standing.decided_by, 200)})" if standing.decided_by else ""
        analysis["detail"] = f"{visible(standing.justification, DETAIL_LIMIT)}{by}"
        if standing.decided_at is not None:
            analysis["firstIssued"] = analysis["lastUpdated"] = utc_text(standing.decided_at)
    return analysis


def _fixed_by_packager(one: Mapping[str, Any]) -> dict[str, Any]:
    parts = [one["because"]]
    if one["fixed_in"]:
        parts.append(f"Fixed in {one['fixed_in']}.")
    if one["advisory"]:
        parts.append(f"Advisory: {one['advisory']}.")
    return {
        "state": "not_affected",
        "justification": "code_not_present",
        "detail": one_line(" ".join(parts), DETAIL_LIMIT),
    }


FORMAT = Format("cyclonedx", "application/vnd.cyclonedx+json; version=1.6", "cdx.json", render)
