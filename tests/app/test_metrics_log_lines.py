"""What the log holds of a request: who, where and how long, on each line, and no secret on any."""

import io
import json
import logging

import httpx
import pytest
import structlog

from netvigil.access.service import get_organisation_id
from netvigil.app.factory import create_app
from netvigil.log import set_up_logging
from netvigil.schedules.schemas import EXAMPLE

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ0ZXN0ZXIifQ.c2lnbmF0dXJl"


@pytest.fixture
def lines(request):
    """The service's own logging, in the form of the parameter; gives its lines."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    set_up_logging(json=getattr(request, "param", True))
    stream = io.StringIO()
    for handler in root.handlers:
        handler.setStream(stream)
    yield lambda: stream.getvalue().splitlines()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


async def test_one_access_line_a_request(lines, service, database, make_token):
    transport = httpx.ASGITransport(app=create_app(service))
    headers = {"Authorization": f"Bearer {make_token()}", "X-Request-Id": "asked-for-1"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://netvigil.test", headers=headers
    ) as client:
        made = (await client.post("/scans/cve/scheduled", json=EXAMPLE)).json()
        await client.get("/nowhere?signature=0123456789abcdef")
        await client.get("/sites", headers={"Authorization": "Bearer " + TOKEN})
        await client.get("/healthz")
    async with database.session() as session:
        organisation = str(await get_organisation_id(session, "acme"))
    said = [json.loads(line) for line in lines()]
    access = [line for line in said if line["event"] == "request"]
    assert [(one["method"], one["path"], one["status"], one.get("route")) for one in access] == [
        ("POST", "/scans/cve/scheduled", 201, "/scans/cve/scheduled"),
        ("GET", "/nowhere", 404, None),
        ("GET", "/sites", 401, "/sites"),
    ]
    assert all(one["milliseconds"] > 0 and one["request_id"] == "asked-for-1" for one in access)
    created = next(line for line in said if line.get("schedule_id") == made["id"])
    for line in (created, access[0]):
        assert (line["request_id"], line["organisation_id"], line["route"]) == (
            "asked-for-1", organisation, "/scans/cve/scheduled",
        )  # fmt: skip
    assert "organisation_id" not in access[1]  # nothing is left over from the request before
    assert "organisation_id" not in access[2]
    assert not any("signature" in line or "eyJ" in line for line in lines())


@pytest.mark.parametrize("lines", [True, False], indirect=True)
def test_secrets_are_never_written(lines):
    log = structlog.get_logger("netvigil.test")
    log.info(
        "opened", password="hunter2", router_password="hunter2", community="hunter2", token=TOKEN, kept=7
    )
    log.info("cannot reach postgresql://netvigil:hunter2@db.example/netvigil", header=f"Bearer {TOKEN}")
    logging.getLogger("some.library").warning("GET /x?signature=hunter2&expires=7 as %s", TOKEN)
    error = OSError("connection to postgresql://netvigil:hunter2@db.example failed, password=hunter2")
    log.error("it failed", exc_info=error)
    written = "\n".join(lines())
    assert "hunter2" not in written
    assert "eyJ" not in written
    assert "db.example" in written
    assert "expires=7" in written
    assert written.count("***") >= 8


def test_a_device_cannot_forge_a_line(lines):
    structlog.get_logger("netvigil.test").info(
        "seen", banner="x\n2026-01-01 level='info' event='forged'\x1b[2J"
    )
    assert len(lines()) == 1
    assert json.loads(lines()[0])["banner"].startswith("x\n2026")
