"""The pages over real history: what they show, in which order, and that nothing from outside becomes markup."""

import re
from html.parser import HTMLParser

import pytest
from scan_sequences import MAC, OFFICE, OTHER, cve, ftp, host
from sqlalchemy import update

from netvigil.inventory.models import Device, Host, Service
from netvigil.scans.models import Scan
from netvigil.scans.states import SiteScanState

EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202egnp.exe'
FIRST, SECOND = "CVE-2099-0001", "CVE-2099-0002"


class Page(HTMLParser):
    """Every element, its attributes, and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def links(self):
        return [
            attributes["href"] for tag, attributes in self.elements if tag == "a" and "href" in attributes
        ]


async def read(viewer, path):
    answer = await viewer.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


@pytest.fixture
async def history(scans, load):
    """Two scans of an office: one CVE stays on one of two devices, a second one appears; the ids of both."""
    await load(cve(1, "2.3.4"), cve(2, "3.0.3", score=6.5))
    schedule = await scans.schedule((OFFICE, "192.168.88.0/24"), description="Head office")
    first = await scans.run(schedule, {OFFICE: [host("192.168.88.5", ftp(), hostname="files")]})
    seen = [
        host("192.168.88.5", ftp(), hostname="files"),
        host("192.168.88.6", ftp("3.0.3"), mac=OTHER, hostname="archive"),
    ]
    return first, await scans.run(schedule, {OFFICE: seen})


async def test_overview_names_what_to_do_first(viewer, history):
    page = await read(viewer, "/")
    assert page.text.index(FIRST) < page.text.index(SECOND)
    assert re.search(r"2 open", page.text)
    assert f"/cves/{FIRST}" in page.links()
    assert "Critical 1" in page.text


async def test_overview_of_an_empty_organisation_says_what_to_do(viewer):
    text = (await read(viewer, "/")).text
    assert "Load the vulnerability data" in text
    assert "No sites yet" in text
    assert "No findings yet" in text


async def test_decided_findings_need_no_attention(viewer, history, api):
    body = {
        "mac_address": MAC,
        "cve_id": FIRST,
        "status": "accepted",
        "justification": "Known, and behind the firewall.",
    }
    assert (await api.post("/scans/cve/mac-address/cve/status", json=body)).status_code == 201
    assert f"/cves/{FIRST}" not in (await read(viewer, "/")).links()
    scan = history[1]
    assert FIRST not in (await read(viewer, f"/scans/{scan}?status=open")).text
    assert FIRST in (await read(viewer, f"/scans/{scan}?status=accepted")).text
    assert "Accepted" in (await read(viewer, f"/scans/{scan}")).text


async def test_failed_scan_needs_attention(viewer, scans, load):
    schedule = await scans.schedule((OFFICE, "192.168.88.0/24"), description="Head office")
    scan = await scans.run(schedule, {OFFICE: []}, states={OFFICE: SiteScanState.FAILED})
    await scans.judge(scan, state="failed")
    assert "The scan of Head office failed" in (await read(viewer, "/")).text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {FIRST, SECOND}),
        ("?severity=CRITICAL", {FIRST}),
        ("?severity=nonsense", {FIRST, SECOND}),
        ("?q=archive", {SECOND}),
        ("?q=192.168.88.5", {FIRST}),
        ("?q=00:1a:2b:3c:4d:5f", {SECOND}),
        ("?q=%25", set()),
        ("?q=%00'", set()),
        ("?new=1", {SECOND}),
        ("?kev=1", set()),
        ("?page=2", set()),
        (f"?page={'9' * 5000}", {FIRST, SECOND}),
        ("?sort=cve", {FIRST, SECOND}),
        (f"?site={OFFICE}", {FIRST, SECOND}),
        ("?site=elsewhere", set()),
    ],
)
async def test_findings_are_filtered(viewer, history, query, shown):
    page = await read(viewer, f"/scans/{history[1]}{query}")
    assert {link.removeprefix("/cves/") for link in page.links() if link.startswith("/cves/")} == shown


@pytest.mark.parametrize("sort", ["priority", "score", "epss", "address", "cve"])
async def test_findings_are_sorted_and_paged(viewer, scans, load, sort):
    await load(*(cve(number, "2.3.4", score=4 + number / 10) for number in range(1, 41)))
    schedule = await scans.schedule((OFFICE, "192.168.88.0/24"))
    scan = await scans.run(schedule, {OFFICE: [host("192.168.88.5", ftp())]})
    found = []
    for number in (1, 2):
        page = await read(viewer, f"/scans/{scan}?sort={sort}&page={number}")
        found += [link for link in page.links() if link.startswith("/cves/")]
    assert len(found) == len(set(found)) == 40
    if sort in {"priority", "score", "cve"}:
        assert found == sorted(found, reverse=True)


async def test_report_says_how_it_knows(viewer, history):
    text = (await read(viewer, f"/scans/{history[1]}")).text
    assert "Seen 220 (vsFTPd 2.3.4)" in text or "Seen vsftpd 2.3.4" in text
    assert "Affected exactly 2.3.4" in text


async def test_devices_and_their_history(viewer, history):
    page = await read(viewer, "/devices")
    assert page.text.index("files") < page.text.index("archive")
    [own] = [link for link in (await read(viewer, "/devices?q=archive")).links() if "/devices/" in link]
    text = (await read(viewer, own)).text
    for words in (OTHER, "192.168.88.6", SECOND, "Found for the first time", "220 (vsFTPd 3.0.3)"):
        assert words in text
    assert FIRST not in text


async def test_cve_names_its_devices(viewer, history):
    page = await read(viewer, f"/cves/{FIRST.lower()}")
    assert "Made up for a test." in page.text
    assert "Affected devices: 1" in page.text
    assert "files" in page.text
    assert (await viewer.get("/cves/CVE-2099-9999")).status_code == 404
    assert (await viewer.get("/cves/nonsense")).status_code == 404


async def test_others_see_nothing(history, visiting, make_token, viewer):
    [device, *_] = [link for link in (await read(viewer, "/devices")).links() if "/devices/" in link]
    async with visiting() as other:
        await other.sign_in(make_token(organisation="others"))
        for path in (f"/scans/{history[1]}", device):
            assert (await other.get(path)).status_code == 404
        assert (await other.get(f"/live/{history[1]}")).status_code == 404
        assert "No devices yet" in (await other.get("/devices")).text
        assert "Affected devices: 0" not in (await read(other, f"/cves/{FIRST}")).text
        assert "files" not in (await other.get(f"/cves/{FIRST}")).text


async def test_running_scan_can_be_stopped(viewer, api, scans):
    schedule = await scans.schedule((OFFICE, "192.168.88.0/24"))
    scan = (await api.post(f"/scans/cve/scheduled/{schedule}/invoke")).json()["scan_id"]
    page = await read(viewer, "/")
    [address] = [attributes["data-live"] for _, attributes in page.elements if "data-live" in attributes]
    human = address.removeprefix("/live/")
    assert "Stop the scan" in (await read(viewer, f"/scans/{human}")).text
    answer = await viewer.post(f"/scans/{human}/stop")
    assert answer.headers["location"] == f"/scans/{human}"
    assert (await api.get(f"/scans/cve/{scan}/status")).json()["status"] in {
        "processing",
        "stopping",
        "stopped",
    }
    assert (await viewer.post(f"/scans/{human}/stop")).status_code in {303, 409}


async def test_stopping_needs_its_scope(visiting, make_token, api, scans):
    schedule = await scans.schedule((OFFICE, "192.168.88.0/24"))
    scan = (await api.post(f"/scans/cve/scheduled/{schedule}/invoke")).json()["scan_id"]
    async with visiting() as watcher:
        await watcher.sign_in(make_token("cve:view"))
        assert "Stop the scan" not in (await read(watcher, f"/scans/{scan}")).text
        answer = await watcher.post(f"/scans/{scan}/stop")
        assert answer.status_code == 403
        assert "cve:run" in answer.text


async def test_live_needs_a_session(visitor, history):
    answer = await visitor.get(f"/live/{history[0]}", Accept="text/event-stream")
    assert answer.status_code == 401


async def test_live_tells_of_an_ended_scan(viewer, history):
    answer = await viewer.get(f"/live/{history[0]}", Accept="text/event-stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: end" in answer.text


async def test_nothing_from_outside_becomes_markup(viewer, scans, load, database, api):
    await load(cve(1, "2.3.4", words=EVIL))
    site = {"id": OFFICE, "name": EVIL[:90].replace("\u202e", ""), "networks": ["192.168.88.0/24"]}
    assert (await api.post("/sites", json=site)).status_code == 201
    schedule = await scans.schedule((OFFICE, "192.168.88.0/24"), description=EVIL.replace("\u202e", ""))
    scan = await scans.run(schedule, {OFFICE: [host("192.168.88.5", ftp())]})
    async with database.transaction() as session:
        texts = dict.fromkeys(("hostname", "manufacturer", "os_name", "model"), EVIL)
        await session.execute(update(Device).values(**texts))
        await session.execute(update(Host).values(**texts, notes=[EVIL]))
        await session.execute(update(Service).values(name=EVIL, product=EVIL, version=EVIL, banner=EVIL))
        await session.execute(update(Scan).values(error=EVIL))
    body = {"mac_address": MAC, "cve_id": FIRST, "status": "accepted", "justification": EVIL}
    assert (await api.post("/scans/cve/mac-address/cve/status", json=body)).status_code == 201
    [device] = [link for link in (await read(viewer, "/devices")).links() if "/devices/" in link]
    for path in (
        "/",
        "/scans",
        f"/scans/{scan}",
        f"/scans/{scan}?q={EVIL}",
        "/devices",
        device,
        f"/cves/{FIRST}",
    ):
        page = await read(viewer, path)
        assert "onerror=alert(1)" in page.text, path  # it is there, as text
        assert "{{7*7}}" in page.text
        scripts = [attributes for tag, attributes in page.elements if tag == "script"]
        assert [list(one) for one in scripts] == [["src", "defer"]]
        assert not [tag for tag, _ in page.elements if tag in {"img", "iframe", "style", "object", "base"}]
        assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
        assert "\u202e" not in page.text
