"""A site's exclusions and limits through the API: round trips, bounds, replaced by PUT, merged by PATCH."""

import pytest

from netvigil.schedules.schemas import EXAMPLE

OFFICE = {"name": "Office", "networks": ["192.168.88.0/24"]}
NOTHING = {"addresses": [], "ports": [], "macs": []}
NO_LIMITS = {"packets_per_second": None, "connections_per_second": None}


@pytest.fixture
async def site(api):
    """The path of a site with exclusions and limits."""
    body = {
        **OFFICE,
        "exclusions": {
            "addresses": ["192.168.88.5-192.168.88.7", "192.168.88.4"],
            "ports": [9100, "udp/161", "tcp/80", "udp/80"],
            "macs": ["001a.2b3c.4d5e"],
            "unknown": 1,
        },
        "limits": {"packets_per_second": 500, "unknown": 1},
    }
    made = await api.post("/sites", json=body)
    assert made.status_code == 201, made.text
    return f"/sites/{made.json()['id']}"


async def test_answered_back_in_normal_form(api, site):
    shown = (await api.get(site)).json()
    assert shown["exclusions"] == {
        "addresses": ["192.168.88.4/30"],
        "ports": [80, "udp/161", 9100],
        "macs": ["00:1A:2B:3C:4D:5E"],
    }
    assert shown["limits"] == {"packets_per_second": 500, "connections_per_second": None}
    # what was answered may be sent again
    again = (await api.put(site, json=shown)).json()
    assert {**again, "updated_at": shown["updated_at"]} == shown


async def test_put_replaces_and_patch_merges_at_the_top(api, site):
    before = (await api.get(site)).json()
    after = (await api.patch(site, json={"name": "x"})).json()
    assert (after["exclusions"], after["limits"]) == (before["exclusions"], before["limits"])
    after = (await api.patch(site, json={"exclusions": {"ports": [22]}})).json()
    assert after["exclusions"] == {**NOTHING, "ports": [22]}
    after = (await api.patch(site, json={"limits": {"connections_per_second": 5000}})).json()
    assert after["limits"] == {**NO_LIMITS, "connections_per_second": 5000}
    after = (await api.put(site, json=OFFICE)).json()
    assert (after["exclusions"], after["limits"], after["router"]) == (NOTHING, NO_LIMITS, None)


async def test_bounds(api, site):
    def wrong(field, values):
        return [(field, value) for value in values]

    cases = [
        *wrong("exclusions", [({"exclusions": bad}) for bad in (None, [], "x", 1)]),
        *wrong("exclusions.addresses", [{"exclusions": {"addresses": bad}} for bad in (None, "x", {}, ["10.0.0.1"] * 1025)]),
        *wrong("exclusions.addresses.1", [{"exclusions": {"addresses": ["10.0.0.1", bad]}} for bad in ("x", "10.0.0.1/8", 1, None, "a\0")]),
        *wrong("exclusions.ports", [{"exclusions": {"ports": [80] * 1025}}]),
        *wrong("exclusions.ports.0", [{"exclusions": {"ports": [bad]}} for bad in (0, 65536, True, 1.5, "tcp/0", "udp", None, [])]),
        *wrong("exclusions.macs", [{"exclusions": {"macs": ["00:00:00:00:00:00"] * 1025}}]),
        *wrong("exclusions.macs.0", [{"exclusions": {"macs": [bad]}} for bad in ("x", 1, None, "{0}")]),
        *wrong("limits", [{"limits": bad} for bad in (None, [], 1)]),
        *wrong("limits.packets_per_second", [{"limits": {"packets_per_second": bad}} for bad in (0, 20_001, -1, "5", 5.0, True)]),
        *wrong("limits.connections_per_second", [{"limits": {"connections_per_second": bad}} for bad in (0, 5_001, "x")]),
    ]  # fmt: skip
    before = (await api.get(site)).json()
    for field, change in cases:
        answer = await api.patch(site, json=change)
        said = answer.json()
        assert (answer.status_code, said["code"]) == (422, "parameter_invalid"), (change, answer.text)
        assert list(said["errors"]) == [field], change
        assert said["message"].startswith(f"The '{field}' parameter is invalid: ")
    assert (await api.get(site)).json() == before
    many = {
        "addresses": [f"10.0.{n // 128}.{n % 128 * 2}" for n in range(1024)],
        "ports": list(range(1, 2049, 2)),
    }
    answer = await api.patch(site, json={"exclusions": many})
    assert answer.json()["exclusions"] == {**NOTHING, **many}


async def test_a_site_that_registered_itself_excludes_nothing(api):
    assert (await api.post("/scans/cve/scheduled", json=EXAMPLE)).status_code == 201
    (shown,) = (await api.get("/sites")).json()
    assert (shown["exclusions"], shown["limits"], shown["router"]) == (NOTHING, NO_LIMITS, None)
