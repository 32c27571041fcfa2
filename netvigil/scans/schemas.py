"""Starting and stopping on the wire."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from netvigil.access.validation import Id
from netvigil.access.wire import UtcTime

IPS_MAX = 1024
_ADDRESS_MAX = 15


def _address(value: Any) -> IPv4Address:
    # no leading zeros and no numbers: Python's reader would take 3232235777 for an address
    if isinstance(value, str) and len(value) <= _ADDRESS_MAX:
        try:
            return IPv4Address(value)
        except AddressValueError:
            pass
    raise PydanticCustomError("ipv4", "It must be an IPv4 address such as 192.168.1.10")


Address = Annotated[
    IPv4Address, BeforeValidator(_address), WithJsonSchema({"type": "string", "format": "ipv4"})
]


class ScanAnswer(BaseModel):
    """What starting or stopping a scan answers."""

    scan_id: UUID = Field(description="The scan's unique identifier.")
    status: str = Field(description="`pending` after a start, `stopping` after a stop.")
    message: str


class SingleIpWrite(BaseModel):
    """One address of a schedule's site that is to be scanned now."""

    schedule_id: Id = Field(description="The schedule whose thresholds and subnets count.")
    site_id: Id = Field(description="A site of that schedule.")
    ip_address: Address = Field(description="An address inside that site's subnets of the schedule.")


class MultiIpWrite(BaseModel):
    """Several addresses of a schedule's site that are to be scanned now."""

    schedule_id: Id = Field(description="The schedule whose thresholds and subnets count.")
    site_id: Id = Field(description="A site of that schedule.")
    ips: Annotated[list[Address], Field(min_length=1, max_length=IPS_MAX)] = Field(
        description="Addresses inside that site's subnets of the schedule; one that is named twice is scanned once."
    )


class SingleIpScan(BaseModel):
    """A scan of one address that was started."""

    scan_id: UUID
    status: str = Field(description="`pending`")
    ip_address: str
    site_id: UUID
    created_at: UtcTime
    message: str


class MultiIpScan(BaseModel):
    """A scan of several addresses that was started."""

    scan_id: UUID
    scan_site_id: UUID = Field(description="The part of the scan at this site.")
    target_ips: list[str]
    message: str
