"""Operations 8 and 9, and the status and stop of a scan by its own id; no worker runs here."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from netvigil.scans.models import Scan, SiteScan
from netvigil.scans.service import fail_scan

SCHEDULES = "/scans/cve/scheduled"
SINGLE = f"{SCHEDULES}/single-ip"
MULTI = "/scans/cve/scan/multiple-ips"
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
OTHER = "7d0a3c11-45b5-4d5c-9a39-1f0f6f1f2c10"


@pytest.fixture
def ask(api):
    """Posts a single-ip or, for a list, a multi-ip request; keyword arguments replace fields, None takes one away."""

    async def run(schedule, what, headers=None, **changes):
        many = isinstance(what, list)
        body = {"schedule_id": schedule, "site_id": SITE, "ips" if many else "ip_address": what, **changes}
        body = {key: value for key, value in body.items() if value is not None}
        return await api.post(MULTI if many else SINGLE, json=body, headers=headers)

    return run


def assert_invalid(answer, *fields, code="parameter_invalid"):
    said = answer.json()
    assert (answer.status_code, said["type"], said["code"]) == (422, "invalid_request_error", code), said
    assert list(said["errors"]) == list(fields)
    return said


async def test_single_ip_is_answered_to_the_letter(api, create, ask, is_uuid):
    schedule = await create()
    answer = await ask(schedule["id"], "192.168.1.10", unknown={"a": 1})
    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == ["scan_id", "status", "ip_address", "site_id", "created_at", "message"]
    assert is_uuid(body["scan_id"])
    assert (body["status"], body["ip_address"], body["site_id"]) == ("pending", "192.168.1.10", SITE)
    assert body["message"] == "Scan initiated. Check back for results."
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["created_at"])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(body["created_at"])) < timedelta(minutes=1)


async def test_several_ips_are_answered_to_the_letter(api, create, ask, is_uuid, database):
    schedule = await create()
    named = ["192.168.1.10", "192.168.1.3", "192.168.1.10", "192.168.1.200"]
    answer = await ask(schedule["id"], named)
    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == ["scan_id", "scan_site_id", "target_ips", "message"]
    assert is_uuid(body["scan_id"])
    assert is_uuid(body["scan_site_id"])
    assert body["target_ips"] == ["192.168.1.10", "192.168.1.3", "192.168.1.200"]
    assert body["message"] == "Scan started successfully"
    async with database.session() as session:
        site_scan = await session.get_one(SiteScan, UUID(body["scan_site_id"]))
    assert str(site_scan.scan_id) == body["scan_id"]
    assert [str(network) for network in site_scan.targets] == [f"{ip}/32" for ip in body["target_ips"]]
    assert [str(network) for network in site_scan.around] == ["192.168.1.0/24"]


async def test_it_takes_all_1024_of_a_wide_subnet(create, ask):
    schedule = await create(
        sites=[{"id": SITE, "subnet": "10.0.0.0/22"}, {"id": SITE, "subnet": "10.9.9.9/32"}],
        exclusions={"addresses": ["192.168.0.0-192.168.3.77"], "macs": []},
    )
    hosts = [f"10.0.{n // 256}.{n % 256}" for n in range(1, 1023)] + ["10.9.9.9"]
    answer = await ask(schedule["id"], [*hosts, hosts[0]])
    assert answer.status_code == 202
    assert answer.json()["target_ips"] == hosts


async def test_the_scan_is_like_any_other_and_no_run_of_its_schedule(api, create, ask):
    schedule = await create()
    scan = (await ask(schedule["id"], "192.168.1.10")).json()["scan_id"]
    report = (await api.get(f"/scans/cve/{scan}")).json()
    assert (report["state"], report["running"], report["trigger"]) == ("pending", True, "single-ip")
    assert (report["targets"], report["target_sites"]) == (1, [SITE])
    assert report["scan_schedule_id"] == schedule["id"]
    assert re.fullmatch("[A-Z]{3}-[A-Z]{3}-[A-Z]{3}", report["scan_id"])
    only = {"schedule_id": schedule["id"], "site_id": SITE}
    assert [one["id"] for one in (await api.get("/scans/cve", params=only)).json()] == [scan]
    assert (await api.get(f"/scans/cve/{report['scan_id']}/hosts")).json() == []
    assert (await api.get(f"/scans/cve/{scan}/findings")).json() == []
    now = (await api.get(f"{SCHEDULES}/{schedule['id']}")).json()
    assert {**now, "updated_at": 0} == {**schedule, "updated_at": 0}
    assert (await api.get(f"/scans/cve/{schedule['id']}/status")).json() == []
    for name in (scan, scan.upper(), report["scan_id"], report["scan_id"].lower()):
        status = (await api.get(f"/scans/cve/{name}/status")).json()
        assert (status["id"], status["status"], status["targets"]) == (scan, "pending", [SITE])
    for name in (str(uuid4()), "BCD-FGH-JKL", "x"):
        answer = await api.get(f"/scans/cve/{name}/status")
        assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")


async def test_it_runs_beside_the_schedules_own_run(api, create, ask, database):
    schedule = await create()
    invoke = f"{SCHEDULES}/{schedule['id']}/invoke"
    first = (await ask(schedule["id"], "192.168.1.1")).json()["scan_id"]
    whole = (await api.post(invoke)).json()["scan_id"]
    later = (await ask(schedule["id"], ["192.168.1.1", "192.168.1.2"])).json()["scan_id"]
    assert (await api.post(invoke)).json()["code"] == "scan_already_running"
    assert (await api.get(f"/scans/cve/{schedule['id']}/status")).json()["id"] == whole
    assert [one["id"] for one in (await api.get("/scans/cve")).json()] == [later, whole, first]
    async with database.session() as session:
        query = "SELECT DISTINCT lock FROM procrastinate_jobs WHERE task_name = 'scans.run_site_scan'"
        locks = (await session.scalars(text(query))).all()
    assert len(locks) == 1  # one after the other
    assert SITE in locks[0]
    assert (await api.delete(invoke)).json()["scan_id"] == whole
    for scan in (first, later):
        assert (await api.get(f"/scans/cve/{scan}")).json()["state"] == "pending"
    async with database.transaction() as session:
        await fail_scan(session, UUID(whole), "A reason.")
        await session.execute(update(Scan).where(Scan.id == UUID(later)).values(state="failed"))
    now = (await api.get(f"{SCHEDULES}/{schedule['id']}")).json()
    assert (now["running"], now["status"], now["latest_scan"]["id"]) == (False, "ready", whole)
    assert (await api.delete(invoke)).json()["code"] == "no_scan_running"
    # the schedule is idle for its clients, so it can go; the scan of one address goes on without it
    assert (await api.delete(f"{SCHEDULES}/{schedule['id']}")).status_code == 204
    report = (await api.get(f"/scans/cve/{first}")).json()
    assert (report["scan_schedule_id"], report["state"]) == (None, "pending")


async def test_the_database_itself_allows_one_run_and_many_on_demand(create, ask, api, database):
    schedule = await create()
    await api.post(f"{SCHEDULES}/{schedule['id']}/invoke")
    async with database.session() as session:
        row = (await session.execute(select(Scan.__table__))).mappings().one()
    for number, trigger in enumerate(("single-ip", "multi-ip", "single-ip")):
        async with database.transaction() as session:
            values = {**row, "id": uuid4(), "human_id": f"BBB-BBB-BB{number}", "trigger": trigger}
            await session.execute(insert(Scan).values(values))
    for trigger in ("schedule", "manual"):
        values = {**row, "id": uuid4(), "human_id": "CCC-CCC-CCC", "trigger": trigger}
        async with database.session() as session:
            with pytest.raises(IntegrityError, match="uq_scan_active_schedule"):
                await session.execute(insert(Scan).values(values))


async def test_any_scan_is_stopped_by_its_own_id(api, create, ask):
    schedule = await create()
    scan = (await ask(schedule["id"], "192.168.1.10")).json()["scan_id"]
    whole = (await api.post(f"{SCHEDULES}/{schedule['id']}/invoke")).json()["scan_id"]
    human = (await api.get(f"/scans/cve/{scan}")).json()["scan_id"]
    for name in (human, scan):  # asking twice is no error
        answer = await api.post(f"/scans/cve/{name}/stop")
        assert answer.status_code == 200
        assert list(answer.json()) == ["scan_id", "status", "message"]
        assert (answer.json()["scan_id"], answer.json()["status"]) == (scan, "stopping")
    assert (await api.get(f"/scans/cve/{scan}/status")).json()["status"] == "stopping"
    assert (await api.get(f"/scans/cve/{whole}")).json()["state"] == "pending"
    assert (await api.post(f"/scans/cve/{whole}/stop")).json()["scan_id"] == whole
    assert (await api.get(f"{SCHEDULES}/{schedule['id']}")).json()["status"] == "stopping"


async def test_a_scan_that_has_ended_cannot_be_stopped(api, create, ask, database):
    schedule = await create()
    scan = (await ask(schedule["id"], "192.168.1.10")).json()["scan_id"]
    await api.post(f"/scans/cve/{scan}/stop")
    async with database.transaction() as session:
        await fail_scan(session, UUID(scan), "A reason.")
    answer = await api.post(f"/scans/cve/{scan}/stop")
    said = answer.json()
    assert (answer.status_code, said["type"], said["code"]) == (409, "conflict_error", "no_scan_running")
    for name in (str(uuid4()), "BCD-FGH-JKL", schedule["id"], "scheduled"):
        answer = await api.post(f"/scans/cve/{name}/stop")
        assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")


NO_ADDRESS = ["", "192.168.1", "192.168.1.256", "192.168.01.1", " 192.168.1.1", "192.168.1.1/32", "::1", "\u0661.1.1.1",
              "192.168.1.1\0", "1" * 5000, 3232235777, 1.0, True, ["192.168.1.1"], {}]  # fmt: skip


@pytest.mark.parametrize("value", NO_ADDRESS)
async def test_what_is_no_ipv4_address(api, create, ask, value):
    schedule = await create()
    answer = await api.post(
        SINGLE, json={"schedule_id": schedule["id"], "site_id": SITE, "ip_address": value}
    )
    assert_invalid(answer, "ip_address")
    assert_invalid(await ask(schedule["id"], ["192.168.1.1", value]), "ips.1")
    assert (await api.get("/scans/cve")).json() == []


async def test_every_field_is_required_and_strict(create, ask):
    schedule = await create()
    for what, name in (("192.168.1.1", "ip_address"), (["192.168.1.1"], "ips")):
        for field in ("schedule_id", "site_id", name):
            answer = await ask(schedule["id"], what, **{field: None})
            if field == name:  # the fixture cannot tell which operation is meant
                continue
            said = assert_invalid(answer, field, code="parameter_missing")
            assert said["message"] == f"The '{field}' parameter is required for this request."
        for field, bad in (("schedule_id", "x"), ("schedule_id", 1), ("site_id", f"{{{SITE}}}")):
            assert_invalid(await ask(schedule["id"], what, **{field: bad}), field)


async def test_the_number_of_ips_is_bounded(api, create, ask):
    schedule = await create()
    assert "at least 1" in assert_invalid(await ask(schedule["id"], []), "ips")["message"]
    assert (
        "at most 1024" in assert_invalid(await ask(schedule["id"], ["192.168.1.1"] * 1025), "ips")["message"]
    )
    for value in ("192.168.1.1", {"0": "192.168.1.1"}, 1):
        body = {"schedule_id": schedule["id"], "site_id": SITE, "ips": value}
        assert_invalid(await api.post(MULTI, json=body), "ips")
    answer = await api.post(MULTI, json={"schedule_id": schedule["id"], "site_id": SITE})
    assert_invalid(answer, "ips", code="parameter_missing")


async def test_each_address_that_is_wrong_is_named_with_its_reason(api, create, ask):
    sites = [{"id": SITE, "subnet": "192.168.1.0/25"}, {"id": OTHER, "subnet": "10.0.0.0/24"}]
    schedule = await create(sites=sites, exclusions={"addresses": ["192.168.1.64/28"]})
    site = {"name": "x", "networks": ["192.168.1.0/24"], "exclusions": {"addresses": ["192.168.1.9"]}}
    assert (await api.put(f"/sites/{SITE}", json=site)).status_code == 200
    ips = [
        "192.168.1.1",
        "10.0.0.1",
        "192.168.1.128",
        "192.168.1.0",
        "192.168.1.127",
        "192.168.1.70",
        "192.168.1.9",
    ]
    said = assert_invalid(await ask(schedule["id"], ips), *(f"ips.{n}" for n in range(1, 7)))
    assert said["message"].startswith("The 'ips.1' parameter is invalid: 10.0.0.1 lies outside")
    words = ["outside", "outside", "network or broadcast", "network or broadcast", "excluded", "excluded"]
    for sentences, word in zip(said["errors"].values(), words, strict=True):
        assert word in sentences[0]
    assert "excluded" in assert_invalid(await ask(schedule["id"], "192.168.1.9"), "ip_address")["message"]
    assert (await ask(schedule["id"], "10.0.0.1", site_id=OTHER)).status_code == 202
    assert_invalid(await ask(schedule["id"], "10.0.0.1", site_id=str(uuid4())), "site_id")


async def test_a_network_that_was_taken_away_is_refused(api, create, ask):
    schedule = await create()
    assert (await api.patch(f"/sites/{SITE}", json={"networks": ["10.0.0.0/24"]})).status_code == 200
    answer = await ask(schedule["id"], "192.168.1.10")
    said = assert_invalid(answer, "ip_address", code="subnet_out_of_scope")
    assert "no longer among the site's networks" in said["message"]
    assert (await api.get("/scans/cve")).json() == []


async def test_what_is_no_json_object(api):
    for path in (SINGLE, MULTI):
        for content, kind, code in (
            (b"{", "application/json", "malformed_json"),
            (b"[]", "application/json", "body_not_object"),
            (b"{}", "text/plain", "invalid_content_type"),
        ):
            answer = await api.post(path, content=content, headers={"Content-Type": kind})
            assert (answer.status_code, answer.json()["code"]) == (400, code)
        padded = await api.post(path, json={"x": "x" * 3_000_000})
        assert (padded.status_code, padded.json()["code"]) == (413, "body_too_large")


async def test_scopes_tokens_and_other_organisations(api, create, ask, token_of):
    schedule = await create()
    scan = (await ask(schedule["id"], "192.168.1.1")).json()["scan_id"]
    for what in ("192.168.1.1", ["192.168.1.1"]):
        for headers, code in (
            (token_of("cve:view", "cve:create"), "scope_missing"),
            ({"Authorization": ""}, "token_missing"),
        ):
            assert (await ask(schedule["id"], what, headers)).json()["code"] == code
        theirs = await ask(schedule["id"], what, token_of(organisation="globex"))
        never = await ask(str(uuid4()), what, token_of("cve:run"))
        assert theirs.status_code == never.status_code == 404
        assert theirs.json()["code"] == never.json()["code"] == "resource_missing"
        assert (await ask(schedule["id"], what, token_of("cve:run"))).status_code == 202
    assert (await api.post(f"/scans/cve/{scan}/stop", headers=token_of("cve:view"))).status_code == 403
    for path in (f"/scans/cve/{scan}/stop", f"/scans/cve/{scan}/status"):
        method = "POST" if path.endswith("stop") else "GET"
        answer = await api.request(method, path, headers=token_of(organisation="globex"))
        assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")
    assert (await api.get(f"/scans/cve/{scan}")).json()["state"] == "pending"
    # a site that two organisations name is each one's own
    elsewhere = await api.post(
        SINGLE,
        json={"schedule_id": schedule["id"], "site_id": SITE, "ip_address": "192.168.1.1"},
        headers=token_of(organisation="globex"),
    )
    assert elsewhere.status_code == 404


async def test_slashes_and_methods(api, create):
    schedule = await create()
    body = {"schedule_id": schedule["id"], "site_id": SITE, "ips": ["192.168.1.1"]}
    assert (await api.post(f"{MULTI}/", json=body)).status_code == 202
    answer = await api.get(MULTI)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


async def test_the_document_describes_them(api):
    document = (await api.get("/openapi.json")).json()
    expected = {SINGLE: ("SingleIp", "ip_address"), MULTI: ("MultiIp", "ips")}
    for path, (name, field) in expected.items():
        operation = document["paths"][path]["post"]
        assert operation["tags"] == ["Scan Execution"]
        assert set(operation["responses"]) == {"202", "400", "401", "403", "404", "413", "422", "500"}
        answer = operation["responses"]["202"]["content"]["application/json"]
        assert answer["schema"]["$ref"].endswith(f"/{name}Scan")
        content = operation["requestBody"]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith(f"/{name}Write")
        assert set(content["example"]) == {"schedule_id", "site_id", field}
        schema = document["components"]["schemas"][f"{name}Write"]
        assert set(schema["required"]) == {"schedule_id", "site_id", field}
    ips = document["components"]["schemas"]["MultiIpWrite"]["properties"]["ips"]
    assert (ips["minItems"], ips["maxItems"], ips["items"]["format"]) == (1, 1024, "ipv4")
    stop = document["paths"]["/scans/cve/{scan_id}/stop"]["post"]
    assert {"200", "404", "409"} <= set(stop["responses"])
