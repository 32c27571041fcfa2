"""Signing in and out, and who may see what."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from netvigil.access.secrets import SecretBox
from netvigil.web.codes import make_link
from netvigil.web.models import SignInCode
from netvigil.web.session import SESSION

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


async def make_code(service, token):
    async with service.database.transaction() as session:
        link = await make_link(session, SecretBox.of(service.settings), "http://netvigil.test", token)
    return link.removeprefix("http://netvigil.test/sign-in?code=")


async def test_page_asked_for_comes_after_signing_in(visitor, make_token):
    answer = await visitor.get("/scans?state=failed")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fscans%3Fstate%3Dfailed"
    form = (await visitor.get(answer.headers["location"])).text
    assert 'name="next" value="/scans?state=failed"' in form
    answer = await visitor.sign_in(make_token(), next="/scans?state=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/scans?state=failed")
    assert (await visitor.get("/scans?state=failed")).status_code == 200


@pytest.mark.parametrize(
    "evil", ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:1", "", "/sign-out", "/a\r\nb"]
)
async def test_signing_in_leads_nowhere_else(visitor, make_token, evil):
    answer = await visitor.sign_in(make_token(), next=evil)
    assert answer.headers["location"] == "/"


async def test_cookie_holds_no_readable_token(visiting, make_token):
    token = make_token()
    async with visiting("https://netvigil.test") as visitor:
        cookie = (await visitor.sign_in(token)).headers.get_list("set-cookie")[0]
    name, _, value = cookie.partition("=")
    assert name == SESSION
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert token.encode() not in base64.urlsafe_b64decode(value.partition(";")[0])
    assert token not in cookie


async def test_cookie_is_not_for_https_only_where_there_is_none(visitor, make_token):
    assert "Secure" not in (await visitor.sign_in(make_token())).headers["set-cookie"]


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "x" * 20_000, "Bearer "])
async def test_wrong_token_is_explained(visitor, token):
    answer = await visitor.sign_in(token)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert SESSION not in visitor.client.cookies


async def test_expired_session_leads_back_to_the_page(visitor, make_token, service):
    await visitor.sign_in(make_token())
    stale = make_token(ttl=-100)
    sealed = SecretBox.of(service.settings).seal(stale, "console session")
    visitor.client.cookies.set(SESSION, base64.urlsafe_b64encode(sealed).decode(), domain="netvigil.test")
    answer = await visitor.get("/devices")
    assert answer.headers["location"] == "/sign-in?next=%2Fdevices&why=expired"
    assert "Your session has ended" in (await visitor.get(answer.headers["location"])).text


@pytest.mark.parametrize("cookie", ["x", "AAAA", "%00", "-_-_", base64.b64encode(b"\x01" * 90).decode()])
async def test_forged_cookie_is_nobodys(visitor, cookie):
    visitor.client.cookies.set(SESSION, cookie, domain="netvigil.test")
    assert (await visitor.get("/")).headers["location"].startswith("/sign-in")


async def test_sealed_for_something_else_is_no_session(visitor, service, make_token):
    sealed = SecretBox.of(service.settings).seal(make_token(), "another label")
    visitor.client.cookies.set(SESSION, base64.urlsafe_b64encode(sealed).decode(), domain="netvigil.test")
    assert (await visitor.get("/")).status_code == 303


async def test_signed_out_is_signed_out(viewer):
    answer = await viewer.post("/sign-out")
    assert answer.headers["location"] == "/sign-in?why=out"
    assert (await viewer.get("/scans")).status_code == 303


@pytest.mark.parametrize("path", ["/sign-out", "/theme", "/scans/ABC-DEF-GHJ/stop"])
async def test_form_without_the_pages_proof_does_nothing(viewer, path):
    for proof in ("", "0" * 64, "é", await viewer.proof("/sign-in")):
        answer = await viewer.post(path, proof=proof, theme="dark")
        assert answer.status_code == 403
        assert "another session" in answer.text
    assert (await viewer.get("/scans")).status_code == 200


async def test_form_from_another_site_does_nothing(viewer):
    answer = await viewer.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await viewer.get("/scans")).status_code == 200


async def test_nobody_is_signed_in_by_a_foreign_form(visitor, make_token):
    """Somebody else's token must not be put into a browser whose owner did not ask for it."""
    answer = await visitor.client.post("/sign-in", data={"token": make_token()})
    assert answer.status_code == 403
    assert SESSION not in visitor.client.cookies


