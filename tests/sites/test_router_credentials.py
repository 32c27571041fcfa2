"""A site's router: write-only secrets, encrypted at rest, bound to their site, kept and removed on purpose."""

import base64
import dataclasses
import json
import logging
from uuid import UUID

import pytest
from sqlalchemy import text

from netvigil.access.secrets import SECRET_FILE
from netvigil.errors import EnvironmentFault
from netvigil.sites import models
from netvigil.sites.router import RouterOsSecret, SnmpSecret, open_router

OFFICE = {"name": "Office", "networks": ["192.168.88.0/24", "8.8.8.0/24"]}
PASSWORD = "S3cret-päss{0}%s"
COMMUNITY = "c0mmunity-x7"
API = {"address": "192.168.88.1", "kind": "routeros-api", "username": "reader", "password": PASSWORD}
SNMP = {"address": "10.255.0.1", "kind": "snmp", "community": COMMUNITY}
SHOWN = {
    "address": "192.168.88.1",
    "kind": "routeros-api",
    "port": 8728,
    "tls": False,
    "username": "reader",
    "has_secret": True,
}


@pytest.fixture
async def site(api):
    """The path of a site whose router is asked over its API."""
    made = await api.post("/sites", json={**OFFICE, "router": API})
    assert made.status_code == 201, made.text
    assert made.json()["router"] == SHOWN
    return f"/sites/{made.json()['id']}"


@pytest.fixture
def opened(database, service):
    """What the scan gets for a site's path."""

    async def run(path, settings=None):
        async with database.session() as session:
            query = text("SELECT organisation_id FROM site WHERE id = :id")
            owner = await session.scalar(query, {"id": path.rpartition("/")[2]})
            site = await session.get_one(models.Site, (owner, UUID(path.rpartition("/")[2])))
            return open_router(settings or service.settings, site)

    return run


def assert_missing(answer, field):
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_missing"), answer.text
    assert list(answer.json()["errors"]) == [field]


async def test_the_scan_gets_what_was_entered(api, site, opened):
    router = await opened(site)
    assert str(router.address) == "192.168.88.1"
    assert router.login == RouterOsSecret("reader", PASSWORD, 8728, tls=False)
    assert (await api.patch(site, json={"router": SNMP})).json()["router"] == {
        "address": "10.255.0.1",
        "kind": "snmp",
        "port": 161,
        "tls": False,
        "username": None,
        "has_secret": True,
    }
    assert (await opened(site)).login == SnmpSecret(COMMUNITY, 161)
    tls = {**API, "tls": True, "password": "", "community": "ignored"}
    assert (await api.patch(site, json={"router": tls})).json()["router"] == {
        **SHOWN,
        "tls": True,
        "port": 8729,
    }
    assert (await opened(site)).login == RouterOsSecret("reader", "", 8729, tls=True)
    plain = await api.post("/sites", json=OFFICE)
    assert plain.json()["router"] is None
    assert await opened(f"/sites/{plain.json()['id']}") is None


