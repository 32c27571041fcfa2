"""Real receivers on loopback, a group that is told, and scans that changed something."""

import asyncio
import http.server
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from ipaddress import IPv4Address
from uuid import UUID, uuid4

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select, text

from netvigil.findings.life_models import Vulnerability, VulnerabilityEvent
from netvigil.inventory.models import Device
from netvigil.notify.jobs import deliver
from netvigil.notify.models import NotificationDelivery
from netvigil.notify.telling import tell_of_scan
from netvigil.scans.models import Scan, SiteScan
from netvigil.settings import Settings

SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"


@pytest.fixture
def settings(tmp_path, database_url):
    """Settings that let messages go to this machine, where the tests' receivers are."""
    return Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        public_url="https://netvigil.example.com",
        notify_allow=("127.0.0.0/8",),
    )


class Inbox:
    """Keeps the mails it is given, unless it is told to refuse them first."""

    def __init__(self):
        self.mails, self.refuse = [], []
        self.delay, self.begun = 0.0, False

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        self.begun = True
        await asyncio.sleep(self.delay)
        if self.refuse:
            return self.refuse.pop(0)
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 taken"


@pytest.fixture
def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def mail_server(free_port):
    """An SMTP server; its port and what has arrived."""
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port)
    server.start()
    inbox.port = free_port
    yield inbox
    server.stop()


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps the requests it gets and answers with the statuses it is told, 200 after the last."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.requests, self.statuses, self.delay, self.location = [], [], 0.0, None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that hangs up while it waits is part of the tests."""


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.path, dict(self.headers), body))
        if self.server.delay:
            threading.Event().wait(self.server.delay)
        with suppress(OSError):
            self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
            if self.server.location:
                self.send_header("Location", self.server.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_GET = do_POST  # noqa: N815 - the library's name

    def log_message(self, *args):
        """Nothing on the test's output."""


@pytest.fixture
def receiver():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def make_group(api):
    """Creates a group; answers its body."""

    async def make(*channels, **fields):
        body = {"key": "security-alerts", "channels": list(channels), **fields}
        answer = await api.post("/notifications", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def ended_scan(api, database):
    """Makes an ended scan of a schedule that tells `security-alerts`; returns its id."""

    async def make(*, state="completed", site_failure=None, **schedule):
        body = {
            "description": "Weekly scan",
            "day_of_week": 1,
            "time_of_day": "02:00",
            "every_n_weeks": 2,
            "timezone": "UTC",
            "min_cvss": 0,
            "warning_threshold": 7,
            "notification_group": "security-alerts",
            "sites": [{"id": SITE, "subnet": "192.168.88.0/24"}],
            **schedule,
        }
        made = await api.post("/scans/cve/scheduled", json=body)
        assert made.status_code == 201, made.text
        started = await api.post(f"/scans/cve/scheduled/{made.json()['id']}/invoke")
        scan_id = UUID(started.json()["scan_id"])
        async with database.transaction() as session:
            scan = await session.get_one(Scan, scan_id)
            scan.state, scan.finished_at = state, datetime.now(UTC)
            part = (await session.scalars(select(SiteScan).where(SiteScan.scan_id == scan_id))).one()
            part.state = "failed" if site_failure else "scanned"
            part.failure, part.error = site_failure, "Nothing answers." if site_failure else None
        return scan_id

    return make


@pytest.fixture
def change(database):
    """Records a change of a CVE on a device of its own, by a scan or (without one) a data update."""

    async def make(scan_id, cve_id="CVE-2099-0001", *, kind="new", score=9.8, severity="CRITICAL", **more):
        now = datetime.now(UTC)
        site = UUID(more.pop("site", SITE))
        async with database.transaction() as session:
            organisation = await session.scalar(text("SELECT id FROM organisation WHERE key = 'acme'"))
            device = Device(
                id=uuid4(),
                organisation_id=organisation,
                site_id=site,
                mac=":".join(["02", *(f"{byte:02X}" for byte in uuid4().bytes[:5])]),
                hostname=more.pop("hostname", "core-switch"),
                first_seen_at=now,
                last_seen_at=now,
            )
            session.add(device)
            await session.flush()
            facts = {
                "organisation_id": organisation,
                "device_id": device.id,
                "site_id": site,
                "cve_id": cve_id,
                "score": score,
                "severity": severity,
                "kev": more.get("kev", False),
            }
            life = Vulnerability(
                id=uuid4(),
                finding_id=more.get("finding_id"),
                address=IPv4Address("192.168.88.7"),
                state="open",
                confidence="exact",
                priority=score * 5,
                reason=more.get("reason", "reachable without a password"),
                first_seen_at=now,
                last_seen_at=now,
                **facts,
            )
            session.add(life)
            await session.flush()
            session.add(VulnerabilityEvent(vulnerability_id=life.id, scan_id=scan_id, change=kind, **facts))

    return make


@pytest.fixture
def tell(database, settings):
    """Puts the news of a scan in the outbox, as its job does."""

    async def run(scan_id):
        async with database.transaction() as session:
            return await tell_of_scan(session, settings, scan_id)

    return run


@pytest.fixture
def send_all(database, settings):
    """Makes one try for every delivery that waits, as their jobs do; returns the states after."""

    async def run():
        async with database.reading() as session:
            query = select(NotificationDelivery).where(NotificationDelivery.state.in_(["pending", "sending"]))
            rows = list(await session.scalars(query.order_by(NotificationDelivery.receiver)))
        return list(await asyncio.gather(*(deliver(database, settings, row.id, row.job_id) for row in rows)))

    return run


@pytest.fixture
def deliveries(api):
    """What the API says of a group's deliveries."""

    async def run(group):
        return (await api.get(f"/notifications/{group['id']}/deliveries")).json()

    return run
