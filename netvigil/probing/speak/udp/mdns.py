"""Multicast DNS: which services a device offers, its host name, and often its model (RFC 6762, 6.7; RFC 6763, 9)."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak import dns_message as dns
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from ipaddress import IPv4Address

    Ask = Callable[[bytes], Awaitable[bytes | None]]

_GROUP: Final = "224.0.0.251"
_SERVICES: Final = "_services._dns-sd._udp.local"
_TYPE: Final = re.compile(r"(_[A-Za-z0-9-]{1,40}\._(?:tcp|udp))\.local\.?", re.IGNORECASE)
_INSTANCE: Final = re.compile(r"(.{1,200}?)\.(_[A-Za-z0-9-]{1,40}\._(?:tcp|udp))\.local\.?", re.IGNORECASE)
# Avahi's workstation service is called by host name and MAC.
_WORKSTATION: Final = re.compile(
    r"\[((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\]\._workstation\._tcp\.local", re.IGNORECASE
)
_MAX_SERVICES: Final = 32
_MAX_ASKED: Final = 10
_MAX_TEXT: Final = 255
# Keys of TXT records in which devices name their model, the surest first (Apple's, printers', Cast's and HomeKit's).
_MODEL_KEYS: Final = ("model", "am", "ty", "usb_mdl", "md", "product")
_OTHER_KEYS: Final = {
    "usb_mfg": "maker",
    "fn": "friendly_name",
    "osxvers": "osx_version",
    "fv": "firmware",
    "srcvers": "airplay_version",
}


def request(_: IPv4Address) -> bytes:
    """The question for all kinds of service."""
    return _ask_for(_SERVICES)


def key(data: bytes) -> bytes | None:
    """The message's id, which an answer to a plain client repeats; some leave it zero, as between themselves."""
    return data[:2] if len(data) >= 12 and any(data[:2]) else None  # noqa: PLR2004 - a header's size


def parse(data: bytes) -> Answer | None:
    """The kinds of service that a device offers."""
    message = dns.parse_message(data)
    if message is None or not message.response or not message.records:
        return None
    return add_records(Answer("mdns", product="DNS-based service discovery"), message.records)


async def more(ask: Ask, answer: Answer) -> Answer:
    """Each kind of service: its instance with host name and text; all asked at once, as the time is short."""
    kinds = answer.facts.get("services", "").split()[:_MAX_ASKED]
    replies = await asyncio.gather(*(ask(_ask_for(f"{kind}.local")) for kind in kinds))
    for reply in replies:
        message = dns.parse_message(reply) if reply is not None else None
        if message is not None:
            answer = add_records(answer, message.records)
    instances = answer.facts.get("instances", "").split("\n")
    names = {found[1] for instance in instances if (found := _INSTANCE.fullmatch(instance))}
    if answer.model is None and names:
        name = min(names, key=lambda each: ("@" in each, len(each), each))
        reply = await ask(_ask_for(f"{name}._device-info._tcp.local", dns.TXT))
        message = dns.parse_message(reply) if reply is not None else None
        if message is not None:
            answer = add_records(answer, message.records)
    return replace(answer, complete=True)


def add_records(answer: Answer, records: Iterable[dns.Record]) -> Answer:
    """The answer with what these records add; what it knows already stays."""
    records = tuple(records)
    facts = dict(answer.facts)
    targets = [record.text for record in records if record.type == dns.PTR and record.text]
    kinds = [found[1].lower() for target in targets if (found := _TYPE.fullmatch(target))]
    instances = [_one_line(target) for target in targets if _INSTANCE.fullmatch(target)]
    for fact, heard, gap in (("services", kinds, " "), ("instances", instances, "\n")):
        all_of_them = dict.fromkeys([*filter(None, facts.get(fact, "").split(gap)), *heard])
        if all_of_them:
            facts[fact] = gap.join(list(all_of_them)[:_MAX_SERVICES])
    texts = _read_texts(records)
    for name, fact in _OTHER_KEYS.items():
        if name in texts:
            facts.setdefault(fact, texts[name])
    model = answer.model or next((texts[name].strip("()") for name in _MODEL_KEYS if name in texts), None)
    banner = "\n".join(filter(None, (facts.get("services"), model, facts.get("instances"))))
    hostname = answer.hostname or next(filter(None, map(_find_host, records)), None)
    workstation = next(filter(None, map(_WORKSTATION.search, instances)), None)
    mac = answer.mac or (workstation[1].upper() if workstation else None)
    return replace(answer, banner=banner.encode(), hostname=hostname, model=model, mac=mac, facts=facts)


def _read_texts(records: Iterable[dns.Record]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for record in records:
        for pair in record.strings if record.type == dns.TXT else ():
            name, _, value = pair.partition("=")
            if value.strip():
                texts.setdefault(name.lower(), _one_line(value.strip()))
    return texts


def _find_host(record: dns.Record) -> str | None:
    if record.type == dns.SRV and record.text:
        return _host(record.text.rpartition(" ")[2])
    return _host(record.name) if record.type == dns.A else None


def _one_line(text: str) -> str:
    return " ".join(text[:_MAX_TEXT].splitlines())


def _host(name: str) -> str | None:
    short = name.rstrip(".")
    return (
        short[: -len(".local")] if short.lower().endswith(".local") and len(short) > len(".local") else None
    )


def _ask_for(name: str, kind: int = dns.PTR) -> bytes:
    try:
        return dns.encode_query(secrets.randbelow(0xFFFF) + 1, name, kind, dns.IN)
    except ValueError:  # a device's own name, longer than DNS has them
        return dns.encode_query(secrets.randbelow(0xFFFF) + 1, _SERVICES, dns.PTR, dns.IN)


PROTOCOL = KeyedProtocol("mdns", 5353, request, parse, group=_GROUP, more=more, key=key)
