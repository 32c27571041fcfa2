"""Sites on the wire."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from netvigil.access.validation import WITHOUT_NUL, Id, Text, domain_check
from netvigil.access.wire import UtcTime
from netvigil.sites.exclusions import (
    LAST_PORT,
    Exclusions,
    parse_addresses,
    parse_exclusion_mac,
    parse_ports,
)
from netvigil.sites.router import RouterKind, RouterLogin, default_port
from netvigil.sites.scope import covers, is_private, parse_address, parse_network
from netvigil.sites.wall_clock import is_timezone, parse_time_of_day
from netvigil.sites.windows import Window, cover_the_week

NETWORKS_MAX = 256
EXCLUSIONS_MAX = 1024
WINDOWS_MAX = 32
SITE_ZONE = "UTC"
"""The zone of a site's windows that name none."""
Network = Annotated[Text, AfterValidator(domain_check(lambda text: str(parse_network(text))))]
EXCLUSIONS_EXAMPLE: dict[str, Any] = {
    "addresses": ["192.168.88.5", "192.168.88.64/28", "192.168.88.200-192.168.88.209"],
    "ports": [9100, "8000-8010", "udp/161"],
    "macs": ["00:1A:2B:3C:4D:5E"],
}
ROUTER_EXAMPLE: dict[str, Any] = {
    "address": "192.168.88.1",
    "kind": "routeros-api",
    "port": 8729,
    "tls": True,
    "username": "netvigil",
}
LIMITS_EXAMPLE = {"packets_per_second": 500, "connections_per_second": 50}
WINDOWS_EXAMPLE: list[dict[str, Any]] = [
    {"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00", "timezone": "Europe/Berlin"},
    {"days": [6], "from": "22:00", "to": "06:00", "timezone": None},
]
_WINDOWS = (
    "When no scan of the site starts or goes on, whatever schedule asks for it. One that is due waits for the end of the "
    "window, one that runs pauses and then goes on with what is missing; hosts already finished are kept."
)
_TIME_SCHEMA: dict[str, Any] = {"pattern": "^([0-1]?[0-9]|2[0-3]):[0-5][0-9]$", "format": "time"}


def _timezone(name: str) -> str:
    if not is_timezone(name):
        raise PydanticCustomError(
            "timezone_unknown",
            "The timezone '{name}' is not an IANA name that this host knows.",
            {"name": name[:64]},
        )
    return name


Timezone = Annotated[Text, AfterValidator(_timezone)]
TimeOfDay = Annotated[
    Text, AfterValidator(domain_check(lambda text: parse_time_of_day(text).isoformat("minutes")))
]


def _kept(check: Any) -> AfterValidator:
    """A validator that checks an entry and leaves it as it is; all entries together are normalised after."""

    def run(entry: Any) -> Any:
        domain_check(check)(entry)
        return entry

    return AfterValidator(run)


ExcludedAddress = Annotated[Any, _kept(parse_addresses), WithJsonSchema({"type": "string"})]
ExcludedPort = Annotated[
    Any,
    _kept(parse_ports),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": LAST_PORT}, {"type": "string"}]}),
]
ExcludedMac = Annotated[Any, _kept(parse_exclusion_mac), WithJsonSchema({"type": "string"})]


class ExclusionLists(BaseModel):
    """What is left alone: no packet goes to these addresses and ports, and a device of such a MAC is not spoken to."""

    addresses: Annotated[list[ExcludedAddress], Field(max_length=EXCLUSIONS_MAX)] = Field(
        default=[],
        description="IPv4 addresses, networks in CIDR notation and ranges from-to; answered joined and ascending.",
        examples=[EXCLUSIONS_EXAMPLE["addresses"]],
    )
    ports: Annotated[list[ExcludedPort], Field(max_length=EXCLUSIONS_MAX)] = Field(
        default=[],
        description="Ports 1 to 65535 of TCP and UDP, ranges of them, and with `tcp/` or `udp/` of one only.",
        examples=[EXCLUSIONS_EXAMPLE["ports"]],
    )
    macs: Annotated[list[ExcludedMac], Field(max_length=EXCLUSIONS_MAX)] = Field(
        default=[],
        description="MAC addresses in any usual spelling; answered as 00:1A:2B:3C:4D:5E.",
        examples=[EXCLUSIONS_EXAMPLE["macs"]],
    )

    @model_validator(mode="after")
    def _normal(self) -> ExclusionLists:
        normal = self.value().to_json()
        self.addresses, self.ports, self.macs = normal["addresses"], normal["ports"], normal["macs"]
        return self

    def value(self) -> Exclusions:
        """The exclusions that these lists mean."""
        return Exclusions.from_json({"addresses": self.addresses, "ports": self.ports, "macs": self.macs})


