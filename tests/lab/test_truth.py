"""The lab's ground truth is complete: an independent reading of the starter catalogue gives the same CVEs."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from netvigil.lab.greeters import greeter_for
from netvigil.lab.truth import LabHost, load_truth

RECORDS = [
    json.loads(line)
    for line in files("netvigil.catalogue")
    .joinpath("starter", "cves.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
HOSTS = load_truth().hosts
NVD_NAMES = {
    "OpenSSH": {"openssh"},
    "Apache httpd": {"http_server"},
    "Dropbear sshd": {"dropbear_ssh"},
    "dnsmasq": {"dnsmasq"},
    "lighttpd": {"lighttpd"},
    "vsftpd": {"vsftpd"},
    "MySQL": {"mysql"},
    "MiniServ": {"webmin"},
    "Boa HTTPd": {"boa"},
    "ProFTPD": {"proftpd"},
    "nginx": {"nginx"},
    "Exim smtpd": {"exim"},
    "Redis key-value store": {"redis"},
    "MikroTik RouterOS": {"routeros"},
}


def software_of(host: LabHost) -> set[tuple[str, str]]:
    known = {(s.product, s.version) for s in host.services if s.product in NVD_NAMES and s.version}
    return known | ({(host.software.name, host.software.version)} if host.software else set())


def order(version: str) -> list[tuple[int, str]]:
    """`1.3.5b` after `1.3.5`, `9.10` after `9.9`: enough for the versions that the lab has."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[a-z]+", version)]


def is_hit(match: dict[str, str], product: str, version: str) -> bool:
    _, _, _, _, name, exact, update, *_, edition, _, _, _ = re.split(r"(?<!\\):", match["criteria"])
    version, _, patch = version.partition("p")
    if name not in NVD_NAMES[product] or not match["vulnerable"] or edition not in {"*", "-"}:
        return False
    if exact != "*":
        return exact == version and update in {"*", f"p{patch}" if patch else "-"}
    have = order(version)
    return (
        ("versionStartIncluding" not in match or have >= order(match["versionStartIncluding"]))
        and ("versionStartExcluding" not in match or have > order(match["versionStartExcluding"]))
        and ("versionEndIncluding" not in match or have <= order(match["versionEndIncluding"]))
        and ("versionEndExcluding" not in match or have < order(match["versionEndExcluding"]))
    )


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_cves_are_all_that_apply_and_no_others(host):
    found = {
        record["id"]
        for record in RECORDS
        for product, version in software_of(host)
        for configuration in record["configurations"]
        for node in configuration["nodes"]
        for match in node["cpeMatch"]
        if is_hit(match, product, version)
    }
    assert found == set(host.cves)


def test_lab_has_the_devices_that_were_asked_for():
    assert len(HOSTS) >= 12
    assert [host.name for host in HOSTS if host.healthy] == ["tidy"]
    assert {host.kind for host in HOSTS} >= {"router", "camera", "storage", "printer", "server"}
    assert all(bool(host.cves) != host.healthy for host in HOSTS if software_of(host))
    assert "CVE-2018-14847" in HOSTS[0].cves


def test_all_devices_fit_into_the_network_without_its_first_and_last_address():
    truth = load_truth()
    assert {host.ip for host in HOSTS} <= set(truth.subnet.hosts())


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_ports_do_not_collide_and_alternates_need_no_rights(host):
    ports = [port for service in host.services for port in {service.port, service.alternate_port}]
    assert len(ports) == len(set(ports))
    assert all(service.alternate_port >= 1024 for service in host.services)


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_service_has_a_greeter(host):
    assert all(callable(greeter_for(host, service)) for service in host.services)
