"""MikroTik's neighbour discovery: four zero bytes make a router announce itself, with exact version and channel.

The protocol is not published; the fields are known from what routers send. An announcement goes to everyone's port 5678.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import UdpProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST: Final = bytes(4)
_HEAD: Final = 4  # two bytes of version and time to live, two of a sequence number
_FIELD: Final = struct.Struct(">2H")
_MAX_FIELDS: Final = 64
_MAX_TEXT: Final = 255
_MAC, _IDENTITY, _VERSION, _PLATFORM, _UPTIME = 1, 5, 7, 8, 10
_SOFTWARE_ID, _BOARD, _UNPACK, _INTERFACE, _IPV4 = 11, 12, 14, 16, 17
_TEXTS: Final = {
    _IDENTITY: "identity",
    _PLATFORM: "platform",
    _SOFTWARE_ID: "software_id",
    _BOARD: "board",
    _INTERFACE: "interface",
}
# `7.15rc3 (testing)`, `6.49.10 (long-term)`; 7.19 and later add the time of the build.
_NUMBER: Final = re.compile(r"v?(\d{1,2}\.\d{1,3}[\w.]{0,20})(?: \(?([a-z-]{3,20})\)?)?")
_FIRST_ROUTEROS: Final = 3


def request(_: IPv4Address) -> bytes:
    """A request that all routers answer."""
    return REQUEST


def parse(data: bytes) -> Answer | None:
    """What a router announces; None for requests, our own among them, and for what names no version."""
    fields = dict(reversed(list(_read_fields(data))))
    if _MAC not in fields or not fields.keys() & {_VERSION, _IDENTITY, _BOARD}:
        return None
    facts = {name: text for at, name in _TEXTS.items() if (text := _text(fields.get(at)))}
    said = _text(fields.get(_VERSION))
    number = _NUMBER.match(said) if said else None
    version, channel = (number[1], number[2]) if number else (said, None)
    if channel:
        facts["channel"] = channel
    if len(fields.get(_UPTIME, b"")) == 4:  # noqa: PLR2004 - a 32-bit number, the only one that is little-endian
        facts["uptime_seconds"] = str(int.from_bytes(fields[_UPTIME], "little"))
    if len(fields.get(_IPV4, b"")) == 4:  # noqa: PLR2004 - octets of an address
        facts["address"] = str(IPv4Address(fields[_IPV4]))
    platform = facts.get("platform", "")
    product, system = _name(platform, version, facts)
    return Answer(
        "mndp",
        " ".join(filter(None, (product if system == "SwOS" else platform, said))).encode(),
        product,
        version,
        extra_info=channel,
        os_name=system,
        device_type="switch" if system == "SwOS" else "router" if system else None,
        hostname=facts.get("identity"),
        model=facts.get("board"),
        mac=fields[_MAC].hex(":").upper() if len(fields[_MAC]) == 6 else None,  # noqa: PLR2004 - octets of a MAC
        cpes=(f"cpe:/o:mikrotik:routeros:{version}",) if system == "RouterOS" and number else (),
        facts=facts,
        complete=version is not None,
    )


def _name(platform: str, version: str | None, facts: dict[str, str]) -> tuple[str | None, str | None]:
    """Product and system. A switch with SwOS calls its platform MikroTik too, but has no software id."""
    if platform != "MikroTik":
        return platform or None, None
    major = (version or "").partition(".")[0]
    if "software_id" not in facts and major.isdigit() and int(major) < _FIRST_ROUTEROS:
        return "MikroTik SwOS", "SwOS"
    return "MikroTik RouterOS", "RouterOS"


def _read_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = _HEAD
    for _ in range(_MAX_FIELDS):
        if at + _FIELD.size > len(data):
            return
        kind, length = _FIELD.unpack_from(data, at)
        at += _FIELD.size
        if at + length > len(data):
            return
        yield kind, data[at : at + length]
        at += length


def _text(value: bytes | None) -> str | None:
    return value[:_MAX_TEXT].decode("utf-8", "replace").strip("\0 ") or None if value else None


PROTOCOL = UdpProtocol("mndp", 5678, request, parse, group="255.255.255.255", source_port=5678)
