"""Notification groups: create, change, find by the name that a schedule uses; their secrets sealed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import and_, func, or_, select, tuple_

from netvigil.access.validation import UUID_FORM
from netvigil.errors import Conflict, Invalid, NotFound
from netvigil.notify.channels import Channel, Kind, place_of
from netvigil.notify.models import NotificationChannel, NotificationGroup

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from netvigil.access.secrets import SecretBox

SECRET_PREFIX = "nvwh_"  # noqa: S105 - what our secrets begin with, so that scanners of repositories find them


@dataclass(frozen=True, slots=True)
class GroupValues:
    """What a client says about a group."""

    key: str
    name: str
    channels: list[Channel]
    sites: list[UUID]
    min_severity: str
    kev_always: bool
    only_news: bool
    mute: bool
    mute_until: datetime | None


async def create_group(
    session: AsyncSession, organisation_id: UUID, values: GroupValues, box: SecretBox
) -> tuple[NotificationGroup, str]:
    """A new group and the secret that signs its webhooks; raises Conflict when its key is taken."""
    await _check_key(session, organisation_id, values.key, None)
    group = NotificationGroup(id=uuid4(), organisation_id=organisation_id, channels=[])
    secret = renew_secret(group, box)
    _set(group, values, box)
    session.add(group)
    await session.flush()
    await session.refresh(group)
    return group, secret


async def update_group(
    session: AsyncSession, group: NotificationGroup, values: GroupValues, box: SecretBox
) -> NotificationGroup:
    """Give a locked group these values; channels that are not among them go, with what waits to be sent by them."""
    await _check_key(session, group.organisation_id, values.key, group.id)
    _set(group, values, box)
    group.updated_at = func.now()
    await session.flush()
    await session.refresh(group)
    return group


async def get_group(
    session: AsyncSession, organisation_id: UUID, group_id: UUID, *, lock: bool = False
) -> NotificationGroup:
    """The group; raises NotFound."""
    query = select(NotificationGroup).where(
        NotificationGroup.organisation_id == organisation_id, NotificationGroup.id == group_id
    )
    if lock:
        query = query.with_for_update()
    group = await session.scalar(query)
    if group is None:
        raise NotFound(f"No such notification group: '{group_id}'.")
    return group


async def list_groups(
    session: AsyncSession, organisation_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None
) -> list[NotificationGroup]:
    """Groups of the organisation, newest first, one row more than `limit`."""
    query = select(NotificationGroup).where(NotificationGroup.organisation_id == organisation_id)
    if before is not None:
        query = query.where(tuple_(NotificationGroup.created_at, NotificationGroup.id) < before)
    query = query.order_by(NotificationGroup.created_at.desc(), NotificationGroup.id.desc())
    return list(await session.scalars(query.limit(limit + 1)))


async def find_group(session: AsyncSession, organisation_id: UUID, name: str) -> NotificationGroup | None:
    """The group whose id or key a schedule's `notification_group` is."""
    query = select(NotificationGroup).where(
        NotificationGroup.organisation_id == organisation_id, _is_called([name])
    )
    return (await session.scalars(query)).first()


async def known_names(session: AsyncSession, organisation_id: UUID, names: Collection[str]) -> set[str]:
    """Which of these names, as schedules use them, a group of the organisation has."""
    query = select(NotificationGroup.id, NotificationGroup.key).where(
        NotificationGroup.organisation_id == organisation_id, _is_called(names)
    )
    rows = (await session.execute(query)).all()
    ids, keys = {row.id for row in rows}, {row.key for row in rows}
    return {name for name in names if name in keys or (UUID_FORM.fullmatch(name) and UUID(name) in ids)}


def renew_secret(group: NotificationGroup, box: SecretBox) -> str:
    """A new secret for the group's webhooks."""
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    group.webhook_secret = box.seal(secret, _group_label(group))
    return secret


def open_webhook_secret(group: NotificationGroup, box: SecretBox) -> str:
    """The secret that signs the group's webhooks; raises EnvironmentFault when the key is another one."""
    return box.open(group.webhook_secret, _group_label(group))


def open_channel(group: NotificationGroup, channel: NotificationChannel, box: SecretBox) -> Channel:
    """The stored channel with its secret in the open, for sending; raises EnvironmentFault."""
    value = _stored(channel)
    if channel.secret is None:
        return value
    return replace(value, secret=box.open(channel.secret, _label(group, channel.id, value)))


def _set(group: NotificationGroup, values: GroupValues, box: SecretBox) -> None:
    group.key, group.name = values.key, values.name
    group.sites = [str(site) for site in values.sites]
    group.min_severity = values.min_severity
    group.kev_always, group.only_news = values.kev_always, values.only_news
    group.mute, group.mute_until = values.mute, values.mute_until
    stored = {channel.id: channel for channel in group.channels}
    group.channels = [
        _put(group, channel, stored, position, box) for position, channel in enumerate(values.channels)
    ]


def _put(
    group: NotificationGroup,
    wanted: Channel,
    stored: dict[UUID, NotificationChannel],
    position: int,
    box: SecretBox,
) -> NotificationChannel:
    where = f"channels.{position}"
    # taken out: the same id twice would be one channel in two places
    row = stored.pop(wanted.id, None) if wanted.id is not None else None
    if wanted.id is not None and row is None:
        raise _wrong(f"{where}.id", f"The '{where}.id' parameter names no channel of this group.")
    if wanted.secret is None and wanted.secret_field is not None:
        if row is None:
            name = f"{where}.{wanted.secret_field}"
            raise _wrong(name, f"The '{name}' parameter is required for this request.", "parameter_missing")
        wanted = wanted.keeping(_stored(row), where)
        kept = row.secret
        # sealed for its old place, which may have gone from starttls to tls
        if kept is not None and place_of(row.kind, row.settings) != place_of(wanted.kind, wanted.settings):
            kept = box.seal(
                box.open(kept, _label(group, row.id, _stored(row))), _label(group, row.id, wanted)
            )
    else:
        kept = None
    row = row or NotificationChannel(id=uuid4())
    if wanted.secret is not None:
        kept = box.seal(wanted.secret, _label(group, row.id, wanted))
    row.position, row.kind, row.name = position, wanted.kind, wanted.name
    row.settings, row.secret = wanted.settings, kept
    return row


def _stored(row: NotificationChannel) -> Channel:
    return Channel(Kind(row.kind), row.name, row.settings, row.id)


def _label(group: NotificationGroup, channel_id: UUID, channel: Channel) -> str:
    place = place_of(channel.kind, channel.settings)
    return f"channel {group.organisation_id} {group.id} {channel_id} {channel.kind} {place}"


def _group_label(group: NotificationGroup) -> str:
    return f"webhook {group.organisation_id} {group.id}"


def _is_called(names: Collection[str]) -> Any:
    ids = [UUID(name) for name in names if UUID_FORM.fullmatch(name)]
    return or_(NotificationGroup.key.in_(names), NotificationGroup.id.in_(ids))


async def _check_key(session: AsyncSession, organisation_id: UUID, key: str, group_id: UUID | None) -> None:
    # one at a time an organisation, so that two who want the same key get an answer and not a broken constraint
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"group {organisation_id}", 0)))
    )
    taken = select(NotificationGroup.id).where(
        and_(NotificationGroup.organisation_id == organisation_id, NotificationGroup.key == key)
    )
    other = await session.scalar(taken)
    if other is not None and other != group_id:
        raise Conflict("group_exists", f"Another notification group has the key '{key}'.")


def _wrong(field: str, sentence: str, code: str = "parameter_invalid") -> Invalid:
    return Invalid(code, sentence, {field: [sentence]})
