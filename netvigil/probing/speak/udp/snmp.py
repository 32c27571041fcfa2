"""SNMP with the community that devices are delivered with: what a device calls itself, and its software's version.

Reading only. A device that keeps silent on `public` may still name its engine, and with it its maker (RFC 3414, 4).
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netvigil.probing.speak import snmp_message as snmp
from netvigil.probing.speak.answer import Answer
from netvigil.probing.speak.keyed import KeyedProtocol
from netvigil.probing.speak.snmp_systems import describe
from netvigil.probing.speak.snmp_vendors import (
    MIKROTIK,
    NET_SNMP,
    VENDORS,
    find_enterprise,
    read_engine_id,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from ipaddress import IPv4Address

    Ask = Callable[[bytes], Awaitable[bytes | None]]

_COMMUNITY: Final = b"public"
_MAX_ID: Final = 2**31 - 1
_MAX_TEXT: Final = 1024

_DESCRIPTION: Final = snmp.parse_oid("1.3.6.1.2.1.1.1.0")
_OBJECT_ID: Final = snmp.parse_oid("1.3.6.1.2.1.1.2.0")
_NAME: Final = snmp.parse_oid("1.3.6.1.2.1.1.5.0")
_SYSTEM: Final = (_DESCRIPTION, _OBJECT_ID, _NAME)

# Scalars of some makers' own, by the name of the fact that they become (MIKROTIK-MIB, SYNOLOGY-SYSTEM-MIB, UBNT-UniFi-MIB).
_MIKROTIK: Final = {
    "software_id": snmp.parse_oid("1.3.6.1.4.1.14988.1.1.4.1.0"),
    "version": snmp.parse_oid("1.3.6.1.4.1.14988.1.1.4.4.0"),
    "board": snmp.parse_oid("1.3.6.1.4.1.14988.1.1.7.8.0"),
}
_LINUX: Final = {
    "synology_model": snmp.parse_oid("1.3.6.1.4.1.6574.1.5.1.0"),
    "synology_version": snmp.parse_oid("1.3.6.1.4.1.6574.1.5.3.0"),
    "unifi_model": snmp.parse_oid("1.3.6.1.4.1.41112.1.6.3.3.0"),
    "unifi_version": snmp.parse_oid("1.3.6.1.4.1.41112.1.6.3.6.0"),
}
# Columns of everyone's tables, whose first filled row speaks of the whole device (HOST-RESOURCES-, Printer-, ENTITY-MIB).
_COLUMNS: Final = {
    "device": snmp.parse_oid("1.3.6.1.2.1.25.3.2.1.3"),
    "printer": snmp.parse_oid("1.3.6.1.2.1.43.5.1.1.16"),
    "firmware_revision": snmp.parse_oid("1.3.6.1.2.1.47.1.1.1.1.9"),
    "software_revision": snmp.parse_oid("1.3.6.1.2.1.47.1.1.1.1.10"),
    "maker": snmp.parse_oid("1.3.6.1.2.1.47.1.1.1.1.12"),
    "model": snmp.parse_oid("1.3.6.1.2.1.47.1.1.1.1.13"),
}
_ROWS: Final = 5


def request(_: IPv4Address) -> bytes:
    """The system group's three telling scalars, in v2c."""
    return snmp.encode_get(_COMMUNITY, _new_id(), _SYSTEM)


def others(_: IPv4Address) -> Sequence[bytes]:
    """The same in v1, for those who speak nothing newer, and the question for a v3 engine."""
    return snmp.encode_get(_COMMUNITY, _new_id(), _SYSTEM, snmp.V1), snmp.encode_discovery(_new_id())


def key(data: bytes) -> bytes | None:
    """The request or message id."""
    number = snmp.find_id(data)
    return None if number is None else str(number).encode()


def parse(data: bytes) -> Answer | None:
    """What the system group or an engine id says."""
    if engine := snmp.parse_engine(data):
        return _from_engine(engine.engine_id)
    texts = read_texts(data, {"sys_descr": _DESCRIPTION, "sys_object_id": _OBJECT_ID, "sys_name": _NAME})
    if texts is None:
        return None
    enterprise = find_enterprise(texts.get("sys_object_id", ""))
    system = describe(texts.get("sys_descr", ""), enterprise)
    return Answer(
        "snmp",
        texts.get("sys_descr", "").encode(),
        system.product,
        system.version,
        system.extra_info,
        os_name=system.os_name,
        device_type=system.device_type,
        hostname=texts.get("sys_name"),
        model=system.model,
        cpes=system.cpes,
        facts={**texts, **({"vendor": VENDORS[enterprise]} if enterprise in VENDORS else {})},
    )


