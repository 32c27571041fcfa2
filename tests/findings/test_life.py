"""Findings with a life: new, still there, gone, seen again, over scans of a network that changes."""

from datetime import timedelta

import pytest
from scan_sequences import BRANCH, MAC, OFFICE, OTHER, START, cve, ftp, host
from sqlalchemy import select

from netvigil.findings.life_models import Vulnerability
from netvigil.findings.rematch import rematch
from netvigil.inventory.models import Device, DeviceAddress
from netvigil.scans.states import SiteScanState

FIRST = "CVE-2099-0001"
OPEN, RESOLVED, WITHDRAWN, REGRESSED = (
    ("open", False),
    ("resolved", False),
    ("withdrawn", False),
    ("open", True),
)


@pytest.fixture(autouse=True)
async def loaded(load):
    await load(cve(1, "2.3.4"))


async def test_upgraded_gone_and_seen_again(scans, office, database):
    first = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    assert await scans.changes(first) == [(FIRST, "new")]
    second = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    assert await scans.changes(second) == []
    third = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp("3.0.3"))]})
    assert await scans.changes(third) == [(FIRST, "resolved")]
    assert await scans.lives() == {(MAC, FIRST): RESOLVED}
    async with database.session() as session:
        one = (await session.scalars(select(Vulnerability))).one()
        assert (one.first_seen_at, one.last_seen_at, one.resolved_at) == tuple(
            START + timedelta(days=day) for day in (1, 2, 3)
        )
    fourth = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    assert await scans.changes(fourth) == [(FIRST, "regressed")]
    assert await scans.lives() == {(MAC, FIRST): REGRESSED}


async def test_a_service_that_is_gone_resolves_and_one_that_is_silent_does_not(scans, office):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp(told=False))]})
    assert await scans.lives() == {(MAC, FIRST): OPEN}
    await scans.run(office, {OFFICE: [host("192.168.88.5")]})
    assert await scans.lives() == {(MAC, FIRST): RESOLVED}


async def test_what_was_not_looked_at_resolves_nothing(scans, office, api):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    # offline
    await scans.run(office, {OFFICE: []})
    # cut off by a stop: its ports are known, what listens there is not
    await scans.run(
        office,
        {OFFICE: [host("192.168.88.5", ftp(told=False))]},
        cut_off=["192.168.88.5"],
        states={OFFICE: SiteScanState.STOPPED},
    )
    # the site went away on the way
    await scans.run(office, {OFFICE: [host("192.168.88.5")]}, states={OFFICE: SiteScanState.FAILED})
    # its port is excluded
    await api.patch(f"/scans/cve/scheduled/{office}", json={"exclusions": {"ports": ["tcp/21"]}})
    await scans.run(office, {OFFICE: [host("192.168.88.5")]})
    assert await scans.lives() == {(MAC, FIRST): OPEN}
    assert await scans.changes() == [(FIRST, "new")]
    await api.patch(f"/scans/cve/scheduled/{office}", json={"exclusions": {}})
    await scans.run(office, {OFFICE: [host("192.168.88.5")]})
    assert await scans.changes() == [(FIRST, "new"), (FIRST, "resolved")]


async def test_a_host_that_a_stop_left_whole_counts(scans, office):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp()), host("192.168.88.6", ftp(), mac=OTHER)]})
    await scans.run(
        office,
        {OFFICE: [host("192.168.88.5"), host("192.168.88.6", mac=OTHER)]},
        cut_off=["192.168.88.6"],
        states={OFFICE: SiteScanState.STOPPED},
    )
    assert await scans.lives() == {(MAC, FIRST): RESOLVED, (OTHER, FIRST): OPEN}


async def test_addresses_swapped_by_dhcp_change_nothing(scans, office, database):
    await scans.run(
        office, {OFFICE: [host("192.168.88.5", ftp()), host("192.168.88.6", ftp("3.0.3"), mac=OTHER)]}
    )
    again = await scans.run(
        office, {OFFICE: [host("192.168.88.6", ftp()), host("192.168.88.5", ftp("3.0.3"), mac=OTHER)]}
    )
    assert await scans.changes(again) == []
    assert await scans.lives() == {(MAC, FIRST): OPEN}
    async with database.session() as session:
        rows = await session.execute(
            select(Device.mac, DeviceAddress.address)
            .join(DeviceAddress, DeviceAddress.device_id == Device.id)
            .order_by(Device.mac, DeviceAddress.address)
        )
        assert [(mac, str(address)) for mac, address in rows] == [
            (MAC, "192.168.88.5"), (MAC, "192.168.88.6"), (OTHER, "192.168.88.5"), (OTHER, "192.168.88.6"),
        ]  # fmt: skip


