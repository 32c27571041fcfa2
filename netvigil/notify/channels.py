"""The kinds of channels: what each needs, which part of it is secret, and whom it reaches."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from netvigil.errors import Invalid
from netvigil.notify.targets import ForbiddenTarget, Network, check_address, literal_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

HIDDEN = "***"
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?"
)
_HOST = re.compile(r"\[?[A-Za-z0-9_.:-]{1,253}\]?")
_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,80}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{4,64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}")


class Kind(StrEnum):
    """How a channel reaches its receivers."""

    EMAIL = "email"  # SMTP
    WEBHOOK = "webhook"  # our own signed JSON
    SLACK = "slack"  # an incoming webhook of Slack
    TEAMS = "teams"  # an incoming webhook or workflow of Microsoft Teams
    TELEGRAM = "telegram"  # a bot of Telegram
    DISCORD = "discord"  # a webhook of Discord
    APPRISE = "apprise"  # any URL of Apprise's


class Security(StrEnum):
    """How a mail server is spoken to; never weaker than it says."""

    STARTTLS = "starttls"  # port 587
    TLS = "tls"  # port 465
    NONE = "none"  # in the clear, port 25


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_HOSTS = {
    Kind.SLACK: ("hooks.slack.com", "hooks.slack-gov.com"),
    Kind.DISCORD: ("discord.com", "discordapp.com"),
    Kind.TEAMS: (".webhook.office.com", ".logic.azure.com", ".powerplatform.com", "outlook.office.com"),
}
_SECRET_OF = {Kind.EMAIL: "password", Kind.TELEGRAM: "token"}


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as a client wants it; `secret` None means the stored one, or that there is none.

    `settings` can be shown to everyone who may see the group.
    """

    kind: Kind
    name: str
    settings: dict[str, Any]
    id: UUID | None = None
    secret: str | None = field(default=None, repr=False)

    @property
    def secret_field(self) -> str | None:
        """What the secret is called in requests, None for a channel without one."""
        if self.kind is Kind.EMAIL and self.settings["username"] is None:
            return None
        return _SECRET_OF.get(self.kind, "url")

    def keeping(self, stored: Channel, where: str) -> Channel:
        """This channel with the stored one's secret, which it was sent without.

        A password is kept only for the place and user that it was given for: who may edit a group but does not know it
        must not have it sent to a server of their own, or in the clear. Raises Invalid; `where` names the field.
        """
        wanted, had = self.settings, stored.settings
        moved = self.kind is Kind.EMAIL and (
            any(wanted[part] != had[part] for part in ("host", "port", "username"))
            or (wanted["security"] != had["security"] and wanted["security"] == Security.NONE)
        )
        if self.kind is not stored.kind or moved or stored.secret_field is None:
            raise _wrong(
                f"{where}.{self.secret_field}",
                "is required: the channel's kind, server or user is another than before",
                "parameter_missing",
            )
        return replace(self, settings=wanted if self.kind in _SECRET_OF else had)


def place_of(kind: str, settings: dict[str, Any]) -> str:
    """What a secret is bound to when it is sealed: who can write to the database only cannot have it sent elsewhere."""
    return f"{settings['host']}:{settings['port']}:{settings['security']}" if kind == Kind.EMAIL else ""


def receivers_of(kind: str, settings: dict[str, Any]) -> list[str]:
    """Whom a message goes to, each by a delivery of its own, so that a retry for one repeats none to the others."""
    if kind == Kind.EMAIL:
        return list(settings["to"])
    if kind == Kind.TELEGRAM:
        return list(settings["chats"])
    return [str(settings["url"])]


def read_channel(kind: Kind, given: dict[str, Any], where: str, allowed: Sequence[Network] = ()) -> Channel:
    """A channel from a request's fields, checked; raises Invalid (422) that names the field below `where`."""
    match kind:
        case Kind.EMAIL:
            settings, secret = _email(given, where, allowed)
        case Kind.TELEGRAM:
            settings, secret = _telegram(given, where)
        case _:
            settings, secret = _by_url(kind, given, where, allowed)
    return Channel(kind, given.get("name") or str(kind), settings, given.get("id"), secret)


