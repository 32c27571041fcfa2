"""`/sites` and what schedules do to sites: who may scan what, in both modes of registration."""

import asyncio
import dataclasses
from uuid import UUID, uuid4

import httpx
import pytest

from netvigil.app.factory import create_app
from netvigil.schedules.schemas import EXAMPLE
from netvigil.settings import SiteRegistration

SCHEDULES = "/scans/cve/scheduled"
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
OFFICE = {"name": "Office", "networks": ["192.168.88.0/24", "10.0.0.0/8"]}


@pytest.fixture
def schedule(api):
    """POST a schedule over (site, subnet) pairs; gives the answer."""

    async def run(*pairs, client=api):
        sites = [{"id": site, "subnet": subnet} for site, subnet in pairs]
        return await client.post(SCHEDULES, json={**EXAMPLE, "sites": sites})

    return run


@pytest.fixture
async def strict(service, make_token):
    """A client of the same service that takes registered sites only."""
    settings = dataclasses.replace(service.settings, site_registration=SiteRegistration.STRICT)
    transport = httpx.ASGITransport(app=create_app(dataclasses.replace(service, settings=settings)))
    headers = {"Authorization": f"Bearer {make_token()}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://netvigil.test", headers=headers
    ) as client:
        yield client


async def networks_of(api, site=SITE):
    return (await api.get(f"/sites/{site}")).json()["networks"]


def assert_422(answer, code, *fields):
    said = answer.json()
    assert (answer.status_code, said["code"]) == (422, code), answer.text
    assert list(said["errors"]) == list(fields)
    assert said["message"] in [text for texts in said["errors"].values() for text in texts]


async def test_a_site_is_created_read_changed_and_deleted(api):
    made = await api.post("/sites", json=OFFICE)
    assert made.status_code == 201
    site = made.json()
    assert set(site) == {
        "id", "name", "networks", "vantage", "online", "last_seen_at", "registration", "created_at", "updated_at",
        "exclusions", "limits", "router", "maintenance_windows",
    }  # fmt: skip
    assert str(UUID(site["id"])) == site["id"]
    assert {key: site[key] for key in OFFICE} == OFFICE
    assert (site["vantage"], site["online"], site["last_seen_at"]) == ({"type": "local"}, None, None)
    assert (site["registration"], site["created_at"][-1]) == ("person", "Z")
    path = f"/sites/{site['id']}"
    assert (await api.get(path)).json() == site
    assert (await api.get("/sites")).json() == [site]

    vrf = {"type": "vrf", "name": "blue"}
    after = (await api.patch(path, json={"vantage": vrf})).json()
    assert {**after, "updated_at": site["updated_at"]} == {**site, "vantage": vrf}
    after = (
        await api.put(path, json={"name": "Depot", "networks": ["8.8.8.0/24"], "id": str(uuid4())})
    ).json()
    assert (after["id"], after["name"], after["networks"]) == (site["id"], "Depot", ["8.8.8.0/24"])
    assert after["vantage"] == {"type": "local"}
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).json()["code"] == "resource_missing"
    assert (await api.delete(path)).status_code == 404


async def test_an_id_is_the_clients_choice_once(api):
    assert (await api.post("/sites", json={**OFFICE, "id": SITE})).json()["id"] == SITE
    again = await api.post("/sites", json={**OFFICE, "id": SITE.upper()})
    assert (again.status_code, again.json()["type"], again.json()["code"]) == (
        409,
        "conflict_error",
        "site_exists",
    )