async def test_a_strange_device_at_its_address_resolves_nothing(scans, office):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp("3.0.3"), mac=OTHER)]})
    assert await scans.lives() == {(MAC, FIRST): OPEN}


async def test_a_device_that_moves_keeps_its_history(scans, database):
    both = await scans.schedule((OFFICE, "192.168.88.0/24"), (BRANCH, "192.168.88.0/24"))
    await scans.run(both, {OFFICE: [host("192.168.88.5", ftp())]})
    moved = await scans.run(both, {BRANCH: [host("192.168.88.9", ftp())]})
    assert await scans.changes(moved) == []
    async with database.session() as session:
        device = (await session.scalars(select(Device))).one()
        life = (await session.scalars(select(Vulnerability))).one()
    assert str(device.site_id) == str(life.site_id) == BRANCH
    assert device.first_seen_at < device.last_seen_at
    await scans.run(both, {BRANCH: [host("192.168.88.9", ftp("3.0.3"))]})
    assert await scans.lives() == {(MAC, FIRST): RESOLVED}


async def test_equal_ranges_of_two_sites_never_mix(scans, database):
    both = await scans.schedule((OFFICE, "192.168.88.0/24"), (BRANCH, "192.168.88.0/24"))
    await scans.run(both, {
        OFFICE: [host("192.168.88.5", ftp(), mac=None)], BRANCH: [host("192.168.88.5", ftp(), mac=None)],
    })  # fmt: skip
    await scans.run(both, {
        OFFICE: [host("192.168.88.5", ftp("3.0.3"), mac=None)], BRANCH: [host("192.168.88.5", ftp(), mac=None)],
    })  # fmt: skip
    async with database.session() as session:
        rows = await session.execute(select(Vulnerability.site_id, Vulnerability.state))
        assert {str(site): state for site, state in rows} == {OFFICE: "resolved", BRANCH: "open"}


async def test_known_by_its_address_then_by_its_mac(scans, office, database):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp(), mac=None)]})
    again = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    assert await scans.changes(again) == []
    assert await scans.lives() == {(MAC, FIRST): OPEN}
    async with database.session() as session:
        device = (await session.scalars(select(Device))).one()
        assert (device.mac, device.address) == (MAC, None)


async def test_macs_that_identify_nothing_fall_to_the_address(scans, office):
    vrrp = "00:00:5E:00:01:07"
    await scans.run(office, {
        OFFICE: [
            host("192.168.88.2", ftp(), mac=vrrp), host("192.168.88.3", ftp()), host("192.168.88.4", ftp("3.0.3")),
            host("192.168.88.5", ftp(), mac=OTHER), host("192.168.88.6", ftp(), mac=OTHER),
        ]
    })  # fmt: skip
    # proxy ARP: two things behind one MAC; but one thing with two addresses is one thing
    assert set(await scans.lives()) == {("192.168.88.2", FIRST), ("192.168.88.3", FIRST), (OTHER, FIRST)}


async def test_judging_a_scan_twice_gives_the_same(scans, office):
    first = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await scans.judge(first)
    second = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp("3.0.3"))]})
    await scans.judge(second)
    assert await scans.changes() == [(FIRST, "new"), (FIRST, "resolved")]
    assert await scans.lives() == {(MAC, FIRST): RESOLVED}


async def test_an_older_scan_that_ends_later_changes_nothing(scans, office):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp("3.0.3"))]}, at=START + timedelta(days=9))
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]}, at=START + timedelta(days=1))
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp("3.0.3"))]}, at=START + timedelta(days=10))
    assert await scans.lives() == {(MAC, FIRST): RESOLVED}


async def test_a_data_update_opens_and_withdraws(scans, office, load, database):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await load(cve(1, "2.3.5", modified="2026-02-01T00:00:00.000"), cve(2, "2.3.4"))
    await rematch(database)
    assert await scans.lives() == {(MAC, FIRST): WITHDRAWN, (MAC, "CVE-2099-0002"): OPEN}
    assert await scans.changes(None) == [(FIRST, "withdrawn"), ("CVE-2099-0002", "new")]
    await load(cve(1, "2.3.4", modified="2026-02-02T00:00:00.000"))
    await rematch(database)
    await rematch(database)
    assert await scans.lives() == {(MAC, FIRST): OPEN, (MAC, "CVE-2099-0002"): OPEN}
    assert (await scans.changes(None))[2:] == [(FIRST, "new")]
    # the next scan finds nothing that it did not know
    again = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    assert await scans.changes(again) == []
