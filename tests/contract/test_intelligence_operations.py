"""Operations 13, 14, 16 and 17: CVEs by MAC, devices, and what people decide; on real history."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from scan_sequences import BRANCH, MAC, OFFICE, OTHER, cve, ftp, host

from netvigil.catalogue.importer import import_paths

BASE = "/scans/cve/mac-address"
STATUS = f"{BASE}/cve/status"
FIRST, SECOND = "CVE-2099-0001", "CVE-2099-0002"
WHY = "Reachable from the management network only."
INSTANCE = {
    "id", "cve_id", "description", "published_at", "created_at", "vector", "score", "severity", "assigner", "references",
    "cve_detail", "scan_id", "compliance_tags", "host", "status", "other_occurrences", "service", "evidence", "confidence",
    "epss", "kev", "cwe", "fixed_in",
}  # fmt: skip
SUMMARY = {
    "mac_address", "manufacturer", "hostname", "ip_addresses", "site_id", "first_seen_at", "last_seen_at", "highest_score",
    "open_cves", "accepted_cves", "mitigated_cves", "kev_cves",
}  # fmt: skip
RECORD = {
    "id", "mac_address", "cve_id", "status", "justification", "scan_id", "expiration_date", "created_by", "updated_by",
    "created_at", "updated_at",
}  # fmt: skip


@pytest.fixture
async def office(scans, tmp_path, database):
    path = tmp_path / "feed.json"
    records = [
        cve(1, "2.3.4"),
        cve(2, "2.3.4", score=5.0),
        cve(3, "3.0.3", words="<script>alert(1)</script>"),
    ]
    path.write_text(json.dumps({"vulnerabilities": [{"cve": one} for one in records], "totalResults": 3}))
    await import_paths(database.engine, [path])
    return await scans.schedule((OFFICE, "192.168.88.0/24"))


@pytest.fixture
def cves(api):
    async def ask(*macs, query="", **more):
        answer = await api.post(f"{BASE}/cves{query}", json={"mac_addresses": list(macs), **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


@pytest.fixture
def decide(api):
    async def post(status="accepted", **fields):
        body = {"mac_address": MAC, "cve_id": FIRST, "status": status, "justification": WHY, **fields}
        answer = await api.post(STATUS, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return post


async def test_each_cve_and_device_once_with_its_older_occurrences(scans, office, cves):
    first = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    second = await scans.run(
        office, {OFFICE: [host("192.168.88.7", ftp()), host("192.168.88.5", ftp("3.0.3"), mac=OTHER)]}
    )
    said = await cves("00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e")
    assert said["mac_addresses"] == [MAC]
    assert (said["total_scans"], said["total_cve_instances"], said["total_host_count"]) == (2, 4, 1)
    stats = said["mac_stats"][MAC]
    assert stats == {
        "total_scans": 2, "total_cve_instances": 4, "unique_cve_count": 2, "highest_score": 9.8, "average_score": 7.4,
        "open": 2, "accepted": 0, "mitigated": 0, "resolved": 0, "last_seen_at": "2026-01-03T00:00:00Z",
    }  # fmt: skip
    assert said["stats"] == {"unique_cve_count": 2, "highest_score": 9.8, "average_score": 7.4}
    assert sorted(one["cve_id"] for one in said["cves"]) == [FIRST, SECOND]
    for one in said["cves"]:
        assert one.keys() >= INSTANCE
        assert (one["scan_id"], one["host"]["ip_address"]) == (str(second), "192.168.88.7")
        [older] = one["other_occurrences"]
        assert older["scan_id"] == str(first)
        assert older.keys() == {"id", "scan_id", "host_id", "created_at"}
        assert (one["first_seen_at"], one["status"], one["regressed"]) == (
            "2026-01-02T00:00:00Z",
            "open",
            False,
        )


async def test_unknown_macs_have_zeros_and_others_see_nothing(scans, office, cves, api, token_of):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    said = await cves(OTHER)
    assert (said["total_scans"], said["total_cve_instances"], said["total_host_count"], said["cves"]) == (
        0,
        0,
        0,
        [],
    )
    assert said["mac_stats"][OTHER]["last_seen_at"] is None
    theirs = await api.post(
        f"{BASE}/cves", json={"mac_addresses": [MAC]}, headers=token_of("cve:view", organisation="globex")
    )
    assert theirs.json()["cves"] == []
    assert (await api.get(f"{BASE}/list", headers=token_of(organisation="globex"))).json() == []


async def test_the_same_by_query_and_page_by_page(scans, office, cves, api):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp()), host("192.168.88.6", ftp(), mac=OTHER)]})
    whole = await cves(MAC, OTHER)
    by_query = await api.get(f"{BASE}/cves", params={"mac_address": f"{MAC},{OTHER.lower()}"})
    assert by_query.json() == whole
    page = await api.post(f"{BASE}/cves?limit=3", json={"mac_addresses": [MAC, OTHER]})
    url = page.headers["Link"].split(";")[0].strip("<>")
    rest = await api.post(url, json={"mac_addresses": [MAC, OTHER]})
    assert page.json()["cves"] + rest.json()["cves"] == whole["cves"]
    assert page.json()["stats"] == rest.json()["stats"] == whole["stats"]
    assert "Link" not in rest.headers


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "parameter_missing", "mac_addresses"),
        ({"mac_addresses": []}, "parameter_invalid", "mac_addresses"),
        ({"mac_addresses": "00:1A:2B:3C:4D:5E"}, "parameter_invalid", "mac_addresses"),
        ({"mac_addresses": ["00:1A:2B:3C:4D"]}, "parameter_invalid", "mac_addresses.0"),
        ({"mac_addresses": [7]}, "parameter_invalid", "mac_addresses.0"),
        ({"mac_addresses": [MAC] * 501}, "parameter_invalid", "mac_addresses"),
    ],
)
async def test_what_is_no_list_of_macs(api, body, code, field):
    answer = await api.post(f"{BASE}/cves", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert list(answer.json()["errors"]) == [field]


async def test_what_is_gone_is_told_when_asked_for(scans, office, cves):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp("3.0.3"))]})
    now = await cves(MAC)
    assert [one["cve_id"] for one in now["cves"]] == ["CVE-2099-0003"]
    assert now["mac_stats"][MAC]["resolved"] == 2
    ever = await cves(MAC, include_resolved=True)
    gone = {one["cve_id"]: one["resolved_at"] for one in ever["cves"] if one["state"] == "resolved"}
    assert gone == dict.fromkeys((FIRST, SECOND), "2026-01-03T00:00:00Z")
    assert ever["stats"] == now["stats"]


async def test_devices_the_last_seen_first(scans, api, office, decide):
    both = await scans.schedule((OFFICE, "192.168.88.0/24"), (BRANCH, "192.168.88.0/24"))
    hostile = "<script>alert(1)</script>\u202e"
    await scans.run(both, {
        OFFICE: [host("192.168.88.5", ftp(), hostname=hostile, manufacturer='"><img src=x>')],
        BRANCH: [host("192.168.88.5", mac=None)],
    })  # fmt: skip
    await scans.run(both, {OFFICE: [host("192.168.88.6", ftp())]})
    await decide("accepted", cve_id=SECOND)
    devices = (await api.get(f"{BASE}/list")).json()
    assert [(one["mac_address"], one["identified_by"]) for one in devices] == [
        (MAC, "mac"),
        (None, "address"),
    ]
    first, second = devices
    assert first.keys() >= SUMMARY
    assert (first["hostname"], first["manufacturer"]) == (hostile, '"><img src=x>')
    assert first["ip_addresses"] == ["192.168.88.6", "192.168.88.5"]
    assert (first["open_cves"], first["accepted_cves"], first["mitigated_cves"], first["kev_cves"]) == (
        1,
        1,
        0,
        0,
    )
    assert (first["first_seen_at"], first["last_seen_at"]) == ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
    assert (second["site_id"], second["highest_score"], second["open_cves"]) == (BRANCH, 0, 0)
    only = await api.get(f"{BASE}/list", params={"site_id": BRANCH})
    assert [one["id"] for one in only.json()] == [second["id"]]
    page = await api.get(f"{BASE}/list?limit=1")
    rest = await api.get(page.headers["Link"].split(";")[0].strip("<>"))
    assert page.json() + rest.json() == devices


async def test_a_decision_counts_for_past_and_future_scans(scans, office, cves, decide, api):
    first = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    made = await decide("accepted")
    assert made["data"].keys() >= RECORD
    assert made["data"].items() <= made.items()
    assert (made["created_by"], made["updated_by"], made["scan_id"]) == ("tester", "tester", str(first))
    second = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    for scan in (first, second):
        shown = {
            one["cve_id"]: one["status"] for one in (await api.get(f"/scans/cve/{scan}/findings")).json()
        }
        assert shown == {FIRST: "accepted", SECOND: "open"}
    stats = (await cves(MAC))["mac_stats"][MAC]
    assert (stats["open"], stats["accepted"]) == (1, 1)
    await decide("open", justification="We were wrong about the network.")
    assert (await cves(MAC))["mac_stats"][MAC]["open"] == 2
    records = (await api.get(STATUS)).json()["data"]
    assert [(one["status"], one["in_force"]) for one in records] == [("open", True), ("accepted", False)]


async def test_mitigated_and_seen_again(scans, office, cves, decide, api):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await decide("mitigated")
    # an observation of before the decision is no contradiction
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    [one] = [one for one in (await cves(MAC))["cves"] if one["cve_id"] == FIRST]
    assert (one["status"], one["regressed"]) == ("mitigated", False)
    later = datetime.now(UTC) + timedelta(minutes=1)
    again = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]}, at=later)
    assert await scans.changes(again) == [(FIRST, "regressed")]
    [one] = [one for one in (await cves(MAC))["cves"] if one["cve_id"] == FIRST]
    assert (one["status"], one["regressed"]) == ("open", True)
    assert one["decision"]["status"] == "mitigated"
    [record] = (await api.get(STATUS)).json()["data"]
    assert (record["status"], record["in_force"]) == ("mitigated", False)
    assert record["overruled_at"] == record["updated_at"] is not None
    # once is news, every further scan is not
    more = await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]}, at=later + timedelta(days=1))
    assert await scans.changes(more) == []
    await decide("accepted")
    [one] = [one for one in (await cves(MAC))["cves"] if one["cve_id"] == FIRST]
    assert (one["status"], one["regressed"]) == ("accepted", False)


async def test_an_expired_decision_gives_way_to_the_one_before(scans, office, cves, decide, database):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    await decide("accepted")
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = await decide("mitigated", expires_at=soon.isoformat())
    assert datetime.fromisoformat(made["expiration_date"]) == soon.replace(microsecond=0)
    assert (await cves(MAC))["mac_stats"][MAC]["mitigated"] == 1
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE cve_decision SET expires_at = now() WHERE status = 'mitigated'"
        )
    stats = (await cves(MAC))["mac_stats"][MAC]
    assert (stats["accepted"], stats["mitigated"]) == (1, 0)


async def test_a_decision_ahead_of_time(scans, office, cves, decide):
    made = await decide("accepted")
    assert made["scan_id"] is None
    assert "No scan has seen it there yet" in made["message"]
    await scans.run(
        office, {OFFICE: [host("192.168.88.5", ftp())]}, at=datetime.now(UTC) + timedelta(minutes=1)
    )
    assert (await cves(MAC))["mac_stats"][MAC]["accepted"] == 1


async def test_a_device_without_a_mac_is_decided_about_by_its_id(scans, office, api, cves, token_of):
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp(), mac=None)]})
    [device] = (await api.get(f"{BASE}/list")).json()
    body = {"device_id": device["id"], "cve_id": FIRST, "status": "accepted", "justification": WHY}
    theirs = await api.post(STATUS, json=body, headers=token_of("cve:update", organisation="globex"))
    assert (theirs.status_code, theirs.json()["code"]) == (404, "resource_missing")
    assert (await api.post(STATUS, json=body)).status_code == 201
    assert (await api.get(f"{BASE}/list")).json()[0]["accepted_cves"] == 1
    await scans.run(office, {OFFICE: [host("192.168.88.5", ftp())]})
    assert (await cves(MAC))["mac_stats"][MAC]["accepted"] == 1


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"mac_address": None}, "parameter_invalid", "mac_address"),
        ({"mac_address": "01:00:5E:00:00:01"}, "parameter_invalid", "mac_address"),
        ({"mac_address": "00:00:5e:00:01:07"}, "parameter_invalid", "mac_address"),
        ({"cve_id": "CVE-24-1"}, "parameter_invalid", "cve_id"),
        ({"status": "fixed"}, "parameter_invalid", "status"),
        ({"justification": "too short"}, "parameter_invalid", "justification"),
        ({"justification": " " * 40}, "parameter_invalid", "justification"),
        ({"justification": "x" * 1001}, "parameter_invalid", "justification"),
        ({"justification": "ten and a NUL \0"}, "parameter_invalid", "justification"),
        ({"expires_at": "tomorrow"}, "parameter_invalid", "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "parameter_invalid", "expires_at"),
        ({"expires_at": 1893456000}, "parameter_invalid", "expires_at"),
        ({"device_id": "x", "mac_address": None}, "parameter_invalid", "device_id"),
    ],
)
async def test_what_is_no_decision(api, changes, code, field):
    body = {"mac_address": MAC, "cve_id": FIRST, "status": "accepted", "justification": WHY, **changes}
    answer = await api.post(STATUS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert field in answer.json()["errors"]


async def test_a_missing_field_is_named_and_bad_filters_are_refused(api):
    answer = await api.post(STATUS, json={})
    assert answer.json()["code"] == "parameter_missing"
    assert set(answer.json()["errors"]) == {"mac_address", "cve_id", "status", "justification"}
    for name, value in {"mac_address": "x", "cve_id": "x", "status": "x", "device_id": "x"}.items():
        answer = await api.get(STATUS, params={name: value})
        assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


async def test_statuses_by_filter_and_their_scopes(decide, api, token_of):
    await decide("accepted")
    await decide("mitigated", cve_id=SECOND.lower())
    await decide("accepted", mac_address=OTHER)
    for query, number in (
        ({}, 3), ({"mac_address": "001a2b3c4d5e"}, 2), ({"cve_id": SECOND}, 1), ({"status": "accepted"}, 2),
        ({"mac_address": OTHER, "status": "mitigated"}, 0),
    ):  # fmt: skip
        assert len((await api.get(STATUS, params=query)).json()["data"]) == number, query
    assert (await api.get(STATUS, headers=token_of("cve:update"))).json()["code"] == "scope_missing"
    assert (await api.post(STATUS, json={}, headers=token_of("cve:view"))).json()["code"] == "scope_missing"
    assert (await api.get(STATUS, headers=token_of(organisation="globex"))).json() == {"data": []}
