"""PURE: tell devices emulated on loopback addresses from this machine, which answers on every one of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netvigil.probing.observations import HostObservation

# Nobody emulates a device here: what is open on it is open on all of 127.0.0.0/8.
CONTROL_ADDRESS = IPv4Address("127.254.251.253")
_MACHINE = IPv4Address("127.0.0.1")


def set_apart(
    swept: Mapping[IPv4Address, HostObservation],
) -> tuple[list[HostObservation], tuple[int, ...]]:
    """The hosts that count, and the ports that this machine opens on every loopback address.

    A loopback address counts as a host when a port is open on it that is not open on the control address (which
    must have been swept too); only 127.0.0.1 keeps the machine's own ports. Other hosts pass unchanged.
    """
    control = swept.get(CONTROL_ADDRESS)
    everywhere = {service.port for service in control.services} if control is not None else set()
    hosts: list[HostObservation] = []
    for address, host in swept.items():
        if not address.is_loopback or (address == _MACHINE and host.services):
            hosts.append(host)
            continue
        services = tuple(service for service in host.services if service.port not in everywhere)
        if services:
            hosts.append(replace(host, services=services))
    return hosts, tuple(sorted(everywhere))
