"""LDAP: ask the server about itself (the root DSE, RFC 4512, 5.1), as every client does before anybody logs in."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.ber import (
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    BerError,
    decode_integer,
    encode,
    encode_integer,
    read_element,
    read_elements,
)
from netvigil.probing.speak.exchange import MAX_MESSAGE, read_message, unspoken
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.reader import text

if TYPE_CHECKING:
    from netvigil.probing.speak.line import Line

_ENUMERATED, _BOOLEAN = 0x0A, 0x01
_SEARCH, _ENTRY, _DONE, _BIND_RESPONSE, _EXTENDED_RESPONSE = 0x63, 0x64, 0x65, 0x61, 0x78
_PRESENT = 0x87  # the filter "has this attribute"
_ATTRIBUTES = (
    "objectClass", "vendorName", "vendorVersion", "dnsHostName", "defaultNamingContext", "namingContexts",
    "dsServiceName", "ldapServiceName", "domainControllerFunctionality", "supportedLDAPVersion", "supportedExtension",
    "isGlobalCatalogReady",
)  # fmt: skip
_UNBIND = b"\x30\x05\x02\x01\x02\x42\x00"
_MAX_VALUES = 64
_HEAD = 6  # the shortest message has seven bytes
_MAX_ELEMENTS = 256
_LEVELS = {
    "0": "2000",
    "2": "2003",
    "3": "2008",
    "4": "2008 R2",
    "5": "2012",
    "6": "2012 R2",
    "7": "2016",
    "10": "2025",
}
_VERSION = re.compile(r"(?<![\w.])v?(\d{1,4}\.\d{1,4}[\w.-]{0,40})")


def _request() -> bytes:
    asked = b"".join(encode(OCTET_STRING, name.encode()) for name in _ATTRIBUTES)
    search = (
        encode(OCTET_STRING, b"")  # the root
        + encode(_ENUMERATED, b"\0")  # it alone
        + encode(_ENUMERATED, b"\0")
        + encode_integer(1)  # entry
        + encode_integer(5)  # seconds
        + encode(_BOOLEAN, b"\0")
        + encode(_PRESENT, b"objectClass")
        + encode(SEQUENCE, asked)
    )
    return encode(SEQUENCE, encode_integer(1) + encode(_SEARCH, search))


_REQUEST = _request()


def recognise(data: bytes) -> bool:
    """Whether bytes are a whole LDAP message that a server sends, such as its notice of disconnection."""
    try:
        message, _ = read_element(data)
        parts = read_elements(message.content, 3)
    except BerError:
        return False
    return (
        message.tag == SEQUENCE
        and len(parts) >= 2  # noqa: PLR2004 - number and operation
        and parts[0].tag == INTEGER
        and len(parts[0].content) in range(1, 5)
        and parts[1].tag in (_ENTRY, _DONE, _BIND_RESPONSE, _EXTENDED_RESPONSE)
    )


async def converse(line: Line, heard: bytes) -> Answer | None:
    """Search the root DSE without a bind, then unbind."""
    known = parse(heard) if recognise(heard) else None
    async with unspoken(line, heard) as fresh:
        if fresh is None or not await fresh.send(_REQUEST):
            return known
        said = await _result(fresh)
        await fresh.send(_UNBIND)
    return parse(said) or known


async def _result(line: Line) -> bytes:
    """Everything up to the search's end, as far as it comes in time and is not too much."""
    said = b""
    try:
        async with asyncio.timeout(2 * line.patience):
            while len(said) < MAX_MESSAGE and not _ended(said):
                more = await read_message(line, _HEAD, _size, limit=MAX_MESSAGE - len(said))
                if not more:
                    break
                said += more
    except TimeoutError:
        pass  # what came is kept
    return said


def _size(head: bytes) -> int:
    """How many bytes of a message follow its first six; the length of its length may be 1, 2, 3 or 5 bytes."""
    if head[0] != SEQUENCE:
        return 0
    count = head[1] & 0x7F if head[1] & 0x80 else 0
    length = int.from_bytes(head[2 : 2 + count], "big") if count else head[1]
    return 2 + count + length - _HEAD


def _operations(said: bytes) -> list[tuple[int, bytes]]:
    """The operations in a row of messages, as far as they are whole."""
    operations: list[tuple[int, bytes]] = []
    at = 0
    try:
        while at < len(said) and len(operations) < _MAX_VALUES:
            message, at = read_element(said, at)
            parts = read_elements(message.content, 3)
            if message.tag != SEQUENCE or len(parts) < 2 or parts[0].tag != INTEGER:  # noqa: PLR2004
                break
            operations.append((parts[1].tag, parts[1].content))
    except BerError:
        pass
    return operations


