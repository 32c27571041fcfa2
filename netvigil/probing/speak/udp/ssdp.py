"""SSDP, by which UPnP devices are searched for; they name their software in `SERVER` (UPnP Device Architecture, 1.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address

_GROUP: Final = "239.255.255.250"
_PORT: Final = 1900
_MAX_HEAD: Final = 8192
_MAX_VALUE: Final = 1024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] 200[ \r]")
_HEADER: Final = re.compile(rb"^([A-Za-z][\w.-]{0,40})[ \t]{0,8}:[ \t]{0,8}([^\r\n]{0,1024})", re.MULTILINE)
# The header's form is `system/version UPnP/1.0 product/version`, with commas or without.
_SERVER: Final = re.compile(r"(.{0,120}?)[,; ]{0,3}\bUPnP/(\d\.\d)[,; ]{0,3}(.{0,200})")
_PRODUCT: Final = re.compile(r"(\S[^/,]{0,100}?)(?: SDK)?/v?(\d[\w.+-]{0,60})")
_NAMES: Final = {"samsung upnp": "Samsung UPnP", "miniupnpd": "MiniUPnPd", "minidlna": "MiniDLNA"}


def request(address: IPv4Address) -> bytes:
    """A search for everything; an answer may be delayed by up to a second."""
    return _search(address, "ssdp:all")


def others(address: IPv4Address) -> Sequence[bytes]:
    """A search for the device itself, which some know that know no other."""
    return (_search(address, "upnp:rootdevice"),)


def parse(data: bytes) -> Answer | None:
    """What a search's answer says."""
    head = data[:_MAX_HEAD].partition(b"\r\n\r\n")[0]
    if not _STATUS.match(head):
        return None
    headers = {name.lower().decode(): value.strip() for name, value in reversed(_HEADER.findall(head))}
    if not headers.keys() & {"st", "usn", "location"}:
        return None
    said = headers.get("server", b"").decode("utf-8", "replace")[:_MAX_VALUE]
    facts = {
        fact: text.decode("utf-8", "replace")
        for fact, name in (("server", "server"), ("location", "location"), ("usn", "usn"), ("st", "st"))
        if (text := headers.get(name))
    }
    product, version, extra, system = name_server(said)
    return Answer(
        "upnp",
        said.encode(),
        product,
        version,
        extra,
        os_name=system,
        facts=facts,
        complete=version is not None,
    )


def name_server(said: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Product, version, further words and operating system in a `SERVER` header."""
    found = _SERVER.match(said)
    if found is None:
        return None, None, None, None
    system, upnp, rest = found[1].strip(), found[2], found[3].strip()
    extra = "; ".join(filter(None, (system, f"UPnP {upnp}")))
    named = _PRODUCT.match(rest)
    system_name = "Linux" if re.match(r"linux|debian|ubuntu|openwrt", system, re.IGNORECASE) else None
    if "windows" in system.lower():
        system_name = "Windows"
    if named is None:
        return None, None, extra, system_name
    product = named[1].strip()
    return _NAMES.get(product.lower(), product), named[2], extra, system_name


def _search(address: IPv4Address, target: str) -> bytes:
    return (
        "M-SEARCH * HTTP/1.1\r\n"
        f"HOST: {address}:{_PORT}\r\n"
        'MAN: "ssdp:discover"\r\n'
        "MX: 1\r\n"
        f"ST: {target}\r\n\r\n"
    ).encode("ascii")


PROTOCOL = KeyedProtocol("upnp", _PORT, request, parse, group=_GROUP, others=others)
