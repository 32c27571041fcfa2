"""`netvigil quickstart`: the whole path once, through the HTTP API, on the built-in lab."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from netvigil.access.scopes import ALL
from netvigil.access.secrets import SecretBox
from netvigil.app.factory import create_app
from netvigil.app.server import bind, serve_until, stop_on_signals
from netvigil.app.service import open_service, run_jobs
from netvigil.cli.common import err, out, run, settings_from
from netvigil.cli.lab import lab_table
from netvigil.cli.serve import in_url
from netvigil.cli.tables import FindingRow, findings_table
from netvigil.cli.token import UNITS
from netvigil.errors import EnvironmentFault, NetvigilError
from netvigil.lab.service import Lab
from netvigil.log import set_up_logging
from netvigil.web.codes import make_link

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from pathlib import Path

    from netvigil.app.service import Service

ORGANISATION = "quickstart"
SITE_ID = UUID("6c616200-0000-4000-8000-000000000001")
DESCRIPTION = "Built-in lab"
LAB_NETWORKS = ("127.77.0.0/28", "127.77.0.16/28", "127.77.0.32/28", "127.77.0.48/28")
PATIENCE_SECONDS = 600
PDF_PATIENCE_SECONDS = 20
FINAL = {"completed", "failed", "stopped"}


def run_quickstart(host: str, port: int, data_dir: Path | None, *, leave: bool) -> None:
    """Serve, scan the lab, show what was found; then serve on until Ctrl-C unless `leave`."""

    async def work() -> None:
        settings = settings_from(data_dir, quiet=True)
        # what the service thinks of an interrupted scan is for its operator, not for a first look
        set_up_logging(json=settings.log_json, level=logging.ERROR)
        stop = stop_on_signals()
        listener = _bind_somewhere(host, port)
        base = f"http://{in_url(host)}:{listener.getsockname()[1]}"
        with listener:
            err.print(f"Starting the service on {base}, with its data in {settings.data_dir} ...")
            async with (
                open_service(settings, "netvigil quickstart") as service,
                run_jobs(service, sync_feeds=False),
            ):
                server = asyncio.create_task(serve_until(create_app(service), listener, stop))
                try:
                    await _until(stop, _show(service, base, leave=leave))
                    if leave:
                        stop.set()
                    await server
                finally:
                    stop.set()
                    await asyncio.gather(server, return_exceptions=True)

    run(work)


async def _show(service: Service, base: str, *, leave: bool) -> None:
    token = service.authority.issue(
        organisation=ORGANISATION, scopes=[ALL], subject="quickstart", ttl=7 * UNITS["d"]
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        _free_lab() as lab,
        httpx.AsyncClient(base_url=base, headers=headers, timeout=30, trust_env=False) as api,
    ):
        truth = lab.truth()
        err.print(lab_table(truth))
        schedule = await _schedule(api, str(truth["subnet"]))
        scan_id = await _start(api, schedule)
        await _watch(api, schedule)
        report = await _report_of(api, scan_id)
        content = await _call(api, "GET", report["json_url"])
        _print_report(report, content)
        async with service.database.transaction() as session:
            link = await make_link(session, SecretBox.of(service.settings), base, token)
        _print_addresses(base, token, schedule, report, link)
        if report["state"] != "completed":
            raise EnvironmentFault(f"The scan ended {report['state']}. {report['error'] or ''}".strip())
        if not leave:
            err.print("The service and the lab go on. Ctrl-C ends both.")
            await asyncio.Event().wait()


@asynccontextmanager
async def _free_lab() -> AsyncIterator[Lab]:
    """The lab in the first of its networks that no other user of this computer has."""
    async with AsyncExitStack() as stack:
        for subnet in LAB_NETWORKS:
            try:
                lab = await stack.enter_async_context(Lab.start(subnet))
            except EnvironmentFault:
                if subnet == LAB_NETWORKS[-1]:
                    raise
            else:
                break
        yield lab


async def _schedule(api: httpx.AsyncClient, subnet: str) -> str:
    """The quickstart's schedule, made on the first run and used again on later ones."""
    site = {"id": str(SITE_ID), "name": DESCRIPTION, "networks": [subnet]}
    known = {one["id"] for one in await _call(api, "GET", "/sites")}
    method, path = ("PUT", f"/sites/{SITE_ID}") if str(SITE_ID) in known else ("POST", "/sites")
    await _call(api, method, path, site)
    for schedule in await _call(api, "GET", "/scans/cve/scheduled"):
        if schedule["description"] == DESCRIPTION:
            path = f"/scans/cve/scheduled/{schedule['id']}"
            if schedule["sites"][0]["subnet"] != subnet:
                await _call(api, "PATCH", path, {"sites": [{"id": str(SITE_ID), "subnet": subnet}]})
            return str(schedule["id"])
    wanted = {
        "description": DESCRIPTION,
        "day_of_week": 1,
        "time_of_day": "02:00",
        "every_n_weeks": 2,
        "timezone": "UTC",
        "min_cvss": 4,
        "warning_threshold": 7,
        "notification_group": "quickstart",
        "sites": [{"id": str(SITE_ID), "subnet": subnet}],
    }
    return str((await _call(api, "POST", "/scans/cve/scheduled", wanted))["id"])