class SiteLimits(BaseModel):
    """Bounds of how hard a site is scanned, kept whatever a schedule asks for."""

    packets_per_second: Annotated[StrictInt, Field(ge=1, le=20_000)] | None = Field(
        default=None, description="Packets a second towards the site, at most.", examples=[500]
    )
    connections_per_second: Annotated[StrictInt, Field(ge=1, le=5_000)] | None = Field(
        default=None, description="New TCP connections a second towards the site, at most.", examples=[50]
    )


class MaintenanceWindow(BaseModel):
    """A time of the week, by the clock on the wall, in which nothing is scanned."""

    model_config = ConfigDict(populate_by_name=True)

    days: Annotated[list[Annotated[StrictInt, Field(ge=0, le=6)]], Field(min_length=1, max_length=7)] = Field(
        description="The days of the week on which it begins (0=Sunday, 1=Monday, ..., 6=Saturday).",
        examples=[[1, 2, 3, 4, 5]],
    )
    opens: TimeOfDay = Field(
        alias="from",
        description="The time of day at which it begins, in 24-hour format (HH:mm).",
        json_schema_extra=_TIME_SCHEMA,
        examples=["22:00"],
    )
    closes: TimeOfDay = Field(
        alias="to",
        description="The time of day at which it has ended; at or before `from` it is that of the day after.",
        json_schema_extra=_TIME_SCHEMA,
        examples=["06:00"],
    )
    timezone: Timezone | None = Field(
        default=None,
        description="The IANA name of the zone whose clock it goes by; null for the schedule's own, and for UTC at a "
        "site. Times that the clocks skip do not happen, those shown twice lie in it twice.",
        examples=["Europe/Berlin"],
    )

    @model_validator(mode="after")
    def _normal(self) -> MaintenanceWindow:
        self.days = sorted(set(self.days))
        return self

    def value(self) -> Window:
        """The window that this means."""
        return Window(
            frozenset(self.days),
            parse_time_of_day(self.opens),
            parse_time_of_day(self.closes),
            self.timezone,
        )

    @classmethod
    def stored(cls, window: dict[str, Any]) -> MaintenanceWindow:
        """A stored window for an answer, unchecked: a zone that is gone since must not make the answer fail."""
        return cls.model_construct(**window)


def require_gap(windows: list[MaintenanceWindow], default_zone: str) -> None:
    """Refuse windows that leave no moment of the week, in which a scan would wait for ever."""
    if cover_the_week([window.value() for window in windows], default_zone):
        raise PydanticCustomError(
            "maintenance_windows",
            "It must leave some of the week, or no scan could ever run",
            {"field": "maintenance_windows"},
        )


Secret = Annotated[SecretStr, Field(max_length=255)]


class RouterWrite(BaseModel):
    """The site's own router and credentials to read its ARP and DHCP tables with; a read-only user suffices."""

    address: Annotated[Text, AfterValidator(domain_check(lambda text: str(parse_address(text))))] = Field(
        description="Its IPv4 address, private or inside the site's networks.", examples=["192.168.88.1"]
    )
    kind: RouterKind = Field(
        description="`routeros-api` with a user, or `snmp` (version 2c) with a community.",
        examples=["routeros-api"],
    )
    port: Annotated[StrictInt, Field(ge=1, le=LAST_PORT)] | None = Field(
        default=None,
        description="By default 8728, 8729 with TLS, or 161 for SNMP.",
        examples=[8729],
    )
    tls: StrictBool = Field(
        default=False, description="Ask the RouterOS API inside TLS; meaningless for SNMP.", examples=[True]
    )
    username: Annotated[Text, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="The user of the RouterOS API; required for it.", examples=["netvigil"]
    )
    password: Secret | None = Field(
        default=None,
        description="That user's password. Never answered back; left out, the stored one is kept, as long as "
        "address, kind and port stay and TLS is not given up.",
    )
    community: Annotated[Secret, Field(min_length=1)] | None = Field(
        default=None, description="The SNMP community; never answered back and kept as a password is."
    )

    @model_validator(mode="after")
    def _with_user(self) -> RouterWrite:
        if self.kind is RouterKind.ROUTEROS_API and self.username is None:
            raise PydanticCustomError("router", "It needs a username for routeros-api")
        return self

    def login(self) -> RouterLogin:
        """What this says about the router; fields of the other kind mean nothing."""
        over_api = self.kind is RouterKind.ROUTEROS_API
        tls = over_api and self.tls
        secret = self.password if over_api else self.community
        return RouterLogin(
            address=IPv4Address(self.address),
            kind=self.kind,
            port=self.port or default_port(self.kind, tls=tls),
            tls=tls,
            username=self.username if over_api else None,
            secret=None if secret is None else secret.get_secret_value(),
        )


