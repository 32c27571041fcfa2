"""Notification groups, their channels, and the outbox."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netvigil.db.base import Base


class DeliveryState(StrEnum):
    """Where a message to one receiver is; the last three are final."""

    PENDING = "pending"  # waits for its first or next try
    SENDING = "sending"  # a worker is at it, or died at it
    SENT = "sent"  # the receiver took it
    FAILED = "failed"  # given up; `reason` says why
    DROPPED = "dropped"  # muted or its channel removed before it was sent


class NotificationGroup(Base):
    """Who is told what: channels, and the rules of what is worth telling.

    `sites` empty means all. `webhook_secret` signs webhooks; it is sealed, as each channel's own secrets are.
    """

    __tablename__ = "notification_group"
    __table_args__ = (UniqueConstraint("organisation_id", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    key: Mapped[str]
    name: Mapped[str]
    sites: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    min_severity: Mapped[str]
    kev_always: Mapped[bool]
    only_news: Mapped[bool]
    mute: Mapped[bool]
    mute_until: Mapped[datetime | None]
    webhook_secret: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    channels: Mapped[list[NotificationChannel]] = relationship(
        order_by="NotificationChannel.position", lazy="selectin", cascade="all, delete-orphan"
    )

    def is_muted(self, now: datetime) -> bool:
        """Whether nothing is to be sent now."""
        return self.mute or (self.mute_until is not None and self.mute_until > now)


class NotificationChannel(Base):
    """One way to reach people; `settings` can be shown, `secret` is sealed JSON of what cannot."""

    __tablename__ = "notification_channel"
    __table_args__ = (Index("ix_notification_channel_group", "group_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    group_id: Mapped[UUID] = mapped_column(ForeignKey("notification_group.id", ondelete="CASCADE"))
    position: Mapped[int]
    kind: Mapped[str]
    name: Mapped[str]
    settings: Mapped[dict[str, Any]]
    secret: Mapped[bytes | None]


class NotificationMessage(Base):
    """What one group is told of one occasion, frozen; `about` is `scan:<id>` or `update:<newest event id>`."""

    __tablename__ = "notification_message"
    __table_args__ = (UniqueConstraint("group_id", "about"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    group_id: Mapped[UUID] = mapped_column(ForeignKey("notification_group.id", ondelete="CASCADE"))
    about: Mapped[str]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NotificationDelivery(Base):
    """The outbox: one message to one receiver of one channel, sent once.

    `attempt` counts tries and fences: what a worker writes of a try is conditional on its number.
    """

    __tablename__ = "notification_delivery"
    __table_args__ = (
        UniqueConstraint("message_id", "channel_id", "receiver"),
        Index("ix_notification_delivery_page", "group_id", "created_at", "id"),
        Index(
            "ix_notification_delivery_under_way",
            "channel_id",
            postgresql_where=text("state IN ('pending', 'sending')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    group_id: Mapped[UUID] = mapped_column(ForeignKey("notification_group.id", ondelete="CASCADE"))
    message_id: Mapped[UUID] = mapped_column(ForeignKey("notification_message.id", ondelete="CASCADE"))
    channel_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("notification_channel.id", ondelete="SET NULL")
    )
    kind: Mapped[str]
    receiver: Mapped[str]
    state: Mapped[str]
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    next_try_at: Mapped[datetime | None]
    began_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class NotifiedUpdate(Base):
    """One row: up to which change by data updates news have been told."""

    __tablename__ = "notified_update"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(BigInteger)
