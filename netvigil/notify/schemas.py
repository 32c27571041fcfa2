"""Notification groups on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from netvigil.access.validation import UUID_FORM, WITHOUT_NUL, Id, Text
from netvigil.access.wire import UtcTime
from netvigil.notify.channels import Kind, Security
from netvigil.notify.news import Severity

CHANNELS_MAX = 20
RECEIVERS_MAX = 50
SITES_MAX = 500
EXAMPLE: dict[str, Any] = {
    "key": "security-alerts",
    "name": "Security alerts",
    "min_severity": "HIGH",
    "channels": [
        {
            "kind": "email",
            "host": "mail.example.com",
            "security": "starttls",
            "username": "netvigil",
            "password": "the account's password",
            "from": "netvigil@example.com",
            "to": ["noc@example.com"],
        },
        {"kind": "webhook", "url": "https://example.com/hooks/netvigil"},
    ],
}


def _no_uuid(key: str) -> str:
    # a schedule names a group by id or key: one must never be taken for the other
    if UUID_FORM.fullmatch(key):
        raise PydanticCustomError("key", "It must not look like an id")
    return key


Key = Annotated[
    StrictStr, StringConstraints(min_length=1, max_length=100), WITHOUT_NUL, AfterValidator(_no_uuid)
]
Name = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255), WITHOUT_NUL]
Short = Annotated[Text, Field(max_length=255)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=4096)]


class ChannelWrite(BaseModel):
    """A way to reach people. Which fields it needs depends on its kind; a secret that is not sent anew is kept."""

    model_config = ConfigDict(populate_by_name=True)

    id: Id | None = Field(
        default=None, description="Of the group's channel that this is; none for a new one."
    )
    kind: Kind
    name: Short | None = None
    url: Secret | None = Field(default=None, description="Of all kinds but email and telegram.")
    host: Short | None = Field(default=None, description="Email: the SMTP server.")
    port: Annotated[StrictInt, Field(ge=1, le=65535)] | None = None
    security: Security | None = Field(default=None, description="Email: `starttls` if none is given.")
    username: Short | None = None
    password: Secret | None = None
    sender: Short | None = Field(default=None, alias="from")
    to: Annotated[list[Short], Field(max_length=RECEIVERS_MAX)] | None = None
    token: Secret | None = Field(default=None, description="Telegram: the bot's token.")
    chats: Annotated[list[Short], Field(max_length=RECEIVERS_MAX)] | None = None

    def given(self) -> dict[str, Any]:
        """The fields with their secrets in the open, as `channels.read_channel` takes them."""
        fields = self.model_dump(by_alias=True, exclude={"kind"})
        return {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in fields.items()}


class NotificationGroupWrite(BaseModel):
    """A notification group as a client writes it."""

    key: Key = Field(description="What schedules call it.", examples=["security-alerts"])
    name: Name | None = Field(default=None, description="For people; the key if none is given.")
    channels: Annotated[list[ChannelWrite], Field(max_length=CHANNELS_MAX)] = []
    sites: Annotated[list[Id], Field(max_length=SITES_MAX)] = Field(
        default=[], description="Sites whose news are told; none means all."
    )
    min_severity: Severity = Field(
        default=Severity.NONE, description="Beside the schedule's warning_threshold, which holds too."
    )
    kev_always: StrictBool = Field(
        default=True, description="Tell of CVEs that are known to be exploited whatever their score."
    )
    only_news: StrictBool = Field(
        default=True, description="Whether a scan that changed nothing is passed over in silence."
    )
    mute: StrictBool = False
    mute_until: AwareDatetime | None = Field(default=None, description="Nothing is sent before this time.")

    def until(self) -> datetime | None:
        """The end of the silence in UTC."""
        return self.mute_until.astimezone(UTC) if self.mute_until else None


class Channel(BaseModel):
    """A channel as it is shown: its settings without secrets."""

    model_config = ConfigDict(extra="allow")

    id: UUID
    kind: Kind
    name: str
    has_secret: bool


class NotificationGroup(BaseModel):
    """A notification group as it is shown."""

    id: UUID
    key: str
    name: str
    channels: list[Channel]
    sites: list[UUID]
    min_severity: Severity
    kev_always: bool
    only_news: bool
    mute: bool
    mute_until: UtcTime | None
    created_at: UtcTime
    updated_at: UtcTime


class NewNotificationGroup(NotificationGroup):
    """A group that was just created, with the secret that signs its webhooks, which is shown this once."""

    webhook_secret: str


class WebhookSecret(BaseModel):
    """The group's new secret, shown this once; the old one signs nothing any more."""

    webhook_secret: str


class TestResult(BaseModel):
    """Whether one receiver took the test message, and if not, why."""

    channel_id: UUID
    kind: Kind
    name: str
    receiver: str
    delivered: bool
    reason: str | None


class TestResults(BaseModel):
    """How the test went, one line a receiver."""

    delivered: bool = Field(description="Whether every receiver took it.")
    results: list[TestResult]


class Delivery(BaseModel):
    """One message to one receiver."""

    id: UUID
    channel_id: UUID | None
    kind: Kind
    receiver: str
    about: str = Field(description="`scan:<id>`, or `update:<number>` for a data update.")
    subject: str
    state: str
    attempts: int
    created_at: UtcTime
    next_try_at: UtcTime | None
    sent_at: UtcTime | None
    reason: str | None
