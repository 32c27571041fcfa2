"""PURE: how a site's router is read; the secrets in these values show in no text that is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class RouterOsLogin:
    """A RouterOS user, who needs the policies `read` and `api` only. With `tls` the port is usually 8729."""

    username: str
    password: str = field(repr=False)
    port: int = 8728
    tls: bool = False


@dataclass(frozen=True, slots=True)
class SnmpCommunity:
    """A community of SNMP v2c that may read."""

    community: str = field(repr=False)
    port: int = 161


@dataclass(frozen=True, slots=True)
class RouterAccess:
    """The site's router and how it is read."""

    address: IPv4Address
    login: RouterOsLogin | SnmpCommunity