def masked(url: str) -> str:
    """The URL as people may see it: scheme and host, or the scheme alone where the host may be a key.

    Webhooks of chats carry their secret in the path, Apprise's URLs often in place of the host.
    """
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}/{HIDDEN}"
    return f"{parts.scheme}://{HIDDEN}"


def _email(
    given: dict[str, Any], where: str, allowed: Sequence[Network]
) -> tuple[dict[str, Any], str | None]:
    security = Security(given.get("security") or Security.STARTTLS)
    host, sender, to = given.get("host"), given.get("from"), given.get("to")
    for name, value in (("host", host), ("from", sender), ("to", to)):
        if not value:
            raise _missing(f"{where}.{name}")
    if not _HOST.fullmatch(str(host)):
        raise _wrong(f"{where}.host", "must be a host name or an address")
    _check_host(str(host), f"{where}.host", allowed)
    for name, address in [("from", sender), *(("to", one) for one in to or [])]:
        if not _ADDRESS.fullmatch(str(address)):
            raise _wrong(f"{where}.{name}", "must be plain mail addresses such as noc@example.com")
    username, password = given.get("username"), given.get("password")
    if password is not None and username is None:
        raise _missing(f"{where}.username")
    if username is not None and security is Security.NONE:
        raise _wrong(f"{where}.security", "must be starttls or tls: a password is not sent in the clear")
    settings = {
        "host": host,
        "port": given.get("port") or _PORTS[security],
        "security": str(security),
        "username": username,
        "from": sender,
        "to": list(dict.fromkeys(to or [])),
    }
    return settings, password


def _telegram(given: dict[str, Any], where: str) -> tuple[dict[str, Any], str | None]:
    token, chats = given.get("token"), given.get("chats")
    if not chats:
        raise _missing(f"{where}.chats")
    if any(not _CHAT.fullmatch(str(chat)) for chat in chats):
        raise _wrong(f"{where}.chats", "must be chat numbers, or names such as @our_alerts")
    if token is not None and not _TOKEN.fullmatch(token):
        raise _wrong(f"{where}.token", "must be a bot's token such as 123456789:ABC…")
    return {"chats": list(dict.fromkeys(chats))}, token


def _by_url(
    kind: Kind, given: dict[str, Any], where: str, allowed: Sequence[Network]
) -> tuple[dict[str, Any], str | None]:
    url, field_name = given.get("url"), f"{where}.url"
    if url is None or HIDDEN in url:  # as it was shown: the client sends back what it was answered
        return {"url": url or ""}, None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _wrong(field_name, "must be a URL") from None
    if kind is Kind.APPRISE:
        if not _SCHEME.fullmatch(parts.scheme) or not url.isprintable():
            raise _wrong(field_name, "must be a URL of Apprise's, such as ntfy://…")
    else:
        _check_web_url(kind, url, field_name)
    if host:
        _check_host(host, field_name, allowed)
    return {"url": masked(url)}, url


def _check_web_url(kind: Kind, url: str, where: str) -> None:
    parts = urlsplit(url)
    schemes = {"http", "https"} if kind is Kind.WEBHOOK else {"https"}
    if (
        parts.scheme not in schemes
        or not parts.hostname
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise _wrong(where, f"must be a URL that starts with {' or '.join(sorted(schemes))}://")
    if parts.username is not None or parts.password is not None:
        raise _wrong(where, "must hold no user or password")
    hosts = _HOSTS.get(kind)
    if hosts and not any(
        parts.hostname == one or (one[0] == "." and parts.hostname.endswith(one)) for one in hosts
    ):
        raise _wrong(where, f"must be a webhook's URL as {kind.capitalize()} shows it")


def _check_host(host: str, where: str, allowed: Sequence[Network]) -> None:
    """Refuse early what is plainly forbidden; names are checked when they are connected to, for they can change."""
    if (address := literal_address(host)) is not None:
        try:
            check_address(address, allowed)
        except ForbiddenTarget as error:
            raise Invalid("target_forbidden", str(error), {where: [str(error)]}) from None


def _missing(field_name: str) -> Invalid:
    sentence = f"The '{field_name}' parameter is required for this request."
    return Invalid("parameter_missing", sentence, {field_name: [sentence]})


def _wrong(field_name: str, what: str, code: str = "parameter_invalid") -> Invalid:
    sentence = f"The '{field_name}' parameter {what}."
    return Invalid(code, sentence, {field_name: [sentence]})