def _ended(said: bytes) -> bool:
    """Whether the search is over; or these are no messages, for which nobody should wait."""
    if said and said[0] != SEQUENCE:
        return True
    return any(tag != _ENTRY for tag, _ in _operations(said))


def parse(said: bytes) -> Answer | None:
    """What the answer to the search says; None when it is none of LDAP's."""
    operations = _operations(said)
    known = {_ENTRY, _DONE, _BIND_RESPONSE, _EXTENDED_RESPONSE}
    if not operations or any(tag not in known for tag, _ in operations):
        return None
    entry: dict[str, list[str]] = {}
    message = ""
    for tag, content in operations:
        try:
            if tag == _ENTRY:
                entry |= _attributes(content)
            else:
                message = _message(content) or message
        except BerError:
            continue
    return _named(entry, message)


def _attributes(content: bytes) -> dict[str, list[str]]:
    _, *rest = read_elements(content, _MAX_ELEMENTS)
    attributes: dict[str, list[str]] = {}
    for attribute in read_elements(rest[0].content, _MAX_ELEMENTS) if rest else ():
        parts = read_elements(attribute.content, 2)
        if len(parts) == 2:  # noqa: PLR2004 - name and values
            values = read_elements(parts[1].content, _MAX_ELEMENTS)[:_MAX_VALUES]
            attributes[text(parts[0].content, 64).lower()] = [text(value.content) for value in values]
    return attributes


def _message(content: bytes) -> str:
    """The words of a result that is no success (RFC 4511, 4.1.9: code, name, words)."""
    parts = read_elements(content, 8)
    if len(parts) < 3 or parts[0].tag != _ENUMERATED or decode_integer(parts[0].content) == 0:  # noqa: PLR2004
        return ""
    return text(parts[2].content, 512)


def _named(entry: dict[str, list[str]], message: str) -> Answer:
    def first(name: str) -> str | None:
        return next(iter(entry.get(name, ())), None) or None

    facts = {
        fact: value
        for fact, value in (
            ("vendor_name", first("vendorname")),
            ("vendor_version", first("vendorversion")),
            ("naming_context", first("defaultnamingcontext") or first("namingcontexts")),
            ("domain_controller_level", _LEVELS.get(first("domaincontrollerfunctionality") or "")),
            ("message", message or None),
        )
        if value
    }
    product, version, os_name, cpes = _product(entry, facts)
    domain, site = _domain(facts.get("naming_context", "")), _site(first("dsservicename") or "")
    shown = ", ".join(filter(None, (domain and f"Domain: {domain}", site and f"Site: {site}")))
    banner = "\n".join(facts[name] for name in ("vendor_name", "vendor_version", "message") if name in facts)
    return Answer(
        "ldap",
        banner.encode(),
        product,
        version,
        shown or message or None,
        os_name=os_name,
        hostname=first("dnshostname"),
        cpes=cpes,
        facts=facts,
        complete=product is not None,
    )


def _product(
    entry: dict[str, list[str]], facts: dict[str, str]
) -> tuple[str | None, str | None, str | None, tuple[str, ...]]:
    """Product, version, system and names of a directory, by the vendor that it states or the marks that it bears."""
    vendor, stated = facts.get("vendor_name", ""), facts.get("vendor_version", "")
    found = _VERSION.search(stated)
    version = found[1] if found else None
    if "samba" in vendor.lower():
        return "Samba Active Directory LDAP", None, None, ("cpe:/a:samba:samba",)
    if "389 Project" in vendor or stated.startswith("389-Directory/"):
        return "389 Directory Server", version, None, ("cpe:/a:port389:389-ds-base",)
    if vendor:
        cpes = ("cpe:/a:apache:directory_server",) if "Apache Software Foundation" in vendor else ()
        return vendor, version, None, cpes
    if "OpenLDAProotDSE" in entry.get("objectclass", ()):
        return "OpenLDAP", None, None, ("cpe:/a:openldap:openldap",)
    if {"dsservicename", "domaincontrollerfunctionality"} <= entry.keys():
        return "Microsoft Windows Active Directory LDAP", None, "Windows", ("cpe:/o:microsoft:windows",)
    return None, None, None, ()


def _domain(context: str) -> str:
    return ".".join(part[3:] for part in context.split(",") if part[:3].upper() == "DC=")


def _site(service: str) -> str | None:
    names = [part[3:] for part in service.split(",") if part[:3].upper() == "CN="]
    return names[names.index("Sites") - 1] if "Sites" in names[1:] else None


PROTOCOL = TcpProtocol(
    "ldap", frozenset({389, 636, 3268, 3269}), converse, recognises=recognise, anywhere=True
)
