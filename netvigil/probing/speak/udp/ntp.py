"""NTP: a client's request (RFC 5905, 7.3), then what `ntpq -c rv` reads, where the server lets everyone (RFC 9327)."""

from __future__ import annotations

import re
import secrets
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address

_SIZE: Final = 48
_CLIENT: Final = 3
_SERVER: Final = 4
_CONTROL: Final = 6
_CONTROL_HEAD: Final = struct.Struct(">BBHHHHH")
_RESPONSE: Final = 0x80
_ERROR: Final = 0x40
_READ_VARIABLES: Final = 2
_UNSYNCHRONIZED: Final = 16
_NAMED: Final = re.compile(rb'(?<![\w])(version|system|processor)="([^"]{0,200})"')
_NTPD: Final = re.compile(r"ntpd (\d[\d.]{0,20})(p\d{1,3}(?:-[\w]{1,12})?)?")


def request(_: IPv4Address) -> bytes:
    """A client's packet of version 4; its transmit time is random, as servers only repeat it."""
    return bytes([4 << 3 | _CLIENT]) + bytes(_SIZE - 9) + secrets.token_bytes(8)


def key(data: bytes) -> bytes | None:
    """The transmit time of a request, which a reply has as its origin time; of control messages the sequence."""
    mode = data[0] & 7 if data else 0
    if mode == _CONTROL and len(data) >= _CONTROL_HEAD.size:
        return b"control" + data[2:4]
    if len(data) < _SIZE:
        return None
    return data[40:48] if mode == _CLIENT else data[24:32]


def parse(data: bytes) -> Answer | None:
    """What a server's packet says: protocol version and place in the hierarchy, never the program."""
    if len(data) < _SIZE or data[0] & 7 != _SERVER:
        return None
    version, stratum, reference = data[0] >> 3 & 7, data[1], data[12:16]
    if not 1 <= version <= 4 or stratum > _UNSYNCHRONIZED:  # noqa: PLR2004 - the versions there are
        return None
    facts = {"protocol_version": str(version), "stratum": str(stratum)}
    if stratum == 1 and (name := reference.rstrip(b"\0")).isalnum():
        facts["reference"] = name.decode("ascii", "replace")
    elif stratum > 1 and any(reference):
        facts["reference"] = ".".join(map(str, reference))
    role = (
        "unsynchronized"
        if stratum in {0, _UNSYNCHRONIZED} or data[0] >> 6 == 3  # noqa: PLR2004 - leap indicator: alarm
        else "primary server"
        if stratum == 1
        else "secondary server"
    )
    return Answer("ntp", product="NTP", extra_info=f"v{version}; {role}", facts=facts)


async def more(ask: Callable[[bytes], Awaitable[bytes | None]], answer: Answer) -> Answer:
    """The server's own variables; chrony, Windows and most configurations today keep them to themselves."""
    sequence = secrets.randbelow(0xFFFF) + 1
    reply = await ask(_CONTROL_HEAD.pack(2 << 3 | _CONTROL, _READ_VARIABLES, sequence, 0, 0, 0, 0))
    return answer if reply is None else add_variables(answer, reply)


def add_variables(answer: Answer, data: bytes) -> Answer:
    """The answer with what a control reply names: program, its version, system, processor."""
    if (
        len(data) < _CONTROL_HEAD.size
        or data[0] & 7 != _CONTROL
        or data[1] & (_RESPONSE | _ERROR) != _RESPONSE
    ):
        return answer
    # (?<!\w) above keeps `daemon_version` and its like apart.
    named = {
        name.decode(): value.decode("utf-8", "replace")
        for name, value in _NAMED.findall(data[_CONTROL_HEAD.size :])
    }
    if not named:
        return answer
    said = named.get("version", "")
    program = _NTPD.match(said)
    number, patch = (program[1], program[2] or "") if program else ("", "")
    return replace(
        answer,
        banner=said.encode(),
        version=f"{number}{patch}" or None,
        os_name=named.get("system", "").partition("/")[0] or None,
        cpes=(f"cpe:/a:ntp:ntp:{number}:{patch.partition('-')[0] or '-'}",) if program else (),
        facts={**answer.facts, **named},
        complete=program is not None,
    )


PROTOCOL = KeyedProtocol("ntp", 123, request, parse, more=more, key=key)