async def more(ask: Ask, answer: Answer) -> Answer:
    """The maker's scalars and everyone's tables; first the system group, where only the engine has answered."""
    if "sys_descr" not in answer.facts:
        reply = await ask(snmp.encode_get(_COMMUNITY, _new_id(), _SYSTEM))
        known = parse(reply) if reply is not None else None
        if known is None or "sys_descr" not in known.facts:
            return answer
        answer = replace(known, mac=answer.mac, facts={**answer.facts, **known.facts})
    enterprise = find_enterprise(answer.facts.get("sys_object_id", ""))
    if enterprise == MIKROTIK:
        return add_routeros(answer, await _get(ask, _MIKROTIK))
    if enterprise == NET_SNMP and (own := await _get(ask, _LINUX)):
        return add_appliance(answer, own)
    return add_tables(answer, await _read_columns(ask))


def add_routeros(answer: Answer, texts: dict[str, str]) -> Answer:
    """The answer with RouterOS' own scalars."""
    version, board = texts.get("version"), texts.get("board")
    facts = {name: text for name, text in texts.items() if name != "version"}
    if version is None or answer.os_name != "RouterOS":
        return replace(answer, facts={**answer.facts, **facts})
    return replace(
        answer,
        banner=answer.banner + f"\nRouterOS {version}".encode(),
        version=version.partition(" ")[0],
        model=board or answer.model,
        cpes=(f"cpe:/o:mikrotik:routeros:{version.partition(' ')[0]}",),
        facts={**answer.facts, **facts},
        complete=True,
    )


def add_appliance(answer: Answer, texts: dict[str, str]) -> Answer:
    """The answer of a device that is Linux with net-snmp inside, and says what it is outside."""
    maker = "Synology" if "synology_model" in texts else "Ubiquiti UniFi"
    model = texts.get("synology_model") or texts.get("unifi_model")
    version = texts.get("synology_version") or texts.get("unifi_version")
    said = f"{maker} {model or ''} {version or ''}".strip()
    return replace(
        answer, banner=answer.banner + f"\n{said}".encode(), model=model, facts={**answer.facts, **texts}
    )


def add_tables(answer: Answer, texts: dict[str, str]) -> Answer:
    """The answer with what the tables say; a printer's name is what it calls its one device."""
    facts = {**answer.facts, **texts}
    words = [text for text in texts.values() if text.encode() not in answer.banner]
    banner = b"\n".join([answer.banner, *(word.encode() for word in words)])
    answer = replace(answer, banner=banner, facts=facts, complete=True)
    if "printer" in texts or answer.device_type == "printer":
        model = texts.get("device") or texts.get("printer")
        return replace(answer, product=model or answer.product, device_type="printer", model=model)
    answer = replace(answer, model=answer.model or texts.get("model"))
    if answer.product is None and "model" in texts:
        named = " ".join(filter(None, (texts.get("maker") or facts.get("vendor"), texts["model"])))
        revision = texts.get("software_revision") or texts.get("firmware_revision")
        return replace(answer, product=named, version=revision)
    return answer


def read_texts(data: bytes, names: dict[str, snmp.Oid]) -> dict[str, str] | None:
    """The texts of a response's variables, by the fact's name; None when it is no response, empty ones left out."""
    response = snmp.parse_response(data)
    if response is None:
        return None
    texts: dict[str, str] = {}
    for binding in response.bindings:
        for name, oid in names.items():
            if binding.oid[: len(oid)] == oid and name not in texts and (text := _text(binding.value)):
                texts[name] = text
    return texts


def _from_engine(engine_id: bytes) -> Answer:
    enterprise, mac = read_engine_id(engine_id)
    vendor = VENDORS.get(enterprise)
    facts = {"engine_id": engine_id.hex(), **({"vendor": vendor} if vendor else {})}
    if mac:
        facts["engine_mac"] = mac
    product = f"{vendor} SNMPv3 server" if vendor else "SNMPv3 server"
    return Answer("snmp", product=product, mac=mac, facts=facts)


async def _get(ask: Ask, names: dict[str, snmp.Oid]) -> dict[str, str]:
    reply = await ask(snmp.encode_get(_COMMUNITY, _new_id(), tuple(names.values())))
    return (read_texts(reply, names) if reply is not None else None) or {}


async def _read_columns(ask: Ask) -> dict[str, str]:
    columns = tuple(_COLUMNS.values())
    reply = await ask(snmp.encode_get_bulk(_COMMUNITY, _new_id(), columns, max_repetitions=_ROWS))
    if reply is None:  # v1 has no such request, and one missing variable spoils the others
        reply = await ask(snmp.encode_get_next(_COMMUNITY, _new_id(), columns, snmp.V1))
    return (read_texts(reply, _COLUMNS) if reply is not None else None) or {}


def _text(value: snmp.Value) -> str | None:
    if isinstance(value, bytes):
        return value[:_MAX_TEXT].decode("utf-8", "replace").strip("\0 \r\n\t") or None
    return value if isinstance(value, str) else None


def _new_id() -> int:
    return secrets.randbelow(_MAX_ID) + 1


PROTOCOL = KeyedProtocol("snmp", 161, request, parse, more=more, key=key, others=others)
