"""Sending one message to one receiver, whatever its channel, within a bounded time and without telling secrets."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import orjson

from netvigil.notify.channels import HIDDEN, Channel, Kind
from netvigil.notify.targets import ForbiddenTarget, read_allowed
from netvigil.notify.webhook import NotDelivered, post
from netvigil.notify.wording import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

SEND_SECONDS = 40
CHECK_SECONDS = 20
FINISH_SECONDS = 5.0
"""How long a worker that is shut down waits for a message under way: one whose end nobody saw cannot be repeated."""
_SHOWN = 300
_SECRET_LEAST = 4  # shorter parts of a URL are words such as `to`
# nothing of the service's own: neither its keys nor its database, and no proxy, which would go round the check
_PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


async def send(
    channel: Channel,
    receiver: str,
    content: dict[str, Any],
    *,
    delivery_id: str,
    webhook_secret: str,
    allow: Sequence[str],
) -> None:
    """Send frozen content (`outbox`) by an opened channel.

    Raises ForbiddenTarget, which no repetition mends, and NotDelivered with a sentence that holds no secret.
    """
    if channel.kind is Kind.WEBHOOK:
        body = {**content["body"], "id": delivery_id}
        await post(channel.secret or "", body, webhook_secret, allowed=read_allowed(allow))
        return
    order = {
        "task": "send",
        "kind": "email" if channel.kind is Kind.EMAIL else "apprise",
        "id": delivery_id,
        "settings": channel.settings,
        "secret": apprise_url(channel, receiver) if channel.kind is not Kind.EMAIL else channel.secret,
        "receiver": receiver,
        "message": {name: content[name] for name in ("subject", "text", "html", "chat", "chat_subject")},
        "allow": list(allow),
    }
    answer = await _run(order, SEND_SECONDS)
    if answer["forbidden"]:
        raise ForbiddenTarget(answer["forbidden"][0])
    if not answer["ok"]:
        raise NotDelivered(without_secrets(str(answer["reason"]), channel))


async def check_channel(channel: Channel, allow: Sequence[str]) -> str | None:
    """In a sentence what is wrong with an Apprise channel's URL or token, None when nothing is; sends nothing."""
    receiver = str(channel.settings.get("chats", [""])[0])
    order = {
        "task": "check",
        "kind": "apprise",
        "secret": apprise_url(channel, receiver),
        "allow": list(allow),
    }
    try:
        answer = await _run(order, CHECK_SECONDS)
    except NotDelivered as error:
        return str(error)
    if not answer["ok"]:
        return without_secrets(str(answer["reason"]), channel)
    if (number := answer["receivers"]) != 1:
        return f"The URL names {number} receivers; give each a channel of its own, so that a repetition reaches it alone."
    return None


def apprise_url(channel: Channel, receiver: str) -> str:
    """What Apprise is given; it knows the webhook URLs of Slack, Teams and Discord as they are."""
    if channel.kind is Kind.TELEGRAM:
        return f"tgram://{channel.secret}/{receiver}"
    return channel.secret or ""


def without_secrets(said: str, channel: Channel) -> str:
    """What a library said, on one bounded line, with every part of the channel's secret replaced by stars."""
    for part in sorted(_secret_parts(channel.secret or ""), key=len, reverse=True):
        said = said.replace(part, HIDDEN)
    return clean(said, _SHOWN)


def _secret_parts(secret: str) -> set[str]:
    parts = {secret}
    if "://" in secret:
        try:
            split = urlsplit(secret)
        except ValueError:
            return parts
        parts |= {split.netloc, split.username or "", split.password or ""}
        if split.scheme not in {"http", "https"}:
            parts.add(split.hostname or "")
        parts |= {
            one
            for text in (split.path, split.query)
            for one in text.replace("&", "/").replace("=", "/").split("/")
        }
    spelt = parts | {quote(one, safe="") for one in parts} | {unquote(one) for one in parts}
    return {one for one in spelt if len(one) >= _SECRET_LEAST}


async def _run(order: dict[str, Any], seconds: int) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the working directory is no place to import from
        "-m",
        "netvigil.notify.sending",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )
    talk = asyncio.create_task(child.communicate(orjson.dumps({**order, "seconds": seconds + 1})))
    try:
        out, _ = await asyncio.wait_for(asyncio.shield(talk), seconds)
    except TimeoutError:
        raise NotDelivered(f"The receiver did not answer within {seconds} seconds.") from None
    except asyncio.CancelledError:
        # shut down in the middle: its end decides whether it may be repeated, so wait for it a little
        await asyncio.wait([talk], timeout=FINISH_SECONDS)
        if not talk.done():
            raise
        out, _ = talk.result()
        if task := asyncio.current_task():
            task.uncancel()
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.wait([talk], timeout=FINISH_SECONDS)
    try:
        answer: dict[str, Any] = orjson.loads(out)
    except orjson.JSONDecodeError:
        raise NotDelivered("The message could not be sent: the process that sends ended early.") from None
    return answer
