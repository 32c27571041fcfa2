"""`/notifications`: groups, their channels and secrets, the test button, and the schedules that name them."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import text

GROUPS = "/notifications"
MAIL = {
    "kind": "email",
    "host": "mail.example.com",
    "username": "netvigil",
    "password": "correct-horse",
    "from": "netvigil@example.com",
    "to": ["noc@example.com", "noc@example.com", "boss@example.com"],
}
HOOK = {"kind": "webhook", "url": "https://example.com/hooks/very-secret?key=also-secret"}
SECRETS = ("correct-horse", "very-secret", "also-secret", "nvwh_")


@pytest.fixture
def group(api):
    """Creates a group with a mail and a webhook channel; keyword arguments replace fields."""

    async def make(**fields):
        answer = await api.post(GROUPS, json={"key": "security-alerts", "channels": [MAIL, HOOK], **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


async def stored(database):
    async with database.reading() as session:
        return list(await session.scalars(text("SELECT secret FROM notification_channel ORDER BY position")))


async def test_create_shows_what_was_written_and_no_secret(api, group, is_uuid):
    body = await group()
    mail, hook = body["channels"]
    assert body.pop("webhook_secret").startswith("nvwh_")
    assert is_uuid(body["id"])
    assert {k: v for k, v in body.items() if k not in {"id", "channels", "created_at", "updated_at"}} == {
        "key": "security-alerts",
        "name": "security-alerts",
        "sites": [],
        "min_severity": "NONE",
        "kev_always": True,
        "only_news": True,
        "mute": False,
        "mute_until": None,
    }
    assert {k: v for k, v in mail.items() if k != "id"} == {
        "kind": "email",
        "name": "email",
        "has_secret": True,
        "host": "mail.example.com",
        "port": 587,
        "security": "starttls",
        "username": "netvigil",
        "from": "netvigil@example.com",
        "to": ["noc@example.com", "boss@example.com"],
    }
    assert (hook["url"], hook["has_secret"]) == ("https://example.com/***", True)
    for answer in (await api.get(f"{GROUPS}/{body['id']}"), await api.get(GROUPS)):
        assert answer.json() in (body, [body])
        assert not any(secret in answer.text for secret in SECRETS)


async def test_secrets_are_sealed_in_the_database(group, database):
    await group()
    async with database.reading() as session:
        rows = list(await session.execute(text("SELECT * FROM notification_group")))
        rows += list(await session.execute(text("SELECT * FROM notification_channel")))
    dump = [str(row) for row in rows]
    assert len(dump) == 3
    assert not any(secret in row for row in dump for secret in SECRETS)


async def test_what_was_answered_can_be_sent_back_and_keeps_its_secrets(api, group, database):
    made = await group()
    before = await stored(database)
    url = f"{GROUPS}/{made['id']}"
    for answer in (
        await api.patch(url, json={"name": "Renamed"}),
        await api.put(url, json=(await api.get(url)).json()),
        await api.patch(url, json={"channels": made["channels"]}),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.json()["channels"] == made["channels"]
    assert await stored(database) == before
    mail, hook = made["channels"]
    answer = await api.patch(url, json={"channels": [hook, {**mail, "to": ["new@example.com"]}]})
    assert [one["id"] for one in answer.json()["channels"]] == [hook["id"], mail["id"]]
    assert await stored(database) == before[::-1]


@pytest.mark.parametrize(
    "change", [{"host": "evil.example.com"}, {"port": 25}, {"username": "other"}, {"security": "none"}, {"kind": "slack"}]
)  # fmt: skip
async def test_password_is_not_kept_for_another_place(api, group, change):
    made = await group()
    answer = await api.patch(f"{GROUPS}/{made['id']}", json={"channels": [{**made["channels"][0], **change}]})
    assert answer.status_code == 422, answer.text
    assert "channels.0" in next(iter(answer.json()["errors"]))


async def test_password_is_sealed_again_where_it_travels_safer(api, group, database, service):
    made = await group()
    mail = {**made["channels"][0], "security": "tls"}
    answer = await api.patch(f"{GROUPS}/{made['id']}", json={"channels": [mail]})
    assert answer.status_code == 200, answer.text
    tested = (await api.post(f"{GROUPS}/{made['id']}/test")).json()
    assert "could not be" in tested["results"][0]["reason"]  # the secret opened; the server is not there


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": ""}, "key"),
        ({"key": "9c3c1392-7f36-4240-85f2-273573c0384a"}, "key"),
        ({"key": "x" * 101}, "key"),
        ({"min_severity": "high"}, "min_severity"),
        ({"mute": "yes"}, "mute"),
        ({"mute_until": "2026-01-01T00:00:00"}, "mute_until"),
        ({"sites": ["x"]}, "sites.0"),
        ({"channels": [{"kind": "pigeon"}]}, "channels.0.kind"),
        ({"channels": [{**MAIL, "to": ["a@b.c\r\nBcc: x@y.z"]}]}, "channels.0.to"),
        ({"channels": [{**MAIL, "from": "Evil <a@b.c>"}]}, "channels.0.from"),
        ({"channels": [{**MAIL, "host": "a b"}]}, "channels.0.host"),
        ({"channels": [{**MAIL, "security": "none"}]}, "channels.0.security"),
        ({"channels": [{"kind": "email"}]}, "channels.0.host"),
        ({"channels": [{"kind": "webhook"}]}, "channels.0.url"),
        ({"channels": [{"kind": "webhook", "url": "ftp://example.com"}]}, "channels.0.url"),
        ({"channels": [{"kind": "webhook", "url": "https://u:p@example.com"}]}, "channels.0.url"),
        ({"channels": [{"kind": "webhook", "url": "https://e.com/a\r\nX: y"}]}, "channels.0.url"),
        ({"channels": [{"kind": "slack", "url": "https://example.com/x"}]}, "channels.0.url"),
        ({"channels": [{"kind": "telegram", "token": "x", "chats": ["1"]}]}, "channels.0.token"),
        ({"channels": [{"kind": "apprise", "url": "nosuch://thing"}]}, "channels.0.url"),
        (
            {"channels": [{"kind": "apprise", "url": "mailto://u:p@example.com?to=a@b.cc,d@e.ff"}]},
            "channels.0.url",
        ),
        ({"channels": [{**HOOK, "id": str(uuid4())}]}, "channels.0.id"),
    ],
)
async def test_what_is_wrong_is_named(api, fields, field):
    answer = await api.post(GROUPS, json={"key": "k", **fields})
    assert answer.status_code == 422, answer.text
    assert list(answer.json()["errors"]) == [field]
    assert "p@example.com" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "localhost", "169.254.169.254", "[::ffff:127.0.0.1]"])  # fmt: skip
async def test_plainly_forbidden_targets_are_refused_at_once(api, host):
    for channel in (
        {"kind": "webhook", "url": f"http://{host}/x"},
        {"kind": "apprise", "url": f"json://{host}/x"},
    ):
        answer = await api.post(GROUPS, json={"key": "k", "channels": [channel]})
        assert (answer.status_code, answer.json()["code"]) == (422, "target_forbidden")


async def test_chats_are_known_to_apprise(api):
    channels = [
        {"kind": "slack", "url": f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{'T' * 24}"},
        {"kind": "discord", "url": f"https://discord.com/api/webhooks/{'4' * 18}/{'a' * 68}"},
        {"kind": "telegram", "token": f"123456789:{'a' * 35}", "chats": ["12345", "@our_alerts"]},
        {"kind": "teams", "url": f"https://prod-00.westeurope.logic.azure.com:443/workflows/{'a' * 32}/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={'b' * 43}"},
        {"kind": "apprise", "url": "ntfy://example.com/our-alerts"},
    ]  # fmt: skip
    answer = await api.post(GROUPS, json={"key": "chats", "channels": channels})
    assert answer.status_code == 201, answer.text
    assert [one.get("url") or one["chats"] for one in answer.json()["channels"]] == [
        "https://hooks.slack.com/***",
        "https://discord.com/***",
        ["12345", "@our_alerts"],
        "https://prod-00.westeurope.logic.azure.com:443/***",
        "ntfy://***",
    ]


async def test_key_is_unique_in_its_organisation(api, group, token_of):
    made = await group()
    other = await group(key="other")
    again = await api.post(GROUPS, json={"key": "security-alerts"})
    assert (again.status_code, again.json()["code"]) == (409, "group_exists")
    renamed = await api.patch(f"{GROUPS}/{other['id']}", json={"key": "security-alerts"})
    assert renamed.status_code == 409
    assert (await api.patch(f"{GROUPS}/{made['id']}", json={"key": "security-alerts"})).status_code == 200
    globex = await api.post(GROUPS, json={"key": "security-alerts"}, headers=token_of(organisation="globex"))
    assert globex.status_code == 201


async def test_secret_is_renewed(api, group):
    made = await group()
    new = (await api.post(f"{GROUPS}/{made['id']}/secret")).json()
    assert new["webhook_secret"].startswith("nvwh_")
    assert new["webhook_secret"] != made["webhook_secret"]


async def test_delete_takes_the_group_away(api, group):
    made = await group()
    assert (await api.delete(f"{GROUPS}/{made['id']}")).status_code == 204
    assert (await api.get(f"{GROUPS}/{made['id']}")).status_code == 404
    assert (await api.get(GROUPS)).json() == []


@pytest.mark.parametrize("by", ["key", "id"])
async def test_schedule_warns_until_its_group_exists(api, group, create, by, token_of):
    await api.post(GROUPS, json={"key": "security-alerts"}, headers=token_of(organisation="globex"))
    schedule = await create()
    warning = "No notification group is called 'security-alerts': nobody is notified."
    assert schedule["warnings"] == [warning]
    made = await group()
    path = f"/scans/cve/scheduled/{schedule['id']}"
    if by == "id":
        await api.patch(path, json={"notification_group": made["id"].upper()})
    assert (await api.get(path)).json()["warnings"] == []
    assert (await api.get("/scans/cve/scheduled")).json()[0]["warnings"] == []
    await api.delete(f"{GROUPS}/{made['id']}")
    assert len((await api.get(path)).json()["warnings"]) == 1


async def test_test_button_says_who_did_not_get_it_and_why(api, group):
    made = await group(mute=True, channels=[{"kind": "webhook", "url": "http://no-such-host.invalid/x"}])
    answer = (await api.post(f"{GROUPS}/{made['id']}/test")).json()
    assert answer["delivered"] is False
    [result] = answer["results"]
    assert (result["receiver"], result["delivered"]) == ("http://no-such-host.invalid/***", False)
    assert result["reason"] == "The receiver's host name could not be resolved."
    assert json.dumps(answer).count("***") == 1
