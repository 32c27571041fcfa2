"""A site's own router and the read-only credentials to ask it with, which leave the database encrypted only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from netvigil.access.secrets import SecretBox
from netvigil.errors import Invalid

if TYPE_CHECKING:
    from uuid import UUID

    from netvigil.settings import Settings
    from netvigil.sites.models import Site


class RouterKind(StrEnum):
    """How the router is asked."""

    ROUTEROS_API = "routeros-api"  # MikroTik's API, with a user's name and password
    SNMP = "snmp"  # SNMP version 2c, with a community

    @property
    def secret_field(self) -> str:
        """What the secret is called in requests."""
        return "password" if self is RouterKind.ROUTEROS_API else "community"


def default_port(kind: RouterKind, *, tls: bool) -> int:
    """The port that such a router listens on out of the box."""
    if kind is RouterKind.SNMP:
        return 161
    return 8729 if tls else 8728


@dataclass(frozen=True, slots=True)
class RouterLogin:
    """What a client says about the router; `secret` None means the stored one."""

    address: IPv4Address
    kind: RouterKind
    port: int
    tls: bool = False
    username: str | None = None
    secret: str | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """What is stored and shown: everything but the secret."""
        return {
            "address": str(self.address),
            "kind": str(self.kind),
            "port": self.port,
            "tls": self.tls,
            "username": self.username,
        }


@dataclass(frozen=True, slots=True)
class RouterOsSecret:
    """A user of the RouterOS API."""

    username: str
    password: str = field(repr=False)
    port: int = 8728
    tls: bool = False


@dataclass(frozen=True, slots=True)
class SnmpSecret:
    """A community of SNMP version 2c."""

    community: str = field(repr=False)
    port: int = 161


@dataclass(frozen=True, slots=True)
class RouterSecret:
    """A router that may be asked, with its opened credentials; no repr shows a password or community."""

    address: IPv4Address
    login: RouterOsSecret | SnmpSecret


def seal_router(
    box: SecretBox, organisation_id: UUID, site_id: UUID, login: RouterLogin, stored: Site | None = None
) -> bytes:
    """The login's secret, encrypted for its site; without a new one, that of `stored` as it is.

    A stored secret is kept only for the place that it was given for: whoever may edit a site but does not know the
    password must not have it sent to a machine of their own, or in the clear. Raises Invalid, EnvironmentFault.
    """
    if login.secret is not None:
        return box.seal(login.secret, _label(organisation_id, site_id, login.to_json()))
    now = login.to_json()
    was = stored.router if stored is not None else None
    name = f"router.{login.kind.secret_field}"
    if stored is None or was is None or stored.router_secret is None:
        sentence = f"The '{name}' parameter is required for this request."
    elif any(now[part] != was[part] for part in ("address", "kind", "port")) or (
        was["tls"] and not login.tls
    ):
        sentence = f"The '{name}' parameter is required: the router is asked at another place or another way than before."
    else:
        return stored.router_secret
    raise Invalid("parameter_missing", sentence, {name: [sentence]})


def open_router(settings: Settings, site: Site) -> RouterSecret | None:
    """The site's router with its credentials, or None where the site has none.

    Raises EnvironmentFault with one sentence when the secret cannot be opened: the key is missing or another one.
    """
    if site.router is None or site.router_secret is None:
        return None
    secret = SecretBox.of(settings).open(
        site.router_secret, _label(site.organisation_id, site.id, site.router)
    )
    port = site.router["port"]
    login: RouterOsSecret | SnmpSecret
    if site.router["kind"] == RouterKind.SNMP:
        login = SnmpSecret(secret, port)
    else:
        login = RouterOsSecret(site.router["username"], secret, port, site.router["tls"])
    return RouterSecret(IPv4Address(site.router["address"]), login)


def _label(organisation_id: UUID, site_id: UUID, router: dict[str, Any]) -> str:
    # with the address: who can write to the database only must not be able to send the password elsewhere
    return f"router {organisation_id} {site_id} {router['kind']} {router['address']}:{router['port']}"
