"""Two scans of a network that changed between them, compared over HTTP."""

from report_samples import MAC, ftp, host, load, record, run_scan

from netvigil.scans.states import SiteScanState

NEIGHBOUR = "00:1A:2B:3C:4D:5F"


async def test_the_previous_completed_scan_is_compared_with(api, database, make_schedule, tmp_path):
    await load(
        database.engine, tmp_path, record("CVE-2099-0001"), record("CVE-2099-0002", "3.0.5", score=5.0)
    )
    schedule = await make_schedule()
    first = await run_scan(
        api, database, schedule, host("192.168.88.1", mac=MAC), host("192.168.88.9", mac=NEIGHBOUR)
    )
    nothing = await api.get(f"/scans/cve/{first}/diff")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "resource_missing")
    failed = await run_scan(api, database, schedule, state=SiteScanState.FAILED)
    second = await run_scan(
        api, database, schedule, host("192.168.88.5", ftp("3.0.5"), ftp(port=2121), mac=MAC)
    )
    found = (await api.get(f"/scans/cve/{second}/diff")).json()
    assert (found["scan"]["id"], found["with"]["id"]) == (second, first)
    assert found["summary"] == {
        "hosts": {"appeared": 0, "gone": 1, "changed": 1, "not_compared": 0},
        "services": {"opened": 1, "closed": 0, "changed": 1},
        "findings": {"new": 1, "resolved": 0, "changed": 0, "still": 1, "not_compared": 1},
    }
    [site] = found["sites"]
    assert site["findings"]["new"][0]["cve_id"] == "CVE-2099-0002"
    assert site["hosts"]["changed"][0]["changes"] == {
        "ip_address": {"before": "192.168.88.1", "after": "192.168.88.5"}
    }

    human = found["with"]["scan_id"]
    assert (await api.get(f"/scans/cve/{second}/diff", params={"with": human})).json() == found
    back = (await api.get(f"/scans/cve/{first}/diff", params={"with": second})).json()
    assert back["summary"]["services"] == {"opened": 1, "closed": 1, "changed": 1}
    offline = (await api.get(f"/scans/cve/{failed}/diff")).json()
    assert offline["summary"]["hosts"] == {"appeared": 0, "gone": 0, "changed": 0, "not_compared": 2}
    assert offline["summary"]["findings"]["resolved"] == 0


async def test_only_scans_of_the_organisation(api, database, make_schedule, make_token):
    scan = await run_scan(api, database, await make_schedule(), host(mac=MAC))
    mine = {"Authorization": f"Bearer {make_token(organisation='other')}"}
    for path in (f"{scan}/diff", f"{scan}/diff?with={scan}"):
        assert (await api.get(f"/scans/cve/{path}", headers=mine)).status_code == 404
    for other in ("4023ecd2-02ff-4ef8-9aec-1070993ee63f", "AAA-BBB-CCC", "nonsense", "\x00"):
        assert (await api.get(f"/scans/cve/{scan}/diff", params={"with": other})).status_code == 404
    assert (await api.get(f"/scans/cve/{scan}/diff", params={"with": scan})).json()["sites"]
