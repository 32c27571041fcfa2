"""Errors have the contract's form, whoever raises them."""

import pytest


@pytest.mark.parametrize(
    ("body", "media", "code"),
    [
        (b"{", "application/json", "malformed_json"),
        (b"", "application/json", "malformed_json"),
        (b'{"a": NaN}', "application/json", "malformed_json"),
        (b'"\xff"', "application/json", "malformed_json"),
        (b"[]", "application/json", "body_not_object"),
        (b"{}", "text/plain", "invalid_content_type"),
        (b"{}", "", "invalid_content_type"),
    ],
)
async def test_body_that_is_no_json_object(api, body, media, code):
    answer = await api.post("/scans/cve/scheduled", content=body, headers={"Content-Type": media})
    assert answer.status_code == 400
    said = answer.json()
    assert (said["type"], said["code"]) == ("invalid_request_error", code)
    assert said["doc_url"] == f"http://netvigil.test/docs/errors/{code}"
    assert said["request_id"] == answer.headers["X-Request-Id"]


async def test_every_code_has_a_page(api):
    answer = await api.get("/docs/errors/subnet_out_of_scope")
    assert answer.status_code == 200
    assert "subnet_out_of_scope" in answer.text
    assert (await api.get("/docs/errors/<script>")).status_code == 404
