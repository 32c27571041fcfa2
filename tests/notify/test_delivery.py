"""Real mails and webhooks: they arrive once, are tried again, and go nowhere they must not."""

import asyncio
import hashlib
import hmac
import json
import re
import ssl
import time
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text, update

from netvigil.access.keys import load_keys
from netvigil.access.links import check_signature
from netvigil.notify.channels import Channel, Kind
from netvigil.notify.delivery import send
from netvigil.notify.jobs import request_telling
from netvigil.notify.models import NotificationDelivery
from netvigil.notify.outbox import WAITS
from netvigil.notify.targets import ForbiddenTarget, read_allowed
from netvigil.notify.webhook import NotDelivered, post

CONTENT = {
    "subject": "S", "text": "T\n", "html": "<p>H</p>", "chat": "C", "chat_subject": "S", "body": {"event": "test"},
}  # fmt: skip


def email(mail_server, *to, **more):
    return {
        "kind": "email", "host": "127.0.0.1", "port": mail_server.port, "security": "none",
        "from": "netvigil@example.com", "to": list(to) or ["noc@example.com"], **more,
    }  # fmt: skip


def webhook(receiver, path="/hook"):
    return {"kind": "webhook", "url": receiver.url + path}


async def test_mail_arrives_once_each_with_both_parts(
    mail_server, make_group, ended_scan, change, tell, send_all, deliveries, settings
):
    group = await make_group(email(mail_server, "a@example.com", "b@example.com"))
    scan_id = await ended_scan()
    await change(scan_id, hostname="<b>x</b>\r\nBcc: c@example.com")
    assert await tell(scan_id) == 2
    assert await tell(scan_id) == 0
    assert await send_all() == ["sent", "sent"]
    assert await send_all() == []
    assert sorted(to for [to], _ in mail_server.mails) == ["a@example.com", "b@example.com"]
    for [to], mail in mail_server.mails:
        assert (mail["To"], mail["From"]) == (to, "netvigil <netvigil@example.com>")
        assert (mail["Bcc"], mail["Auto-Submitted"]) == (None, "auto-generated")
        assert mail["Subject"] == "1 new vulnerability (1 critical): Weekly scan"
        plain, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
        assert "<b>x</b> Bcc: c@example.com (192.168.88.7)" in plain
        assert "&lt;b&gt;x&lt;/b&gt;" in html
        link = re.search(r"https://netvigil\.example\.com(/downloads/scans/\S+/report\.pdf)\?(\S+)", plain)
        signed = parse_qs(link[2])
        assert str(scan_id) in link[1]
        check_signature(
            link[1], signed["expires"][0], signed["signature"][0], key=load_keys(settings.keys_dir).link
        )
        assert f'href="{escape(link[0])}"' in html
    sent = await deliveries(group)
    assert {one["state"] for one in sent} == {"sent"}
    assert {mail["Message-ID"] for _, mail in mail_server.mails} == {
        f"<{one['id']}@example.com>" for one in sent
    }


async def test_refused_mail_is_tried_again_for_this_receiver_only(
    mail_server, make_group, ended_scan, change, tell, send_all, deliveries
):
    group = await make_group(email(mail_server, "a@example.com", "b@example.com"))
    mail_server.refuse = ["451 come back later"]
    scan_id = await ended_scan()
    await change(scan_id)
    await tell(scan_id)
    assert sorted(await send_all()) == ["pending", "sent"]
    [waiting] = [one for one in await deliveries(group) if one["state"] == "pending"]
    assert waiting["reason"] == "The mail server answered 451 come back later."
    assert waiting["next_try_at"] is not None
    assert await send_all() == ["sent"]
    assert len(mail_server.mails) == 2


