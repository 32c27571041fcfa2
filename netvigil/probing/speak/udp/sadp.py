"""SADP, by which Hikvision's own tool finds its cameras and recorders, with model and firmware (not published)."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol
from netvigil.probing.speak.xml_texts import read_xml_texts

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_PORT: Final = 37020
_ID: Final = re.compile(rb"<Uuid>([0-9a-fA-F-]{36})</Uuid>", re.IGNORECASE)
# The serial number stands there too, and is none of our business.
_WANTED: Final = {
    "Types": "types",
    "DeviceDescription": "description",
    "DeviceType": "device_type",
    "MAC": "mac",
    "SoftwareVersion": "software_version",
    "DSPVersion": "dsp_version",
    "BootTime": "boot_time",
    "Activated": "activated",
}
_VERSION: Final = re.compile(r"V?(\d{1,3}\.\d{1,3}\.\d{1,3}) ?(build ?\d{6})?", re.IGNORECASE)
_MAC: Final = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}", re.IGNORECASE)


def request(_: IPv4Address) -> bytes:
    """An inquiry, which changes nothing (other types of the same message would)."""
    number = str(uuid.uuid4()).upper()
    return f'<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>{number}</Uuid><Types>inquiry</Types></Probe>'.encode()


def key(data: bytes) -> bytes | None:
    """The inquiry's id, which the match repeats."""
    found = _ID.search(data[:1024])
    return found[1].upper() if found else None


def parse(data: bytes) -> Answer | None:
    """What a device says of itself; None for inquiries, other programs' among them."""
    if b"<ProbeMatch" not in data[:1024]:
        return None
    texts = read_xml_texts(data, _WANTED)
    said = texts.get("software_version", "")
    version = _VERSION.match(said)
    mac = _MAC.fullmatch(texts.get("mac", ""))
    model = texts.get("description")
    if not said and not model:
        return None
    return Answer(
        "sadp",
        "\n".join(filter(None, (model, said))).encode(),
        "Hikvision",
        " ".join(filter(None, version.groups())) if version else None,
        extra_info=model,
        device_type="webcam",
        model=model,
        mac=mac[0].upper().replace("-", ":") if mac else None,
        facts={name: text for name, text in texts.items() if name not in {"types", "mac"}},
        complete=version is not None,
    )


PROTOCOL = KeyedProtocol(
    "sadp", _PORT, request, parse, group="239.255.255.250", source_port=_PORT, key=key, joins=True
)
