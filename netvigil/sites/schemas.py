"""Sites on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictStr,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from netvigil.access.validation import WITHOUT_NUL, Id, Text, domain_check
from netvigil.access.wire import UtcTime
from netvigil.sites.scope import parse_network

NETWORKS_MAX = 256
Network = Annotated[Text, AfterValidator(domain_check(lambda text: str(parse_network(text))))]


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


class Site(BaseModel):
    """A site as the service answers it."""

    id: Id
    name: str
    networks: list[str]
    vantage: dict[str, Any]
    online: bool | None = Field(description="Whether the last scan reached it; null before the first.")
    last_seen_at: UtcTime | None
    registration: str = Field(description="`auto`: named by a schedule first; `person`: entered here.")
    created_at: UtcTime
    updated_at: UtcTime
