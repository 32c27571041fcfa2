"""IPP: printers and CUPS name themselves to any client that asks for a printer's attributes (RFC 8011, 4.2.5)."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak.http_message import parse_response
from netvigil.probing.speak.protocol import TcpProtocol
from netvigil.probing.speak.tcp.http import answer_of, ask_again, fetch, page_facts
from netvigil.probing.speak.web_page import read_page
from netvigil.probing.speak.web_products import Named, conclude, look_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netvigil.probing.speak.answer import Answer
    from netvigil.probing.speak.http_message import Response
    from netvigil.probing.speak.line import Line
    from netvigil.probing.speak.web_page import Page

_PATH: Final = "/ipp/print"  # RFC 8010, 4.4.1; every printer of this century has it
_KIND: Final = "application/ipp"
_GET_PRINTER_ATTRIBUTES: Final = 0x000B
_OPERATION_GROUP, _END = 0x01, 0x03
_KEYWORD, _URI, _CHARSET, _LANGUAGE = 0x44, 0x45, 0x47, 0x48
_TEXT_LANGUAGE, _NAME_LANGUAGE = 0x35, 0x36
_FIRST_VALUE_TAG: Final = 0x10
_STRINGS: Final = range(0x41, 0x4A)
_MAX_VALUES: Final = 256
_WANTED: Final = (
    "printer-make-and-model",
    "printer-firmware-name",
    "printer-firmware-string-version",
    "printer-name",
    "printer-dns-sd-name",
    "printer-info",
    "printer-location",
    "printer-device-id",
    "printer-uuid",
)
_CUPS_TITLE: Final = re.compile(r"\bCUPS v?(\d+\.\d+(?:\.\d+)?(?:(?:b|rc)\d+|op\d+)?)")
_FIRMWARE: Final = re.compile(r"(?=[\w.-]*\d)[\w.-]{1,40}$")
_SERIAL: Final = re.compile(r"(?:^|;)\s?(?:SN|SERN|SERIALNUMBER):([\w-]{3,30})")
_MAKERS: Final = {
    "hp": "hp",
    "hewlett-packard": "hp",
    "brother": "brother",
    "canon": "canon",
    "epson": "epson",
    "xerox": "xerox",
    "ricoh": "ricoh",
    "kyocera": "kyocera",
    "lexmark": "lexmark",
    "samsung": "samsung",
    "oki": "oki",
    "sharp": "sharp",
    "toshiba": "toshiba",
    "zebra": "zebra",
}


def request_attributes(uri: str) -> bytes:
    """A Get-Printer-Attributes request of version 1.1, which all printers understand."""
    parts = [
        struct.pack(">BBHIB", 1, 1, _GET_PRINTER_ATTRIBUTES, 1, _OPERATION_GROUP),
        _attribute(_CHARSET, "attributes-charset", "utf-8"),
        _attribute(_LANGUAGE, "attributes-natural-language", "en"),
        _attribute(_URI, "printer-uri", uri),
    ]
    parts += [
        _attribute(_KEYWORD, "" if count else "requested-attributes", wanted)
        for count, wanted in enumerate(_WANTED)
    ]
    return b"".join(parts) + bytes((_END,))


def parse_attributes(data: bytes) -> dict[str, tuple[str, ...]] | None:
    """The attributes that are text, by name (RFC 8010, 3.1); None for what is no IPP answer to request 1. Never raises."""
    if len(data) < 9 or data[0] not in {1, 2} or data[4:8] != b"\0\0\0\1" or data[8] >= _FIRST_VALUE_TAG:  # noqa: PLR2004
        return None
    found: dict[str, tuple[str, ...]] = {}
    name, at = "", 8
    for _ in range(_MAX_VALUES):
        if at >= len(data) or data[at] == _END:
            break
        tag = data[at]
        if tag < _FIRST_VALUE_TAG:
            at += 1
            continue
        own, at = _counted(data, at + 1)
        value, at = _counted(data, at)
        if own is None or value is None:
            break
        name = own.decode("ascii", "replace")[:100] if own else name
        text = _text(tag, value)
        if text is not None:
            found[name] = (*found.get(name, ()), text[:300])
    return found


async def converse(line: Line, _: bytes) -> Answer | None:
    """The first page, which names CUPS exactly, then the attributes of the printer where it is none."""
    response = parse_response(await fetch(line, "/"))
    page = read_page(response) if response is not None else None
    if page is not None and "CUPS" in f"{page.server}{page.title}":
        return _cups(page)
    scheme = "ipps" if line.certificate else "ipp"
    body = request_attributes(f"{scheme}://{line.address}:{line.port}{_PATH}")
    reply = await ask_again(line, _PATH, body=body, kind=_KIND)
    attributes = parse_attributes(reply.body) if reply is not None else None
    if attributes is not None and reply is not None:
        return _printer(page or read_page(reply), attributes)
    if page is None and reply is None:
        return None
    return _page_only(page, reply)


def _cups(page: Page) -> Answer:
    shown = _CUPS_TITLE.search(page.title)
    named = conclude(look_at(page))
    version = shown[1] if shown else named.version
    cpe = f"cpe:/a:openprinting:cups:{version}" if version else "cpe:/a:openprinting:cups"
    named = replace(named, product="CUPS", version=version, cpes=(cpe,), known=True)
    return replace(answer_of(page, named, page_facts(page)), name="ipp", complete=shown is not None)


def _printer(page: Page, attributes: Mapping[str, tuple[str, ...]]) -> Answer:
    facts = page_facts(page)
    facts |= {
        name.removeprefix("printer-").replace("-", "_"): "; ".join(values)[:300]
        for name, values in attributes.items()
        if name in _WANTED and any(values)
    }
    make = _first(attributes, "printer-make-and-model")
    firmware = _first(attributes, "printer-firmware-string-version")
    version = firmware if _FIRMWARE.match(firmware) else None
    if serial := _SERIAL.search(_first(attributes, "printer-device-id")):
        facts["serial"] = serial[1]
    maker, _, model = make.partition(" ")
    named = conclude(look_at(page))
    if make:
        named = Named(
            make,
            version,
            named.product,
            "printer",
            model or make,
            cpes=_cpes(maker, model, version),
            known=True,
        )
    more = (f"printer-make-and-model: {make}", f"printer-firmware-string-version: {firmware}") if make else ()
    return replace(answer_of(page, named, facts, *more), name="ipp")


def _page_only(page: Page | None, reply: Response | None) -> Answer | None:
    shown = page or (read_page(reply) if reply is not None else None)
    if shown is None:
        return None
    answer = answer_of(shown, conclude(look_at(shown)), page_facts(shown))
    return replace(answer, name="ipp") if "IPP/" in shown.server else answer


def _cpes(maker: str, model: str, version: str | None) -> tuple[str, ...]:
    vendor = _MAKERS.get(maker.lower())
    slug = re.sub(r"[^a-z0-9._-]", "", "_".join(model.lower().split()))[:60]
    if vendor is None or not slug:
        return ()
    hardware = f"cpe:/h:{vendor}:{slug}"
    if version is None:
        return (hardware,)
    return (hardware, f"cpe:/o:{vendor}:{slug}_firmware:{version.lower()}")


def _first(attributes: Mapping[str, tuple[str, ...]], name: str) -> str:
    return " ".join(
        "".join(char if char.isprintable() else " " for char in attributes.get(name, ("",))[0]).split()
    )


def _attribute(tag: int, name: str, value: str) -> bytes:
    key, data = name.encode(), value.encode()
    return struct.pack(">BH", tag, len(key)) + key + struct.pack(">H", len(data)) + data


def _counted(data: bytes, at: int) -> tuple[bytes | None, int]:
    if at + 2 > len(data):
        return None, at
    end = at + 2 + int.from_bytes(data[at : at + 2])
    return (data[at + 2 : end], end) if end <= len(data) else (None, at)


def _text(tag: int, value: bytes) -> str | None:
    if tag in {_TEXT_LANGUAGE, _NAME_LANGUAGE}:
        _language, at = _counted(value, 0)
        inner, _end = _counted(value, at)
        return inner.decode("utf-8", "replace") if inner is not None else None
    return value.decode("utf-8", "replace") if tag in _STRINGS else None


PROTOCOL: Final = TcpProtocol("ipp", frozenset({631}), converse)
