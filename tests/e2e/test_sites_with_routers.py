"""Sites beyond a router, as a client of the API sees them: names by the router, exclusions, equal networks, a stop."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from uuid import uuid4

import pytest
from branch import ROUTER, SUBNET, Branch, can_route
from running import create_schedule, wait_for

from netvigil.db.cluster import binaries
from netvigil.db.embedded import connect_url

PASSWORD = "Zw1e-bel+kuchen#4711"
FTP = b"220 (vsFTPd 2.3.4)\r\n"
SSH = b"SSH-2.0-OpenSSH_7.4\r\n"
NVR, PRINTER, SECRETIVE = "94:18:82:00:01:02", "00:11:32:00:01:03", "00:0C:42:00:01:04"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not can_route(), reason="needs root, ip(8) and network namespaces that forward"),
]


@pytest.fixture
async def branch():
    """A recorder and a printer behind a router, and a device that wants to be left alone."""
    async with Branch("a") as made:
        made.router.username, made.router.password = "netvigil", PASSWORD
        await made.add(2, NVR, "recorder", {21: FTP, 22: SSH, 8080: SSH})
        await made.add(3, PRINTER, "printer-2nd-floor", {22: SSH, 443: SSH})
        await made.add(4, SECRETIVE, "left-alone", {22: SSH})
        yield made


async def add_site(api, branch, **fields):
    """A registered site of the branch; its id."""
    body = {"id": str(uuid4()), "name": f"Branch {branch.name}", "networks": [SUBNET]}
    answer = await api.post("/sites", json={**body, "vantage": branch.vantage, **fields})
    assert answer.status_code == 201, answer.text
    return body["id"]


async def give_router(api, site_id, password):
    router = {"address": ROUTER, "kind": "routeros-api", "username": "netvigil", "password": password}
    answer = await api.patch(f"/sites/{site_id}", json={"router": router})
    assert answer.status_code == 200, answer.text
    assert answer.json()["router"]["has_secret"] is True
    return answer


async def scan(api, schedule_id):
    """Run the schedule; the short and the full report."""
    invoked = await api.post(f"/scans/cve/scheduled/{schedule_id}/invoke")
    assert invoked.status_code == 202, invoked.text
    await wait_for(api, schedule_id, "completed", "failed", "stopped")
    return await read_report(api, invoked.json()["scan_id"])


async def read_report(api, scan_id):
    report = (await api.get(f"/scans/cve/{scan_id}")).json()
    return report, (await api.get(report["json_url"])).json()


def hosts_of(content):
    return {host["ip_address"]: host for host in content["hosts"]}


def ports_of(host):
    return {service["port"] for service in host["services"] if service["protocol"] == "tcp"}


async def test_router_names_what_stands_behind_it_and_exclusions_are_kept(serve, branch):
    async with serve() as server:
        site_id = await add_site(server.api, branch, exclusions={"addresses": ["192.168.188.4"]})
        await give_router(server.api, site_id, PASSWORD)
        schedule_id = await create_schedule(
            server.api,
            SUBNET,
            sites=[{"id": site_id, "subnet": SUBNET}],
            profile="quick",
            exclusions={"ports": [8080, "tcp/443", "udp/161"]},
        )
        report, content = await scan(server.api, schedule_id)
    assert report["state"] == "completed"
    hosts = hosts_of(content)
    assert set(hosts) == {ROUTER, "192.168.188.2", "192.168.188.3"}
    known = {
        address: (host["mac_address"], host["hostname"], host["mac_source"])
        for address, host in hosts.items()
    }
    assert known["192.168.188.2"] == (NVR, "recorder", "router")
    assert known["192.168.188.3"] == (PRINTER, "printer-2nd-floor", "router")
    assert ports_of(hosts["192.168.188.2"]) == {21, 22}
    assert ports_of(hosts["192.168.188.3"]) == {22}
    assert {finding["host"]["mac_address"] for finding in content["findings"]} >= {NVR, PRINTER}

    assert branch.frames
    assert not [frame for frame in branch.frames if str(frame.target) == "192.168.188.4"]
    forbidden = {("tcp", 8080), ("udp", 8080), ("tcp", 443), ("udp", 161)}
    assert not [frame for frame in branch.frames if (frame.kind, frame.port) in forbidden]
    assert not {(address, port) for address, port in branch.touched if port in {443, 8080}}
    asked = {words[0] for words in branch.router.asked}
    assert asked >= {"/login", "/ip/arp/print", "/ip/dhcp-server/lease/print"}
    assert all(command in {"/login", "/quit"} or command.endswith("/print") for command in asked)


async def test_wrong_credentials_are_a_limitation_and_no_password_is_anywhere(serve, branch, data_dir):
    wrong = PASSWORD + "-wrong"
    said = []
    async with serve() as server:
        site_id = await add_site(server.api, branch)
        said.append((await give_router(server.api, site_id, wrong)).text)
        schedule_id = await create_schedule(
            server.api, SUBNET, sites=[{"id": site_id, "subnet": SUBNET}], profile="quick"
        )
        report, content = await scan(server.api, schedule_id)
        assert report["state"] == "completed"
        assert ports_of(hosts_of(content)["192.168.188.2"]) == {21, 22, 8080}
        assert hosts_of(content)["192.168.188.2"]["mac_address"] is None
        told = content["sites"][0]["limitations"]
        assert any(f"The router {ROUTER} refused the site's credentials" in sentence for sentence in told), (
            told
        )
        assert branch.router.asked[0] == ["/login", "=name=netvigil", f"=password={wrong}"]

        said.append((await give_router(server.api, site_id, PASSWORD)).text)
        _, named = await scan(server.api, schedule_id)
        assert hosts_of(named)["192.168.188.2"]["mac_address"] == NVR
        scans = ("", f"/{schedule_id}/status", f"/{report['id']}/hosts", f"/{report['id']}/findings")
        paths = ("/sites", f"/sites/{site_id}", *(f"/scans/cve{path}" for path in scans))
        said += [(await server.api.get(path)).text for path in paths]
        said += [(await server.api.get(report[link])).text for link in ("json_url", "log_url")]
        said.append(dump(connect_url(data_dir)))
        assert "scan_schedule" in said[-1]
    said += [path.read_text() for path in data_dir.parent.glob("serve-*.log")]
    said += [path.read_text(errors="replace") for path in data_dir.glob("**/*.log")]
    secret = PASSWORD.encode()
    for text in said:
        for form in (PASSWORD, secret.hex(), base64.b64encode(secret).decode()[:20]):
            assert form not in text


def dump(url):
    """Every row of the database as text."""
    tool = binaries() / "pg_dump"
    return subprocess.run([tool, "--inserts", url], check=True, capture_output=True, text=True).stdout


async def test_equal_networks_at_the_same_time_do_not_mix(serve, branch):
    async with serve() as server, Branch("b") as other:
        other.router.username, other.router.password = "netvigil", PASSWORD
        await other.add(2, "4C:5E:0C:00:02:02", "till", {2222: b"SSH-2.0-dropbear_2016.74\r\n"})
        sites = []
        for place in (branch, other):
            site_id = await add_site(server.api, place)
            await give_router(server.api, site_id, PASSWORD)
            sites.append({"id": site_id, "subnet": SUBNET})
        schedule_id = await create_schedule(server.api, SUBNET, sites=sites, profile="quick")
        report, content = await scan(server.api, schedule_id)
    assert report["state"] == "completed"
    began = max(site["started_at"] for site in content["sites"])
    ended = min(site["finished_at"] for site in content["sites"])
    assert began < ended, "the sites were scanned one after the other"
    seen = {
        (host["site_id"], host["ip_address"]): (host["mac_address"], host["hostname"], ports_of(host))
        for host in content["hosts"]
        if host["ip_address"] != ROUTER
    }
    first, second = (site["id"] for site in sites)
    assert seen == {
        (first, "192.168.188.2"): (NVR, "recorder", {21, 22, 8080}),
        (first, "192.168.188.3"): (PRINTER, "printer-2nd-floor", {22, 443}),
        (first, "192.168.188.4"): (SECRETIVE, "left-alone", {22}),
        (second, "192.168.188.2"): ("4C:5E:0C:00:02:02", "till", {2222}),
    }


async def test_odd_port_once_found_is_looked_at_again(serve):
    async with serve() as server, Branch("o") as branch:
        await branch.add(2, NVR, "recorder", {45_678: SSH})
        place = await add_site(server.api, branch)
        # a full profile without most of its ports: 65,535 of one host take minutes at the gentle rate
        schedule_id = await create_schedule(
            server.api,
            "192.168.188.2/32",
            sites=[{"id": place, "subnet": "192.168.188.2/32"}],
            profile="standard",
        )
        path = f"/scans/cve/scheduled/{schedule_id}"
        unknown = hosts_of((await scan(server.api, schedule_id))[1])
        changes = {"profile": "full", "exclusions": {"ports": ["1-45599", "45700-65535"]}}
        assert (await server.api.patch(path, json=changes)).status_code == 200
        found = hosts_of((await scan(server.api, schedule_id))[1])
        assert (
            await server.api.patch(path, json={"profile": "standard", "exclusions": {}})
        ).status_code == 200
        again = hosts_of((await scan(server.api, schedule_id))[1])
    assert ports_of(unknown["192.168.188.2"]) == set()
    assert ports_of(found["192.168.188.2"]) == {45_678}
    (service,) = again["192.168.188.2"]["services"]
    assert (service["port"], service["version"]) == (45_678, "7.4")


async def test_stop_in_the_middle_keeps_hosts_and_ports(serve, branch):
    async with serve() as server:
        site_id = await add_site(server.api, branch)
        schedule_id = await create_schedule(
            server.api, SUBNET, sites=[{"id": site_id, "subnet": SUBNET}], profile="full"
        )
        path = f"/scans/cve/scheduled/{schedule_id}/invoke"
        scan_id = (await server.api.post(path)).json()["scan_id"]
        for _ in range(300):
            seen = (await server.api.get(f"/scans/cve/{scan_id}/hosts")).json()
            if sum(len(host["services"]) for host in seen) >= 2:
                break
            await asyncio.sleep(0.1)
        assert (await server.api.get(f"/scans/cve/{scan_id}")).json()["running"] is True
        assert (await server.api.delete(path)).is_success
        await wait_for(server.api, schedule_id, "stopped", patience=5)
        report, content = await read_report(server.api, scan_id)
    assert report["state"] == "stopped"
    assert {host["ip_address"] for host in content["hosts"]} >= {host["ip_address"] for host in seen}
    kept = {(host["ip_address"], port) for host in content["hosts"] for port in ports_of(host)}
    assert kept >= {(host["ip_address"], port) for host in seen for port in ports_of(host)}
    assert any("stopped" in warning for warning in content["warnings"])
