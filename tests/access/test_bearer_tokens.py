"""Tokens at the door: what is let in, and what each that is not is told."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from netvigil.schedules.schemas import EXAMPLE

SCHEDULES = "/scans/cve/scheduled"


def b64(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.fixture
def claims(settings):
    now = int(time.time())
    return {
        "sub": "tester",
        "org_id": "acme",
        "scopes": ["cve:view"],
        "iss": settings.token_issuer,
        "aud": settings.token_audience,
        "iat": now,
        "exp": now + 600,
        "jti": "j-1",
    }


@pytest.fixture
def signed(service):
    def sign(claims, key=None, alg="EdDSA", **header):
        signing = key or service.keys.signing
        return jws.serialize_compact({"alg": alg, **header}, json.dumps(claims), signing, algorithms=[alg])

    return sign


@pytest.fixture
def get(api):
    async def run(header, path=SCHEDULES):
        headers = {"Authorization": header if isinstance(header, bytes) else header.encode()}
        return await api.get(path, headers=headers)

    return run


def assert_refused(answer, code):
    said = answer.json()
    assert (answer.status_code, said["type"], said["code"]) == (401, "authentication_error", code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert said["doc_url"] == f"http://netvigil.test/docs/errors/{code}"
    assert "errors" not in said


async def test_a_good_token_is_let_in_however_the_header_is_written(get, signed, claims):
    token = signed(claims)
    for header in (f"Bearer {token}", f"bearer {token}", f"BEARER  {token} "):
        assert (await get(header)).status_code == 200
    for extra in (
        {"aud": ["other", claims["aud"]]},
        {"exp": time.time() + 9.5},
        {"role": None},
        {"nbf": claims["iat"]},
    ):
        assert (await get(f"Bearer {signed({**claims, **extra})}")).status_code == 200


async def test_a_missing_token(api, get, signed, claims):
    for header in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer   ",
        "Basic dXNlcjpwYXNz",
        signed(claims),
        f"Token {signed(claims)}",
    ):
        assert_refused(await get(header), "token_missing")
    in_query = await api.get(
        SCHEDULES, params={"access_token": signed(claims)}, headers={"Authorization": ""}
    )
    assert_refused(in_query, "token_missing")


async def test_a_malformed_token(get, signed, claims):
    header, payload, signature = signed(claims).split(".")
    heads = [
        b'{"a":' * 20000 + b"1" + b"}" * 20000, b"[" * 30000, [], "x", 1, None, {}, {"alg": None}, {"alg": ["EdDSA"]},
        {"alg": "EdDSA", "crit": ["x"]}, {"alg": "EdDSA", "b64": False, "crit": ["b64"]}, {"alg": "dir", "enc": "A128GCM"},
        b"\xff\xfe", b'{"alg":' + b"9" * 5000 + b"}",
    ]  # fmt: skip
    bad = [f"{b64(head)}.{payload}.{signature}" for head in heads]
    bad += [
        "x",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "a.b.c.d.e",
        "$.$.$",
        "x" * 30000,
        "a b c",
        "\x7f",
    ]
    bad += [
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f"{header}.{payload}.{signature}=x",
    ]
    for token in bad:
        assert_refused(await get(f"Bearer {token}"), "token_invalid")
    assert_refused(await get(b"Bearer \xff\xfe.\xc3\xa9.x"), "token_invalid")


async def test_a_wrong_signature(get, service, signed, claims):
    header, payload, signature = signed(claims).split(".")
    bits = bytearray(base64.urlsafe_b64decode(signature + "=="))
    bits[5] ^= 1
    other = OKPKey.generate_key("Ed25519", private=True)
    more = b64({**claims, "scopes": ["*"]})
    public = service.keys.signing.as_dict(private=False)
    none = [
        f"{b64({'alg': alg})}.{payload}.{end}"
        for alg in ("none", "None", "NONE", "")
        for end in ("", signature)
    ]
    # an HMAC whose key is the public key, in every form that someone could take it for
    forms = [json.dumps(public).encode(), public["x"].encode(), base64.urlsafe_b64decode(public["x"] + "=")]
    forms += [service.keys.signing.as_pem(private=False), service.keys.signing.as_der(private=False), b""]
    confused = []
    for key in forms:
        start = f"{b64({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
        confused.append(f"{start}.{b64(hmac.new(key, start.encode(), hashlib.sha256).digest())}")
    brought = signed(claims, key=other, jwk=other.as_dict(private=False))
    wrong = [
        f"{header}.{payload}.{b64(bytes(bits))}",
        f"{header}.{more}.{signature}",
        signed(claims, key=other),
        brought,
    ]
    for token in [*wrong, *none, *confused]:
        assert_refused(await get(f"Bearer {token}"), "token_invalid")


async def test_time(get, signed, claims):
    now = time.time()
    for exp in (now - 31, now - 86400, 0, -1):
        assert_refused(await get(f"Bearer {signed({**claims, 'exp': exp})}"), "token_expired")
    assert (
        await get(f"Bearer {signed({**claims, 'exp': int(now) - 10})}")
    ).status_code == 200  # clocks differ a little
    for wrong in ({"exp": "soon"}, {"exp": None}, {"exp": [1]}, {"nbf": now + 600}, {"iat": now + 600}):
        assert_refused(await get(f"Bearer {signed({**claims, **wrong})}"), "token_invalid")
    expired_and_forged = signed({**claims, "exp": 1}, key=OKPKey.generate_key("Ed25519", private=True))
    assert_refused(await get(f"Bearer {expired_and_forged}"), "token_invalid")


async def test_every_claim_is_needed_and_must_be_ours(get, signed, claims):
    for name in ("sub", "org_id", "iss", "aud", "exp", "jti"):
        without = {key: value for key, value in claims.items() if key != name}
        assert_refused(await get(f"Bearer {signed(without)}"), "token_invalid")
    wrong = {
        "iss": ["other", "", 1, None, "netvigil "],
        "aud": ["other", [], ["other"], 1, None],
        "org_id": ["", None, 1, ["acme"], {"a": 1}, "x" * 201, "a\0b", "\ud800", "a\nb"],
        "sub": [None, 1, []],
        "jti": [None, 1],
    }
    for name, values in wrong.items():
        for value in values:
            answer = await get(f"Bearer {signed({**claims, name: value})}")
            assert_refused(answer, "token_invalid")
    for no_object in ([1], "x", 1, None, {}):
        assert_refused(await get(f"Bearer {signed(no_object)}"), "token_invalid")


async def test_scopes_as_array_string_or_permissions(get, signed, claims):
    del claims["scopes"]
    for good in (
        {"scopes": ["cve:view"]},
        {"scopes": "sites:view cve:view"},
        {"scopes": "cve:view"},
        {"scopes": ["*"]},
        {"scopes": "*"},
        {"permissions": ["cve:view"]},
        {"permissions": "a  cve:view"},
        {"scopes": [], "permissions": ["cve:view"]},
        {"scopes": [1, None, ["cve:view"], "cve:view"]},
    ):
        assert (await get(f"Bearer {signed({**claims, **good})}")).status_code == 200, good
    for bad in (
        {},
        {"scopes": []},
        {"scopes": None},
        {"scopes": "cve:viewer"},
        {"scopes": "CVE:VIEW"},
        {"scopes": {"cve:view": 1}},
        {"scopes": ["cve:*", "cve", "**", "sites:view cve:view"]},
        {"scope": "cve:view"},
    ):
        answer = await get(f"Bearer {signed({**claims, **bad})}")
        said = answer.json()
        assert (answer.status_code, said["type"], said["code"]) == (
            403,
            "permission_error",
            "scope_missing",
        ), bad
        assert "'cve:view'" in said["message"]


async def test_first_who_then_what_then_whether_it_exists_or_is_well_formed(api, make_token):
    nowhere = f"{SCHEDULES}/9c3c1392-7f36-4240-85f2-273573c0384a"
    weak = {"Authorization": f"Bearer {make_token('sites:view')}"}
    for method, path, content in (
        ("POST", SCHEDULES, b"{"),
        ("POST", SCHEDULES, b"x" * 3_000_000),
        ("POST", SCHEDULES, json.dumps({**EXAMPLE, "day_of_week": 9}).encode()),
        ("GET", f"{SCHEDULES}?limit=x", b""),
        ("GET", nowhere, b""),
        ("PATCH", nowhere, b"["),
        ("DELETE", f"{SCHEDULES}/x", b""),
        ("POST", f"{SCHEDULES}/x/invoke", b""),
        ("GET", "/scans/cve?state=x", b""),
        ("GET", "/scans/cve/x", b""),
    ):
        nobody = await api.request(method, path, content=content, headers={"Authorization": ""})
        assert_refused(nobody, "token_missing")
        answer = await api.request(method, path, content=content, headers=weak)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), (method, path)


async def test_tokens_of_the_service_hold_what_the_contract_names(service, make_token):
    payload = make_token("cve:view", "cve:run", organisation="Ärzte & Söhne").split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert set(said) == {"sub", "org_id", "scopes", "exp", "iss", "aud", "jti", "iat"}
    assert said["scopes"] == ["cve:run", "cve:view"]
    assert 3590 < said["exp"] - datetime.now(UTC).timestamp() <= 3600
    assert service.authority.verify(make_token(organisation="Ärzte & Söhne")).organisation == "Ärzte & Söhne"
    assert len({make_token() for _ in range(20)}) == 20