class Router(BaseModel):
    """The site's own router as the service answers it: all but its secret."""

    address: str
    kind: RouterKind
    port: int
    tls: bool
    username: str | None = Field(description="Null for SNMP.")
    has_secret: bool = Field(description="A password or community is stored; neither is ever answered.")


class VantageType(StrEnum):
    """Where a site is scanned from."""

    LOCAL = "local"  # the worker's own network
    NETNS = "netns"  # a network namespace of the worker
    VRF = "vrf"  # a VRF device of the worker


class Vantage(BaseModel):
    """From where a site is scanned; `name` is the namespace's or VRF device's name."""

    model_config = ConfigDict(use_enum_values=True)

    type: VantageType = VantageType.LOCAL
    # starts with a letter or digit, so that it can never be read as an option of a command
    name: Annotated[StrictStr, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None = None

    @model_validator(mode="after")
    def _named(self) -> Vantage:
        if (self.name is None) != (self.type == VantageType.LOCAL):
            raise PydanticCustomError("vantage", "It needs a name for netns and vrf, and none for local")
        return self

    def word(self) -> str:
        """`local`, `netns:<name>` or `vrf:<device>`."""
        return str(self.type) if self.type == VantageType.LOCAL else f"{self.type}:{self.name}"


class SiteWrite(BaseModel):
    """A site as a client sends it; `id` is made when none is given."""

    id: Id | None = Field(default=None, description="Chosen by the client, or made by the service.")
    name: Annotated[StrictStr, StringConstraints(min_length=1, max_length=255), WITHOUT_NUL]
    networks: Annotated[list[Network], Field(min_length=1, max_length=NETWORKS_MAX)] = Field(
        description="IPv4 networks in CIDR notation that may be scanned. A public one is allowed here, and only here.",
    )
    vantage: Vantage = Vantage()
    exclusions: ExclusionLists = Field(
        default=ExclusionLists(),
        description="Left alone by every schedule's scans of this site, besides what a schedule excludes itself.",
        examples=[EXCLUSIONS_EXAMPLE],
    )
    limits: SiteLimits = Field(
        default=SiteLimits(),
        description="How hard this site may be scanned; null takes the service's own setting.",
        examples=[LIMITS_EXAMPLE],
    )
    router: RouterWrite | None = Field(
        default=None,
        description="The site's own router, asked for MAC addresses and host names beyond it; null for none.",
        examples=[ROUTER_EXAMPLE],
    )
    maintenance_windows: Annotated[list[MaintenanceWindow], Field(max_length=WINDOWS_MAX)] = Field(
        default=[], description=_WINDOWS, examples=[WINDOWS_EXAMPLE]
    )

    @model_validator(mode="after")
    def _scannable_at_times(self) -> SiteWrite:
        require_gap(self.maintenance_windows, SITE_ZONE)
        return self

    @model_validator(mode="after")
    def _router_of_the_site(self) -> SiteWrite:
        if self.router is None:
            return self
        place = IPv4Network(self.router.address)
        if is_private(place) or covers(map(IPv4Network, self.networks), place):
            return self
        raise PydanticCustomError(
            "router", "It must be private or inside the site's networks", {"field": "router.address"}
        )


class Site(BaseModel):
    """A site as the service answers it."""

    id: Id
    name: str
    networks: list[str]
    vantage: dict[str, Any]
    exclusions: ExclusionLists = Field(
        description="What every scan of the site leaves alone, in normal form.", examples=[EXCLUSIONS_EXAMPLE]
    )
    limits: SiteLimits = Field(
        description="How hard this site may be scanned; null takes the service's own setting.",
        examples=[LIMITS_EXAMPLE],
    )
    router: Router | None = Field(
        description="The site's own router, or null.", examples=[{**ROUTER_EXAMPLE, "has_secret": True}]
    )
    maintenance_windows: list[MaintenanceWindow] = Field(description=_WINDOWS, examples=[WINDOWS_EXAMPLE])
    online: bool | None = Field(description="Whether the last scan reached it; null before the first.")
    last_seen_at: UtcTime | None
    registration: str = Field(description="`auto`: named by a schedule first; `person`: entered here.")
    created_at: UtcTime
    updated_at: UtcTime
