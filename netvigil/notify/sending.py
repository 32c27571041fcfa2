"""The process that sends one message by mail or Apprise: `python -m netvigil.notify.sending`, a JSON object in, one out.

A process of its own, for three reasons: these libraries block and can be ended in time only together with it; what it
may reach is checked for the whole of it (`guard`); and nothing that it holds is of use but the one channel's secret.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from typing import Any

from netvigil.notify.guard import Guard
from netvigil.notify.mail import build_mail, send_mail, why_not
from netvigil.notify.targets import read_allowed


def main() -> None:
    """Read what to do, do it, and say how it went: `{ok, reason, forbidden, receivers}`."""
    order = json.load(sys.stdin)
    signal.alarm(order["seconds"])  # should the one who waits for us be gone
    guard = Guard(read_allowed(order["allow"]))
    said = _Said()
    logging.getLogger("apprise").addHandler(said)
    guard.install()
    answer: dict[str, Any] = {"ok": False, "reason": None, "receivers": None}
    try:
        if order["kind"] == "email":
            answer["reason"] = _mail(order)
        else:
            answer |= _apprise(order)
        answer["ok"] = answer["reason"] is None
    except Exception as error:  # noqa: BLE001 - any of a hundred plugins; the class says enough, the text may hold a secret
        answer["reason"] = f"The message could not be sent ({type(error).__name__})."
    if not answer["ok"] and order["task"] == "send" and said.last and order["kind"] != "email":
        answer["reason"] = said.last
    answer["forbidden"] = guard.forbidden[:1] if not answer["ok"] else []
    json.dump(answer, sys.stdout)


class _Said(logging.Handler):
    """The last warning of Apprise, whose answer is yes or no only."""

    last = ""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; what it may hold of secrets is taken out by the receiver of our answer."""
        self.last = record.getMessage()


def _mail(order: dict[str, Any]) -> str | None:
    settings = order["settings"]
    mail = build_mail(settings["from"], order["receiver"], order["id"], order["message"])
    try:
        send_mail(settings, order["secret"], mail)
    except OSError as error:
        return why_not(error)
    return None


def _apprise(order: dict[str, Any]) -> dict[str, Any]:
    from apprise import (  # noqa: PLC0415 - a mail goes without it, and it takes a while
        Apprise,
        AppriseAsset,
        NotifyFormat,
        PersistentStoreMode,
    )

    asset = AppriseAsset(
        app_id="netvigil",
        app_desc="netvigil",
        app_url="",
        storage_mode=PersistentStoreMode.MEMORY,
        async_mode=False,
    )
    plugin = Apprise.instantiate(order["secret"], asset=asset)
    if plugin is None:
        return {"reason": "Apprise does not know this URL, or something is missing in it."}
    if order["task"] == "check":
        return {"receivers": len(plugin), "service": str(plugin.service_name), "reason": None}
    sender = Apprise(asset=asset)
    sender.add(plugin)
    message = order["message"]
    sent = sender.notify(body=message["chat"], title=message["chat_subject"], body_format=NotifyFormat.TEXT)
    return {"reason": None if sent else "The receiver did not take the message."}


if __name__ == "__main__":
    main()
