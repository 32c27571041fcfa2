"""Reads what a mitigation is made of: the CVE's facts from the catalogue, and where this organisation has it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, any_, bindparam, case, exists, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased
from sqlalchemy.types import Uuid

from netvigil.catalogue.enrichment import get_cwe_names, get_enrichment
from netvigil.catalogue.models_distributions import PackageFix
from netvigil.catalogue.queries import catalogue_state, get_cves
from netvigil.errors import NotFound
from netvigil.findings.decisions import find_standings
from netvigil.findings.life_models import Vulnerability
from netvigil.findings.models import Finding
from netvigil.findings.states import Decision, LifeState
from netvigil.inventory.models import Device, Host, Service
from netvigil.matching.backports import Fix
from netvigil.mitigation.facts import CveFacts, Exploitation, Likelihood, Port, Touched, TouchedDevice
from netvigil.mitigation.routeros import is_routeros
from netvigil.sites.models import Site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Select, Subquery
    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.catalogue.enrichment import Enrichment
    from netvigil.catalogue.records import CveRecord

DEVICES_SHOWN = 25
DEVICES_ASKED_FOR_PORTS = 200  # beyond, the same ports come again
PORTS_SHOWN = 24


async def get_facts(session: AsyncSession, cve_id: str) -> CveFacts:
    """What the catalogue knows of the CVE; raises NotFound where no source names it (a mere EPSS figure is none)."""
    record = (await get_cves(session, [cve_id], with_configurations=True)).get(cve_id)
    enrichment = (await get_enrichment(session, [cve_id]))[cve_id]
    columns = [getattr(PackageFix, name) for name in Fix.__slots__]
    rows = await session.execute(select(*columns).where(PackageFix.cve_id == cve_id))
    fixes = tuple(Fix(*row) for row in rows)
    if record is None and enrichment.kev is None and not fixes:
        raise NotFound(f"The catalogue has no {cve_id}.")
    names = await get_cwe_names(session, record.cwes if record else ())
    state = await catalogue_state(session)
    epss = enrichment.epss
    return CveFacts(
        cve_id,
        record,
        exploited=_exploitation(enrichment, record),
        likelihood=Likelihood(epss.score, epss.percentile, epss.date) if epss else None,
        fixes=fixes,
        cwe_names=tuple(sorted(names.items())),
        data_date=state.data_date,
    )


def _exploitation(enrichment: Enrichment, record: CveRecord | None) -> Exploitation | None:
    """CISA's own list where it is loaded, else what NVD repeats of it."""
    own = enrichment.kev
    if own is not None:
        return Exploitation(own.date_added, own.due_date, own.name, own.required_action, own.ransomware)
    copy = record.known_exploited if record else None
    return (
        Exploitation(copy.date_added, copy.due_date, copy.name, copy.required_action, None) if copy else None
    )


async def find_touched(
    session: AsyncSession, organisation_id: UUID, cve_id: str, *, shown: int = DEVICES_SHOWN
) -> Touched:
    """Where the organisation has the CVE by its newest looks: how many devices, the first `shown` of them, their ports."""
    places = await _places(session, organisation_id, cve_id)
    number, sites = (
        await session.execute(
            select(func.count(), func.count(places.c.site_id.distinct())).select_from(places)
        )
    ).one()
    if not number:
        return Touched()
    rows = (await session.execute(_details(places))).all()
    standings = await find_standings(
        session, organisation_id, {row.device_id for row in rows[:shown] if row.device_id is not None}
    )
    decided = {
        device_id: str(standing.status)
        for (device_id, decided_cve), standing in standings.items()
        if decided_cve == cve_id and standing.status is not Decision.OPEN
    }
    devices = tuple(_device(row, decided.get(row.device_id)) for row in rows[:shown])
    return Touched(number, sites, devices, await _ports(session, rows))


async def _places(session: AsyncSession, organisation_id: UUID, cve_id: str) -> Subquery:
    """One row for each device that has the CVE: (finding_id, device_id, site_id, address, regressed, priority).

    From the lives of the CVE; a CVE that has none yet (its scan is not reconciled) from the newest findings.
    """
    mine = Vulnerability.organisation_id == organisation_id, Vulnerability.cve_id == cve_id
    if await session.scalar(select(exists().where(*mine))):
        return (
            select(
                Vulnerability.finding_id,
                Vulnerability.device_id,
                Vulnerability.site_id,
                Vulnerability.address,
                Vulnerability.regressed,
                Vulnerability.priority,
            )
            .where(*mine, Vulnerability.state == LifeState.OPEN)
            .subquery()
        )
    return _newest_findings(organisation_id, cve_id).subquery()