async def _start(api: httpx.AsyncClient, schedule: str) -> str:
    """The id of a new scan; of the one that goes on when the last quickstart was ended in the middle of it."""
    answer = await api.post(f"/scans/cve/scheduled/{schedule}/invoke")
    if answer.status_code != httpx.codes.CONFLICT or answer.json()["code"] != "scan_already_running":
        return str(_content(answer)["scan_id"])
    err.print("The last scan was interrupted; it goes on where it was.")
    return str((await _call(api, "GET", f"/scans/cve/{schedule}/status"))["id"])


async def _watch(api: httpx.AsyncClient, schedule: str) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("The scan waits for a worker.", total=100)
        for _ in range(PATIENCE_SECONDS * 4):
            status = await _call(api, "GET", f"/scans/cve/{schedule}/status")
            bar.update(task, description=status["message"], completed=status["percentage_done"])
            if status["status"] in FINAL:
                return
            await asyncio.sleep(0.25)
    raise EnvironmentFault("The scan did not end within ten minutes; see the log of the service.")


async def _report_of(api: httpx.AsyncClient, scan_id: str) -> dict[str, Any]:
    """The report, with its PDF unless that takes long: it is made after the scan has ended."""
    report: dict[str, Any] = {}
    for _ in range(PDF_PATIENCE_SECONDS * 4):
        report = await _call(api, "GET", f"/scans/cve/{scan_id}")
        if report["pdf_url"] is not None:
            break
        await asyncio.sleep(0.25)
    return report


def _print_report(report: dict[str, Any], content: dict[str, Any]) -> None:
    rows = [
        FindingRow(
            one["cve_id"],
            one["score"],
            one["severity"],
            one["host"]["ip_address"],
            one["service"]["port"] if one["service"] else None,
            one["confidence"],
            one["evidence"]["seen"],
            one["evidence"]["range"],
        )
        for one in content["findings"]
    ]
    out.print(findings_table(rows, out.width))
    out.print(
        f"Scan {report['scan_id']}: {report['state']} in {report['runtime']}. {report['hosts_scanned']} hosts, "
        f"{report['open_ports']} open ports, {report['cve_count']} findings of {report['unique_cves']} CVEs, "
        f"{report['warning_count']} at or above the warning threshold."
    )
    for warning in content["warnings"]:
        out.print(f"Note: {warning}")


def _print_addresses(base: str, token: str, schedule: str, report: dict[str, Any], link: str) -> None:
    out.print()
    out.print(f"Console (sign in): {link}", soft_wrap=True)
    out.print(f"Service and API:   {base}/docs", soft_wrap=True)
    out.print(f"Full report:       {report['json_url']}", soft_wrap=True)
    if report["pdf_url"] is not None:
        out.print(f"Report as PDF:     {report['pdf_url']}", soft_wrap=True)
    out.print(f"Scan log:          {report['log_url']}", soft_wrap=True)
    out.print(f"Token (7 days):    {token}", soft_wrap=True)
    out.print(
        f'Try:               curl -H "Authorization: Bearer $TOKEN" {base}/scans/cve/scheduled/{schedule}',
        soft_wrap=True,
    )


async def _call(api: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    return _content(await api.request(method, path, json=body))


def _content(answer: httpx.Response) -> Any:
    if answer.is_error:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise EnvironmentFault(f"{asked} answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def _bind_somewhere(host: str, port: int) -> socket.socket:
    """The wanted port, or a free one when something else has it: a first try must not fail over that."""
    try:
        return bind(host, port)
    except NetvigilError as error:
        err.print(f"{error} Taking a free port instead.")
        return bind(host, 0)


async def _until(stop: asyncio.Event, work: Any) -> None:
    """Run the work, but no longer than until `stop`."""
    running = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return
    await running
