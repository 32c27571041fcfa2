"""What changed between two scans: devices that move, swap, vanish and come, and what nobody looked at."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from netvigil.reports.diff import SeenFinding, SeenHost, SeenService, SiteLook, compare

A, B = "00:1A:2B:00:00:0A", "00:1A:2B:00:00:0B"
HIGH = SeenFinding("CVE-2099-0001", 7.5, "HIGH", kev=False)
LOW = SeenFinding("CVE-2099-0002", 3.0, "LOW", kev=False)
SSH = SeenService(22, "tcp", "ssh", "OpenSSH", "9.2p1")


def seen(last, mac=None, *findings, services=(SSH,), **words):
    return SeenHost(
        f"host-{last}-{mac}",
        IPv4Address(f"10.0.0.{last}"),
        mac,
        services=services,
        findings=findings,
        **words,
    )


def site(*hosts, **words):
    return SiteLook("Main", (IPv4Network("10.0.0.0/24"),), hosts=hosts, **words)


def one(before, after):
    [found] = compare({"s": before}, {"s": after})["sites"]
    return found


def names(entries, key="ip_address"):
    return [entry[key] for entry in entries]


def test_nothing_changed():
    found = compare({"s": site(seen(1, A, HIGH))}, {"s": site(seen(1, A, HIGH))})
    assert found["summary"]["findings"] == {
        "new": 0,
        "resolved": 0,
        "changed": 0,
        "still": 1,
        "not_compared": 0,
    }
    assert found["summary"]["hosts"] == {"appeared": 0, "gone": 0, "changed": 0, "not_compared": 0}
    assert found["summary"]["services"] == {"opened": 0, "closed": 0, "changed": 0}


def test_addresses_swapped_by_dhcp_keep_each_devices_findings():
    found = one(site(seen(1, A, HIGH), seen(2, B, LOW)), site(seen(1, B, LOW), seen(2, A, HIGH)))
    assert sorted(names(found["findings"]["still"], "cve_id")) == ["CVE-2099-0001", "CVE-2099-0002"]
    assert found["findings"]["new"] == found["findings"]["resolved"] == []
    changes = {entry["mac_address"]: entry["changes"]["ip_address"] for entry in found["hosts"]["changed"]}
    assert changes == {
        A: {"before": "10.0.0.1", "after": "10.0.0.2"},
        B: {"before": "10.0.0.2", "after": "10.0.0.1"},
    }


def test_another_device_at_the_same_address_is_another_device():
    found = one(site(seen(1, A, HIGH)), site(seen(1, B, HIGH)))
    assert (
        names(found["hosts"]["gone"], "mac_address"),
        names(found["hosts"]["appeared"], "mac_address"),
    ) == ([A], [B])
    assert names(found["findings"]["new"], "mac_address") == [B]
    assert found["findings"]["resolved"] == []  # nobody looked at the other one


def test_without_a_mac_the_address_is_the_device():
    for was, now in ((None, None), (A, None), (None, A)):
        found = one(site(seen(1, was, HIGH)), site(seen(1, now, LOW)))
        assert found["hosts"] == {"appeared": [], "gone": [], "changed": [], "not_compared": []}
        assert names(found["findings"]["resolved"], "cve_id") == ["CVE-2099-0001"]
        assert names(found["findings"]["new"], "cve_id") == ["CVE-2099-0002"]


def test_one_mac_at_many_addresses_is_not_followed():
    before = site(seen(1, A), seen(50, A, HIGH), seen(51, A))
    found = one(before, site(seen(1, A), seen(51, A), seen(60, A, HIGH)))
    assert names(found["hosts"]["gone"]) == ["10.0.0.50"]
    assert names(found["hosts"]["appeared"]) == ["10.0.0.60"]


def test_upgrade_and_services():
    web = SeenService(80, "tcp", "http")
    before = site(seen(1, A, HIGH, LOW, services=(SSH, web)))
    after = site(
        seen(1, A, replace(LOW, score=4.2, severity="MEDIUM"),
             services=(replace(SSH, version="9.9p1"), SeenService(161, "udp", "snmp")), hostname="new")
    )  # fmt: skip
    found = one(before, after)
    assert found["services"]["changed"][0]["changes"] == {"version": {"before": "9.2p1", "after": "9.9p1"}}
    assert names(found["services"]["opened"], "port") == [161]
    assert names(found["services"]["closed"], "port") == [80]
    assert found["findings"]["changed"][0]["changes"] == {
        "severity": {"before": "LOW", "after": "MEDIUM"},
        "score": {"before": 3.0, "after": 4.2},
    }
    assert names(found["findings"]["resolved"], "cve_id") == ["CVE-2099-0001"]
    assert found["hosts"]["changed"][0]["changes"] == {"hostname": {"before": None, "after": "new"}}


def test_what_nobody_looked_at_is_neither_gone_nor_resolved():
    before = site(seen(1, A, HIGH), seen(2, B, LOW))
    for after in (
        site(whole=False),
        SiteLook("Main", (IPv4Network("10.0.1.0/24"),)),
        site(excluded=(IPv4Network("10.0.0.0/30"),)),
        site(excluded_macs=frozenset({A, B})),
    ):
        found = one(before, after)
        assert found["hosts"]["gone"] == found["findings"]["resolved"] == []
        assert len(found["hosts"]["not_compared"]) == len(found["findings"]["not_compared"]) == 2
        back = one(after, before)
        assert back["hosts"]["appeared"] == back["findings"]["new"] == []
    gone = one(before, site(seen(2, B, LOW)))
    assert (names(gone["hosts"]["gone"]), gone["findings"]["resolved"]) == (["10.0.0.1"], [])
    ports = one(site(seen(1, A)), site(seen(1, A, services=()), excluded_ports=frozenset({("tcp", 22)})))
    assert ports["services"]["closed"] == []


def test_a_host_of_which_only_the_ports_are_known_proves_no_upgrade():
    after = site(seen(1, A, services=(SeenService(22, "tcp"),), identified=False))
    found = one(site(seen(1, A, HIGH)), after)
    assert found["services"]["changed"] == found["findings"]["resolved"] == []
    assert names(found["findings"]["not_compared"], "cve_id") == ["CVE-2099-0001"]


def test_sites_of_equal_ranges_never_mix_and_moves_are_named():
    before = {"s": site(seen(1, A, HIGH)), "t": site(seen(1))}
    after = {"s": site(), "t": site(seen(1), seen(7, A, HIGH)), "u": site(seen(1))}
    found = compare(before, after)
    assert found["moved"] == [
        {
            "mac_address": A,
            "from": {"site_id": "s", "ip_address": "10.0.0.1"},
            "to": {"site_id": "t", "ip_address": "10.0.0.7"},
        }
    ]
    assert [(s["site_id"], len(s["hosts"]["appeared"]), len(s["hosts"]["gone"])) for s in found["sites"]] == [
        ("s", 0, 1),
        ("t", 1, 0),
        ("u", 0, 0),
    ]
    assert found["sites"][2]["hosts"]["not_compared"][0]["because"] == "not in the earlier scan"
    assert compare({}, {}) == {
        "summary": {"hosts": {}, "services": {}, "findings": {}},
        "moved": [],
        "sites": [],
    }
