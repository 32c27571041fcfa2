"""PURE: what one scan saw, as immutable values; nothing here judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from ipaddress import IPv4Address


class Protocol(StrEnum):
    """Transport protocol of a port."""

    TCP = "tcp"
    UDP = "udp"


class Method(StrEnum):
    """How a service was looked at."""

    SWEEP = "sweep"  # open, nothing was said
    SPOKEN = "spoken"  # our own conversation in its protocol
    NMAP = "nmap"  # nmap's version detection


@dataclass(frozen=True, slots=True)
class ServiceObservation:
    """One open port and what answered on it.

    Strings are the device's own words, cleaned of control characters and cut in length, but never trusted.
    `cpes` are names as the observer gave them (nmap: CPE 2.2 URIs), `product`, `version` and `extra_info`
    nmap's fields; None where unknown. `banner` are its telling words: greeting, head and title of a page, sysDescr.
    `facts`: what else it told (see `speak.answer.Answer`). `spared`: it is fragile and was not spoken to, on purpose.
    """

    port: int
    protocol: Protocol
    method: Method
    name: str | None = None
    product: str | None = None
    version: str | None = None
    extra_info: str | None = None
    os_type: str | None = None
    device_type: str | None = None
    hostname: str | None = None
    tunnel: str | None = None
    cpes: tuple[str, ...] = ()
    banner: str | None = None
    spared: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostObservation:
    """One live address and its open ports; `mac` is upper case with colons, None where it cannot be seen.

    `reason` says what proved it alive (`arp-response`, `echo-reply`, `syn-ack`, …), `mac_source` who told the MAC
    (`arp`, `mndp`, `netbios`, `snmp`, `router`, …). `notes`: what a reader must know of this host, in sentences: sources that
    contradict each other, a device that was slowed down for.
    """

    address: IPv4Address
    observed_at: datetime
    reason: str
    mac: str | None = None
    manufacturer: str | None = None
    hostname: str | None = None
    os_name: str | None = None
    mac_source: str | None = None
    model: str | None = None
    notes: tuple[str, ...] = ()
    services: tuple[ServiceObservation, ...] = field(default=())