async def test_no_secret_is_answered_stored_or_logged(api, site, database, opened, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    answers = [
        await api.patch(site, json={"router": {**SNMP, "port": 1161}}),
        await api.patch(site, json={"router": {**API, "port": "x"}}),
        await api.patch(site, json={"router": {**API, "address": "9.9.9.9"}}),
        await api.post("/sites", json={"router": API}),
        await api.put(site, json={**OFFICE, "router": API}),
        await api.get(site),
        await api.get("/sites"),
        await api.get("/openapi.json"),
    ]
    async with database.session() as session:
        rows = [row for (row,) in await session.execute(text("SELECT row_to_json(s)::text FROM site s"))]
        blobs = list(
            await session.scalars(text("SELECT router_secret FROM site WHERE router_secret IS NOT NULL"))
        )
    router = await opened(site)
    logged = repr(router) + caplog.text + "".join(capsys.readouterr())
    said = "".join(answer.text for answer in answers) + "".join(rows) + logged
    assert len(blobs) == 1
    for secret in (PASSWORD, COMMUNITY):
        spellings = {
            secret,
            json.dumps(secret),
            base64.b64encode(secret.encode()).decode(),
            secret.encode().hex(),
        }
        assert not [spelling for spelling in spellings if spelling in said]
        assert secret.encode() not in blobs[0]
    assert "S3cret" not in said
    assert router.login.password == PASSWORD


async def test_the_secret_stays_until_it_is_replaced_or_removed(api, site, opened):
    kept = {"address": "192.168.88.1", "kind": "routeros-api", "username": "other"}
    for change in ({"name": "x"}, {"router": {**kept, "username": "reader"}}, {"router": kept}):
        assert (await api.patch(site, json=change)).status_code == 200
        assert (await opened(site)).login.password == PASSWORD
    assert (await opened(site)).login.username == "other"
    shown = (await api.get(site)).json()
    assert (await api.put(site, json=shown)).json()["router"] == {**SHOWN, "username": "other"}
    assert (await opened(site)).login.password == PASSWORD
    assert (await api.patch(site, json={"router": {**kept, "password": "new"}})).status_code == 200
    assert (await opened(site)).login.password == "new"
    assert (await api.patch(site, json={"router": None})).json()["router"] is None
    assert await opened(site) is None
    assert_missing(await api.patch(site, json={"router": kept}), "router.password")
    await api.patch(site, json={"router": API})
    assert (await api.put(site, json=OFFICE)).json()["router"] is None
    assert await opened(site) is None


async def test_a_stored_secret_goes_nowhere_else(api, site, opened):
    """Whoever may edit a site but does not know the password must not have it sent to a machine of their own."""
    bare = {key: value for key, value in API.items() if key != "password"}
    tls = {**bare, "tls": True, "port": 8728}
    assert (await api.patch(site, json={"router": tls})).status_code == 200
    for other in (
        {**tls, "address": "192.168.88.66"},
        {**tls, "port": 8729},
        {**tls, "tls": False},
        {"address": "192.168.88.1", "kind": "snmp", "port": 8728},
    ):
        answer = await api.patch(site, json={"router": other})
        assert_missing(answer, "router.community" if other["kind"] == "snmp" else "router.password")
        assert_missing(await api.put(site, json={**OFFICE, "router": other}), *answer.json()["errors"])
    assert (await opened(site)).login == RouterOsSecret("reader", PASSWORD, 8728, tls=True)
    assert_missing(await api.post("/sites", json={**OFFICE, "router": bare}), "router.password")


async def test_what_is_no_router(api, site):
    cases = {
        "router": [[], "x", 1, {**API, "username": None}],
        "router.address": [{**API, "address": bad} for bad in ("x", None, 1, "fd00::1", "10.0.0.0/8", "9.9.9.9", "224.0.0.1", "0.0.0.0")],
        "router.kind": [{**API, "kind": bad} for bad in ("ssh", None, 1)],
        "router.port": [{**API, "port": bad} for bad in (0, 65536, "8728", True)],
        "router.tls": [{**API, "tls": bad} for bad in ("yes", 1, None)],
        "router.username": [{**API, "username": bad} for bad in ("", 1, "x" * 256, "a\0")],
        "router.password": [{**API, "password": bad} for bad in (1, [], "x" * 256)],
        "router.community": [{**SNMP, "community": bad} for bad in ("", 1, "x" * 256)],
    }  # fmt: skip
    for field, values in cases.items():
        for value in values:
            answer = await api.patch(site, json={"router": value})
            assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid"), (
                value,
                answer.text,
            )
            assert list(answer.json()["errors"]) == [field], value
            assert "S3cret" not in answer.text
    assert (await api.get(site)).json()["router"] == SHOWN
    public = {**API, "address": "8.8.8.8"}
    assert (await api.patch(site, json={"router": public})).status_code == 200
    # and it must stay inside when the networks change
    answer = await api.patch(site, json={"networks": ["192.168.88.0/24"]})
    assert list(answer.json()["errors"]) == ["router.address"]


