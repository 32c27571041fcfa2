"""A finding as the contract's CveInstance: the CVE's facts, the host it is on, what became of it, and the proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from netvigil.access.wire import utc_text
from netvigil.catalogue.records import parse_vector
from netvigil.findings.compliance import Place, Subject, tags_of
from netvigil.findings.decisions import OPEN, Standing
from netvigil.findings.evidence import facts_of, ports_of
from netvigil.findings.priority import prioritise
from netvigil.findings.states import Decision, LifeState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from netvigil.catalogue.enrichment import Enrichment
    from netvigil.catalogue.records import CveRecord
    from netvigil.findings.life_models import Vulnerability
    from netvigil.findings.models import Finding
    from netvigil.inventory.models import Host, Service


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The same CVE on the same device in an older scan."""

    id: UUID
    scan_id: UUID
    host_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Background:
    """What is known of a finding beyond itself; `record` is None when the CVE has left the catalogue.

    `life` is None for a host that was never identified, whose device nobody knows.
    """

    host: Host
    service: Service | None
    record: CveRecord | None
    enrichment: Enrichment
    life: Vulnerability | None = None
    standing: Standing = OPEN
    others: Sequence[Occurrence] = ()


def build_instance(finding: Finding, known: Background) -> dict[str, Any]:
    """One entry of `cves` (contract: CveInstance)."""
    host, record = known.host, known.record
    metric = record.best_metric if record else None
    kev = _kev(known.enrichment, record)
    priority = prioritise(facts_of(finding, ports_of(finding.evidence), known.enrichment))
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
            "metrics": dict(_words_of(finding.vector)),
        },
        "scan_id": str(finding.scan_id),
        "compliance_tags": tags_of(_subject(finding, known, exploited=kev is not None)),
        "host": host_identity(host),
        "status": known.standing.status,
        "source": finding.source,
        "other_occurrences": [_occurrence(one) for one in known.others],
        "service": _service(known.service, finding.cpe),
        "evidence": finding.evidence,
        "confidence": finding.confidence,
        "epss": _epss(known.enrichment),
        "kev": kev,
        "cwe": list(record.cwes) if record else [],
        "fixed_in": finding.evidence.get("fixed_in"),
        "priority": priority.number,
        "priority_reason": priority.reason,
        **_life(known.life, known.standing),
    }


@lru_cache(maxsize=4096)
def _words_of(vector: str | None) -> Mapping[str, str | None]:
    return parse_vector(vector)


def _life(life: Vulnerability | None, standing: Standing) -> dict[str, Any]:
    """**+** When the CVE was seen on the device, whether it still is, and what it rests on that somebody decided."""
    record = standing.record
    return {
        "state": life.state if life else LifeState.OPEN,
        "regressed": bool(life and life.regressed and standing.status is Decision.OPEN),
        "first_seen_at": utc_text(life.first_seen_at) if life else None,
        "last_seen_at": utc_text(life.last_seen_at) if life else None,
        "resolved_at": _time(life.resolved_at) if life else None,
        "regressed_at": _time(life.regressed_at) if life else None,
        "decision": {
            "id": str(record.id),
            "status": record.status,
            "justification": record.justification,
            "created_by": record.created_by,
            "created_at": utc_text(record.created_at),
            "expiration_date": _time(record.expires_at),
            "overruled_at": _time(record.overruled_at),
        }
        if record
        else None,
    }


def _subject(finding: Finding, known: Background, *, exploited: bool) -> Subject:
    service, kev, epss = known.service, known.enrichment.kev, known.enrichment.epss
    places = [Place(int(one[4:]), one[:3]) for one in ports_of(finding.evidence)]
    if service is not None:
        own = Place(service.port, service.protocol, service.name, service.tunnel)
        places = [own, *(one for one in places if (one.port, one.protocol) != (own.port, own.protocol))]
    return Subject(
        score=finding.score,
        address=known.host.address,
        today=datetime.now(UTC).date(),
        exploited=exploited,
        due=kev.due_date if kev else None,
        epss=epss.score if epss else None,
        fixed_in=finding.evidence.get("fixed_in"),
        places=places,
    )


def _occurrence(one: Occurrence) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "scan_id": str(one.scan_id),
        "host_id": str(one.host_id),
        "created_at": utc_text(one.created_at),
    }


def _time(value: datetime | None) -> str | None:
    return utc_text(value) if value else None


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
        "device_id": str(host.device_id) if host.device_id else None,
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
