"""The commands as scripts use them: results on stdout, exit statuses, one sentence on failure."""

import asyncio
import json
import signal

from running import COMMAND, expected_cves
from small_devices import list_nmaps


async def test_scan_finds_the_whole_lab_and_nothing_else(netvigil, lab):
    status, out, err = await netvigil("scan", lab.subnet, "--json")
    assert status == 0, err
    result = json.loads(out)
    assert set(result) == {"hosts", "sites_failed", "seconds"}
    hosts = {host["ip"]: host for host in result["hosts"]}
    truth = lab.truth()
    assert set(hosts) == {host["ip"] for host in truth["hosts"]}
    for host in truth["hosts"]:
        seen = {service["port"]: service for service in hosts[host["ip"]]["services"]}
        assert set(seen) == {service["port"] for service in host["services"]}
        for service in host["services"]:
            found = seen[service["port"]]
            assert (found["product"], found["version"]) == (service["product"], service["version"])
    sure = {
        (host["ip"], finding["cve_id"])
        for host in result["hosts"]
        for finding in host["findings"]
        if finding["confidence"] != "possible"
    }
    assert sure == expected_cves(lab)
    healthy = [host["ip"] for host in truth["hosts"] if host["healthy"]]
    assert healthy
    assert all(hosts[address]["findings"] == [] for address in healthy)
    for host in truth["hosts"]:
        reported = {finding["cve_id"] for finding in hosts[host["ip"]]["findings"]}
        assert not reported & set(host["not_cves"])
    assert lab.printed == 0


async def test_interrupted_scan_prints_what_it_saw(lab, data_dir):
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "scan", lab.subnet, "--profile", "full", "--json", "--data-dir", str(data_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    while not list_nmaps(process.pid):
        assert process.returncode is None
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 130
    result = json.loads(out)
    assert set(result) == {"hosts", "sites_failed", "seconds"}
    assert "interrupted" in result["sites_failed"][0]["reason"]
    assert b"Traceback" not in err


async def test_match(netvigil):
    status, out, err = await netvigil("match", "cpe:2.3:o:mikrotik:routeros:6.41:*:*:*:*:*:*:*", "--json")
    assert status == 0
    assert "starter catalogue" in err
    found = {one["cve_id"]: one for one in json.loads(out)}
    winbox = found["CVE-2018-14847"]
    assert (winbox["score"], winbox["severity"]) == (9.1, "CRITICAL")
    assert winbox["confidence"] in {"exact", "likely"}
    assert winbox["evidence"]["range"] == "through 6.42"


async def test_wrong_use_is_2_and_failure_is_1(netvigil):
    assert (await netvigil("match", "openssh 9.3"))[0] == 2
    assert (await netvigil("scan", "8.8.8.0/24"))[0] == 2
    assert (await netvigil("scan", "192.168.1.7/24"))[0] == 2
    assert (await netvigil("token", "create", "--org", "a", "--scope", "cve:viev"))[0] == 2
    assert (await netvigil("token", "create", "--org", "a", "--scope", "*", "--ttl", "soon"))[0] == 2
    assert (await netvigil("nonsense"))[0] == 2
    status, out, err = await netvigil("feeds", "import", "/nonexistent")
    assert (status, out) == (1, "")
    assert err.startswith("netvigil: ")
    assert len(err.strip().splitlines()) == 1


async def test_token_is_alone_on_stdout(netvigil, data_dir):
    status, out, _ = await netvigil("token", "create", "--org", "acme", "--scope", "cve:view", "cve:run")
    assert status == 0
    assert len(out.split()) == 1
    assert out.count(".") == 2
    key = data_dir / "keys" / "signing-key.json"
    assert key.stat().st_mode & 0o777 == 0o600


async def test_doctor_checks_for_real(netvigil):
    status, out, _ = await netvigil("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(out)}
    assert status == 0
    assert checks["nmap"]["verdict"] == "ok"
    assert checks["Database"]["verdict"] == "ok"