async def test_another_organisation_and_a_viewer(api, site, make_token, database, opened):
    other = {"Authorization": f"Bearer {make_token(organisation='globex')}"}
    viewer = {"Authorization": f"Bearer {make_token('sites:view')}"}
    assert (await api.get(site, headers=other)).status_code == 404
    assert (await api.patch(site, json={"name": "x"}, headers=other)).status_code == 404
    assert (await api.patch(site, json={"router": None}, headers=viewer)).status_code == 403
    assert (await api.get(site, headers=viewer)).json()["router"] == SHOWN
    theirs = await api.post("/sites", json={**OFFICE, "id": site.rpartition("/")[2]}, headers=other)
    assert theirs.json()["router"] is None
    # who copies the row inside the database gains nothing: the secret opens for its own site only
    mine = (await api.post("/sites", json={**OFFICE, "router": SNMP})).json()["id"]
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE site s SET router = o.router, router_secret = o.router_secret FROM site o "
                 "WHERE s.id = :mine AND o.id = :id AND o.router IS NOT NULL"),
            {"mine": mine, "id": site.rpartition("/")[2]},
        )  # fmt: skip
    with pytest.raises(EnvironmentFault, match="another key"):
        await opened(f"/sites/{mine}")
    async with database.transaction() as session:
        await session.execute(text("UPDATE site SET router = jsonb_set(router, '{address}', '\"10.6.6.6\"')"))
    with pytest.raises(EnvironmentFault, match="another key"):
        await opened(f"/sites/{mine}")


async def test_a_lost_or_wrong_key_is_one_sentence_and_the_site_stays(api, site, opened, service, tmp_path):
    key = service.settings.keys_dir / SECRET_FILE
    elsewhere = dataclasses.replace(service.settings, data_dir=tmp_path / "other machine")
    wrong = dataclasses.replace(service.settings, secret_key=base64.b64encode(b"k" * 32).decode())
    with pytest.raises(EnvironmentFault, match="NETVIGIL_SECRET_KEY"):
        await opened(site, elsewhere)
    with pytest.raises(EnvironmentFault, match="encrypted with another key"):
        await opened(site, wrong)
    key.rename(tmp_path / "lost")
    with pytest.raises(EnvironmentFault, match="not on this machine"):
        await opened(site)
    assert (await api.get(site)).json()["router"] == SHOWN
    assert (await api.patch(site, json={"name": "still editable"})).status_code == 200
    assert not key.exists()
    assert (await api.patch(site, json={"router": API})).status_code == 200
    assert (await opened(site)).login.password == PASSWORD


async def test_a_shared_key_opens_on_every_machine(api, service, opened, tmp_path, site):
    key = (service.settings.keys_dir / SECRET_FILE).read_text()
    there = dataclasses.replace(service.settings, data_dir=tmp_path / "other machine", secret_key=key)
    assert (await opened(site, there)).login.password == PASSWORD


async def test_the_document_describes_every_field_and_shows_no_secret(api):
    schemas = (await api.get("/openapi.json")).json()["components"]["schemas"]
    for name in ("RouterWrite", "SiteLimits", "ExclusionLists"):
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description"), (name, field)
            assert bool(schema.get("examples")) is (field not in {"password", "community"}), (name, field)
    for field in ("password", "community"):
        (kind,) = [
            one for one in schemas["RouterWrite"]["properties"][field]["anyOf"] if one["type"] != "null"
        ]
        assert (kind["format"], kind["writeOnly"]) == ("password", True)
    assert set(schemas["Router"]["properties"]) == {*SHOWN}
    for name in ("SiteWrite", "Site"):
        for field in ("exclusions", "limits", "router"):
            assert schemas[name]["properties"][field]["description"]
            assert schemas[name]["properties"][field]["examples"]
    for name in ("ScanScheduleWrite", "ScanSchedule"):
        for field in ("exclusions", "profile"):
            assert schemas[name]["properties"][field]["description"]
            assert schemas[name]["properties"][field]["examples"]
