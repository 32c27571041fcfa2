"""Scan schedules on the wire: the published page to the letter, and the fields the service adds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.types import Strict
from pydantic_core import PydanticCustomError

from netvigil.access.validation import WITHOUT_NUL, Id, Text, domain_check
from netvigil.access.wire import UtcTime, WallTime
from netvigil.probing.ports import Profile
from netvigil.sites.schemas import (
    EXCLUSIONS_EXAMPLE,
    WINDOWS_EXAMPLE,
    WINDOWS_MAX,
    ExclusionLists,
    MaintenanceWindow,
    TimeOfDay,
    Timezone,
    require_gap,
)
from netvigil.sites.scope import overlaps, parse_subnet

SITES_MAX = 500
NOTIFY_MAX = 500
NOTIFY_ID_MAX = 255
DURATION_MAX = 7 * 24 * 60  # minutes: a week
EXAMPLE = {
    "description": "Weekly Scan for Main Office",
    "day_of_week": 1,
    "time_of_day": "02:00",
    "every_n_weeks": 2,
    "timezone": "America/New_York",
    "min_cvss": 4,
    "warning_threshold": 7,
    "ignore_offline_sites": False,
    "notification_group": "security-alerts",
    "sites": [{"id": "9c3c1392-7f36-4240-85f2-273573c0384a", "subnet": "192.168.1.0/24"}],
}


def _user_id(value: Any) -> Any:
    # JSON of any depth would be stored and then be too deep to answer: that schedule could never be listed again
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and 0 < len(value) <= NOTIFY_ID_MAX and "\0" not in value:
        return value
    raise PydanticCustomError(
        "user_id", "It must be an integer or a string of 1 to {most} characters", {"most": NOTIFY_ID_MAX}
    )


_PROFILES = (
    "Which TCP ports are looked at: `quick` the hundred most frequent ones and those of LAN devices, `standard` the "
    "thousand most frequent and those, `full` all 65,535."
)
_WINDOWS = (
    "When no scan of this schedule starts or goes on, besides the windows of its sites. One that is due waits for the "
    "end of the window, one that runs pauses and then goes on with what is missing; hosts already finished are kept."
)
_DURATION = (
    "Minutes that a scan may last from its start, pauses included; one that lasts longer is stopped and what was seen "
    "is reported. A change holds for scans that start after it; null for no limit."
)
Number = Annotated[float, Field(json_schema_extra={"format": "float"})]
Score = Annotated[Number, Strict(), Field(ge=0, le=10)]
UserId = Annotated[
    Any, AfterValidator(_user_id), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
Subnet = Annotated[Text, AfterValidator(domain_check(lambda text: str(parse_subnet(text))))]


class ScanScheduleSiteInput(BaseModel):
    """A site of a schedule and the subnet to be scanned there."""

    id: Id = Field(description="The unique identifier of the site.")
    subnet: Subnet = Field(
        description="The IPv4 subnet to be scanned for this site, in CIDR notation, between /22 and /32.",
    )


class ScanScheduleWrite(BaseModel):
    """What a client sends to create or replace a schedule."""

    description: Annotated[StrictStr, StringConstraints(min_length=1, max_length=255), WITHOUT_NUL] = Field(
        description="A human-readable name for the scan schedule."
    )
    day_of_week: Annotated[StrictInt, Field(ge=0, le=6)] = Field(
        description="The day of the week to run the scan (0=Sunday, 1=Monday, ..., 6=Saturday)."
    )
    time_of_day: TimeOfDay = Field(
        description="The time of day to run the scan in 24-hour format (HH:mm).",
        json_schema_extra={"pattern": "^([0-1]?[0-9]|2[0-3]):[0-5][0-9]$", "format": "time"},
    )
    every_n_weeks: Annotated[StrictInt, Field(ge=2, le=52)] = Field(
        description="The frequency of the scan in weeks, from 2 to 52."
    )
    timezone: Timezone = Field(description="The IANA timezone database name.")
    min_cvss: Score = Field(
        description="The minimum CVSS score to be included in reports; less than `warning_threshold`."
    )
    warning_threshold: Score = Field(
        description="The CVSS score at which a vulnerability is a high-priority warning; greater than `min_cvss`."
    )
    sites: Annotated[list[ScanScheduleSiteInput], Field(min_length=1, max_length=SITES_MAX)] = Field(
        description="A list of sites and their subnets to be scanned."
    )
    notification_group: Annotated[StrictStr, StringConstraints(min_length=1, max_length=100), WITHOUT_NUL] = (
        Field(description="The identifier for a notification group to receive scan alerts.")
    )
    ignore_offline_sites: StrictBool = Field(
        default=False, description="If true, the scan will not fail if a site is offline."
    )
    notify: Annotated[list[UserId], Field(max_length=NOTIFY_MAX)] | None = Field(
        default=None, description="User ids of the older contract; kept and answered back."
    )
    profile: Profile = Field(default=Profile.STANDARD, description=_PROFILES, examples=["quick"])
    exclusions: ExclusionLists = Field(
        default=ExclusionLists(),
        description="Left alone by this schedule's scans, besides what the site itself excludes.",
        examples=[EXCLUSIONS_EXAMPLE],
    )
    maintenance_windows: Annotated[list[MaintenanceWindow], Field(max_length=WINDOWS_MAX)] = Field(
        default=[], description=_WINDOWS, examples=[WINDOWS_EXAMPLE]
    )
    max_duration_minutes: Annotated[StrictInt, Field(ge=1, le=DURATION_MAX)] | None = Field(
        default=None, description=_DURATION, examples=[240]
    )

    @model_validator(mode="after")
    def _consistent(self) -> ScanScheduleWrite:
        require_gap(self.maintenance_windows, self.timezone)
        if self.min_cvss >= self.warning_threshold:
            raise PydanticCustomError(
                "threshold_order",
                "The '{field}' parameter must be less than 'warning_threshold'.",
                {"field": "min_cvss"},
            )
        by_site: dict[Id, list[Any]] = {}
        for site in self.sites:
            by_site.setdefault(site.id, []).append(parse_subnet(site.subnet))
        for site_id, subnets in by_site.items():
            if pair := overlaps(subnets):
                raise PydanticCustomError(
                    "subnet_invalid",
                    "The subnets {a} and {b} of the site '{site}' overlap.",
                    {"a": str(pair[0]), "b": str(pair[1]), "site": str(site_id), "field": "sites"},
                )
        return self


class ScanScheduleSite(BaseModel):
    """A site of a schedule and its subnet."""

    id: Id
    subnet: str


class ScanSchedule(BaseModel):
    """A schedule as the service answers it."""

    id: Id
    description: str
    day_of_week: int
    time_of_day: str = Field(description="HH:MM")
    every_n_weeks: int
    timezone: str
    min_cvss: Number
    warning_threshold: Number
    ignore_offline_sites: bool
    next_scan_at: WallTime
    running: bool
    sites: list[ScanScheduleSite]
    created_at: UtcTime
    updated_at: UtcTime
    status: str = Field(description="ready, starting, running, processing or stopping")
    last_run_at: WallTime | None = Field(description="When a scan was last initiated; null before the first.")
    notification_group: str
    notify: list[UserId] | None = Field(description="As sent by clients of the older contract.")
    profile: Profile = Field(description=_PROFILES, examples=["standard"])
    exclusions: ExclusionLists = Field(
        description="What this schedule's scans leave alone, in normal form.", examples=[EXCLUSIONS_EXAMPLE]
    )
    maintenance_windows: list[MaintenanceWindow] = Field(description=_WINDOWS, examples=[WINDOWS_EXAMPLE])
    max_duration_minutes: int | None = Field(description=_DURATION, examples=[240])
    latest_scan: dict[str, Any] | None = Field(description="The last finished scan's report, or null.")
    warnings: list[str] = Field(description="What about this schedule deserves a second look.")