async def test_link_signs_in_once(visiting, service, make_token):
    code = await make_code(service, make_token(organisation="linked"))
    async with visiting() as first, visiting() as second:
        page = await first.get(f"/sign-in?code={code}")  # looking at it, as previews do, uses it up not
        assert "Sign in with this link" in page.text
        assert (await first.post("/sign-in", on="/sign-in", code=code)).status_code == 303
        assert "linked" in (await first.get("/scans")).text
        answer = await second.post("/sign-in", on="/sign-in", code=code)
        assert answer.status_code == 401
        assert "has been used or is older than ten minutes" in answer.text


async def test_link_ends_after_ten_minutes(visitor, service, make_token):
    code = await make_code(service, make_token())
    async with service.database.transaction() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(update(SignInCode).values(expires_at=past))
    assert (await visitor.post("/sign-in", on="/sign-in", code=code)).status_code == 401


async def test_database_holds_neither_code_nor_token(service, make_token):
    token = make_token()
    code = await make_code(service, token)
    async with service.database.reading() as session:
        [row] = await session.scalars(select(SignInCode))
    assert timedelta(minutes=9) < row.expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    assert code.encode() not in row.digest + row.token
    assert token.encode() not in row.token


async def test_page_says_which_scope_is_missing(visiting, make_token):
    async with visiting() as visitor:
        await visitor.sign_in(make_token("sites:view"))
        answer = await visitor.get("/scans")
        assert answer.status_code == 403
        assert "cve:view" in answer.text
        assert "Sign out" in answer.text


async def test_overview_says_that_sites_are_hidden(visiting, make_token):
    async with visiting() as visitor:
        await visitor.sign_in(make_token("cve:view"))
        assert "<code>sites:view</code>" in (await visitor.get("/")).text


async def test_link_on_another_site_finds_the_session(viewer, visiting):
    """A strict cookie stays at home when another site links here; the page then asks again by itself."""
    async with visiting() as elsewhere:
        answer = await elsewhere.get("/scans", **{"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, answer.headers.get("location")) == (200, None)
        assert 'http-equiv="refresh" content="0"' in answer.text
        again = await elsewhere.get("/scans", **{"Sec-Fetch-Site": "same-origin"})
        assert again.headers["location"] == "/sign-in?next=%2Fscans"
    assert (await viewer.get("/scans", **{"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_every_page_has_the_policy(viewer):
    for path in ("/", "/scans", "/devices", "/nowhere", "/sign-in"):
        answer = await viewer.get(path)
        assert answer.headers["Content-Security-Policy"] == CSP
        assert answer.headers["Cache-Control"] == "no-store"
        assert "style=" not in answer.text
        assert "<style" not in answer.text


async def test_theme_is_kept(viewer):
    answer = await viewer.post("/theme", theme="dark", next="/devices")
    assert answer.headers["location"] == "/devices"
    assert '<html lang="en" data-theme="dark">' in (await viewer.get("/devices")).text
    assert (await viewer.post("/theme", theme="<script>")).status_code == 403


async def test_programs_get_the_api(viewer, make_token):
    """The same address may be a page and an operation: a token in the header, or no word of HTML, asks for the API."""
    token = {"Authorization": f"Bearer {make_token()}"}
    assert (await viewer.get("/sites", **token)).json() == []
    answer = await viewer.get("/scans", Accept="*/*")
    assert json.loads(answer.text)["code"] == "route_missing"
    assert (await viewer.get("/healthz")).headers["content-type"] == "application/json"


async def test_unknown_address_is_a_page(viewer):
    answer = await viewer.get("/no/such/page")
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


async def test_assets_are_kept_for_good_when_named_by_content(visitor):
    page = (await visitor.get("/sign-in")).text
    address = page.split('rel="stylesheet" href="')[1].partition('"')[0]
    answer = await visitor.get(address)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert (await visitor.get(address.partition("?")[0])).headers["Cache-Control"] == "no-cache"
    again = await visitor.get(address, **{"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert (await visitor.get("/static/../session.py")).status_code == 404
