"""Priorities follow EPSS and KEV; a device is told with everything; lists go by what to do first."""

from datetime import UTC, date, datetime

import pytest
from scan_sequences import MAC, OFFICE, OTHER, cve, ftp, host
from sqlalchemy import select

from netvigil.catalogue.models_enrichment import ExploitProbability, KnownExploitedCve
from netvigil.errors import NotFound
from netvigil.findings.queries import get_device, list_by_priority
from netvigil.findings.renewal import renew_priorities
from netvigil.inventory.models import Device

FIRST, SECOND = "CVE-2099-0001", "CVE-2099-0002"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
async def seen(scans, office, load):
    await load(cve(1, "2.3.4"), cve(2, "2.3.4", score=5.0))
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp()), host("192.168.88.6", ftp(), mac=OTHER)]})


async def order(database):
    async with database.session() as session:
        organisation = (await session.scalars(select(Device.organisation_id))).first()
        rows = await list_by_priority(session, organisation, limit=10)
        return [(one.cve_id, one.priority, one.reason, one.kev, one.epss) for one in rows]


async def test_what_the_data_says_today_orders(seen, database):
    before = await order(database)
    assert [cve_id for cve_id, *_ in before] == [FIRST, FIRST, SECOND, SECOND]
    assert before[0][2] == "CVSS 9.8 (3.1); on a port that serves files or data (tcp/21); seen exactly"
    assert await renew_priorities(database) == 0
    async with database.transaction() as session:
        listed = {"cve_id": SECOND, "released": NOW, "date_added": date(2026, 11, 1), "ransomware": False}
        session.add(KnownExploitedCve(**listed))
        session.add(ExploitProbability(cve_id=SECOND, scored_at=NOW, score=0.5, percentile=0.97))
    assert await renew_priorities(database) == 2
    after = await order(database)
    assert [cve_id for cve_id, *_ in after] == [SECOND, SECOND, FIRST, FIRST]
    assert after[0][2:] == (
        (
            "Known to be exploited since 2026-11-01; EPSS 50 % of 2026-11-20; CVSS 5.0 (3.1); "
            "on a port that serves files or data (tcp/21); seen exactly"
        ),
        True,
        0.5,
    )
    assert await renew_priorities(database) == 0


async def test_pages_of_what_to_do_first(seen, database):
    async with database.session() as session:
        organisation = (await session.scalars(select(Device.organisation_id))).first()
        whole = await list_by_priority(session, organisation, limit=10)
        paged, last = [], None
        while page := (await list_by_priority(session, organisation, limit=1, after=last))[:1]:
            paged += page
            last = page[-1].priority, page[-1].id
    assert [one.id for one in paged] == [one.id for one in whole]


async def test_a_device_with_everything(seen, scans, office, database, api):
    body = {
        "mac_address": MAC,
        "cve_id": SECOND,
        "status": "accepted",
        "justification": "Decided in a meeting.",
    }
    await api.post("/scans/cve/mac-address/cve/status", json=body)
    await scans.run(office, {OFFICE: [host("192.168.88.9", ftp("3.0.3"))]})
    async with database.session() as session:
        device = (await session.scalars(select(Device).where(Device.mac == MAC))).one()
        detail = await get_device(session, device.organisation_id, device.id)
        with pytest.raises(NotFound):
            await get_device(session, device.id, device.id)
    assert [str(one.address) for one in detail.addresses] == ["192.168.88.9", "192.168.88.5"]
    assert str(detail.host.address) == "192.168.88.9"
    assert [[event.change for event in one.events] for one in detail.vulnerabilities] == [
        ["resolved", "new"]
    ] * 2
    assert {one.life.cve_id: one.standing.status for one in detail.vulnerabilities} == {
        FIRST: "open",
        SECOND: "accepted",
    }
    assert [one.cve_id for one in detail.decisions] == [SECOND]
