"""Another organisation's things look exactly like things that never existed, on every route that takes an id."""

import re
from uuid import uuid4

import pytest

SCHEDULES = "/scans/cve/scheduled"
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"

# (method, path, the kind of id in it, scope); every operation that takes an id
ROUTES = [
    ("GET", SCHEDULES + "/{}", "schedule", "cve:view"),
    ("PUT", SCHEDULES + "/{}", "schedule", "cve:update"),
    ("PATCH", SCHEDULES + "/{}", "schedule", "cve:update"),
    ("DELETE", SCHEDULES + "/{}", "schedule", "cve:delete"),
    ("POST", SCHEDULES + "/{}/invoke", "schedule", "cve:run"),
    ("GET", SCHEDULES + "/{}/invoke", "schedule", "cve:run"),
    ("DELETE", SCHEDULES + "/{}/invoke", "schedule", "cve:run"),
    ("GET", "/scans/cve/{}/status", "schedule", "cve:view"),
    ("GET", "/scans/cve/{}", "scan", "cve:view"),
    ("GET", "/scans/cve/{}", "human", "cve:view"),
    ("GET", "/scans/cve/{}/hosts", "scan", "cve:view"),
    ("GET", "/scans/cve/{}/findings", "human", "cve:view"),
    ("GET", "/scans/cve/{}/diff", "scan", "cve:view"),
    ("GET", "/scans/cve/{}/exports", "human", "cve:view"),
    ("GET", "/scans/cve/{}/events", "scan", "cve:view"),
    ("POST", "/scans/cve/{}/stop", "scan", "cve:run"),
    ("GET", "/sites/{}", "site", "sites:view"),
    ("PUT", "/sites/{}", "site", "sites:manage"),
    ("PATCH", "/sites/{}", "site", "sites:manage"),
    ("DELETE", "/sites/{}", "site", "sites:manage"),
    ("GET", "/notifications/{}", "group", "notifications:view"),
    ("PUT", "/notifications/{}", "group", "notifications:manage"),
    ("PATCH", "/notifications/{}", "group", "notifications:manage"),
    ("DELETE", "/notifications/{}", "group", "notifications:manage"),
    ("POST", "/notifications/{}/secret", "group", "notifications:manage"),
    ("POST", "/notifications/{}/test", "group", "notifications:manage"),
    ("GET", "/notifications/{}/deliveries", "group", "notifications:view"),
]
LISTS = [
    ("GET", SCHEDULES, "cve:view"),
    ("POST", SCHEDULES, "cve:create"),
    ("GET", "/scans/cve", "cve:view"),
    ("GET", "/sites", "sites:view"),
    ("POST", "/sites", "sites:manage"),
    ("GET", "/notifications", "notifications:view"),
    ("POST", "/notifications", "notifications:manage"),
]
EVERY_SCOPE = {scope for *_, scope in ROUTES + LISTS}


@pytest.fixture
async def owned(api, create):
    """Ids of acme's things by kind, with a scan under way."""
    schedule = await create()
    scan = (await api.post(f"{SCHEDULES}/{schedule['id']}/invoke")).json()["scan_id"]
    human = (await api.get(f"/scans/cve/{scan}")).json()["scan_id"]
    group = (await api.post("/notifications", json={"key": "security-alerts"})).json()["id"]
    return {"schedule": schedule["id"], "scan": scan, "human": human, "site": SITE, "group": group}


@pytest.fixture
def body_for(published_example):
    def choose(path):
        if path.startswith("/notifications"):
            return {"key": "x"}
        return {"name": "x", "networks": ["10.0.0.0/8"]} if path.startswith("/sites") else published_example

    return choose


def without(answer, *texts):
    """The answer's body and headers with its ids taken out."""
    body = answer.text
    for text in (*texts, answer.headers["X-Request-Id"]):
        body = body.replace(text, "…")
    return body, {k: v for k, v in answer.headers.items() if k not in {"x-request-id", "content-length"}}


# a CVE belongs to nobody; that the answer names the caller's devices only is test_mitigation's matter
PUBLIC = {("GET", "/scans/cve/mitigation/{}")}


async def test_every_route_that_takes_an_id_is_listed_here(api):
    paths = (await api.get("/openapi.json")).json()["paths"]
    known = {(method, re.sub(r"\{.*?\}", "{}", path)) for method, path, *_ in ROUTES}
    with_id = {
        (method.upper(), re.sub(r"\{.*?\}", "{}", path))
        for path, methods in paths.items()
        for method in methods
        if "{" in path and not path.startswith(("/downloads/", "/schemas/"))
    }
    assert with_id - PUBLIC == known


async def test_what_belongs_to_others_does_not_exist(api, owned, body_for, token_of):
    other = token_of(organisation="globex")
    for method, path, kind, _ in ROUTES:
        theirs = owned[kind]
        never = "BCD-FGH-JKL" if kind == "human" else str(uuid4())
        taken, absent = [
            await api.request(
                method, path.format(name), headers=other, json=body_for(path) if method[0] == "P" else None
            )
            for name in (theirs, never)
        ]
        assert (taken.status_code, taken.json()["code"]) == (404, "resource_missing"), (method, path)
        assert without(taken, theirs) == without(absent, never), (method, path)


async def test_a_look_from_outside_changes_nothing(api, owned, body_for, token_of):
    before = [(await api.get(path)).json() for path in (f"{SCHEDULES}/{owned['schedule']}", f"/sites/{SITE}")]
    for method, path, kind, _ in ROUTES:
        json = body_for(path) if method[0] == "P" else None
        await api.request(
            method, path.format(owned[kind]), headers=token_of(organisation="globex"), json=json
        )
    after = [(await api.get(path)).json() for path in (f"{SCHEDULES}/{owned['schedule']}", f"/sites/{SITE}")]
    assert after == before
    assert (await api.get(f"/scans/cve/{owned['scan']}")).json()["state"] == "pending"


async def test_lists_hold_the_organisations_own_only(api, owned, token_of):
    other = token_of(organisation="globex")
    for path in (SCHEDULES, "/sites", "/scans/cve"):
        assert len((await api.get(path)).json()) == 1
        assert (await api.get(path, headers=other)).json() == []
        assert "Link" not in (await api.get(f"{path}?limit=1", headers=other)).headers
    for name in ("schedule", "site"):
        filtered = await api.get("/scans/cve", params={f"{name}_id": owned[name]}, headers=other)
        assert filtered.json() == []


async def test_each_operation_needs_its_scope_and_no_other(api, owned, body_for, token_of):
    # ids of another organisation: with the scope it ends in 404, so that nothing is changed
    for method, path, scope in [*((m, p.format(owned[k]), s) for m, p, k, s in ROUTES), *LISTS]:
        json = body_for(path) if method[0] == "P" else None
        answer = await api.request(
            method, path, headers=token_of(*(EVERY_SCOPE - {scope}), organisation="o"), json=json
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), (method, path)
        assert f"'{scope}'" in answer.json()["message"]
        answer = await api.request(method, path, headers=token_of(scope, organisation="o"), json=json)
        assert answer.status_code in {200, 201, 404}, (method, path)


async def test_no_operation_below_the_api_is_open(api, owned):
    paths = (await api.get("/openapi.json", headers={"Authorization": ""})).json()["paths"]
    for path, methods in paths.items():
        if not path.startswith(("/scans", "/sites", "/notifications")):
            continue
        for method in methods:
            url = re.sub(r"\{.*?\}", owned["schedule"], path)
            answer = await api.request(method.upper(), url, headers={"Authorization": ""})
            assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), (method, path)