async def test_webhook_is_signed_and_says_what_happened(
    make_group, receiver, ended_scan, change, tell, send_all
):
    group = await make_group(webhook(receiver, "/hook?key=s3cret"))
    scan_id = await ended_scan()
    await change(scan_id, kev=True)
    await tell(scan_id)
    assert await send_all() == ["sent"]
    [(path, headers, body)] = receiver.requests
    assert path == "/hook?key=s3cret"
    at, signature = (part.partition("=")[2] for part in headers["X-Netvigil-Signature"].split(","))
    good = hmac.new(group["webhook_secret"].encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == good
    assert abs(int(at) - time.time()) < 60
    said = json.loads(body)
    assert (said["schema"], said["event"]) == ("netvigil.news/1", "scan.ended")
    assert headers["X-Netvigil-Delivery"] == said["id"]
    assert said["scan"]["id"] == str(scan_id)
    assert (said["counts"], said["kev"], said["more"]) == ({"new": {"CRITICAL": 1}}, 1, 0)
    [finding] = said["findings"]
    assert (finding["cve_id"], finding["ip_address"]) == ("CVE-2099-0001", "192.168.88.7")


async def test_webhook_that_fails_is_repeated_under_its_id_and_given_up_in_the_end(
    make_group, receiver, ended_scan, change, tell, send_all, deliveries, database
):
    group = await make_group(webhook(receiver))
    receiver.statuses = [500]
    scan_id = await ended_scan()
    await change(scan_id)
    await tell(scan_id)
    assert await send_all() == ["pending"]
    assert (await deliveries(group))[0]["reason"] == "The receiver answered 500."
    assert await send_all() == ["sent"]
    assert [headers["X-Netvigil-Delivery"] for _, headers, _ in receiver.requests] == [
        (await deliveries(group))[0]["id"]
    ] * 2
    async with database.transaction() as session:
        last = update(NotificationDelivery).values(state="pending", attempt=len(WAITS), sent_at=None)
        await session.execute(last)
    receiver.statuses = [503]
    assert await send_all() == ["failed"]
    assert (await deliveries(group))[0]["reason"] == "The receiver answered 503."


async def test_who_dies_in_the_middle_repeats_a_webhook_but_no_mail(
    mail_server, make_group, receiver, ended_scan, tell, send_all, deliveries, database
):
    group = await make_group(email(mail_server), webhook(receiver))
    scan_id = await ended_scan(state="failed", site_failure="offline")
    await tell(scan_id)
    async with database.transaction() as session:  # as a worker leaves it that is killed while it sends
        await session.execute(update(NotificationDelivery).values(state="sending", attempt=1))
    assert sorted(str(state) for state in await send_all()) == ["None", "sent"]
    seen = {one["kind"]: one for one in await deliveries(group)}
    assert (seen["webhook"]["state"], seen["webhook"]["attempts"]) == ("sent", 2)
    assert seen["email"]["state"] == "failed"
    assert "may have arrived" in seen["email"]["reason"]
    assert (len(receiver.requests), mail_server.mails) == (1, [])


async def test_mute_and_removed_channels_drop_what_waits(
    api, make_group, receiver, ended_scan, change, tell, send_all, deliveries
):
    group = await make_group(webhook(receiver))
    scan_id = await ended_scan()
    await change(scan_id)
    await tell(scan_id)
    await api.patch(f"/notifications/{group['id']}", json={"mute_until": "2099-01-01T00:00:00Z"})
    await send_all()
    [one] = await deliveries(group)
    assert (one["state"], one["reason"]) == ("dropped", "The group is muted.")
    other = await ended_scan()
    await change(other)
    assert await tell(other) == 0
    await api.patch(f"/notifications/{group['id']}", json={"mute_until": "2020-01-01T00:00:00Z"})
    assert await tell(other) == 1
    await api.patch(f"/notifications/{group['id']}", json={"channels": []})
    await send_all()
    assert {one["state"] for one in await deliveries(group)} == {"dropped"}
    assert receiver.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "2130706433", "0x7f000001", "127.1", "localhost", "[::ffff:7f00:1]"]
)
async def test_webhooks_do_not_reach_this_machine(receiver, host):
    with pytest.raises(ForbiddenTarget, match="loopback"):
        await post(f"http://{host}:{receiver.server_port}/", {"id": 1, "event": "test"}, "s", allowed=())
    assert receiver.requests == []


@pytest.mark.parametrize("kind", ["apprise", "email"])
async def test_neither_do_mail_and_apprise(receiver, kind):
    # a name that resolves to loopback: what counts is the address that is connected to
    settings = {
        "host": "localhost",
        "port": receiver.server_port,
        "security": "none",
        "username": None,
        "from": "a@b.c",
    }
    channel = Channel(Kind(kind), "x", settings, secret=f"json://localhost:{receiver.server_port}/")
    with pytest.raises(ForbiddenTarget, match="loopback"):
        await send(channel, "a@b.c", CONTENT, delivery_id="1", webhook_secret="", allow=())
    assert receiver.requests == []


