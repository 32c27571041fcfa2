"""The PDF's job, on a real worker: made once after the scan's end, signed, and no danger to the scan when it fails."""

import asyncio
import io
import os
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace

import pypdf
import pytest
from sqlalchemy import select, text

from netvigil.app.service import run_jobs
from netvigil.catalogue.importer import import_starter
from netvigil.reports.jobs import PDF_JOB
from netvigil.reports.models import ReportPdf


async def test_scan_leaves_a_pdf_behind_a_signed_link(api, scanned):
    scan = await scanned()
    assert scan["state"] == "completed"
    answer = await api.get(scan["pdf_url"], headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    name = f"netvigil-{scan['scan_id']}-{scan['started_at'][:10]}.pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="{name}"'
    said = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(answer.content)).pages)
    assert scan["scan_id"] in said
    assert "CVE-2011-2523" in said
    log = (await api.get(scan["log_url"], headers={"Authorization": ""})).text
    assert log.index("scan_completed") < log.index("pdf_made")


async def test_link_is_good_for_this_file_only(api, scanned):
    scan = await scanned()
    for spoilt in (
        scan["pdf_url"].replace("report.pdf", "report.json"),
        scan["json_url"].replace("report.json", "report.pdf"),
        scan["pdf_url"][:-1] + ("0" if scan["pdf_url"][-1] != "0" else "1"),
        scan["pdf_url"].split("?")[0],
    ):
        assert (await api.get(spoilt, headers={"Authorization": ""})).status_code == 403


@pytest.mark.parametrize("settings", [0.001], indirect=True)
async def test_failure_leaves_the_scan_whole_and_is_tried_again(api, database, scanned):
    scan = await scanned(word="pdf_failed")
    assert (scan["state"], scan["error"], scan["pdf_url"]) == ("completed", None, None)
    assert (await api.get(scan["json_url"], headers={"Authorization": ""})).status_code == 200
    log = (await api.get(scan["log_url"], headers={"Authorization": ""})).text
    assert "It is tried again." in log
    async with database.session() as session:
        waiting = await session.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :name AND status = 'todo'"),
            {"name": PDF_JOB},
        )
        assert waiting == 1
        assert await session.scalar(select(ReportPdf.scan_id)) is None


async def test_report_holds_what_the_paper_shows(api, scanned, network):
    first = await scanned()
    second = await scanned(greeting=b"220 (vsFTPd 3.0.5)\r\n")
    report = (await api.get(second["json_url"])).json()
    assert report["previous"]["scan_id"] == first["scan_id"]
    assert report["previous"]["numbers"]["cve_count"] == first["cve_count"]
    assert sum(report["previous"]["severities"].values()) == first["cve_count"]
    assert [run["scan_id"] for run in report["trend"]] == [first["scan_id"], second["scan_id"]]
    assert sum(report["severities"].values()) == second["cve_count"] == report["trend"][-1]["cve_count"]
    assert [host["new"] for host in report["hosts"]] == [False]
    assert report["sites"][0]["missing"] == []
    third = await scanned(alive=False)
    report = (await api.get(third["json_url"])).json()
    assert [one["ip_address"] for one in report["sites"][0]["missing"]] == [network[1]]
    assert report["hosts"] == []


@pytest.fixture
def settings(settings, request):
    """Those of every test, with another `pdf_timeout` where the test names one."""
    return replace(settings, pdf_timeout=getattr(request, "param", settings.pdf_timeout))


@pytest.fixture
def network():
    """A /30 of loopback of this test process's own, and the address of the one device in it."""
    base = f"127.83.{os.getpid() // 62 % 250}.{os.getpid() % 62 * 4}"
    return f"{base}/30", f"127.83.{os.getpid() // 62 % 250}.{os.getpid() % 62 * 4 + 1}"


@pytest.fixture
async def scanned(api, service, make_schedule, network):
    """Scans the loopback device with the same schedule and gives the report when the PDF's job has said its word."""
    await import_starter(service.database.engine)
    schedule_id = await make_schedule({"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": network[0]})

    async def scan(*, greeting=b"220 (vsFTPd 2.3.4)\r\n", alive=True, word="pdf_made"):
        async with device(network[1], greeting) if alive else nullcontext():
            started = await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
            assert started.status_code == 202, started.text
            for _ in range(600):
                report = (await api.get(f"/scans/cve/{started.json()['scan_id']}")).json()
                if word in (await api.get(report["log_url"], headers={"Authorization": ""})).text:
                    return (await api.get(f"/scans/cve/{report['id']}")).json()
                await asyncio.sleep(0.1)
            raise AssertionError(report)

    async with run_jobs(service):
        yield scan


@asynccontextmanager
async def device(address, greeting):
    async def talk(reader, writer):
        writer.write(greeting)
        while await reader.read(1024):
            writer.write(b"530 Please login with USER and PASS.\r\n")
        writer.close()

    server = await asyncio.start_server(talk, address, 2121)
    try:
        yield
    finally:
        server.close()