async def test_bounds_of_a_site(api):
    wrong = {
        "name": (["", None, 1, "x" * 256, "a\0"], "name", "parameter_invalid"),
        "networks": ([[], None, {}, "10.0.0.0/8", ["10.0.0.0/8"] * 257], "networks", "parameter_invalid"),
        "networks ": ([["10.0.0.1/8"], ["0.0.0.0/0"], ["10.0.0.0/7"], ["fd00::/8"], ["224.0.0.0/8"]], "networks.0", "subnet_invalid"),
        "id": (["x", 1, "urn:9c3c13927f36424085f2273573c0384a"], "id", "parameter_invalid"),
        "vantage": ([None, [], "local", {"type": "vrf"}, {"name": "x"}, {"type": "netns", "name": None}], "vantage", "parameter_invalid"),
        "vantage ": ([{"type": "agent"}, {"type": 1}], "vantage.type", "parameter_invalid"),
        "vantage  ": ([{"type": "netns", "name": bad} for bad in ("", "-x", "a/b", "a b", "..", "x" * 65, "a\n", "é", 1)], "vantage.name", "parameter_invalid"),
    }  # fmt: skip
    for name, (values, field, code) in wrong.items():
        for value in values:
            assert_422(await api.post("/sites", json={**OFFICE, name.strip(): value}), code, field)
    assert (await api.post("/sites", json={})).json()[
        "message"
    ] == "The 'name' parameter is required for this request."
    assert (await api.get("/sites")).json() == []


async def test_sites_page_like_any_list(api):
    names = [str(number) for number in range(5)]
    for name in names:
        await api.post("/sites", json={**OFFICE, "name": name})
    seen, url = [], "/sites?limit=2"
    while url:
        answer = await api.get(url)
        seen += [site["name"] for site in answer.json()]
        url = answer.links["next"]["url"] if "Link" in answer.headers else None
    assert seen == names[::-1]
    assert (await api.get("/sites?limit=0")).status_code == 422


async def test_a_site_in_use_is_not_deleted(api, schedule):
    made = (await schedule((SITE, "10.0.0.0/24"))).json()
    answer = await api.delete(f"/sites/{SITE}")
    assert (answer.status_code, answer.json()["code"]) == (409, "site_in_use")
    assert (await api.delete(f"{SCHEDULES}/{made['id']}")).status_code == 204
    assert (await api.delete(f"/sites/{SITE}")).status_code == 204


async def test_an_unknown_site_is_registered_and_gains_private_subnets(api, schedule):
    private = [
        "10.0.0.0/24",
        "172.31.255.0/24",
        "192.168.0.0/22",
        "100.64.0.0/24",
        "169.254.1.0/24",
        "127.0.0.1/32",
    ]
    for subnet in private:
        assert (await schedule((SITE, subnet))).status_code == 201
    assert await networks_of(api) == private
    for covered in ("10.0.0.128/25", "192.168.3.0/24"):
        assert (await schedule((SITE, covered))).status_code == 201
    assert await networks_of(api) == private
    other = str(uuid4())
    assert (await schedule((other, "10.5.0.0/24"), (other, "10.6.0.0/24"))).status_code == 201
    assert await networks_of(api, other) == ["10.5.0.0/24", "10.6.0.0/24"]


async def test_a_public_subnet_needs_a_person(api, schedule, make_token):
    public = [
        "8.8.8.0/24",
        "172.32.0.0/24",
        "100.128.0.0/24",
        "192.0.2.0/24",
        "198.18.0.0/24",
        "169.255.0.0/24",
    ]
    for subnet in public:
        assert_422(await schedule((SITE, subnet)), "subnet_out_of_scope", "sites.0.subnet")
        assert "sites:manage" in (await schedule((SITE, subnet))).json()["message"]
    assert (await api.get(f"/sites/{SITE}")).status_code == 404
    assert (await schedule((SITE, "10.0.0.0/24"))).status_code == 201
    assert_422(
        await schedule((SITE, "10.0.0.0/24"), (SITE, "8.8.8.0/24")), "subnet_out_of_scope", "sites.1.subnet"
    )

    viewer = {"Authorization": f"Bearer {make_token('sites:view', 'cve:create')}"}
    body = {"networks": ["10.0.0.0/24", "8.8.8.0/24"]}
    assert (await api.patch(f"/sites/{SITE}", json=body, headers=viewer)).status_code == 403
    assert (await api.patch(f"/sites/{SITE}", json=body)).json()["registration"] == "person"
    assert (await schedule((SITE, "8.8.8.8/32"))).status_code == 201


