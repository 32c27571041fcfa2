"""`/notifications`: who is told of news, how, and what became of each message."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from netvigil.access.edge import (
    Caller,
    JsonObject,
    Paging,
    ReadSession,
    Session,
    describes,
    json_body,
    link_next,
    requires,
)
from netvigil.access.scopes import Scope
from netvigil.access.secrets import SecretBox
from netvigil.access.validation import path_id, validated
from netvigil.access.wire import answers
from netvigil.errors import Invalid
from netvigil.notify import models, outbox, service
from netvigil.notify.channels import Channel as ChannelValue
from netvigil.notify.channels import Kind, read_channel, receivers_of
from netvigil.notify.delivery import check_channel, send
from netvigil.notify.payload import freeze
from netvigil.notify.schemas import (
    EXAMPLE,
    Channel,
    Delivery,
    NewNotificationGroup,
    NotificationGroup,
    NotificationGroupWrite,
    TestResult,
    TestResults,
    WebhookSecret,
)
from netvigil.notify.service import GroupValues
from netvigil.notify.targets import ForbiddenTarget, read_allowed
from netvigil.notify.webhook import NotDelivered
from netvigil.notify.wording import word_test

router = APIRouter(prefix="/notifications", tags=["Notifications"])
CanView = Annotated[Caller, requires(Scope.NOTIFICATIONS_VIEW)]
CanManage = Annotated[Caller, requires(Scope.NOTIFICATIONS_MANAGE)]
TESTS_AT_ONCE = 4
_WHAT = "notification group"


def _shown(group: models.NotificationGroup) -> NotificationGroup:
    return NotificationGroup(
        **{**_written(group), "channels": [_shown_channel(one) for one in group.channels]},
        id=group.id,
        created_at=group.created_at,
        updated_at=group.updated_at,
    )


def _shown_channel(one: models.NotificationChannel) -> Channel:
    return Channel(
        id=one.id, kind=Kind(one.kind), name=one.name, has_secret=one.secret is not None, **one.settings
    )


def _written(group: models.NotificationGroup) -> dict[str, Any]:
    """The group as a client would send it, but for its secrets; the base that a PATCH changes."""
    return {
        "key": group.key,
        "name": group.name,
        "channels": [
            {"id": str(one.id), "kind": one.kind, "name": one.name, **one.settings} for one in group.channels
        ],
        "sites": list(group.sites),
        "min_severity": group.min_severity,
        "kev_always": group.kev_always,
        "only_news": group.only_news,
        "mute": group.mute,
        "mute_until": group.mute_until,
    }


async def _values(request: Request, body: NotificationGroupWrite) -> GroupValues:
    allow = request.app.state.settings.notify_allow
    channels: list[ChannelValue] = []
    for position, one in enumerate(body.channels):
        where = f"channels.{position}"
        channel = read_channel(one.kind, one.given(), where, read_allowed(allow))
        by_apprise = channel.kind not in (Kind.EMAIL, Kind.WEBHOOK)
        if by_apprise and channel.secret is not None and (wrong := await check_channel(channel, allow)):
            name = f"{where}.{channel.secret_field}"
            raise Invalid("parameter_invalid", f"The '{name}' parameter is invalid: {wrong}", {name: [wrong]})
        channels.append(channel)
    return GroupValues(
        key=body.key,
        name=body.name or body.key,
        channels=channels,
        sites=list(dict.fromkeys(body.sites)),
        min_severity=body.min_severity,
        kev_always=body.kev_always,
        only_news=body.only_news,
        mute=body.mute,
        mute_until=body.until(),
    )


def _box(request: Request) -> SecretBox:
    return SecretBox.of(request.app.state.settings)


@router.get(
    "", summary="List notification groups", response_model=list[NotificationGroup], responses=answers(422)
)
async def list_groups(
    request: Request, response: Response, session: ReadSession, caller: CanView, page: Paging
) -> list[NotificationGroup]:
    """Every notification group of the organisation, newest first; secrets are not shown."""
    rows = await service.list_groups(session, caller.organisation_id, limit=page.limit, before=page.before)
    return [_shown(row) for row in link_next(request, response, page, rows)]


@router.post(
    "",
    summary="Create a notification group",
    status_code=201,
    response_model=NewNotificationGroup,
    responses=answers(400, 409, 413, 422),
    openapi_extra=describes(NotificationGroupWrite, EXAMPLE),
)
async def create_group(
    request: Request,
    session: Session,
    caller: CanManage,
    body: Annotated[NotificationGroupWrite, json_body(NotificationGroupWrite)],
) -> NewNotificationGroup:
    """Create a group; `webhook_secret`, which signs its webhooks, is shown in this answer only."""
    values = await _values(request, body)
    group, secret = await service.create_group(session, caller.organisation_id, values, _box(request))
    return NewNotificationGroup(**_shown(group).model_dump(), webhook_secret=secret)


@router.get(
    "/{group_id}",
    summary="Retrieve a notification group",
    response_model=NotificationGroup,
    responses=answers(404),
)
async def get_group(session: ReadSession, caller: CanView, group_id: str) -> NotificationGroup:
    """One notification group."""
    return _shown(await service.get_group(session, caller.organisation_id, path_id(group_id, _WHAT)))


@router.put(
    "/{group_id}",
    summary="Replace a notification group",
    response_model=NotificationGroup,
    responses=answers(400, 404, 409, 413, 422),
    openapi_extra=describes(NotificationGroupWrite),
)
async def replace_group(
    request: Request,
    session: Session,
    caller: CanManage,
    group_id: str,
    body: Annotated[NotificationGroupWrite, json_body(NotificationGroupWrite)],
) -> NotificationGroup:
    """Change everything about a group; a channel sent with its `id` and without its secret keeps it."""
    group = await service.get_group(session, caller.organisation_id, path_id(group_id, _WHAT), lock=True)
    values = await _values(request, body)
    return _shown(await service.update_group(session, group, values, _box(request)))


@router.patch(
    "/{group_id}",
    summary="Change a notification group",
    response_model=NotificationGroup,
    responses=answers(400, 404, 409, 413, 422),
    openapi_extra=describes(NotificationGroupWrite, {"mute": True}, part=True),
)
async def change_group(
    request: Request, session: Session, caller: CanManage, group_id: str, changes: JsonObject
) -> NotificationGroup:
    """Change the fields given and keep the others; `channels` is one field, its secrets are kept by `id`."""
    group = await service.get_group(session, caller.organisation_id, path_id(group_id, _WHAT), lock=True)
    body = validated(NotificationGroupWrite, {**_written(group), **changes})
    values = await _values(request, body)
    return _shown(await service.update_group(session, group, values, _box(request)))


@router.delete("/{group_id}", summary="Delete a notification group", status_code=204, responses=answers(404))
async def delete_group(session: Session, caller: CanManage, group_id: str) -> None:
    """Delete a group with what waits to be sent; schedules that name it then tell nobody, and warn of it."""
    await session.delete(
        await service.get_group(session, caller.organisation_id, path_id(group_id, _WHAT), lock=True)
    )


@router.post(
    "/{group_id}/secret",
    summary="Renew the secret that signs a group's webhooks",
    response_model=WebhookSecret,
    responses=answers(404),
)
async def renew_secret(request: Request, session: Session, caller: CanManage, group_id: str) -> WebhookSecret:
    """Make a new secret; from now on webhooks are signed with it, those that wait for their next try too."""
    group = await service.get_group(session, caller.organisation_id, path_id(group_id, _WHAT), lock=True)
    return WebhookSecret(webhook_secret=service.renew_secret(group, _box(request)))


@router.post(
    "/{group_id}/test",
    summary="Send a test message",
    response_model=TestResults,
    responses=answers(404),
)
async def test_group(request: Request, caller: CanManage, group_id: str) -> TestResults:
    """Send a message to every receiver now, muted or not, and say of each whether it took it and if not, why."""
    wanted, box = path_id(group_id, _WHAT), _box(request)
    # read and let go: the connection is not kept while servers elsewhere take their time
    async with request.app.state.database.reading() as session:
        group = await service.get_group(session, caller.organisation_id, wanted)
    secret = service.open_webhook_secret(group, box)
    content = freeze(group, word_test(group.name), event="test")
    places = asyncio.Semaphore(TESTS_AT_ONCE)

    async def attempt(channel: ChannelValue, receiver: str) -> TestResult:
        async with places:
            reason = await _try(request, channel, receiver, content, secret)
        assert channel.id is not None  # noqa: S101 - stored ones have one
        return TestResult(
            channel_id=channel.id,
            kind=channel.kind,
            name=channel.name,
            receiver=receiver,
            delivered=reason is None,
            reason=reason,
        )

    opened = [service.open_channel(group, one, box) for one in group.channels]
    results = await asyncio.gather(
        *(attempt(one, receiver) for one in opened for receiver in receivers_of(one.kind, one.settings))
    )
    return TestResults(delivered=all(one.delivered for one in results), results=list(results))


async def _try(
    request: Request, channel: ChannelValue, receiver: str, content: dict[str, Any], secret: str
) -> str | None:
    allow = request.app.state.settings.notify_allow
    try:
        await send(channel, receiver, content, delivery_id=str(uuid4()), webhook_secret=secret, allow=allow)
    except (ForbiddenTarget, NotDelivered) as error:
        return str(error)
    return None


@router.get(
    "/{group_id}/deliveries",
    summary="List what was sent",
    response_model=list[Delivery],
    responses=answers(404, 422),
)
async def list_deliveries(
    request: Request, response: Response, session: ReadSession, caller: CanView, group_id: str, page: Paging
) -> list[Delivery]:
    """Every message to every receiver of the group, newest first, with its state and the reason of a failure."""
    group = await service.get_group(session, caller.organisation_id, path_id(group_id, _WHAT))
    rows = await outbox.list_deliveries(session, group.id, limit=page.limit, before=page.before)
    seen = [
        Delivery(
            id=row.id,
            channel_id=row.channel_id,
            kind=Kind(row.kind),
            receiver=row.receiver,
            about=about,
            subject=subject,
            state=row.state,
            attempts=row.attempt,
            created_at=row.created_at,
            next_try_at=row.next_try_at,
            sent_at=row.sent_at,
            reason=row.reason,
        )
        for row, about, subject in rows
    ]
    return link_next(request, response, page, seen)
