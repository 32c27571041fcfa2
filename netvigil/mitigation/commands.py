"""PURE: the only way of a value into a command: addresses, ports and package names in a strict form, or not at all."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from netvigil.catalogue.records import CVE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

MANAGEMENT: Final = "<MANAGEMENT-NETWORK>"
"""Stands for the reader's own network. No console takes it as it is, so a command pasted unread changes nothing."""

PORTS_IN_COMMAND: Final = 12  # RouterOS takes 15 in one rule
_PACKAGE: Final = re.compile(
    r"[a-z0-9][a-z0-9.+-]{1,79}"
)  # Debian policy 5.6.1; the others' names are of this form too
_LAST_PORT: Final = 65535


def valid_ports(ports: Iterable[int]) -> list[int]:
    """The numbers that are ports, each once, in order, as many as one rule takes."""
    return sorted({port for port in ports if 0 < port <= _LAST_PORT})[:PORTS_IN_COMMAND]


def port_list(ports: Iterable[int], separator: str = ",") -> str:
    """The ports as one word of a command."""
    return separator.join(str(port) for port in valid_ports(ports))


def valid_addresses(values: Iterable[str]) -> list[str]:
    """The texts that are IPv4 addresses, each once, in order."""
    found = set()
    for value in values:
        with suppress(ValueError):
            found.add(IPv4Address(value))
    return [str(one) for one in sorted(found)]


def valid_package(name: str) -> str | None:
    """A package's name that may stand in a command; None for anything else."""
    return name if _PACKAGE.fullmatch(name) else None


def valid_cve(name: str) -> str:
    """A CVE's name for a comment in a command; a neutral word where it is none."""
    return name if CVE_ID.fullmatch(name) else "netvigil"
