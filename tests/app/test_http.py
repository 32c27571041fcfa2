"""What holds for every request: ids, slashes, methods, sizes, and an answer whatever happens."""

import dataclasses
import re
from contextlib import asynccontextmanager

import httpx
import pytest
import structlog

from netvigil.app.errors import EXPLANATIONS
from netvigil.app.factory import create_app
from netvigil.schedules.schemas import EXAMPLE

SCHEDULES = "/scans/cve/scheduled"
NOWHERE = "9c3c1392-7f36-4240-85f2-273573c0384a"
CODES = {
    "malformed_json", "invalid_content_type", "body_not_object", "token_missing", "token_invalid", "token_expired",
    "scope_missing", "resource_missing", "route_missing", "method_not_allowed", "scan_already_running", "no_scan_running",
    "schedule_running", "body_too_large", "parameter_missing", "parameter_invalid", "site_unknown", "subnet_invalid",
    "subnet_out_of_scope", "threshold_order", "timezone_unknown", "rate_limited", "internal_error",
}  # fmt: skip


class BrokenDatabase:
    """A database whose every use fails with words that no client may read."""

    @asynccontextmanager
    async def transaction(self):
        raise RuntimeError("secret: password=hunter2 at /srv/secret/path.py")
        yield

    session = reading = transaction


class ForgetfulDatabase:
    """A database that does everything right until it is time to commit."""

    def __init__(self, real):
        self.real = real
        self.reading = real.reading
        self.failing = False

    @asynccontextmanager
    async def transaction(self):
        async with self.real.transaction() as session:
            yield session
            if self.failing:
                raise ConnectionError("secret: the server went away")


