"""The lab's ground truth: which devices stand where, what they run and which CVEs that means."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network
from typing import Any


@dataclass(frozen=True, slots=True)
class LabService:
    """One port of a device.

    `alternate_port` is used where `port` cannot be bound. `service`, `product` and `version` are what nmap says
    of the port, None where nmap cannot tell. `speaks` names the greeter that answers.
    """

    port: int
    alternate_port: int
    protocol: str
    service: str | None
    product: str | None
    version: str | None
    speaks: str


@dataclass(frozen=True, slots=True)
class Software:
    """What a device as a whole runs, such as a RouterOS release of a channel."""

    name: str
    version: str
    channel: str


@dataclass(frozen=True, slots=True)
class LabHost:
    """One device: `cves` are all starter CVEs that it has, `not_cves` plausible ones that it has not."""

    ip: IPv4Address
    name: str
    kind: str
    healthy: bool
    software: Software | None
    services: tuple[LabService, ...]
    cves: tuple[str, ...]
    not_cves: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """This host in the form of `truth.json`."""
        software = self.software
        return {
            "ip": str(self.ip),
            "name": self.name,
            "kind": self.kind,
            "healthy": self.healthy,
            "software": {f: getattr(software, f) for f in Software.__slots__} if software else None,
            "services": [{f: getattr(s, f) for f in LabService.__slots__} for s in self.services],
            "cves": list(self.cves),
            "not_cves": list(self.not_cves),
        }


@dataclass(frozen=True, slots=True)
class LabTruth:
    """All devices of the lab and the network they stand in."""

    subnet: IPv4Network
    hosts: tuple[LabHost, ...]

    def moved_to(self, subnet: IPv4Network) -> LabTruth:
        """The same devices in another network of the same size, each at the same offset."""
        shift = int(subnet.network_address) - int(self.subnet.network_address)
        return LabTruth(subnet, tuple(replace(host, ip=host.ip + shift) for host in self.hosts))

    def as_json(self) -> dict[str, Any]:
        """`{subnet, hosts: […]}`, the form of `truth.json`."""
        return {"subnet": str(self.subnet), "hosts": [host.as_json() for host in self.hosts]}


def load_truth() -> LabTruth:
    """The truth as shipped in the package, in its home network 127.77.0.0/28."""
    data = json.loads(files("netvigil.lab").joinpath("truth.json").read_text(encoding="utf-8"))
    return LabTruth(IPv4Network(data["subnet"]), tuple(_host(entry) for entry in data["hosts"]))


def _host(entry: dict[str, Any]) -> LabHost:
    return LabHost(
        ip=IPv4Address(entry["ip"]),
        name=entry["name"],
        kind=entry["kind"],
        healthy=entry["healthy"],
        software=Software(**entry["software"]) if entry["software"] else None,
        services=tuple(LabService(**service) for service in entry["services"]),
        cves=tuple(entry["cves"]),
        not_cves=tuple(entry["not_cves"]),
    )
