"""From a scan's end, or a data update, to the receivers, through the queue and a running worker."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update

from netvigil.app.service import run_jobs
from netvigil.findings.models import Finding
from netvigil.inventory.models import Device, Host
from netvigil.jobs import enqueue
from netvigil.notify.jobs import request_telling
from netvigil.notify.models import NotificationDelivery, NotificationMessage
from netvigil.notify.telling import is_update_untold, tell_of_update
from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.service import fail_scan, tell_of_scan

SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"


@pytest.fixture
def hook(receiver):
    return {"kind": "webhook", "url": receiver.url}


async def until(condition, patience=20):
    for _ in range(patience * 20):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to that")


async def test_worker_sends_once_what_a_scan_told_twice(
    service, database, make_group, hook, receiver, ended_scan, change
):
    await make_group(hook)
    scan_id = await ended_scan()
    await change(scan_id)
    receiver.statuses = [500]
    async with run_jobs(service, sync_feeds=False):
        for _ in range(2):
            async with database.transaction() as session:
                await tell_of_scan(session, await session.get_one(Scan, scan_id))
        await until(lambda: len(receiver.requests) == 1)
        await asyncio.sleep(0.5)
        # a minute later, without the minute
        async with database.transaction() as session:
            waits = "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE task_name = 'notify.deliver'"
            await session.execute(text(waits))
        await until(lambda: len(receiver.requests) == 2)
        await asyncio.sleep(1.5)
    assert len(receiver.requests) == 2
    assert len({headers["X-Netvigil-Delivery"] for _, headers, _ in receiver.requests}) == 1
    async with database.reading() as session:
        [row] = await session.scalars(select(NotificationDelivery))
    assert (row.state, row.attempt) == ("sent", 2)


async def test_worker_that_ends_in_the_middle_of_a_mail_waits_for_it(
    service, database, make_group, mail_server, ended_scan
):
    mail_server.delay = 1.5
    to = {"kind": "email", "host": "127.0.0.1", "port": mail_server.port, "security": "none"}
    await make_group({**to, "from": "a@example.com", "to": ["b@example.com"]}, only_news=False)
    scan_id = await ended_scan()
    async with run_jobs(service, sync_feeds=False):
        async with database.transaction() as session:
            await tell_of_scan(session, await session.get_one(Scan, scan_id))
        await until(lambda: mail_server.begun)
    async with database.reading() as session:
        [row] = await session.scalars(select(NotificationDelivery))
    assert (row.state, len(mail_server.mails)) == ("sent", 1)


async def test_slow_receivers_hold_up_no_other_job(service, database, make_group, receiver, ended_scan):
    receiver.delay = 8
    await make_group(*({"kind": "webhook", "url": f"{receiver.url}/{n}"} for n in range(12)), only_news=False)
    scan_id = await ended_scan()
    async with run_jobs(service, sync_feeds=False):
        async with database.transaction() as session:
            await tell_of_scan(session, await session.get_one(Scan, scan_id))
        await until(lambda: len(receiver.requests) >= 6)
        async with database.transaction() as session:
            job = await enqueue(session, "findings.reconcile_scan", scan_id=str(scan_id))
        await asyncio.sleep(2.5)
        async with database.reading() as session:
            left = await session.scalar(
                text("SELECT status FROM procrastinate_jobs WHERE id = :id"), {"id": job}
            )
        assert left is None  # done, and so gone
        receiver.delay = 0


async def test_every_report_or_news_only(make_group, hook, ended_scan, tell, api, send_all, receiver):
    group = await make_group(hook)
    assert await tell(await ended_scan()) == 0
    await api.patch(f"/notifications/{group['id']}", json={"only_news": False})
    assert await tell(await ended_scan()) == 1
    await send_all()
    assert json.loads(receiver.requests[0][2])["subject"] == "Scan finished, nothing new: Weekly scan"


async def test_offline_site_and_failed_scan_are_told(
    make_group, hook, ended_scan, tell, database, send_all, receiver
):
    await make_group(hook)
    assert await tell(await ended_scan(state="failed", site_failure="offline")) == 1
    await send_all()
    said = json.loads(receiver.requests[0][2])
    assert said["failed_sites"] == [{"id": SITE, "name": said["failed_sites"][0]["name"], "offline": True, "reason": "Nothing answers."}]  # fmt: skip
    scan_id = await ended_scan(state="processing")
    assert await tell(scan_id) == 0
    async with database.transaction() as session:
        await fail_scan(session, scan_id, "The report could not be made.")
    async with database.reading() as session:
        jobs = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'notify.tell_of_scan'")
        assert await session.scalar(jobs) == 1
    assert await tell(scan_id) == 1


@pytest.mark.parametrize(
    ("fields", "schedule", "told"),
    [
        ({}, {}, 1),
        ({"sites": [SITE]}, {}, 1),
        ({"sites": ["9c3c1392-7f36-4240-85f2-273573c0384b"]}, {}, 0),
        ({"mute": True}, {}, 0),
        ({"mute_until": "2099-01-01T00:00:00+02:00"}, {}, 0),
        ({"mute_until": "2020-01-01T00:00:00Z"}, {}, 1),
        ({"min_severity": "CRITICAL"}, {}, 1),
        ({}, {"warning_threshold": 9.9}, 0),
        ({}, {"notification_group": "somebody else"}, 0),
    ],
)
async def test_rules_of_the_group(make_group, hook, ended_scan, change, tell, fields, schedule, told):
    await make_group(hook, **fields)
    scan_id = await ended_scan(**schedule)
    await change(scan_id)
    assert await tell(scan_id) == told


async def test_what_people_accepted_is_no_news(make_group, hook, ended_scan, change, tell, api, database):
    await make_group(hook)
    scan_id = await ended_scan()
    await change(scan_id)
    async with database.reading() as session:
        mac = await session.scalar(select(Device.mac))
    decision = {
        "mac_address": mac,
        "cve_id": "CVE-2099-0001",
        "status": "accepted",
        "justification": "It is isolated.",
    }
    answer = await api.post("/scans/cve/mac-address/cve/status", json=decision)
    assert answer.status_code == 201, answer.text
    assert await tell(scan_id) == 0
    await api.post("/scans/cve/mac-address/cve/status", json={**decision, "status": "open"})
    assert await tell(scan_id) == 1


async def test_other_organisations_groups_are_not_told(api, hook, make_token, ended_scan, change, tell):
    token = {"Authorization": f"Bearer {make_token(organisation='globex')}"}
    made = await api.post(
        "/notifications", json={"key": "security-alerts", "channels": [hook]}, headers=token
    )
    assert made.status_code == 201
    scan_id = await ended_scan(notification_group=made.json()["id"])
    await change(scan_id)
    assert await tell(scan_id) == 0


async def test_data_updates_are_told_once(
    database, settings, make_group, hook, ended_scan, change, send_all, receiver
):
    await make_group(hook)
    scan_id = await ended_scan()
    finding_id = await stored_finding(database, scan_id)
    await change(scan_id, "CVE-2099-0009")  # a scan's own: its report tells it

    async def run():
        async with database.transaction() as session:
            return await tell_of_update(session)

    assert await run() == 0
    await change(None, "CVE-2099-0002", finding_id=finding_id)
    await change(None, "CVE-2099-0003", finding_id=finding_id, score=5, severity="MEDIUM")
    async with database.transaction() as session:
        assert await is_update_untold(session)
    await request_telling(database)
    await request_telling(database)
    assert await run() == 1
    assert await run() == 0
    await send_all()
    [(_, headers, body)] = receiver.requests
    said = json.loads(body)
    assert (said["event"], headers["X-Netvigil-Event"], said["scan"]) == (
        "data.updated",
        "data.updated",
        None,
    )
    assert said["subject"] == "1 new vulnerability (1 critical) after a data update"
    assert [one["cve_id"] for one in said["findings"]] == ["CVE-2099-0002"]


async def stored_finding(database, scan_id):
    """A finding of the scan, so that it is known who is told of what becomes of it."""
    async with database.transaction() as session:
        scan = await session.get_one(Scan, scan_id)
        part = (await session.scalars(select(SiteScan).where(SiteScan.scan_id == scan_id))).one()
        at = {"organisation_id": scan.organisation_id, "scan_id": scan_id}
        host = Host(
            id=uuid4(), site_scan_id=part.id, site_id=UUID(SITE), address="192.168.88.7", reason="syn-ack",
            observed_at=func.now(), identified=True, notes=[], **at,
        )  # fmt: skip
        session.add(host)
        await session.flush()
        finding = Finding(
            id=uuid4(), host_id=host.id, cve_id="CVE-2099-0002", score=9.8, severity="CRITICAL", confidence="exact",
            kev=False, cpe="cpe:2.3:a:a:a:1:*:*:*:*:*:*:*", evidence={}, source="catalogue", **at,
        )  # fmt: skip
        session.add(finding)
    return finding.id


async def test_deliveries_are_paged_and_go_with_their_group(
    api, database, make_group, receiver, ended_scan, tell, send_all
):
    hooks = [{"kind": "webhook", "url": f"{receiver.url}/{n}", "name": f"hook {n}"} for n in range(3)]
    group = await make_group(*hooks, only_news=False)
    await tell(await ended_scan())
    url = f"/notifications/{group['id']}/deliveries"
    first = await api.get(url, params={"limit": "2"})
    assert len(first.json()) == 2
    rest = await api.get(first.links["next"]["url"])
    assert len({one["id"] for one in first.json() + rest.json()}) == 3
    async with database.transaction() as session:
        await session.execute(update(NotificationDelivery).values(reason="x"))
    assert (await api.delete(f"/notifications/{group['id']}")).status_code == 204
    assert await send_all() == []
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(NotificationMessage)) == 0