@pytest.fixture
def logged():
    """The log lines of the test, with what was bound to them."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def client_on(service, make_token):
    """A client of a service that works on another database."""

    def open_client(database):
        app = create_app(dataclasses.replace(service, database=database))
        transport = httpx.ASGITransport(app=app)  # an exception that leaves the app fails the test
        headers = {"Authorization": f"Bearer {make_token()}"}
        return httpx.AsyncClient(transport=transport, base_url="http://netvigil.test", headers=headers)

    return open_client


def assert_internal(answer):
    said = answer.json()
    assert (answer.status_code, said["type"], said["code"]) == (500, "api_error", "internal_error")
    assert set(said) == {"type", "code", "message", "doc_url", "request_id"}
    assert said["request_id"] == answer.headers["X-Request-Id"]
    assert said["doc_url"] == "http://netvigil.test/docs/errors/internal_error"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for word in ("secret", "Error", "Traceback", ".py"):
        assert word not in answer.text


async def test_an_error_nobody_foresaw_is_told_by_its_id_only(client_on, logged):
    async with client_on(BrokenDatabase()) as client:
        answer = await client.get(SCHEDULES, headers={"X-Request-Id": "asked-for-1"})
        assert_internal(answer)
        assert answer.json()["request_id"] == "asked-for-1"
        failures = [line for line in logged if line["event"] == "request failed"]
        assert [(line["request_id"], line["path"]) for line in failures] == [("asked-for-1", SCHEDULES)]
        assert isinstance(failures[0]["exc_info"], RuntimeError)
        assert_internal(await client.post(SCHEDULES, json=EXAMPLE))
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "secret" not in ready.text
        assert (await client.get("/healthz")).status_code == 200


async def test_a_commit_that_fails_is_never_answered_as_done(client_on, database, logged):
    forgetful = ForgetfulDatabase(database)
    async with client_on(forgetful) as client:
        made = (await client.post(SCHEDULES, json=EXAMPLE)).json()
        forgetful.failing = True
        assert_internal(await client.post(SCHEDULES, json=EXAMPLE))
        assert_internal(await client.delete(f"{SCHEDULES}/{made['id']}"))
        forgetful.failing = False
        assert sum(line["event"] == "request failed" for line in logged) == 2
        assert [schedule["id"] for schedule in (await client.get(SCHEDULES)).json()] == [made["id"]]


async def test_a_client_that_leaves_in_the_middle_is_no_failure(service, make_token, api, logged):
    app = create_app(service)
    coming = iter(
        [{"type": "http.request", "body": b'{"a":', "more_body": True}, {"type": "http.disconnect"}]
    )
    sent = []

    async def receive():
        return next(coming)

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", f"Bearer {make_token()}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": SCHEDULES,
        "headers": headers,
        "query_string": b"",
        "app": app,
    }
    await app(
        {**scope, "scheme": "http", "server": ("netvigil.test", 80), "http_version": "1.1"}, receive, send
    )
    assert sent == []
    assert [line["event"] for line in logged if line["log_level"] != "debug"] == []
    assert (await api.get(SCHEDULES)).json() == []


async def test_a_clients_request_id_is_taken_over_when_it_is_harmless(api):
    for given in ("abcdefgh", "A.b_c-1234", "f" * 64, "123e4567-e89b-12d3-a456-426614174000"):
        answer = await api.get("/nope", headers={"X-Request-Id": given})
        assert answer.headers["X-Request-Id"] == answer.json()["request_id"] == given
    hostile = (
        b"",
        b"short",
        b"f" * 65,
        b"a b c d e f",
        b"abcdefgh\n",
        b"abcdefgh;x=1",
        b"<script>alert",
        b"\xff\xfe" * 8,
    )
    seen = set()
    for given in hostile:
        answer = await api.get("/nope", headers={b"X-Request-Id": given})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"]), given
        seen.add(answer.json()["request_id"])
    assert len(seen) == len(hostile)


async def test_every_answer_carries_the_id_and_the_safe_headers(api):
    made = (await api.post(SCHEDULES, json=EXAMPLE)).json()
    for method, path in (
        ("GET", SCHEDULES), ("GET", "/nope"), ("PUT", "/healthz"), ("GET", "/docs"), ("GET", "/openapi.json"),
        ("DELETE", f"{SCHEDULES}/{made['id']}"),
    ):  # fmt: skip
        answer = await api.request(method, path)
        assert len(answer.headers["X-Request-Id"]) == 32
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_paths_answer_with_and_without_a_trailing_slash(api):
    made = (await api.post(f"{SCHEDULES}/", json=EXAMPLE)).json()
    one = f"{SCHEDULES}/{made['id']}"
    site = f"/sites/{made['sites'][0]['id']}"
    scan = (await api.post(f"{one}/invoke/")).json()["scan_id"]
    for path in (SCHEDULES, one, f"{one}/invoke", "/scans/cve", f"/scans/cve/{scan}", f"/scans/cve/{made['id']}/status",
                 "/sites", site, "/healthz", "/readyz", "/docs", "/docs/errors/rate_limited", "/openapi.json"):  # fmt: skip
        plain, slashed = await api.get(path), await api.get(f"{path}/")
        assert plain.status_code == slashed.status_code != 404, path
        assert not slashed.has_redirect_location
        if path not in {
            f"{one}/invoke",
            one,
            SCHEDULES,
            "/scans/cve",
            f"/scans/cve/{scan}",
        }:  # these hold times, ids
            assert plain.content == slashed.content
    assert (await api.patch(f"{one}/", json={})).status_code == 200
    assert (await api.delete(f"{one}/invoke/")).status_code == 200
    assert (await api.delete(f"{site}/")).status_code == 409


async def test_a_wrong_method_names_all_that_are_right(api):
    one = f"{SCHEDULES}/{NOWHERE}"
    allowed = {
        SCHEDULES: "GET, POST",
        f"{SCHEDULES}/": "GET, POST",
        one: "DELETE, GET, PATCH, PUT",
        f"{one}/invoke": "DELETE, GET, POST",
        "/scans/cve": "GET",
        f"/scans/cve/{NOWHERE}": "GET",
        f"/scans/cve/{NOWHERE}/status": "GET",
        "/sites": "GET, POST",
        f"/sites/{NOWHERE}": "DELETE, GET, PATCH, PUT",
        "/healthz": "GET, HEAD",
        "/openapi.json": "GET, HEAD",
        f"/downloads/scans/{NOWHERE}/report.json": "GET",
    }
    for path, methods in allowed.items():
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
            if method in methods.split(", "):
                continue
            answer = await api.request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, methods), (method, path)
            if method != "HEAD":
                said = answer.json()
                assert (said["type"], said["code"]) == ("invalid_request_error", "method_not_allowed")


async def test_head_never_starts_a_scan(api):
    made = (await api.post(SCHEDULES, json=EXAMPLE)).json()
    assert (await api.head(f"{SCHEDULES}/{made['id']}/invoke")).status_code == 405
    assert (await api.get("/scans/cve")).json() == []
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert (await api.head(path)).status_code == 200


async def test_paths_that_are_no_operation(api):
    for path in ("/", "//", "/scans", "/scans/cve/a/b/c", f"{SCHEDULES}/x/y/z", "/SCANS/cve", "/docs/x", "/%00", "/%ff%fe", "/日本",
                 "/..%2f..%2fetc/passwd", "/scans%2Fcve%2Fnone%2Fnone", "/" + "x" * 9000, "/healthz%3Fx"):  # fmt: skip
        for method in ("GET", "POST", "OPTIONS"):
            answer = await api.request(method, path)
            said = answer.json()
            assert (answer.status_code, said["type"], said["code"]) == (
                404,
                "invalid_request_error",
                "route_missing",
            ), path


async def test_ids_that_cannot_be_ids_do_not_exist(api):
    strange = ["x", "%00", "%FF%FE", "日本語", "%F0%9F%98%80", "%2E%2E", "%7B%7D", "'%20OR%201=1--", "x" * 5000, "%0A", "%25s",
               "%00" * 11, "%C3%9F" * 11, "urn:9c3c13927f36424085f2273573c0384a", "{{9c3c13927f36424085f2273573c0384a}}",
               f"{NOWHERE}%0A", "9c3c13927f36424085f2273573c0384a"]  # fmt: skip
    for name in strange:
        for path in (f"{SCHEDULES}/{name}", f"{SCHEDULES}/{name}/invoke", f"/scans/cve/{name}", f"/scans/cve/{name}/status", f"/sites/{name}"):  # fmt: skip
            answer = await api.get(path)
            assert (answer.status_code, answer.json()["code"]) in {
                (404, "resource_missing"),
                (404, "route_missing"),
            }
            assert len(answer.content) < 1000


async def test_bodies_too_large(api, settings):
    limit = settings.max_body_bytes
    media = {"Content-Type": "application/json"}

    async def chunks():
        for _ in range(limit // 65536 + 2):
            yield b" " * 65536

    for content in (b" " * (limit + 1), chunks()):
        answer = await api.post(SCHEDULES, content=content, headers=media)
        said = answer.json()
        assert (answer.status_code, said["type"], said["code"]) == (
            413,
            "invalid_request_error",
            "body_too_large",
        )
        assert str(limit) in said["message"]
    just = await api.post(SCHEDULES, content=b" " * limit, headers=media)
    assert (just.status_code, just.json()["code"]) == (400, "malformed_json")


async def test_content_types(api):
    body = b'{"day_of_week": 1}'
    for media in (
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.api+json",
    ):
        assert (await api.post(SCHEDULES, content=body, headers={"Content-Type": media})).status_code == 422
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "json", "application/jsonx", ";"):  # fmt: skip
        answer = await api.post(SCHEDULES, content=body, headers={"Content-Type": media})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_content_type"), media


async def test_hostile_host_headers_do_not_reach_the_links(api):
    for host in ("[", "a b", "evil.test/x?y", "user@evil.test", "", "x" * 5000, "a:b:c", "\\evil"):
        answer = await api.get("/nope", headers={"Host": host})
        assert answer.status_code == 404
        assert "evil" not in answer.json()["doc_url"]


async def test_every_code_of_the_contract_has_its_page(api):
    assert set(EXPLANATIONS) >= CODES
    for code in EXPLANATIONS:
        answer = await api.get(f"/docs/errors/{code}", headers={"Authorization": ""})
        assert answer.status_code == 200
        assert code in answer.text
    for code in ("nope", "%3Cscript%3E", "x" * 3000):
        assert (await api.get(f"/docs/errors/{code}")).json()["code"] == "resource_missing"


async def test_links_take_the_public_address_when_one_is_set(service, make_token, settings):
    public = dataclasses.replace(settings, public_url="https://scan.example/base/")
    app = create_app(dataclasses.replace(service, settings=public))
    headers = {"Authorization": f"Bearer {make_token()}", "Host": "evil.test"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://x", headers=headers
    ) as client:
        for _ in range(2):
            await client.post(SCHEDULES, json=EXAMPLE)
        answer = await client.get(f"{SCHEDULES}?limit=1")
        assert answer.headers["Link"].startswith(f"<https://scan.example/base{SCHEDULES}?limit=1&cursor=")
        assert (await client.get("/x")).json()[
            "doc_url"
        ] == "https://scan.example/base/docs/errors/route_missing"
