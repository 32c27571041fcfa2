"""Ubiquiti's discovery, by which its own tool finds access points, radios and switches (not published; versions 1 and 2)."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.protocol import UdpProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

_V1: Final = b"\x01\x00\x00\x00"
_V2: Final = b"\x02\x08\x00\x00"
_HEAD: Final = struct.Struct(">BBH")
_FIELD: Final = struct.Struct(">BH")
_MAX_FIELDS: Final = 64
_MAX_TEXT: Final = 255
_MAC_SIZE: Final = 6
_MAC, _MAC_AND_ADDRESS, _FIRMWARE, _UPTIME, _HOSTNAME, _PLATFORM = 0x01, 0x02, 0x03, 0x0A, 0x0B, 0x0C
_ESSID, _MODEL, _SHORT_MODEL, _SHORT_VERSION = 0x0D, 0x14, 0x15, 0x16
_TEXTS: Final = {
    _FIRMWARE: "firmware",
    _HOSTNAME: "identity",
    _PLATFORM: "platform",
    _ESSID: "essid",
    _MODEL: "model_name",
    _SHORT_MODEL: "short_model",
    _SHORT_VERSION: "short_version",
}
# `XM.ar7240.v5.5.6.17762.130528.1755`: platform, processor, version, build, time
_NUMBER: Final = re.compile(r"(?:^|\.)v?(\d{1,3}\.\d{1,3}\.\d{1,3})(?:[.+-]|$)")
_AIROS: Final = re.compile(r"(?:XM|XW|XC|XS[25]|TI|WA|2XC|2WA|XN)\.")


def request(_: IPv4Address) -> bytes:
    """The first version's request."""
    return _V1


def parse(data: bytes) -> Answer | None:
    """What a device says of itself: MAC, name, model and, unless it is configured not to, its firmware."""
    if len(data) <= _HEAD.size or data[0] not in {1, 2}:
        return None
    fields = dict(reversed(list(_read_fields(data))))
    mac = fields.get(_MAC) or fields.get(_MAC_AND_ADDRESS, b"")[:_MAC_SIZE]
    if len(mac) != _MAC_SIZE:
        return None
    facts = {name: text for kind, name in _TEXTS.items() if (text := _text(fields.get(kind)))}
    if len(fields.get(_UPTIME, b"")) == 4:  # noqa: PLR2004 - a 32-bit number
        facts["uptime_seconds"] = str(int.from_bytes(fields[_UPTIME], "big"))
    firmware = facts.get("firmware", "")
    number = _NUMBER.search(facts.get("short_version") or firmware)
    airos = _AIROS.match(firmware) is not None
    model = facts.get("model_name") or facts.get("platform") or facts.get("short_model")
    return Answer(
        "ubiquiti-discovery",
        "\n".join(filter(None, (model, firmware))).encode(),
        "Ubiquiti Discovery Service",
        number[1] if number else None,
        ", ".join(filter(None, (f"v{data[0]} protocol", model, firmware))),
        os_name="AirOS" if airos else None,
        hostname=facts.get("identity"),
        model=model,
        mac=mac.hex(":").upper() if any(mac) and not mac[0] & 1 else None,
        cpes=(f"cpe:/o:ui:airos:{number[1]}",) if airos and number else (),
        facts=facts,
        complete=True,
    )


def _read_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = _HEAD.size
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


PROTOCOL = UdpProtocol("ubiquiti-discovery", 10001, request, parse, group="233.89.188.1", also=(_V2,))
