"""Devices, their CVEs and the decisions about them, on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictStr, StringConstraints
from pydantic_core import PydanticCustomError

from netvigil.access.validation import WITHOUT_NUL, Id, domain_check
from netvigil.access.wire import UtcTime
from netvigil.catalogue.records import CVE_ID
from netvigil.errors import Invalid
from netvigil.findings.states import Decision
from netvigil.inventory.identity import names_device
from netvigil.inventory.mac import parse_mac

MACS_MAX = 500


def parse_cve_id(text: str) -> str:
    """The identifier in upper case; raises Invalid (`parameter_invalid`)."""
    if CVE_ID.fullmatch(text.upper()) is None:
        raise Invalid("parameter_invalid", f"{text[:40]!r} is not a CVE identifier, such as CVE-2024-12345.")
    return text.upper()


def parse_device_mac(text: str) -> str:
    """The normal form of a MAC that can name a device; raises Invalid (`parameter_invalid`)."""
    mac = parse_mac(text)
    if not names_device(mac):
        raise Invalid(
            "parameter_invalid",
            f"{mac} names no single device: it is a group's, a virtual router's, or empty.",
        )
    return mac


def _time(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    try:
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise PydanticCustomError(
            "time", "It must be an ISO 8601 time such as 2026-12-31T12:00:00Z"
        ) from None


def _future(value: datetime | None) -> datetime | None:
    if value is not None and value <= datetime.now(UTC):
        raise PydanticCustomError("time", "It must lie in the future")
    return value


Mac = Annotated[StrictStr, AfterValidator(domain_check(parse_mac))]
DeviceMac = Annotated[StrictStr, AfterValidator(domain_check(parse_device_mac))]
CveId = Annotated[StrictStr, AfterValidator(domain_check(parse_cve_id))]
Justification = Annotated[
    StrictStr, StringConstraints(strip_whitespace=True, min_length=10, max_length=1000), WITHOUT_NUL
]
Future = Annotated[datetime | None, BeforeValidator(_time), AfterValidator(_future)]


class MacCvesWanted(BaseModel):
    """Whose CVEs are wanted."""

    mac_addresses: list[Mac] = Field(
        min_length=1, max_length=MACS_MAX, description="In any usual spelling; duplicates count once."
    )
    include_resolved: bool = Field(
        default=False,
        description="Also list what is gone, with `state` resolved; the numbers never count it.",
    )


class Stats(BaseModel):
    """The CVEs of now in numbers."""

    unique_cve_count: int = Field(description="Distinct CVEs there now, whatever was decided about them.")
    highest_score: float = Field(description="Highest CVSS score of them; 0 without any.")
    average_score: float = Field(description="Mean score over device and CVE pairs; 0 without any.")


class MacStats(Stats):
    """One device in numbers."""

    total_scans: int = Field(description="Scans that saw the device.")
    total_cve_instances: int = Field(description="What all of those scans found on it, counted scan by scan.")
    open: int
    accepted: int
    mitigated: int
    resolved: int = Field(description="CVEs that a later scan did not find any more.")
    last_seen_at: UtcTime | None


class MacCves(BaseModel):
    """The CVEs of devices, each CVE and device once."""

    mac_addresses: list[str] = Field(description="In normal form, each once.")
    total_scans: int = Field(description="Scans that saw any of the devices.")
    total_cve_instances: int = Field(
        description="What all of those scans found on them, counted scan by scan."
    )
    total_host_count: int = Field(description="How many of the MACs some scan has seen.")
    mac_stats: dict[str, MacStats]
    stats: Stats
    cves: list[dict[str, Any]] = Field(
        description="CveInstances, the newest occurrence first. At most `limit` of them (1 to 500; without it 500, and 100 where "
        "more than 100 MACs are asked for): the next page is in the `Link` header, and is asked for with the same body. `other_occurrences` are those of the last "
        "20 scans of the device."
    )


class DeviceSummary(BaseModel):
    """A device in short; one that never showed a MAC is its site and address, and `mac_address` is null."""

    id: UUID
    identified_by: Literal["mac", "address"]
    mac_address: str | None
    manufacturer: str | None
    hostname: str | None
    model: str | None
    os: str | None
    ip_addresses: list[str] = Field(description="The latest first, at most 16.")
    site_id: UUID = Field(description="Where it was seen last.")
    first_seen_at: UtcTime
    last_seen_at: UtcTime
    highest_score: float = Field(
        description="Of the CVEs that are there now, whatever was decided; 0 without any."
    )
    open_cves: int
    accepted_cves: int
    mitigated_cves: int
    kev_cves: int = Field(description="CVEs there now that are known to be exploited.")


class DecisionWrite(BaseModel):
    """What a person decides about a CVE."""

    cve_id: CveId
    status: Decision = Field(description="`open` withdraws an earlier decision.")
    justification: Justification
    expires_at: Future = Field(default=None, description="ISO 8601, in the future; null for no end.")


class CveStatusWrite(DecisionWrite):
    """A decision about a CVE on a device; one that never showed a MAC is named by `device_id` in its place."""

    mac_address: DeviceMac


class DeviceCveStatusWrite(DecisionWrite):
    """The same about a device without a MAC."""

    device_id: Id


class CveStatus(BaseModel):
    """One decision, as it was recorded; it is never changed."""

    id: UUID
    mac_address: str | None
    device_id: UUID | None
    cve_id: str
    status: Decision
    justification: str
    scan_id: UUID | None = Field(description="The newest scan that had seen the CVE on the device by then.")
    expiration_date: UtcTime | None
    created_by: str = Field(description="The subject of the author's token.")
    updated_by: str
    created_at: UtcTime
    updated_at: UtcTime = Field(description="`created_at`, or when a scan overruled it.")
    overruled_at: UtcTime | None = Field(description="When a later scan saw again what was to be mitigated.")
    in_force: bool = Field(description="Whether it counts now: not expired, overtaken or overruled.")


class CveStatusList(BaseModel):
    """Decisions, the newest first."""

    data: list[CveStatus]


class CveStatusAnswer(CveStatus):
    """The new record, in `data` and again at top level."""

    data: CveStatus
    message: str