async def test_what_a_person_decided_stays(api, schedule):
    await api.post("/sites", json={**OFFICE, "id": SITE, "networks": ["10.0.0.0/25", "10.0.0.128/25"]})
    assert (await schedule((SITE, "10.0.0.0/24"))).status_code == 201  # both halves together
    for outside in ("10.0.1.0/24", "10.0.0.0/23", "192.168.1.0/24"):
        assert_422(await schedule((SITE, outside)), "subnet_out_of_scope", "sites.0.subnet")
    assert await networks_of(api) == ["10.0.0.0/25", "10.0.0.128/25"]


async def test_strict_takes_registered_sites_only(api, strict, schedule):
    answer = await schedule((SITE, "10.0.0.0/24"), (SITE, "8.8.8.0/24"), client=strict)
    assert_422(answer, "site_unknown", "sites.0.id", "sites.1.id")
    assert SITE in answer.json()["message"]
    assert (await strict.get("/sites")).json() == []
    await schedule((SITE, "10.0.0.0/24"))  # registered while the mode was auto
    assert (await schedule((SITE, "10.0.0.0/25"), client=strict)).status_code == 201
    assert_422(await schedule((SITE, "10.0.1.0/24"), client=strict), "subnet_out_of_scope", "sites.0.subnet")
    assert await networks_of(api) == ["10.0.0.0/24"]


async def test_all_problems_are_said_at_once_in_the_clients_order(schedule):
    second, third = str(uuid4()), str(uuid4())
    answer = await schedule((SITE, "8.8.4.0/24"), (second, "10.0.0.0/24"), (third, "8.8.8.0/24"))
    assert_422(answer, "subnet_out_of_scope", "sites.0.subnet", "sites.2.subnet")
    assert "8.8.4.0/24" in answer.json()["message"]


async def test_two_organisations_may_name_the_same_site(api, schedule, make_token):
    await api.post("/sites", json={**OFFICE, "id": SITE})
    other = {"Authorization": f"Bearer {make_token(organisation='globex')}"}
    assert (await api.get(f"/sites/{SITE}", headers=other)).status_code == 404
    made = await api.post("/sites", json={**OFFICE, "id": SITE, "name": "theirs"}, headers=other)
    assert made.status_code == 201
    assert (await api.get(f"/sites/{SITE}")).json()["name"] == "Office"


async def test_many_that_name_one_new_site_at_once(api, schedule):
    subnets = [f"10.0.{number}.0/24" for number in range(16)]
    answers = await asyncio.gather(*(schedule((SITE, subnet)) for subnet in subnets))
    assert [answer.status_code for answer in answers] == [201] * 16
    assert sorted(await networks_of(api)) == sorted(subnets)


async def test_many_that_name_the_same_new_sites_in_every_order_never_block_each_other(api, schedule):
    sites = [(str(uuid4()), f"10.1.{number}.0/24") for number in range(6)]
    orders = [sites[turn:] + sites[:turn] for turn in range(6)] + [sites[::-1]] * 4
    answers = await asyncio.gather(*(schedule(*order) for order in orders))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert {site["id"]: site["networks"] for site in (await api.get("/sites")).json()} == {
        s: [n] for s, n in sites
    }


async def test_a_person_and_a_schedule_that_make_one_site_at_once(api, schedule):
    for _ in range(5):
        site = str(uuid4())
        person, made = await asyncio.gather(
            api.post("/sites", json={**OFFICE, "id": site}), schedule((site, "172.16.0.0/24"))
        )
        now = (await api.get(f"/sites/{site}")).json()
        if person.status_code == 201:
            assert (now["networks"], made.status_code) == (OFFICE["networks"], 422)
        else:
            assert (now["networks"], made.status_code) == (["172.16.0.0/24"], 201)
            assert person.json()["code"] == "site_exists"
