"""Read the description that a UPnP device points to: its maker, model and name (UPnP Device Architecture, 2.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.xml_texts import MAX_DOCUMENT, read_xml_texts

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from netvigil.probing.speak.dial import Dialler

MAX_TEXT: Final = 255

# Only an address in numbers: a name would have to be looked up, and could lead anywhere.
_LOCATION: Final = re.compile(r"http://(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?(/[!-~]{0,1000})?")
_LAST_PORT: Final = 65535
# Serial numbers stand there too, and are none of our business.
_WANTED: Final = {
    "friendlyName": "friendly_name",
    "manufacturer": "manufacturer",
    "modelName": "model_name",
    "modelNumber": "model_number",
    "modelDescription": "model_description",
}


def port_of(location: str) -> int | None:
    """The TCP port that a location points to, None where it is no address in numbers."""
    found = _LOCATION.fullmatch(location)
    port = int(found[2] or 80) if found is not None else 0
    return port if 0 < port <= _LAST_PORT else None


async def read_description(host: Dialler, address: IPv4Address, location: str) -> dict[str, str]:
    """The telling elements of the description at `location`, by the names of facts; `host` dials that address.

    Empty when the location is not on that same address, does not answer or is no description; never raises.
    """
    found = _LOCATION.fullmatch(location)
    if found is None or found[1] != str(address):
        return {}
    port, path = port_of(location), found[3] or "/"
    if port is None:
        return {}
    line = await host.dial(port)
    if line is None:
        return {}
    try:
        request = f"GET {path} HTTP/1.0\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
        answer = await line.ask(request.encode("ascii"), limit=MAX_DOCUMENT)
    finally:
        line.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return parse_description(body) if re.match(rb"HTTP/1\.[01] 200\b", head) else {}


def parse_description(document: bytes) -> dict[str, str]:
    """The telling elements of the first device in a description; devices within it come later."""
    return read_xml_texts(document, _WANTED, MAX_TEXT)