def _newest_findings(organisation_id: UUID, cve_id: str) -> Select[*tuple[Any, ...]]:
    """Findings that hold and whose host no newer look has replaced: by MAC, and without one by site and address."""
    newer = aliased(Host)
    same = case(
        (Host.mac.is_not(None), newer.mac == Host.mac),
        else_=and_(newer.mac.is_(None), newer.site_id == Host.site_id, newer.address == Host.address),
    )
    replaced = exists().where(
        newer.organisation_id == organisation_id, newer.identified, newer.observed_at > Host.observed_at, same
    )
    return (
        select(
            Finding.id.label("finding_id"),
            Host.device_id,
            Host.site_id,
            Host.address,
            literal(value=False).label("regressed"),
            Finding.score.label("priority"),
        )
        .join(Host, Host.id == Finding.host_id)
        .where(
            Finding.organisation_id == organisation_id,
            Finding.cve_id == cve_id,
            Finding.withdrawn_at.is_(None),
            ~replaced,
        )
    )


def _details(places: Subquery) -> Select[*tuple[Any, ...]]:
    # cut before the joins: a CVE on every device of a large organisation must not join them all
    first = (
        select(places)
        .order_by(places.c.priority.desc(), places.c.address)
        .limit(DEVICES_ASKED_FOR_PORTS)
        .subquery()
    )
    return (
        select(
            first.c.device_id,
            first.c.address,
            first.c.regressed,
            Site.name.label("site"),
            func.coalesce(Device.hostname, Host.hostname).label("hostname"),
            func.coalesce(Device.mac, Host.mac).label("mac"),
            func.coalesce(Device.manufacturer, Host.manufacturer).label("manufacturer"),
            Service.name.label("service"),
            Service.port,
            Service.protocol,
            Finding.cpe,
            Finding.evidence,
            Finding.confidence,
            Host.id.label("host_id"),
            Host.observed_at,
        )
        .select_from(first)
        .join(Finding, Finding.id == first.c.finding_id)
        .join(Host, Host.id == Finding.host_id)
        .outerjoin(Service, Service.id == Finding.service_id)
        .outerjoin(Device, Device.id == first.c.device_id)
        .outerjoin(Site, and_(Site.organisation_id == Finding.organisation_id, Site.id == first.c.site_id))
        .order_by(first.c.priority.desc(), Site.name, first.c.address)
    )


def _device(row: Any, decision: str | None) -> TouchedDevice:
    return TouchedDevice(
        address=str(row.address),
        site=row.site or "",
        hostname=row.hostname,
        mac=row.mac,
        manufacturer=row.manufacturer,
        service=row.service,
        port=row.port,
        protocol=row.protocol,
        cpe=row.cpe,
        seen=row.evidence.get("seen"),
        fixed_in=row.evidence.get("fixed_in"),
        confidence=row.confidence,
        observed_at=row.observed_at,
        regressed=row.regressed,
        decision=decision,
    )


async def _ports(session: AsyncSession, rows: Sequence[Any]) -> tuple[Port, ...]:
    """The services through which these devices show the CVE; all of a RouterOS, for one system answers on each."""
    showing: dict[UUID, set[tuple[str, int]] | None] = {}
    for row in rows:
        part, vendor, product = [*row.cpe.split(":"), "", "", "", "", ""][2:5]
        services = row.evidence.get("services") or ()
        showing[row.host_id] = (
            None
            if is_routeros((part, vendor, product))
            else {(one.get("protocol"), one.get("port")) for one in services}
        )
    hosts = bindparam("hosts", list(showing), ARRAY(Uuid))
    found = await session.execute(
        select(Service.host_id, Service.name, Service.port, Service.protocol).where(
            Service.host_id == any_(hosts)
        )
    )
    number: Counter[tuple[str | None, int, str]] = Counter()
    for host_id, name, port, protocol in found:
        meant = showing[host_id]
        if meant is None or (protocol, port) in meant:
            number[name, port, protocol] += 1
    return tuple(Port(*key, devices) for key, devices in number.most_common(PORTS_SHOWN))
