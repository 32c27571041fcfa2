"""Profile and exclusions of a schedule, and what of them a scan takes along when it starts."""

import pytest
from sqlalchemy import text

from netvigil.schedules.schemas import EXAMPLE

SCHEDULES = "/scans/cve/scheduled"
SITE = EXAMPLE["sites"][0]["id"]
NOTHING = {"addresses": [], "ports": [], "macs": []}
OWN = {"addresses": ["192.168.1.9", "192.168.1.8"], "ports": ["tcp/22"], "macs": ["AABBCCDDEEFF"]}
NORMAL = {"addresses": ["192.168.1.8/31"], "ports": ["tcp/22"], "macs": ["AA:BB:CC:DD:EE:FF"]}


@pytest.fixture
def create(api):
    async def run(**changes):
        answer = await api.post(SCHEDULES, json={**EXAMPLE, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return run


@pytest.fixture
def site_scans(database):
    """(profile, exclusions, state) of every site scan, oldest first."""

    async def run():
        query = (
            "SELECT p.profile, p.exclusions, p.state FROM site_scan p JOIN scan s ON s.id = p.scan_id "
            "ORDER BY s.created_at"
        )
        async with database.session() as session:
            return [tuple(row) for row in await session.execute(text(query))]

    return run


async def test_answered_back_in_normal_form_and_by_default_standard_and_nothing(api, create):
    plain = await create()
    assert (plain["profile"], plain["exclusions"]) == ("standard", NOTHING)
    made = await create(profile="quick", exclusions=OWN)
    assert (made["profile"], made["exclusions"]) == ("quick", NORMAL)
    path = f"{SCHEDULES}/{made['id']}"
    assert (await api.get(path)).json() == made
    again = (await api.put(path, json=made)).json()
    assert {**again, "updated_at": made["updated_at"]} == made


async def test_put_replaces_and_patch_merges_at_the_top(api, create):
    made = await create(profile="full", exclusions=OWN)
    path = f"{SCHEDULES}/{made['id']}"
    for change, profile, exclusions in (
        ({"description": "x"}, "full", NORMAL),
        ({"profile": "quick"}, "quick", NORMAL),
        ({"exclusions": {"ports": [80]}}, "quick", {**NOTHING, "ports": [80]}),
        ({"exclusions": {}}, "quick", NOTHING),
        ({"exclusions": OWN, "profile": "full"}, "full", NORMAL),
    ):
        after = (await api.patch(path, json=change)).json()
        assert (after["profile"], after["exclusions"]) == (profile, exclusions), change
        assert after["next_scan_at"] == made["next_scan_at"]
    after = (await api.put(path, json=EXAMPLE)).json()
    assert (after["profile"], after["exclusions"]) == ("standard", NOTHING)


async def test_bounds(api, create):
    cases = {
        "profile": [{"profile": bad} for bad in ("slow", "QUICK", None, 1, [])],
        "exclusions": [{"exclusions": bad} for bad in (None, [], "x")],
        "exclusions.addresses.0": [{"exclusions": {"addresses": [bad]}} for bad in ("x", "10.0.0.1/24", 7)],
        "exclusions.ports.1": [{"exclusions": {"ports": [80, bad]}} for bad in (0, 65536, "80-70", "icmp/1")],
        "exclusions.macs": [{"exclusions": {"macs": ["00:00:00:00:00:00"] * 1025}}],
        "exclusions.macs.0": [{"exclusions": {"macs": ["00:00"]}}],
    }
    made = await create(profile="quick", exclusions=OWN)
    for field, changes in cases.items():
        for change in changes:
            answers = [
                await api.post(SCHEDULES, json={**EXAMPLE, **change}),
                await api.patch(f"{SCHEDULES}/{made['id']}", json=change),
            ]
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid"), change
                assert list(answer.json()["errors"]) == [field]
    assert (await api.get(SCHEDULES)).json() == [made]


async def test_a_scan_keeps_what_was_in_force_when_it_started(api, create, site_scans, database):
    made = await create(profile="full", exclusions=OWN)
    site = {"addresses": ["192.168.1.0-192.168.1.7"], "ports": ["udp/22", 9100]}
    assert (await api.patch(f"/sites/{SITE}", json={"exclusions": site})).status_code == 200
    path = f"{SCHEDULES}/{made['id']}"
    assert (await api.post(f"{path}/invoke")).status_code == 202
    both = {"addresses": ["192.168.1.0-192.168.1.9"], "ports": [22, 9100], "macs": NORMAL["macs"]}
    assert await site_scans() == [("full", both, "pending")]

    await api.patch(path, json={"profile": "quick", "exclusions": {"ports": [1]}})
    await api.patch(f"/sites/{SITE}", json={"exclusions": {"ports": [2]}})
    assert await site_scans() == [("full", both, "pending")]
    assert (await api.delete(f"{path}/invoke")).status_code == 200
    async with database.transaction() as session:  # as the worker would, which does not run here
        await session.execute(text("UPDATE scan SET state = 'stopped', finished_at = now()"))
    assert (await api.post(f"{path}/invoke")).status_code == 202
    first, second = await site_scans()
    assert first == ("full", both, "stopped")
    assert second == ("quick", {**NOTHING, "ports": ["1-2"]}, "pending")
