"""WS-Discovery: a probe for everything; cameras (ONVIF) tell maker and model, Windows and printers that they are there.

Web Services Dynamic Discovery 1.0 of 2005, which devices speak; scopes as in ONVIF's core specification, 7.3.2.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol
from netvigil.probing.speak.xml_texts import read_xml_texts

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_ID: Final = re.compile(
    rb"(?:MessageID|RelatesTo)\b[^>]{0,200}>\s{0,20}(?:urn:)?(?:uuid:)?([0-9a-fA-F-]{36})"
)
_WANTED: Final = {"Action": "action", "Types": "types", "Scopes": "scopes", "XAddrs": "addresses"}
_SCOPE: Final = re.compile(r"onvif://www\.onvif\.org/(name|hardware|mac)/(\S{1,200})", re.IGNORECASE)
_MAC: Final = re.compile(r"(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}", re.IGNORECASE)
_MAX_HEAD: Final = 8192


def request(_: IPv4Address) -> bytes:
    """A probe without types, which everyone answers."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
        "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
        f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>"
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        "</s:Header><s:Body><d:Probe/></s:Body></s:Envelope>"
    ).encode("ascii")


def key(data: bytes) -> bytes | None:
    """The message's id, to which a reply says that it relates (it has one of its own as well)."""
    found = [
        match[1].lower() for match in _ID.finditer(data[:_MAX_HEAD]) if match[0].startswith(b"RelatesTo")
    ]
    found += [match[1].lower() for match in _ID.finditer(data[:_MAX_HEAD])]
    return found[0] if found else None


def parse(data: bytes) -> Answer | None:
    """What a match of the probe says."""
    texts = read_xml_texts(data, _WANTED)
    if not texts.get("action", "").endswith("/ProbeMatches"):
        return None
    scopes = {
        name.lower(): unquote(value) for name, value in reversed(_SCOPE.findall(texts.get("scopes", "")))
    }
    mac = _MAC.fullmatch(scopes.get("mac", ""))
    camera = "NetworkVideoTransmitter" in texts.get("types", "") or bool(scopes)
    facts = {name: text for name, text in texts.items() if name != "action"}
    digits = re.sub(r"[:-]", "", mac[0]).upper() if mac else ""
    return Answer(
        "ws-discovery",
        "\n".join(filter(None, (scopes.get("name"), scopes.get("hardware"), texts.get("types")))).encode(),
        scopes.get("name"),
        extra_info="ONVIF" if camera else None,
        device_type="webcam"
        if camera
        else "printer"
        if "PrintDeviceType" in texts.get("types", "")
        else None,
        model=scopes.get("hardware"),
        mac=":".join(digits[at : at + 2] for at in range(0, 12, 2)) if digits else None,
        facts=facts,
        complete=True,
    )


PROTOCOL = KeyedProtocol("ws-discovery", 3702, request, parse, group="239.255.255.250", key=key)