async def test_redirects_are_not_followed_to_this_machine(receiver):
    receiver.statuses, receiver.location = [302], f"http://127.0.0.2:{receiver.server_port}/inner"
    with pytest.raises(NotDelivered, match="302, a redirect"):
        await send(
            Channel(Kind.WEBHOOK, "x", {}, secret=receiver.url + "/outer"),
            "", CONTENT, delivery_id="1", webhook_secret="s", allow=["127.0.0.1"],
        )  # fmt: skip
    receiver.statuses = [302]
    with pytest.raises((NotDelivered, ForbiddenTarget)):
        await send(
            Channel(Kind.APPRISE, "x", {}, secret=f"json://127.0.0.1:{receiver.server_port}/outer"),
            "", CONTENT, delivery_id="1", webhook_secret="", allow=["127.0.0.1"],
        )  # fmt: skip
    assert {path for path, *_ in receiver.requests} == {"/outer"}


async def test_apprise_sends(receiver):
    channel = Channel(Kind.APPRISE, "x", {}, secret=f"json://127.0.0.1:{receiver.server_port}/in")
    await send(channel, "", CONTENT, delivery_id="1", webhook_secret="", allow=["127.0.0.1"])
    [(path, _, body)] = receiver.requests
    assert (path, json.loads(body)["message"], json.loads(body)["title"]) == ("/in", "C", "S")


async def test_reasons_hold_no_secret(receiver):
    receiver.statuses = [404]
    channel = Channel(
        Kind.APPRISE, "x", {}, secret=f"json://user:hunter22@127.0.0.1:{receiver.server_port}/T0pS3cret/"
    )
    with pytest.raises(NotDelivered) as raised:
        await send(channel, "", CONTENT, delivery_id="1", webhook_secret="", allow=["127.0.0.1"])
    assert "hunter22" not in str(raised.value)
    assert "T0pS3cret" not in str(raised.value)
    assert "404" in str(raised.value)
    assert "hunter22" not in repr(channel)


async def test_dead_receiver_is_a_reason(
    free_port, make_group, ended_scan, change, tell, send_all, deliveries
):
    group = await make_group({"kind": "webhook", "url": f"http://127.0.0.1:{free_port}/"})
    scan_id = await ended_scan()
    await change(scan_id)
    await tell(scan_id)
    assert await send_all() == ["pending"]
    assert (await deliveries(group))[0]["reason"] == "The receiver could not be connected to."


async def test_silent_receiver_is_given_up(receiver):
    receiver.delay = 3
    with pytest.raises(NotDelivered, match="did not answer"):
        await post(
            receiver.url, {"id": 1, "event": "test"}, "s", allowed=read_allowed(["127.0.0.1"]), seconds=0.5
        )


async def test_delivery_that_lost_its_job_gets_another(
    make_group, receiver, ended_scan, tell, database, send_all, deliveries
):
    group = await make_group(webhook(receiver), only_news=False)
    await tell(await ended_scan())
    await request_telling(database)
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'notify.deliver'"
    async with database.transaction() as session:
        assert await session.scalar(text(waiting)) == 1
        await session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'notify.deliver'"))
    await request_telling(database)
    async with database.reading() as session:
        assert await session.scalar(text(waiting)) == 1
    assert await send_all() == ["sent"]
    assert [one["state"] for one in await deliveries(group)] == ["sent"]


async def test_missing_key_is_a_reason_and_is_tried_again(
    make_group, receiver, ended_scan, tell, settings, send_all, deliveries
):
    group = await make_group(webhook(receiver), only_news=False)
    await tell(await ended_scan())
    key = settings.keys_dir / "secret-key"
    kept = key.read_bytes()
    key.unlink()
    assert await send_all() == [None]
    [one] = await deliveries(group)
    assert (one["state"], one["attempts"]) == ("pending", 1)
    assert "NETVIGIL_SECRET_KEY" in one["reason"]
    key.write_bytes(kept)
    assert await send_all() == ["sent"]


async def test_webhook_over_ipv6():
    heard = []

    async def answer(reader, writer):
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "::1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await post(f"http://[::1]:{port}/x", {"id": 1, "event": "test"}, "s", allowed=read_allowed(["::1"]))
    assert f"\r\nHost: [::1]:{port}\r\n" in heard[0]


async def test_webhook_over_tls_checks_the_name(tmp_path, monkeypatch):
    """The connection goes to an address; the certificate must hold for the name."""
    for name in ("localhost", "other.example"):
        certificate, key = make_certificate(tmp_path, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        asked = []
        context.sni_callback = lambda _socket, wanted, _context, asked=asked: asked.append(wanted)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
            url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
            sending = post(url, {"id": 1, "event": "test"}, "s", allowed=read_allowed(["127.0.0.1"]))
            if name == "localhost":
                await sending
            else:
                with pytest.raises(NotDelivered, match="certificate does not hold"):
                    await sending
        assert asked == ["localhost"]


def make_certificate(folder, name):
    """A certificate of its own authority for a name, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths
