"""A finding as the contract's CveInstance: the CVE's facts, the host it is on, and the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netvigil.access.wire import utc_text
from netvigil.catalogue.records import parse_vector

if TYPE_CHECKING:
    from netvigil.catalogue.enrichment import Enrichment
    from netvigil.catalogue.records import CveRecord
    from netvigil.findings.models import Finding
    from netvigil.inventory.models import Host, Service


def build_instance(
    finding: Finding,
    host: Host,
    service: Service | None,
    record: CveRecord | None,
    enrichment: Enrichment,
) -> dict[str, Any]:
    """One entry of `cves` (contract: CveInstance); `record` is None when the CVE has left the catalogue."""
    metric = record.best_metric if record else None
    return {
        "id": str(finding.id),
        "cve_id": finding.cve_id,
        "description": record.description if record else "",
        "published_at": utc_text(record.published) if record else None,
        "created_at": utc_text(finding.created_at),
        "vector": finding.vector,
        "score": finding.score,
        "severity": finding.severity,
        "assigner": record.assigner if record else None,
        "references": [{"url": r.url, "name": r.name} for r in record.references] if record else [],
        "cve_detail": {
            "cvss_version": finding.cvss_version,
            "vector": finding.vector,
            "base_score": finding.score,
            "severity": finding.severity,
            "impact_score": metric.impact_score if metric else None,
            "exploitability_score": metric.exploitability_score if metric else None,
            "metrics": parse_vector(finding.vector),
        },
        "scan_id": str(finding.scan_id),
        "compliance_tags": [],
        "host": host_identity(host),
        "status": "open",
        "source": finding.source,
        "other_occurrences": [],
        "service": _service(service, finding.cpe),
        "evidence": finding.evidence,
        "confidence": finding.confidence,
        "epss": _epss(enrichment),
        "kev": _kev(enrichment, record),
        "cwe": list(record.cwes) if record else [],
        "fixed_in": finding.evidence.get("fixed_in"),
    }


def _epss(enrichment: Enrichment) -> dict[str, Any] | None:
    if enrichment.epss is None:
        return None
    one = enrichment.epss
    return {"score": one.score, "percentile": one.percentile, "date": one.date.isoformat()}


def _kev(enrichment: Enrichment, record: CveRecord | None) -> dict[str, Any] | None:
    """CISA's own list where it is loaded, else what NVD repeats of it; that says nothing of ransomware."""
    listed = enrichment.kev
    if listed is not None:
        due, added, ransomware = listed.due_date, listed.date_added, listed.ransomware
    elif record is not None and record.known_exploited is not None:
        due, added, ransomware = record.known_exploited.due_date, record.known_exploited.date_added, None
    else:
        return None
    return {
        "date_added": added.isoformat(),
        "due_date": due.isoformat() if due else None,
        "ransomware": ransomware,
    }


def host_identity(host: Host) -> dict[str, Any]:
    """What names a host in an answer."""
    return {
        "id": str(host.id),
        "hostname": host.hostname,
        "mac_address": host.mac,
        "manufacturer": host.manufacturer,
        "ip_address": str(host.address),
        "site_id": str(host.site_id),
    }


def _service(service: Service | None, cpe: str) -> dict[str, Any] | None:
    if service is None:
        return None
    return {
        "port": service.port,
        "protocol": service.protocol,
        "name": service.name,
        "product": service.product,
        "version": service.version,
        "cpe": cpe,
    }
